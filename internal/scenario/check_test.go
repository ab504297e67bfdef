package scenario_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// shop is a content that passes its check, with a block of every kind; change breaks it.
func shop(change func(c *scenario.Content)) scenario.Content {
	c := scenario.Content{
		Blocks: []scenario.Block{
			{ID: "welcome", Name: "웰컴 블록", Kind: scenario.Welcome, Answer: says("어서 오세요."), Handoff: true},
			{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
			{ID: "exit", Name: "탈출 블록", Kind: scenario.Exit, Says: []string{"그만", "취소"}},
			{ID: "order", Name: "주문 조회", Kind: scenario.Normal, Says: []string{"주문 어디까지 왔어요"},
				Asks:   []scenario.Ask{{Param: "order_no", Ask: "주문번호는요?", Pattern: `HB-\d{6}`}, {Param: "how", Ask: "어떻게 알려 드릴까요?", Is: "choice", Choices: []string{"문자", "전화"}}},
				Answer: says("#{params.order_no} 주문을 찾고 있어요."), Context: []kakao.ContextValue{{Name: "order", LifeSpan: 3, Params: map[string]string{"no": "#{params.order_no}"}}}},
			{ID: "stock", Name: "재고", Kind: scenario.Normal, Event: "restock", Webhook: &scenario.Webhook{Server: "shop", Path: "/stock", Fallback: says("확인하지 못했어요.")}},
		},
		Knowledge: []knowledge.Item{{Question: "반품 기한", Answer: "7일입니다."}, {Question: "배송비", Answer: "3,000원입니다.", LandingURL: "https://shop.example/d"}},
		Servers:   []scenario.Server{{Name: "shop", URL: "https://shop.example/skill", Headers: map[string]string{"X-Shop": "hanbit"}}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func TestRules_Check(t *testing.T) {
	const welcome, exit, order, stock = 0, 2, 3, 4
	block := func(i int, change func(b *scenario.Block)) func(*scenario.Content) {
		return func(c *scenario.Content) { change(&c.Blocks[i]) }
	}
	ask := func(change func(a *scenario.Ask)) func(*scenario.Content) {
		return block(order, func(b *scenario.Block) { change(&b.Asks[0]) })
	}
	answer := func(t kakao.Template) func(*scenario.Content) {
		return block(order, func(b *scenario.Block) { b.Answer = &t })
	}
	text := func(text string) func(*scenario.Content) {
		return answer(kakao.Template{Outputs: []kakao.Output{{SimpleText: &kakao.SimpleText{Text: text}}}})
	}
	server := func(change func(s *scenario.Server)) func(*scenario.Content) {
		return func(c *scenario.Content) { change(&c.Servers[0]) }
	}
	item := func(change func(i *knowledge.Item)) func(*scenario.Content) {
		return func(c *scenario.Content) { change(&c.Knowledge[1]) }
	}
	leads := func(id string) kakao.Template {
		return kakao.Template{Outputs: says("어디로 갈까요?").Outputs, QuickReplies: []kakao.QuickReply{{Label: "재고", Action: "block", BlockID: id}}}
	}
	long := func(n int) string { return strings.Repeat("가", n) }
	const text0 = "blocks[3].answer.outputs[0].simpleText.text"
	tests := map[string]struct {
		change func(*scenario.Content)
		want   string // fields, or a field with the beginning of its message
	}{
		"nothing wrong": {nil, ""},
		"nothing":       {func(c *scenario.Content) { *c = scenario.Content{} }, ""},
		"the delay":     {block(order, func(b *scenario.Block) { b.Delay = 50 * time.Second }), ""},

		"no id":                 {block(order, func(b *scenario.Block) { b.ID = "" }), "blocks[3].id is missing"},
		"an id with a slash":    {block(order, func(b *scenario.Block) { b.ID = "../a" }), "blocks[3].id must be at most 64"},
		"an id of 65":           {block(order, func(b *scenario.Block) { b.ID = strings.Repeat("a", 65) }), "blocks[3].id must be at most 64"},
		"an id twice":           {block(order, func(b *scenario.Block) { b.ID = "stock" }), "blocks[4].id is the same as blocks[3].id"},
		"no name":               {block(order, func(b *scenario.Block) { b.Name = " " }), "blocks[3].name is missing"},
		"a name of two lines":   {block(order, func(b *scenario.Block) { b.Name = "a\nb" }), "blocks[3].name must be one line"},
		"a name twice":          {block(order, func(b *scenario.Block) { b.Name = " 재고" }), "blocks[4].name is the same as blocks[3].name"},
		"an unknown kind":       {block(order, func(b *scenario.Block) { b.Kind = "block"; b.Asks = nil; b.Answer = says("네.") }), "blocks[3].kind must be welcome, fallback, exit or normal"},
		"two fallbacks":         {block(stock, func(b *scenario.Block) { b.Kind = scenario.Fallback }), "blocks[4].kind is the same as blocks[1].kind"},
		"an event twice":        {block(order, func(b *scenario.Block) { b.Event = "restock" }), "blocks[4].event is the same as blocks[3].event"},
		"too slow":              {block(order, func(b *scenario.Block) { b.Delay = 50*time.Second + time.Millisecond }), "blocks[3].delay_ms must be 0 to 50000"},
		"a negative delay":      {block(order, func(b *scenario.Block) { b.Delay = -1 }), "blocks[3].delay_ms must be"},
		"said in another block": {block(stock, func(b *scenario.Block) { b.Says = []string{"주문 어디까지 왔어요 "} }), "blocks[4].says[0] is the same as blocks[3].says[0]"},
		"said as a name":        {block(order, func(b *scenario.Block) { b.Says = []string{"재고"} }), "blocks[4].name is the same as blocks[3].says[0]"},
		"names of one folding": {func(c *scenario.Content) { c.Blocks[order].Name, c.Blocks[stock].Name = "A-1", "a 1" },
			"blocks[4].name is the same as blocks[3].name but for spaces and punctuation"},
		"said as a name folds":   {block(order, func(b *scenario.Block) { b.Says = []string{"재 고?"} }), "blocks[4].name is the same as blocks[3].says[0] but for"},
		"said to leave, loudly":  {block(stock, func(b *scenario.Block) { b.Says = []string{"그만!"} }), "blocks[4].says[0] is the same as blocks[2].says[0] but for"},
		"said in two spellings":  {block(stock, func(b *scenario.Block) { b.Says = []string{"재고 있나요", "재고있나요?", "재 고"} }), ""},
		"said twice, in a block": {block(stock, func(b *scenario.Block) { b.Says = []string{"재고 있나요", "재고 있나요"} }), "blocks[4].says[1] is the same as blocks[4].says[0]"},
		"said to leave":          {block(stock, func(b *scenario.Block) { b.Says = []string{"그만"} }), "blocks[4].says[0] is the same as blocks[2].says[0]"},
		"said twice":             {block(stock, func(b *scenario.Block) { b.Says = []string{"책 있어요", "책 있어요"} }), "blocks[4].says[1] is the same"},
		"its own name said":      {block(stock, func(b *scenario.Block) { b.Says = []string{"재고"} }), ""},
		"said nothing":           {block(stock, func(b *scenario.Block) { b.Says = []string{" "} }), "blocks[4].says[0] is empty"},
		"said 200":               {block(stock, func(b *scenario.Block) { b.Says = []string{long(200)} }), ""},
		"said 201":               {block(stock, func(b *scenario.Block) { b.Says = []string{long(201)} }), "blocks[4].says[0] is 201 characters"},
		"said to the welcome":    {block(welcome, func(b *scenario.Block) { b.Says = []string{"안녕"} }), "blocks[0].says has no place"},
		"no answer":              {block(order, func(b *scenario.Block) { b.Answer = nil }), "blocks[3].answer is missing"},
		"two ways of answering":  {block(stock, func(b *scenario.Block) { b.Answer = says("네.") }), "blocks[4].webhook stands beside an answer"},
		"an exit with an answer": {block(exit, func(b *scenario.Block) { b.Answer = says("네."); b.Handoff = true }), "blocks[2].answer has no place|blocks[2].handoff has no place"},
		"a welcome that asks":    {block(welcome, func(b *scenario.Block) { b.Asks = []scenario.Ask{{Param: "a", Ask: "?"}} }), "blocks[0].asks has no place"},

		"text of 1000":              {text(long(1000)), ""},
		"text of 1001":              {text(long(1001)), text0 + " is 1001 characters"},
		"no text":                   {text(""), text0 + " is required"},
		"a word alone":              {text("#{params.order_no}"), ""},
		"1000 beside a word":        {text(long(1000) + "#{utterance}"), ""},
		"1001 beside a word":        {text(long(1001) + "#{utterance|네}"), text0 + " is 1001 characters"},
		"every kind of word":        {text("#{params.a}#{detail.b|x}#{context.c.d}#{user.e}#{extra.f}#{utterance}#{{g}"), ""},
		"a word of another kind":    {text("#{name}님"), text0 + " has #{name}, which nothing fills in"},
		"a context without a param": {text("#{context.order}"), text0 + " has #{context.order}"},
		"a word left open":          {text("#{params.a"), text0 + " has #{ without }"},
		"an empty word":             {text("#{}"), text0 + " has #{}, whose name is empty"},
		"an address that is a word": {answer(kakao.Template{Outputs: []kakao.Output{{SimpleImage: &kakao.SimpleImage{ImageURL: "#{params.image}"}}}}), ""},
		"an address with a word":    {answer(kakao.Template{Outputs: []kakao.Output{{SimpleImage: &kakao.SimpleImage{ImageURL: "https://a.example/#{params.no}.png"}}}}), ""},
		"no address whatever it is": {answer(kakao.Template{Outputs: []kakao.Output{{SimpleImage: &kakao.SimpleImage{ImageURL: "ftp://a.example/#{params.no}.png"}}}}), "blocks[3].answer.outputs[0].simpleImage.imageUrl must be"},
		"a label with a word":       {answer(kakao.Template{Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: long(14) + "#{utterance}", Action: "message"}}}), ""},
		"a label too long":          {answer(kakao.Template{Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: long(15) + "#{utterance}", Action: "message"}}}), "blocks[3].answer.quickReplies[0].label is 15 characters"},
		"an action that is a word":  {answer(kakao.Template{Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: "a", Action: "#{extra.a}"}}}), "blocks[3].answer.quickReplies[0].action must be"},
		"four outputs, one long":    {answer(kakao.Template{Outputs: append(slices.Repeat(says("a").Outputs, 3), kakao.Output{SimpleText: &kakao.SimpleText{Text: long(1001)}})}), "blocks[3].answer.outputs has 4 entries, want 1 to 3|blocks[3].answer.outputs[3].simpleText.text is 1001 characters"},
		"several words":             {answer(*says("#{a} #{utterance} #{b.c}#{a} #{")), text0 + " has #{a}, #{b.c}, which nothing fills in|" + text0 + " has #{ without }"},
		"no outputs":                {answer(kakao.Template{}), "blocks[3].answer.outputs has 0 entries"},
		"two problems":              {answer(kakao.Template{Outputs: append(says(" ").Outputs, kakao.Output{})}), text0 + " is required|blocks[3].answer.outputs[1] has 0 components"},

		"leads to a block":         {answer(leads("stock")), ""},
		"leads to Kakao's":         {answer(leads("66a1f111d4b7e83f5a9c1d01")), ""},
		"leads nowhere":            {answer(leads("stocks")), `blocks[3].answer.quickReplies[0].blockId names the block "stocks", which the bot does not have`},
		"a list leads nowhere":     {answer(kakao.Template{Outputs: []kakao.Output{{ListCard: &kakao.ListCard{Header: kakao.ListHeader{Title: "a"}, Items: []kakao.ListItem{{Title: "b", Action: "block", BlockID: "x"}}}}}}), "blocks[3].answer.outputs[0].listCard.items[0].blockId names"},
		"a carousel leads nowhere": {answer(kakao.Template{Outputs: []kakao.Output{{Carousel: &kakao.Carousel{Type: "textCard", Items: []kakao.Card{&kakao.TextCard{Title: "a", Buttons: kakao.Buttons{List: []kakao.Button{{Label: "b", Action: "block", BlockID: "x"}}}}}}}}}), "blocks[3].answer.outputs[0].carousel.items[0].buttons[0].blockId names"},
		"extra leads nowhere":      {answer(kakao.Template{Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: "a", Action: "message", Extra: map[string]any{"blockId": "x"}}}}), ""},

		"no room for a person": {block(order, func(b *scenario.Block) {
			b.Handoff, b.Answer = true, &kakao.Template{Outputs: append(append(says("a").Outputs, says("b").Outputs...), says("c").Outputs...)}
		}), "blocks[3].handoff finds no room"},
		"room for a person": {block(order, func(b *scenario.Block) {
			b.Handoff, b.Answer = true, &kakao.Template{Outputs: append(append(says("a").Outputs, says("b").Outputs...), kakao.Output{TextCard: &kakao.TextCard{Title: "c"}})}
		}), ""},

		"no param":               {ask(func(a *scenario.Ask) { a.Param = "" }), "blocks[3].asks[0].param is missing"},
		"a param with a point":   {ask(func(a *scenario.Ask) { a.Param = "a.b" }), "blocks[3].asks[0].param must be"},
		"a param twice":          {ask(func(a *scenario.Ask) { a.Param = "how" }), "blocks[3].asks[1].param is asked for twice"},
		"no question":            {ask(func(a *scenario.Ask) { a.Ask = "" }), "blocks[3].asks[0].ask is required"},
		"a question too long":    {ask(func(a *scenario.Ask) { a.Again = long(1001) }), "blocks[3].asks[0].again is 1001 characters"},
		"a question with words":  {ask(func(a *scenario.Ask) { a.Ask = "#{user.name|고객}님, 번호는요?" }), ""},
		"an unknown kind of ask": {ask(func(a *scenario.Ask) { a.Is = "email"; a.Pattern = "" }), "blocks[3].asks[0].is must be text, number, phone, date or choice"},
		"a pattern of Perl":      {ask(func(a *scenario.Ask) { a.Pattern = "(?=a)" }), "blocks[3].asks[0].pattern is no regular expression (RE2)"},
		"a pattern of much work": {ask(func(a *scenario.Ask) { a.Pattern = strings.Repeat("(?:.?){100}", 11) }), "blocks[3].asks[0].pattern takes too long to match"},
		"a pattern of some work": {ask(func(a *scenario.Ask) { a.Pattern = "[가-힣 ]{2,200}" }), ""},
		"a pattern too long":     {ask(func(a *scenario.Ask) { a.Pattern = strings.Repeat("a", 501) }), "blocks[3].asks[0].pattern must be at most 500 bytes"},
		"a pattern of a number":  {ask(func(a *scenario.Ask) { a.Is = "number" }), "blocks[3].asks[0].pattern is only for what is text"},
		"a choice of nothing":    {ask(func(a *scenario.Ask) { a.Is = "choice"; a.Pattern = "" }), "blocks[3].asks[0].choices is missing"},
		"choices of a text":      {ask(func(a *scenario.Ask) { a.Choices = []string{"a"} }), "blocks[3].asks[0].choices is only for"},
		"a choice too long":      {block(order, func(b *scenario.Block) { b.Asks[1].Choices[1] = long(15) }), "blocks[3].asks[1].choices[1] is 15 characters"},
		"a choice twice":         {block(order, func(b *scenario.Block) { b.Asks[1].Choices[1] = "문자" }), "blocks[3].asks[1].choices[1] stands twice"},
		"eleven choices":         {block(order, func(b *scenario.Block) { b.Asks[1].Choices = strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",") }), "blocks[3].asks[1].choices has 11 entries"},
		"a past that is no date": {ask(func(a *scenario.Ask) { a.Past = true }), "blocks[3].asks[0].past is only for what is a date"},
		"too many tries":         {ask(func(a *scenario.Ask) { a.Tries = 11 }), "blocks[3].asks[0].tries must be 1 to 10"},
		"a context without name": {block(order, func(b *scenario.Block) { b.Context[0].Name = "" }), "blocks[3].context[0].name is required"},
		"a context in the past":  {block(order, func(b *scenario.Block) { b.Context[0].LifeSpan = -1 }), "blocks[3].context[0].lifeSpan must not be negative"},
		"a context's word":       {block(order, func(b *scenario.Block) { b.Context[0].Params["no"] = "#{no}" }), "blocks[3].context[0].params.no has #{no}"},
		"data's word":            {block(order, func(b *scenario.Block) { b.Data = map[string]any{"a": []any{"#{no}", nil, 1.5}} }), "blocks[3].data.a[0] has #{no}"},
		"too much data":          {block(order, func(b *scenario.Block) { b.Data = map[string]any{"a": strings.Repeat("a", 30_000)} }), "blocks[3].data must be at most 30000 bytes"},
		"outputs without end": {block(order, func(b *scenario.Block) {
			b.Handoff, b.Answer = true, &kakao.Template{Outputs: slices.Repeat(says("a").Outputs, 6000)}
		}), "blocks[3].answer.outputs has 6000 entries, want 1 to 3"},
		"more outputs than that": {block(order, func(b *scenario.Block) {
			b.Handoff, b.Answer = true, &kakao.Template{Outputs: slices.Repeat(says("a").Outputs, 10_000)}
		}), "blocks[3] must be at most 200000 bytes"},
		"says without end":              {block(order, func(b *scenario.Block) { b.Says = slices.Repeat([]string{"a"}, 301) }), "blocks[3].says has 301 entries"},
		"too much of all":               {answer(kakao.Template{Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: "a", Action: "message", Extra: map[string]any{"a": long(70_000)}}}}), "blocks[3] must be at most 200000 bytes"},
		"an unknown server":             {block(stock, func(b *scenario.Block) { b.Webhook.Server = "ship" }), `blocks[4].webhook.server names "ship", which is none of the servers`},
		"no server":                     {block(stock, func(b *scenario.Block) { b.Webhook.Server = "" }), "blocks[4].webhook.server is missing"},
		"a path elsewhere":              {block(stock, func(b *scenario.Block) { b.Webhook.Path = "//evil.example/x" }), "blocks[4].webhook.path must be a path"},
		"a path upwards":                {block(stock, func(b *scenario.Block) { b.Webhook.Path = "/a/../../b" }), "blocks[4].webhook.path must not lead upwards"},
		"a path of another kind":        {block(stock, func(b *scenario.Block) { b.Webhook.Path = "stock" }), "blocks[4].webhook.path must be a path"},
		"a fallback too long":           {block(stock, func(b *scenario.Block) { b.Webhook.Fallback = &kakao.Template{} }), "blocks[4].webhook.fallback.outputs has 0 entries"},
		"a server without a name":       {server(func(s *scenario.Server) { s.Name = "a b" }), "servers[0].name must be|blocks[4].webhook.server names"},
		"a server of http":              {server(func(s *scenario.Server) { s.URL = "http://shop.example" }), "servers[0].url must be an https address"},
		"a server on this machine":      {server(func(s *scenario.Server) { s.URL = "http://127.0.0.1:8080/x" }), "servers[0].url must be an https address"},
		"a secure one on this machine":  {server(func(s *scenario.Server) { s.URL = "https://localhost/x" }), "servers[0].url leads to no public address"},
		"a server of a private address": {server(func(s *scenario.Server) { s.URL = "https://192.168.0.7" }), "servers[0].url leads to no public address"},
		"a server with a password":      {server(func(s *scenario.Server) { s.URL = "https://a:b@shop.example" }), "servers[0].url holds a name or password"},
		"a server with a query":         {server(func(s *scenario.Server) { s.URL = "https://shop.example?a=b" }), "servers[0].url must end before ?"},
		"no address":                    {server(func(s *scenario.Server) { s.URL = "" }), "servers[0].url is missing"},
		"a server twice":                {func(c *scenario.Content) { c.Servers = append(c.Servers, c.Servers[0]) }, "servers[1].name is the same as servers[0].name"},
		"a header of Malgil's":          {server(func(s *scenario.Server) { s.Headers = map[string]string{"X-Malgil-Signature": "a"} }), "servers[0].headers.X-Malgil-Signature is a header that Malgil sets itself"},
		"a header of two lines":         {server(func(s *scenario.Server) { s.Headers = map[string]string{"X-A": "a\r\nHost: b"} }), "servers[0].headers.X-A must be at most"},
		"a header twice":                {server(func(s *scenario.Server) { s.Headers = map[string]string{"X-A": "a", "x-a": "b"} }), "servers[0].headers.x-a is the same as servers[0].headers.X-A"},

		"no question of an item": {item(func(i *knowledge.Item) { i.Question = "\n" }), "knowledge[1].question is missing"},
		"no answer of an item":   {item(func(i *knowledge.Item) { i.Answer = "" }), "knowledge[1].answer is missing"},
		"a question asked twice": {item(func(i *knowledge.Item) { i.Question = " 반품 기한 " }), "knowledge[1].question is the same as knowledge[0].question"},
		"questions but for signs": {func(c *scenario.Content) {
			c.Knowledge[0].Question, c.Knowledge[1].Question = "C++ 강좌가 있나요", "C# 강좌가 있나요"
		}, ""},
		"a question but for marks":     {item(func(i *knowledge.Item) { i.Question = "반품기한?!" }), "knowledge[1].question is the same as knowledge[0].question but for spaces"},
		"an answer of 1001":            {item(func(i *knowledge.Item) { i.Answer = long(1001) }), "knowledge[1].answer is 1001 characters"},
		"a question of 201, by emoji":  {item(func(i *knowledge.Item) { i.Question = long(199) + "😀" }), "knowledge[1].question is 201 characters"},
		"a picture without encryption": {item(func(i *knowledge.Item) { i.ImageURL = "http://a.example/b.png" }), "knowledge[1].image_url must be an https address"},
		"a control character":          {item(func(i *knowledge.Item) { i.Answer = "a\x00b" }), "knowledge[1].answer has control characters"},
		"a category too long":          {item(func(i *knowledge.Item) { i.Categories[2] = long(101) }), "knowledge[1].categories[2] must be"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			content := shop(tt.change)
			before := shop(tt.change)
			var got []string
			for _, part := range (scenario.Rules{}).Check(t.Context(), content) {
				got = append(got, part.Field+" "+part.Message)
			}
			var want []string
			if tt.want != "" {
				want = strings.Split(tt.want, "|")
			}
			if len(got) != len(want) {
				t.Fatalf("Check() = %q, want %q", got, want)
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("Check()[%d] = %q, want %q", i, got[i], want[i])
				}
			}
			if diff := cmp.Diff(before, content); diff != "" {
				t.Errorf("Check() changed what it looked at:\n%s", diff)
			}
		})
	}
}

// A check ends where it has told enough, so that no content takes the memory or the time of a process.
func TestRules_Check_enough(t *testing.T) {
	for name, content := range map[string]scenario.Content{
		"many blocks": {Blocks: make([]scenario.Block, scenario.MaxBlocks)},
		"many items":  {Knowledge: make([]knowledge.Item, scenario.MaxKnowledge)},
		"one block":   {Blocks: []scenario.Block{{ID: "a", Name: "a", Kind: scenario.Normal, Answer: says("a"), Data: map[string]any{"a": slices.Repeat([]any{"#{"}, 5000)}}}},
		"few of long texts": {Blocks: slices.Repeat([]scenario.Block{{ID: "a", Name: "a", Kind: scenario.Normal, Answer: &kakao.Template{
			Outputs: says("a").Outputs, QuickReplies: []kakao.QuickReply{{Label: "a", Action: "block", BlockID: strings.Repeat("k", 150_000)}},
		}}}, 10)},
	} {
		t.Run(name, func(t *testing.T) {
			parts := scenario.Rules{}.Check(t.Context(), content)
			if n := len(parts); n > scenario.MaxProblems+1 || n == 0 || parts[n-1].Message != scenario.MoreProblems {
				t.Fatalf("Check() tells %d problems, want at most %d and one that says that there are more", n, scenario.MaxProblems)
			}
			bytes := 0
			for _, part := range parts[:len(parts)-1] {
				bytes += len(part.Field) + len(part.Message)
			}
			if bytes > scenario.MaxProblemBytes {
				t.Errorf("Check() tells %d bytes, want at most %d", bytes, scenario.MaxProblemBytes)
			}
		})
	}
	long := strings.Repeat("가", 30_000)
	keyed := shop(func(c *scenario.Content) { c.Blocks[3].Context[0].Params = map[string]string{long: "#{"} })
	if parts := (scenario.Rules{}).Check(t.Context(), keyed); len(parts) != 1 || len(parts[0].Field) > 200 {
		t.Errorf("Check(a long key) tells %d problems at paths such as %.300q, want one at a short one", len(parts), parts)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if parts := (scenario.Rules{}).Check(ended, scenario.Content{Blocks: make([]scenario.Block, 2)}); len(parts) > 0 {
		t.Errorf("Check(ended) = %v, want none", parts)
	}
}

func TestRules_Check_counts(t *testing.T) {
	c := scenario.Content{Blocks: make([]scenario.Block, 1001), Knowledge: make([]knowledge.Item, 50_001), Servers: make([]scenario.Server, 21)}
	got := map[string]bool{}
	for _, part := range (scenario.Rules{}).Check(t.Context(), c) {
		got[part.Field+" "+part.Message] = true
	}
	for _, want := range []string{"blocks has 1001 entries, at most 1000 are kept", "knowledge has 50001 entries, at most 50000 are kept", "servers has 21 entries, at most 20 are kept"} {
		if !got[want] {
			t.Errorf("Check() lacks %q", want)
		}
	}
}

func TestRules_Check_rules(t *testing.T) {
	local := shop(func(c *scenario.Content) { c.Servers[0].URL = "http://127.0.0.1:8080/x" })
	if parts := (scenario.Rules{HTTPLoopback: true}).Check(t.Context(), local); len(parts) > 0 {
		t.Errorf("Check(server on this machine, allowed) = %v, want none", parts)
	}
	ours := scenario.Rules{HTTPHosts: []string{".corp.example", "10.0.0.7:8080"}}
	for address, good := range map[string]bool{
		"http://skill.corp.example/x": true, "http://10.0.0.7:8080/x": true, "https://shop.example/x": true,
		"https://10.0.0.7:8080/x": true, "https://10.0.0.7/x": false, "https://10.0.0.8/x": false, "https://LOCALHOST./x": false, "https://[::1]/x": false, "https://127.0.0.1/x": false,
		"http://10.0.0.7/x": false, "http://skill.corp.example:6379/x": false, "http://corp.example/x": false, "ftp://skill.corp.example/x": false, "http://127.0.0.1/x": false,
	} {
		parts := ours.Check(t.Context(), shop(func(c *scenario.Content) { c.Servers[0].URL = address }))
		if good != (len(parts) == 0) {
			t.Errorf("Check(server at %s) = %v, want good %v", address, parts, good)
		}
	}
	far := shop(func(c *scenario.Content) { c.Servers[0].URL = "http://10.0.0.1/x" })
	if parts := (scenario.Rules{HTTPLoopback: true}).Check(t.Context(), far); len(parts) != 1 {
		t.Errorf("Check(http to another machine) = %v, want one", parts)
	}
	part := shop(func(c *scenario.Content) { c.Servers = nil })
	part.Blocks[0].Answer.QuickReplies = []kakao.QuickReply{{Label: "a", Action: "block", BlockID: "elsewhere"}}
	if parts := (scenario.Rules{Partial: true, NoServers: true}).Check(t.Context(), part); len(parts) > 0 {
		t.Errorf("Check(partial) = %v, want none", parts)
	}
	if parts := (scenario.Rules{Blocks: []string{"elsewhere"}}).Check(t.Context(), part); len(parts) != 1 || parts[0].Field != "blocks[4].webhook.server" {
		t.Errorf("Check(a block more) = %v, want the server alone", parts)
	}
}
