package botfile_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// folder makes a folder of files by name; bot.yaml is there unless it is given.
func folder(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{"bot.yaml": {Data: []byte("id: b1\nname: 한빛서점\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// lines returns problems as they are printed.
func lines(problems []botfile.Problem) (all []string) {
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

func TestRead(t *testing.T) {
	content, header, problems := botfile.Read(t.Context(), folder(map[string]string{
		"bot.yaml": "id: b1 # Kakao's\nname: 한빛서점\nservers:\n  - name: shop\n    url: https://shop.example/skill\n    headers: {X-Shop: a}\n",
		"blocks/hours.yaml": "\ufeffid: hours\nname: 영업시간\nsays: [몇 시까지 해요, \"언제 열어요?\"]\nanswer: |\n  평일 10시부터 21시까지\n  주말은 18시까지\n" +
			"handoff: true\nevent: hours_changed\ncallback: true\ndelay_ms: 1500\n",
		"blocks/order.yaml": "id: order\r\nname: 주문 조회\r\nasks:\r\n- param: order_no\r\n  ask: 주문번호는요?\r\n  pattern: HB-\\d{6}\r\n  tries: 2\r\nwebhook:\r\n  server: shop\r\n  path: /order\r\n  fallback: 잠시 후에 다시 물어봐 주세요.\r\n" +
			"context:\r\n- name: order\r\n  lifeSpan: 5\r\n  ttl: 600\r\n  params: {no: \"#{params.order_no}\"}\r\ndata: {n: 1, half: 0.5, list: [true, null, a]}\r\n",
		"blocks/new.yaml": "id: new\nname: 신간\nanswer:\n  outputs:\n  - carousel:\n      type: commerceCard\n      items:\n      - title: 새 책\n        price: 12000\n        dicountedPrice: 9000\n" +
			"        thumbnails: [{imageUrl: https://img.example/1.png}]\n        buttons: [{label: 사기, action: webLink, webLinkUrl: https://shop.example/1, extra: {sku: 3}}]\n",
		"README.md": "notes", ".gitignore": "x", "blocks/.DS_Store": "x",
	}), scenario.Rules{})
	if len(problems) > 0 {
		t.Fatalf("Read() = %q, want no problem", lines(problems))
	}
	text := func(text string) *kakao.Template { return kakao.Text(text).Template }
	price, now := int64(12000), int64(9000)
	want := scenario.Content{
		Servers: []scenario.Server{{Name: "shop", URL: "https://shop.example/skill", Headers: map[string]string{"X-Shop": "a"}}},
		Blocks: []scenario.Block{
			{
				ID: "hours", Name: "영업시간", Kind: scenario.Normal, Says: []string{"몇 시까지 해요", "언제 열어요?"}, Event: "hours_changed", Callback: true,
				Delay: 1500 * time.Millisecond, Handoff: true, Answer: &kakao.Template{Outputs: []kakao.Output{{SimpleText: &kakao.SimpleText{Text: "평일 10시부터 21시까지\n주말은 18시까지\n"}}}},
			},
			{ID: "new", Name: "신간", Kind: scenario.Normal, Answer: &kakao.Template{Outputs: []kakao.Output{{Carousel: &kakao.Carousel{
				Type: "commerceCard", Items: []kakao.Card{&kakao.CommerceCard{
					Title: "새 책", Price: &price, DiscountedPrice: &now, Thumbnails: []kakao.Thumbnail{{ImageURL: "https://img.example/1.png"}},
					Buttons: kakao.Buttons{List: []kakao.Button{{Label: "사기", Action: "webLink", WebLinkURL: "https://shop.example/1", Extra: map[string]any{"sku": 3.0}}}},
				}},
			}}}}},
			{
				ID: "order", Name: "주문 조회", Kind: scenario.Normal, Asks: []scenario.Ask{{Param: "order_no", Ask: "주문번호는요?", Pattern: `HB-\d{6}`, Tries: 2}},
				Webhook: &scenario.Webhook{Server: "shop", Path: "/order", Fallback: text("잠시 후에 다시 물어봐 주세요.")},
				Context: []kakao.ContextValue{{Name: "order", LifeSpan: 5, TTL: 600, Params: map[string]string{"no": "#{params.order_no}"}}},
				Data:    map[string]any{"n": 1.0, "half": 0.5, "list": []any{true, nil, "a"}},
			},
		},
	}
	if diff := cmp.Diff(want, content); diff != "" || header != (botfile.Header{ID: "b1", Name: "한빛서점"}) {
		t.Errorf("Read() = header %+v and content (-want +got):\n%s", header, diff)
	}
}

// Every problem of every file is told at once, each at its place.
func TestRead_problems(t *testing.T) {
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{
		"bot.yaml":       "id: b1!\nname: 한빛\nservers:\n  - name: x\n    url: http://a\n",
		"blocks/a.yaml":  "id: a\nname: 가나\nkind: normal\nsays: [안녕, 반가워, \"x\"]\nanswer:\n  outputs:\n    - simpleText: {text: 한글, txt: 3}\n    - textCard:\n        title: 'x'\n        buttons:\n          - {label: 상담, action: oprator}\n          - label: 상담상담상담상담상담상담상담상담상담상담\n            action: operator\n",
		"blocks/b.yaml":  "id: b\nname: 가나\nanswer: |\n  하나\n  둘\nfoo: 1\nsays:\n- 안녕\n- 5\nid: c\nkind:\nhandoff: 예\n",
		"blocks/c.yaml":  "id: c\n  name: [가나\n",
		"blocks/d.yaml":  "id: &x c\nname: *x\nanswer: !!str x\n",
		"blocks/e.yml":   "",
		"blocks/f.yaml":  "",
		"blocks/g.yaml":  "id: g\nname: \xff\n",
		"blocks/h.yaml":  "- id: h\n",
		"blocks/i/j":     "",
		"bot.yml":        "",
		"knowledges.csv": "",
	}), scenario.Rules{})
	want := []string{
		"blocks/a.yaml:7:30: answer.outputs[0].simpleText.txt is no field here; there are text",
		"blocks/a.yaml:11:33: answer.outputs[1].textCard.buttons[0].action must be webLink, message, phone, block, share or operator",
		"blocks/a.yaml:12:20: answer.outputs[1].textCard.buttons[1].label is 20 characters, at most 14 are allowed",
		"blocks/b.yaml:2:7: name is the same as blocks/a.yaml:2:7",
		"blocks/b.yaml:6:1: foo is no field here; there are id, name, kind, says, event, callback, delay_ms, asks, answer, webhook, handoff, context, data",
		"blocks/b.yaml:8:3: says[0] is the same as blocks/a.yaml:4:8",
		`blocks/b.yaml:9:3: says[1] must be a text; put it in quotes: "5"`,
		"blocks/b.yaml:10:1: id stands twice",
		"blocks/b.yaml:11:6: kind has no value; write one, or leave the line out",
		"blocks/b.yaml:12:10: handoff must be true or false",
		"blocks/c.yaml:1:5: is not YAML: mapping value is not allowed in this context",
		"blocks/d.yaml:1:5: id has an anchor, an alias or a tag (& * !); write out what is meant, or put text that begins so in quotes",
		"blocks/d.yaml:2:7: name has an anchor, an alias or a tag (& * !); write out what is meant, or put text that begins so in quotes",
		"blocks/d.yaml:3:9: answer has an anchor, an alias or a tag (& * !); write out what is meant, or put text that begins so in quotes",
		"blocks/e.yml: is no file of a bot; there are bot.yaml, blocks/*.yaml and one of knowledge.csv and knowledge.xlsx",
		"blocks/f.yaml:1:1: is empty",
		"blocks/g.yaml:2:1: is not UTF-8; save the file as UTF-8",
		"blocks/h.yaml:1:1: must be names with values",
		"blocks/i: is a folder; a bot has blocks alone",
		"bot.yaml:1:5: id ends in the mark of the development channel; leave the ! out",
		"bot.yaml:5:10: servers[0].url must be an https address",
		"bot.yml: is no file of a bot; there are bot.yaml, blocks/*.yaml and one of knowledge.csv and knowledge.xlsx",
		"knowledges.csv: is no file of a bot; there are bot.yaml, blocks/*.yaml and one of knowledge.csv and knowledge.xlsx",
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("Read() problems (-want +got):\n%s", diff)
	}
}

// A block that cannot be read hides nothing of the others: they may name it, and nothing that is not there.
func TestRead_unreadable(t *testing.T) {
	files := map[string]string{
		"blocks/a.yaml": "id: a\nname: 가\nanswer:\n  outputs:\n  - textCard:\n      title: 나\n      buttons:\n      - {label: 다, action: block, blockId: b}\n      - {label: 라, action: block, blockId: bb}\n",
		"blocks/b.yaml": "id: b\n  name: [가나\n",
		"blocks/c.yaml": "id: c\nname: 라\nwebhook: {server: shup}\n",
	}
	_, _, problems := botfile.Read(t.Context(), folder(files), scenario.Rules{})
	want := []string{
		"blocks/a.yaml:9:44: answer.outputs[0].textCard.buttons[1].blockId names the block \"bb\", which the bot does not have; write the id of one of its blocks, or Kakao's id (24 hexadecimal digits) of a block that is kept there",
		"blocks/b.yaml:1:5: is not YAML: mapping value is not allowed in this context",
		"blocks/c.yaml:3:19: webhook.server names \"shup\", which is none of the servers of the bot",
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("Read() problems (-want +got):\n%s", diff)
	}
	files["blocks/b.yaml"] = "id: b\nanswer:\n\toutputs: []\n"
	_, _, problems = botfile.Read(t.Context(), folder(files), scenario.Rules{})
	if want := "blocks/b.yaml:3:1: is not YAML: the line is set in with a tab; use spaces"; len(problems) != 3 || problems[1].String() != want {
		t.Errorf("Read(a tab) problems = %q, want %q among them", lines(problems), want)
	}
	files["bot.yaml"], files["blocks/b.yaml"] = "id: b1\n  name: [가나\n", "nothing: [\n"
	if _, _, problems = botfile.Read(t.Context(), folder(files), scenario.Rules{}); len(problems) != 2 {
		t.Errorf("Read(bot.yaml that cannot be read, and a block without an id) problems = %q, want those two", lines(problems))
	}
}

// A message quotes what the author wrote, which may look like a path of something that is not there.
func TestRead_quotedPath(t *testing.T) {
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{
		"blocks/a.yaml": "id: a\nname: 가\nanswer: \"#{knowledge[0].answer} #{blocks[9].id} #{servers[9].url}\"\n",
		"blocks/b.yaml": "id: b\nname: 나\nwebhook: {server: \"knowledge[0]\"}\n",
	}), scenario.Rules{})
	want := []string{
		"blocks/a.yaml:3:9: answer.outputs[0].simpleText.text has #{knowledge[0].answer}, #{blocks[9].id}, #{servers[9].url}, which nothing fills in; there are params.NAME, detail.NAME, " +
			"context.NAME.PARAM, user.NAME, extra.NAME and utterance",
		`blocks/b.yaml:3:19: webhook.server names "knowledge[0]", which is none of the servers of the bot`,
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("Read() problems (-want +got):\n%s", diff)
	}
}

// Words that are filled in, of a text without quotes, are a comment in YAML: nobody means that.
func TestRead_lostWords(t *testing.T) {
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{
		"blocks/a.yaml": "id: a\nname: 가\nhandoff: 예\nanswer: 주문 #{params.no|1} 입니다\n",
		"blocks/b.yaml": "id: b\nname: 나\nsays:\n- 안녕\n  #{user.name}님\nanswer: #{utterance}\n",
		"blocks/c.yaml": "id: c\nname: 다 # {}, #{x}\nsays: [라, '마 #{x}']\nanswer: |\n  주문 #{utterance}\n",
		"blocks/d.yaml": "id: d\nname: 바\nanswer: 주문#{utterance}\n",
	}), scenario.Rules{})
	const wrong = "#{ begins a comment here; put the whole text in quotes, or a space after the # of a comment"
	want := []string{
		"blocks/a.yaml:3:10: handoff must be true or false",
		"blocks/a.yaml:4:12: " + wrong,
		"blocks/b.yaml:5:3: " + wrong,
		"blocks/b.yaml:6:9: " + wrong,
		"blocks/b.yaml:6:9: answer has no value; write one, or leave the line out",
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("Read() problems (-want +got):\n%s", diff)
	}
}

// What is long or deep is refused before anything goes down into it.
func TestRead_tooMuch(t *testing.T) {
	for name, tt := range map[string]struct{ bit, want string }{
		"brackets":      {"[", "nests deeper"},
		"braces":        {"{a: ", "nests deeper"},
		"dashes":        {"- ", "nests deeper"},
		"question mark": {"? ", "nests deeper"},
		"names":         {"a:\n", "is longer than any block"},
		"pieces":        {"- a\n", "is longer than any block"},
		"bytes":         {strings.Repeat("a", 100), "is more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, problems := botfile.Read(t.Context(), folder(map[string]string{"blocks/a.yaml": strings.Repeat(tt.bit, 100_000)}), scenario.Rules{})
			if len(problems) != 1 || problems[0].File != "blocks/a.yaml" || !strings.Contains(problems[0].Message, tt.want) {
				t.Errorf("Read() = %q, want one about what %s", lines(problems), tt.want)
			}
		})
	}
}

// What a file has for a name is shown, and does nothing to a terminal.
func TestProblem_String(t *testing.T) {
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{"bot.yaml": "id: b1\nname: a\n\"\\e[2J\\n\u202e\": 1\n"}), scenario.Rules{})
	want := "bot.yaml:3:1: \ufffd[2J\ufffd\ufffd is no field here; there are id, name, servers"
	if got := lines(problems); len(got) != 1 || got[0] != want {
		t.Errorf("Read() = %q, want %q", got, want)
	}
}

// Reading ends where enough is told, so that no folder takes the memory or the time of a process.
func TestRead_enough(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"rows of a table": {"knowledge.csv": "question,answer\n" + strings.Repeat("a\n", 3_000_000)},
		"columns":         {"knowledge.csv": strings.Repeat("a,", 100_000) + "a\na\n"},
		"lines of says": {
			"blocks/a.yaml": "id: a\nname: a\nanswer: a\nsays:\n" + strings.Repeat("- 5\n", 20_000),
			"blocks/b.yaml": "id: b\nname: b\nanswer: b\nsays:\n" + strings.Repeat("- 5\n", 20_000),
		},
		"what a check finds": {"knowledge.csv": "question,answer\n" + strings.Repeat("a,\n", 5_000)},
		"a long column":      {"knowledge.csv": strings.Repeat("\x01", 500_000) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, problems := botfile.Read(t.Context(), folder(files), scenario.Rules{})
			n := len(problems)
			if n > scenario.MaxProblems+1 || n == 0 || problems[n-1] != (botfile.Problem{Message: scenario.MoreProblems}) {
				t.Fatalf("Read() tells %d problems, want at most %d and one that says that there are more", n, scenario.MaxProblems)
			}
			bytes := 0
			for _, p := range problems[:n-1] {
				bytes += len(p.Path) + len(p.Message)
			}
			if bytes > scenario.MaxProblemBytes {
				t.Errorf("Read() tells %d bytes, want at most %d", bytes, scenario.MaxProblemBytes)
			}
		})
	}
	_, _, problems := botfile.Read(t.Context(), folder(map[string]string{
		"blocks/a.yaml": "id: a\nname: a\nanswer: a\ndata:\n  " + strings.Repeat("가", 30_000) + ": [" + strings.Repeat("1e400,", 100) + "]\n",
	}), scenario.Rules{})
	if len(problems) != 100 || len(problems[0].Path) > 200 {
		t.Errorf("Read(a long name) tells %d problems at paths such as %.300q, want 100 at short ones", len(problems), problems[0].Path)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if content, _, _ := botfile.Read(ended, botfile.Example(), scenario.Rules{}); len(content.Blocks) > 0 {
		t.Errorf("Read(ended) reads %d blocks, want none", len(content.Blocks))
	}
}
