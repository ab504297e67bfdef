package scenario_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// order is a question with everything in it that can be filled in.
func order(t *testing.T) scenario.Question {
	t.Helper()
	request, err := kakao.ParseSkillRequest([]byte(`{
		"bot": {"id": "b1"},
		"action": {
			"params": {"order_no": "HB-1", "sys_date": "{\"dateTag\":\"today\",\"date\":\"2026-11-24\"}", "odd.name": "점", "empty": "", "list": ["a", "b"]},
			"detailParams": {"order_no": {"origin": "hb 1", "value": "HB-1"}, "sys_date": {"origin": "오늘", "value": "{\"date\":\"2026-11-24\"}"}, "odd": 5},
			"clientExtra": {"sku": "BK-77120", "qty": 2, "box": {"size": "L"}}},
		"userRequest": {"utterance": "HB-1 & 오늘?", "user": {"id": "u1", "properties": {"botUserKey": "u1", "nick": "하늘", "isFriend": true}}},
		"contexts": [
			{"name": "cart", "lifespan": 5, "ttl": 600, "params": {"item": "동화책", "count": {"origin": "둘", "value": "2"}, "from.shop": "강남"}},
			{"name": "my.cart", "lifespan": "3", "params": {"item": {"resolvedValue": "연필"}}},
			{"name": "over", "lifespan": 0, "params": {"item": "x"}},
			{"name": "odd", "lifespan": null, "params": ["x"]}, {"params": {"item": "x"}}, "x", null, 5]}`))
	if err != nil {
		t.Fatal(err)
	}
	return scenario.Question{Request: request, At: now}
}

func TestAnswer_fillsWordsIn(t *testing.T) {
	tests := map[string]struct {
		text, want string
		missing    []string
	}{
		"no words":               {"안녕하세요 #1 {a}", "안녕하세요 #1 {a}", nil},
		"an extracted value":     {"#{params.order_no} 주문", "HB-1 주문", nil},
		"a field of an entity":   {"#{params.sys_date.date}", "2026-11-24", nil},
		"an entity":              {"#{params.sys_date}", `{"dateTag":"today","date":"2026-11-24"}`, nil},
		"a name with a dot":      {"#{params.odd.name}", "점", nil},
		"a detail":               {"#{detail.order_no} #{detail.sys_date.date}", "HB-1 2026-11-24", nil},
		"the piece it came from": {"#{detail.order_no.origin} #{ detail.sys_date.origin }", "hb 1 오늘", nil},
		"a context":              {"#{context.cart.item} #{context.cart.count}권", "동화책 2권", nil},
		"names with dots":        {"#{context.my.cart.item} #{context.cart.from.shop}", "연필 강남", nil},
		"the user":               {"#{user.nick} #{user.isFriend}", "하늘 true", nil},
		"extra":                  {"#{extra.sku} #{extra.qty}권 #{extra.box.size}", "BK-77120 2권 L", nil},
		"what was said":          {"'#{utterance}'", "'HB-1 & 오늘?'", nil},
		"a default":              {"#{params.gone|고객}님 #{params.empty|없음}", "고객님 없음", nil},
		"an empty default":       {"[#{user.gone|}]", "[]", nil},
		"literally":              {"#{{params.order_no}", "#{params.order_no}", nil},
		"without a value":        {"[#{params.gone}#{user.gone}#{params.gone}]", "[]", []string{"params.gone", "user.gone"}},
		"a context that is over": {"[#{context.over.item}]", "[]", []string{"context.over.item"}},
		"odd shapes":             {"[#{detail.odd}#{context.odd.item}]", "[]", []string{"detail.odd", "context.odd.item"}},
		"no such kind":           {"[#{wallet.cash}]", "[]", []string{"wallet.cash"}},
		"no word at all":         {"#{", "#{", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Answer: says(tt.text)}}}}
			q := order(t)
			q.Block = "b"
			reply, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, nil)
			if err != nil || len(reply.Problems) > 0 {
				t.Fatal(err, reply.Problems)
			}
			if got := reply.Response.Template.Outputs[0].SimpleText.Text; got != tt.want {
				t.Errorf("%q is filled in as %q, want %q", tt.text, got, tt.want)
			}
			if diff := cmp.Diff(tt.missing, reply.Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}

// Every text of an answer is filled in, and the bot's own answer is left as it is for the next.
func TestAnswer_fillsEveryText(t *testing.T) {
	template := &kakao.Template{
		Outputs: []kakao.Output{
			{SimpleImage: &kakao.SimpleImage{ImageURL: "https://img.example/#{utterance}.png?n=#{extra.qty}", AltText: "#{extra.sku}"}},
			{Carousel: &kakao.Carousel{Type: "basicCard", Items: []kakao.Card{&kakao.BasicCard{Title: "#{params.order_no}",
				Thumbnail: &kakao.Thumbnail{ImageURL: "https://img.example/1.png", Link: &kakao.Link{Web: "https://shop.example/#{params.order_no}"}},
				Buttons:   kakao.Buttons{List: []kakao.Button{{Action: "message", Label: "#{user.nick}", MessageText: "#{extra.sku}", Extra: map[string]any{"no": "#{params.order_no}", "n": 1.0, "l": []any{"#{extra.sku}"}}}}}}}}},
		},
		QuickReplies: []kakao.QuickReply{{Label: "#{user.nick}", Action: "message", MessageText: "#{params.order_no} 취소"}},
	}
	bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Answer: template,
		Context: []kakao.ContextValue{{Name: "last", LifeSpan: 5, TTL: 600, Params: map[string]string{"no": "#{params.order_no}"}}},
		Data:    map[string]any{"text": "#{user.nick}님", "n": 5}}}}}
	q := order(t)
	q.Block = "b"
	before, err := kakao.SkillResponse{Version: "2.0", Template: template}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := kakao.SkillResponse{Version: "2.0",
		Template: &kakao.Template{
			Outputs: []kakao.Output{
				{SimpleImage: &kakao.SimpleImage{ImageURL: "https://img.example/HB-1%20%26%20%EC%98%A4%EB%8A%98%3F.png?n=2", AltText: "BK-77120"}},
				{Carousel: &kakao.Carousel{Type: "basicCard", Items: []kakao.Card{&kakao.BasicCard{Title: "HB-1",
					Thumbnail: &kakao.Thumbnail{ImageURL: "https://img.example/1.png", Link: &kakao.Link{Web: "https://shop.example/HB-1"}},
					Buttons:   kakao.Buttons{List: []kakao.Button{{Action: "message", Label: "하늘", MessageText: "BK-77120", Extra: map[string]any{"no": "HB-1", "n": 1.0, "l": []any{"BK-77120"}}}}}}}}},
			},
			QuickReplies: []kakao.QuickReply{{Label: "하늘", Action: "message", MessageText: "HB-1 취소"}},
		},
		Context: &kakao.Context{Values: []kakao.ContextValue{{Name: "last", LifeSpan: 5, TTL: 600, Params: map[string]string{"no": "HB-1"}}}},
		Data:    map[string]any{"text": "하늘님", "n": 5},
	}
	for range 2 {
		reply, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, nil)
		if err != nil || len(reply.Problems) > 0 {
			t.Fatal(err, reply.Problems)
		}
		wantJSON(t, reply.Response, want)
	}
	if after, err := (kakao.SkillResponse{Version: "2.0", Template: template}).JSON(); err != nil || string(after) != string(before) {
		t.Errorf("the bot's own answer has become %s, %v", after, err)
	}
}

// A whole address may be a value; a value within one cannot change where it leads.
func TestAnswer_fillsAddresses(t *testing.T) {
	bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Answer: &kakao.Template{Outputs: []kakao.Output{
		{SimpleImage: &kakao.SimpleImage{ImageURL: "#{user.picture}"}},
		{SimpleImage: &kakao.SimpleImage{ImageURL: "https://img.example/?of=#{user.picture}"}},
	}}}}}}
	q := utterance("")
	q.Block, q.Request.User.Properties = "b", map[string]string{"picture": "https://x.example/?a=1&b=2"}
	reply, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, nil)
	if err != nil || len(reply.Problems) > 0 {
		t.Fatal(err, reply.Problems)
	}
	wantJSON(t, reply.Response, kakao.Respond(
		kakao.Output{SimpleImage: &kakao.SimpleImage{ImageURL: "https://x.example/?a=1&b=2"}},
		kakao.Output{SimpleImage: &kakao.SimpleImage{ImageURL: "https://img.example/?of=https%3A%2F%2Fx.example%2F%3Fa%3D1%26b%3D2"}},
	))
}

// What is valid as it is written may be too long once it is filled in.
func TestAnswer_looksAtWhatIsFilledIn(t *testing.T) {
	bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Answer: says("#{utterance}")}}}}
	for words, fits := range map[string]bool{strings.Repeat("가", 1000): true, strings.Repeat("가", 1001): false, "": false} {
		q := utterance(words)
		q.Block = "b"
		reply, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, nil)
		if err != nil || (len(reply.Problems) == 0) != fits || len(kakao.Lint(reply.Response)) > 0 {
			t.Errorf("an answer of %d bytes has problems %v, %v, want it to fit: %v", len(words), reply.Problems, err, fits)
		}
	}
}

// What a server sets of its own stands; what it leaves out is the block's.
func TestAnswer_contextsBesideAServer(t *testing.T) {
	bot := counter()
	bot.Blocks[0].Context = []kakao.ContextValue{{Name: "stock", LifeSpan: 9}, {Name: "seen", LifeSpan: 2, Params: map[string]string{"words": "#{utterance}"}}}
	bot.Blocks[0].Data = map[string]any{"a": "block", "b": "block"}
	b := &backend{answer: kakao.Text("세 권 있어요.")}
	b.answer.Context = &kakao.Context{Values: []kakao.ContextValue{{Name: "stock", LifeSpan: 1}}}
	b.answer.Data = map[string]any{"a": "server"}
	reply, err := scenario.Answer(t.Context(), bot, utterance("재고"), scenario.Entry{}, b)
	if err != nil {
		t.Fatal(err)
	}
	want := kakao.Text("세 권 있어요.")
	want.Context = &kakao.Context{Values: []kakao.ContextValue{{Name: "stock", LifeSpan: 1}, {Name: "seen", LifeSpan: 2, Params: map[string]string{"words": "재고"}}}}
	want.Data = map[string]any{"a": "server", "b": "block"}
	wantJSON(t, reply.Response, want)
}

// Values that were asked for go to the skill server.
func TestAnswer_paramsForAServer(t *testing.T) {
	bot, b := counter(), &backend{answer: kakao.Text("네")}
	bot.Blocks[0].Asks = []scenario.Ask{{Param: "book", Ask: "어떤 책인가요?"}}
	asked, err := scenario.Answer(t.Context(), bot, utterance("재고"), scenario.Entry{}, b)
	if err != nil || len(b.calls) != 0 {
		t.Fatalf("the server was called %d times, %v, want not before the answer", len(b.calls), err)
	}
	if _, err := scenario.Answer(t.Context(), bot, utterance("동화책"), scenario.Entry{State: asked.State}, b); err != nil {
		t.Fatal(err)
	}
	if len(b.calls) != 1 || !cmp.Equal(b.calls[0].Params, map[string]string{"book": "동화책"}) {
		t.Errorf("calls = %+v, want one with the book", b.calls)
	}
}

// A server that itself wants to be waited for cannot be: it has no callback URL.
func TestAnswer_serverAsksToBeWaitedFor(t *testing.T) {
	reply, err := scenario.Answer(context.Background(), counter(), utterance("재고"), scenario.Entry{}, &backend{answer: kakao.Waiting("")})
	if err != nil || reply.BackendErr == nil || reply.Response.UseCallback {
		t.Errorf("Answer = %+v, %v, want the fallback", reply, err)
	}
}
