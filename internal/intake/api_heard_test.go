package intake

import (
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// hear records utterances, each a minute after the one before.
func (h *house) hear(bot string, all ...scenario.Utterance) {
	h.t.Helper()
	for i := range all {
		u := &all[i]
		u.ID, u.BotID, u.Side, u.Outcome = fmt.Sprintf("utt_%03d", i), bot, scenario.Live, scenario.Direct
		u.At = h.server.config.Now().Add(time.Duration(i-len(all)) * time.Minute)
	}
	if err := h.store.RecordUtterances(h.t.Context(), all); err != nil {
		h.t.Fatal(err)
	}
}

func TestHeard(t *testing.T) {
	h := newHouse(t)
	_, _, bot := h.seed(0)
	path := "/api/v1/bots/" + bot
	h.do(call{method: "POST", path: path + "/versions?deploy=true", body: map[string]any{"blocks": []any{
		map[string]any{"id": "b", "name": "재입고 알림", "kind": "normal", "answer": map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": "들어왔어요."}}}}},
	}}}).want(201)
	h.do(call{method: "PATCH", path: path, body: map[string]any{"talking": map[string]any{"plain_user_keys": true}}}).want(200)
	hash := []byte{0x9f, 0x2c, 0x1a, 0x7b, 0xe0, 0x04, 0xff, 0xff}
	h.hear(bot,
		scenario.Utterance{Asked: "선물 포장 되나요", Why: scenario.ByNothing, UserHash: hash, Matches: `[{"question":"배송","score":41,"parts":[{"name":"a","value":0.50001,"contribution":-1.23456789}]},{"block":"b","words":"알림","score":9}]`, Score: 41},
		scenario.Utterance{Asked: "선물포장 해주세요", Why: scenario.ByNothing, UserKey: "u-1", UserHash: hash},
		scenario.Utterance{Asked: "선물 포장 되나요", Why: scenario.ByNothing},
		scenario.Utterance{Asked: "재입고 알림", Why: scenario.ByWords, BlockID: "b"},
	)

	list := h.do(call{method: "GET", path: path + "/utterances?limit=3"}).want(200)
	wantAt(t, "GET utterances", list, map[string]any{
		"items.0.asked": "재입고 알림", "items.0.why": "words", "items.0.user": nil, "items.0.outcome": "direct", "items.1.user": nil, "items.2.user": "u-1",
	})
	wantAt(t, "its next page", h.do(call{method: "GET", path: path + "/utterances?limit=3&cursor=" + list["next_cursor"].(string)}).want(200), map[string]any{
		"items.0.user": "9f2c1a7be004", "items.0.matches.0.score": 41, "items.0.matches.0.parts.0.name": "a", "items.0.matches.0.parts.0.value": 0.5,
		"items.0.matches.0.parts.0.contribution": -1.2346, "items.0.matches.1.block": "b", "items.0.matches.1.words": "알림", "items.1": nil, "next_cursor": nil,
	})
	wantAt(t, "by rule", h.do(call{method: "GET", path: path + "/utterances?why=words"}).want(200), map[string]any{"items.0.asked": "재입고 알림", "items.1": nil})
	wantAt(t, "by outcome", h.do(call{method: "GET", path: path + "/utterances?outcome=late"}).want(200), map[string]any{"items.0": nil})

	wantAt(t, "GET replay", h.do(call{method: "GET", path: path + "/replay"}).want(200), map[string]any{
		"utterances": 4, "minimum_accuracy": 70, "steps.0.minimum_accuracy": 50, "steps.9.minimum_accuracy": 95, "steps.10": nil, "steps.4.changed": 0,
	})
	wantAt(t, "of the last one", h.do(call{method: "GET", path: path + "/replay?last=1"}).want(200), map[string]any{"utterances": 1, "steps.0.answered": 1})
	wantAt(t, "of the other side", h.do(call{method: "GET", path: path + "/replay?side=development"}).want(200), map[string]any{"utterances": 0})

	wantAt(t, "GET unanswered", h.do(call{method: "GET", path: path + "/unanswered"}).want(200), map[string]any{
		"items.0.times": 3, "items.0.texts": 2, "items.0.words.0.asked": "선물 포장 되나요", "items.0.words.0.times": 2, "items.1": nil,
	})

	for _, rule := range scenario.Whys {
		h.do(call{method: "GET", path: path + "/utterances?why=" + string(rule)}).want(200)
	}
	for _, outcome := range scenario.Outcomes {
		status := 200
		if outcome == scenario.Unreadable {
			status = 422 // it is not kept
		}
		h.do(call{method: "GET", path: path + "/utterances?outcome=" + string(outcome)}).want(status)
	}
	for query, field := range map[string]string{
		"/replay?last=0": "query.last", "/replay?last=5001": "query.last", "/replay?side=both": "query.side", "/unanswered?days=0": "query.days",
		"/utterances?why=luck": "query.why", "/utterances?outcome=unreadable": "query.outcome", "/utterances?cursor=x": "query.cursor",
	} {
		h.do(call{method: "GET", path: path + query}).wantProblem(422, "INVALID", field)
	}
	for _, route := range []string{"utterances", "replay", "unanswered"} {
		h.do(call{method: "GET", path: "/api/v1/bots/none/" + route}).wantProblem(404, "NOT_FOUND", "")
	}
}
