package intake

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/retention"
	"github.com/malgil/malgil/internal/scenario"
)

func TestPurges(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	said := noon.AddDate(-3, 0, -2)
	must(t, h.store.RecordUtterances(t.Context(), []scenario.Utterance{{ID: "utt_1", BotID: botID, Side: scenario.Live, Outcome: scenario.Direct, At: said}}))
	for _, day := range []int{1, 2, 3} {
		must(t, retention.New(h.store, nothing{}, func() time.Time { return noon.AddDate(0, 0, day) }).Run(t.Context()))
	}
	path := "/api/v1/bots/" + botID + "/purges"
	list := h.do(call{method: "GET", path: path + "?limit=2"}).want(200)
	wantAt(t, "GET purges", list, map[string]any{"items.0.day": "2026-11-27", "items.0.removed": 0, "items.0.oldest": nil, "items.1.day": "2026-11-26", "items.2": nil})
	wantAt(t, "GET purges, second page", h.do(call{method: "GET", path: path + "?limit=2&cursor=" + list["next_cursor"].(string)}).want(200), map[string]any{
		"items.0.day": "2026-11-25", "items.0.level": 4, "items.0.before": "2023-11-24T15:00:00Z", "items.0.removed": 1, "items.0.oldest": "2023-11-22T03:00:00Z",
		"items.0.newest": "2023-11-22T03:00:00Z", "items.0.began_at": "2026-11-25T03:00:00Z", "items.0.ended_at": "2026-11-25T03:00:00Z", "items.1": nil,
	})
	h.do(call{method: "GET", path: "/api/v1/bots/none/purges"}).wantProblem(404, "NOT_FOUND", "")
}

// nothing counts nothing.
type nothing struct{}

func (nothing) UtterancesPurged(int) {}
