package kakao_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// typed is a call as the guide shows it: a callback block, typed by a friend of the channel.
const typed = `{
  "bot": {"id": "66a1f0c2d4b7e83f5a9c1d20", "name": "한빛서점 도우미"},
  "intent": {"id": "66a1f3a9d4b7e83f5a9c1d44", "name": "배송 조회", "extra": {"reason": {"code": 1, "message": "OK"}}},
  "action": {
    "id": "66a1f2b7d4b7e83f5a9c1d3a", "name": "배송조회스킬",
    "params": {"order_no": "HB-240917-0031"},
    "detailParams": {"order_no": {"groupName": "", "origin": "HB-240917-0031", "value": "HB-240917-0031"}},
    "clientExtra": {}
  },
  "userRequest": {
    "timezone": "Asia/Seoul", "lang": "ko", "utterance": "오늘 HB-240917-0031 어디쯤 왔어?",
    "params": {"surface": "Kakaotalk.plusfriend"},
    "block": {"id": "66a1f3a9d4b7e83f5a9c1d44", "name": "배송 조회"},
    "callbackUrl": "https://bot-api.kakao.com/v1/bots/66a1f0c2d4b7e83f5a9c1d20/callback/Qm9va3Nob3A",
    "user": {"id": "7c1e5d90aa43be8812f0", "type": "botUserKey",
      "properties": {"botUserKey": "7c1e5d90aa43be8812f0", "appUserId": "2918004417", "isFriend": true}}
  },
  "contexts": [],
  "flow": {"trigger": {"type": "TEXT_INPUT"}, "lastBlock": {"id": "66a1f111d4b7e83f5a9c1d01", "name": "웰컴 블록"}}
}`

func TestParseSkillRequest_whole(t *testing.T) {
	got, err := kakao.ParseSkillRequest([]byte(typed))
	if err != nil {
		t.Fatalf("ParseSkillRequest(typed) error = %v, want none", err)
	}
	want := kakao.SkillRequest{
		Bot:    kakao.Named{ID: "66a1f0c2d4b7e83f5a9c1d20", Name: "한빛서점 도우미"},
		Intent: kakao.Intent{Named: kakao.Named{ID: "66a1f3a9d4b7e83f5a9c1d44", Name: "배송 조회"}},
		Action: kakao.Action{
			Named:  kakao.Named{ID: "66a1f2b7d4b7e83f5a9c1d3a", Name: "배송조회스킬"},
			Params: map[string]string{"order_no": "HB-240917-0031"},
			DetailParams: map[string]kakao.DetailParam{
				"order_no": {Origin: "HB-240917-0031", Value: "HB-240917-0031"},
			},
		},
		Utterance: "오늘 HB-240917-0031 어디쯤 왔어?", Lang: "ko", Timezone: "Asia/Seoul",
		Params:      map[string]string{"surface": "Kakaotalk.plusfriend"},
		Block:       kakao.Named{ID: "66a1f3a9d4b7e83f5a9c1d44", Name: "배송 조회"},
		CallbackURL: "https://bot-api.kakao.com/v1/bots/66a1f0c2d4b7e83f5a9c1d20/callback/Qm9va3Nob3A",
		User: kakao.User{ID: "7c1e5d90aa43be8812f0", Type: "botUserKey", Properties: map[string]string{
			"botUserKey": "7c1e5d90aa43be8812f0", "appUserId": "2918004417", "isFriend": "true",
		}},
		Flow: kakao.Flow{Trigger: "TEXT_INPUT", LastBlock: kakao.Named{ID: "66a1f111d4b7e83f5a9c1d01", Name: "웰컴 블록"}},
	}
	want.Contexts = got.Contexts // compared below: an empty list
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseSkillRequest(typed) (-want +got):\n%s", diff)
	}
	if len(got.Contexts) != 0 || !got.IsFriend() || !got.Typed() || got.Development() || got.Testing() {
		t.Errorf("ParseSkillRequest(typed): contexts %d, friend %v, typed %v, development %v, testing %v, want 0 true true false false",
			len(got.Contexts), got.IsFriend(), got.Typed(), got.Development(), got.Testing())
	}
}

// Every oddity of the contract's page, each as one body and one thing to read from it.
func TestParseSkillRequest_oddities(t *testing.T) {
	said := func(inside string) string { return `{"userRequest":{` + inside + `}}` }
	tests := map[string]struct {
		body string
		read func(kakao.SkillRequest) string
		want string
	}{
		"nothing at all":          {`{}`, kakao.SkillRequest.UserKey, ""},
		"everything null":         {`{"bot":null,"intent":null,"action":null,"userRequest":null,"contexts":null,"flow":null}`, kakao.SkillRequest.UserKey, ""},
		"text for every object":   {`{"bot":"x","intent":"x","action":"x","userRequest":"x","contexts":"x","flow":"x"}`, kakao.SkillRequest.BotID, ""},
		"a list for an object":    {`{"bot":[{"id":"b1"}]}`, kakao.SkillRequest.BotID, ""},
		"unknown fields":          {`{"bot":{"id":"b1","plan":{"a":[1]}},"new":1}`, kakao.SkillRequest.BotID, "b1"},
		"a byte order mark":       {"\ufeff" + `{"bot":{"id":"b1"}}`, kakao.SkillRequest.BotID, "b1"},
		"development mark":        {`{"bot":{"id":"b1!"}}`, kakao.SkillRequest.BotID, "b1"},
		"a number for an id":      {`{"bot":{"id":42}}`, kakao.SkillRequest.BotID, "42"},
		"newline after the words": {said(`"utterance":"안녕\r\n"`), words, "안녕"},
		"newline inside stays":    {said(`"utterance":"하나\n둘\n"`), words, "하나\n둘"},
		"utterance is an object":  {said(`"utterance":{"text":"x"}`), words, ""},
		"lang ko":                 {said(`"lang":"ko"`), lang, "ko"},
		"lang kr":                 {said(`"lang":"kr"`), lang, "ko"},
		"lang null":               {said(`"lang":null`), lang, ""},
		"block missing":           {said(`"utterance":"x"`), func(r kakao.SkillRequest) string { return r.Block.Name }, ""},
		"block a text":            {said(`"block":"배송"`), func(r kakao.SkillRequest) string { return r.Block.ID }, ""},
		"user a text":             {said(`"user":"u1"`), kakao.SkillRequest.UserKey, ""},
		"user key in properties":  {said(`"user":{"properties":{"botUserKey":"u2"}}`), kakao.SkillRequest.UserKey, "u2"},
		"old user key":            {said(`"user":{"id":null,"properties":{"bot_user_key":"u3"}}`), kakao.SkillRequest.UserKey, "u3"},
		"properties a list":       {said(`"user":{"id":"u4","properties":["x"]}`), kakao.SkillRequest.UserKey, "u4"},
		"params with a number":    {said(`"params":{"n":12.50}`), param("n"), "12.50"},
		"params with a boolean":   {said(`"params":{"n":true}`), param("n"), "true"},
		"params with an object":   {said(`"params":{"media":{"type":"image", "url":"u"}}`), param("media"), `{"type":"image","url":"u"}`},
		"params with a list":      {said(`"params":{"n":[1, 2]}`), param("n"), `[1,2]`},
		"params with null":        {said(`"params":{"n":null}`), param("n"), "<none>"},
		"params a text":           {said(`"params":"null"`), param("n"), "<none>"},
		"callback with spaces":    {said(`"callbackUrl":" https://a.kakao.com/x "`), func(r kakao.SkillRequest) string { return r.CallbackURL }, "https://a.kakao.com/x"},
		"callback null":           {said(`"callbackUrl":null`), func(r kakao.SkillRequest) string { return r.CallbackURL }, ""},
		"clientExtra null":        {`{"action":{"clientExtra":null}}`, extra("sku"), "<typed>"},
		"clientExtra text null":   {`{"action":{"clientExtra":"null"}}`, extra("sku"), "<typed>"},
		"clientExtra empty":       {`{"action":{"clientExtra":{}}}`, extra("sku"), "<typed>"},
		"clientExtra filled":      {`{"action":{"clientExtra":{"sku":"BK-77120","qty":2}}}`, extra("qty"), "2"},
		"detail value an object":  {`{"action":{"detailParams":{"d":{"origin":"오늘","value":{"date":"x"}}}}}`, detail("d"), `오늘 {"date":"x"}`},
		"detail a text":           {`{"action":{"detailParams":{"d":"x"}}}`, detail("d"), " "},
		"knowledge":               {`{"intent":{"extra":{"knowledge":{"matchedKnowledges":[{"question":"q","categories":["a",null,3]}]}}}}`, question, "q a,,3"},
		"knowledges, an object":   {`{"intent":{"extra":{"knowledges":{"matchedKnowledges":[{"question":"q"}]}}}}`, question, "q "},
		"knowledges, a list":      {`{"intent":{"extra":{"knowledge":null,"knowledges":[null,{"question":"q"}]}}}`, question, "q "},
		"knowledge a text":        {`{"intent":{"extra":{"knowledge":"x"}}}`, question, "<none>"},
		"flow without trigger":    {`{"flow":{"lastBlock":{"id":"b"}}}`, func(r kakao.SkillRequest) string { return r.Flow.Trigger + r.Flow.LastBlock.ID }, "b"},
		"the tester":              {said(`"params":{"surface":"BuilderBotTest","ignoreMe":"true"}`), func(r kakao.SkillRequest) string { return map[bool]string{true: "testing"}[r.Testing()] }, "testing"},
		"the tester's callback":   {said(`"callbackUrl":"https://a.kakao.com/x","params":{"surface":"BuilderBotTest"}`), func(r kakao.SkillRequest) string { return r.CallbackURL }, ""},
		"a group chat":            {said(`"chat":{"id":"g1","type":"botGroupKey"}`), func(r kakao.SkillRequest) string { return r.Chat.ID }, "g1"},
		"friend as text":          {said(`"user":{"properties":{"isFriend":"true"}}`), friend, "friend"},
		"friend absent":           {said(`"user":{"properties":{}}`), friend, ""},
		"friend false":            {said(`"user":{"properties":{"isFriend":false}}`), friend, ""},
		"the last of two keys":    {`{"bot":{"id":"a"},"bot":{"id":"b"}}`, kakao.SkillRequest.BotID, "b"},
		"32 levels deep":          {nested(kakao.MaxDepth), kakao.SkillRequest.BotID, ""},
		"brackets inside a text":  {said(`"utterance":"` + strings.Repeat("[{", 40) + `\""`), words, strings.Repeat("[{", 40) + `"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := kakao.ParseSkillRequest([]byte(tt.body))
			if err != nil {
				t.Fatalf("ParseSkillRequest(%s) error = %v, want none", tt.body, err)
			}
			if got := tt.read(r); got != tt.want {
				t.Errorf("ParseSkillRequest(%s) = %q, want %q", tt.body, got, tt.want)
			}
		})
	}
}

func TestParseSkillRequest_refuses(t *testing.T) {
	tests := map[string]string{
		"an empty body":     "",
		"no JSON":           "안녕",
		"cut in the middle": typed[:100],
		"a list":            `[{"bot":{}}]`,
		"a text":            `"bot"`,
		"null":              `null`,
		"two values":        `{}{}`,
		"33 levels":         nested(kakao.MaxDepth + 1),
		"100,000 levels":    strings.Repeat(`[`, 100_000),
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := kakao.ParseSkillRequest([]byte(body)); err == nil || fault.KindOf(err) != fault.Invalid {
				t.Errorf("ParseSkillRequest(%.40q) error = %v, want Invalid", body, err)
			}
		})
	}
}

func FuzzParseSkillRequest(f *testing.F) {
	f.Add([]byte(typed))
	f.Add([]byte(`{"userRequest":{"params":{"a":[{}]},"user":null},"action":{"clientExtra":"null"}}`))
	f.Add([]byte(`{"intent":{"extra":{"knowledges":[{"categories":["a"]}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := kakao.ParseSkillRequest(body)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("ParseSkillRequest(%q) error = %v, want Invalid or none", body, err)
		}
		if strings.HasSuffix(r.Utterance, "\n") {
			t.Errorf("ParseSkillRequest(%q) kept the newline at the end of %q", body, r.Utterance)
		}
		skimmed, whole, skimErr := kakao.SkimSkillRequest(body, "callbackUrl", "chunk")
		switch {
		case (err == nil) != (skimErr == nil):
			t.Errorf("SkimSkillRequest(%q) error = %v, want one as of ParseSkillRequest, %v", body, skimErr, err)
		case whole && skimErr == nil && !cmp.Equal(skimmed, r):
			t.Errorf("SkimSkillRequest(%q) = %+v, want the whole request", body, skimmed)
		case !whole && (r.CallbackURL != "" || r.Params["chunk"] != ""):
			t.Errorf("SkimSkillRequest(%q) missed %q or %q", body, r.CallbackURL, r.Params["chunk"])
		}
	})
}

func TestSkimSkillRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		body  string
		whole bool
	}{
		"none of the words":   {`{"userRequest":{"utterance":"안녕"}}`, false},
		"a byte order mark":   {"\ufeff {}\n", false},
		"a word":              {`{"userRequest":{"callbackUrl":"https://x"}}`, true},
		"another":             {`{"userRequest":{"params":{"chunk":"brd_1"}}}`, true},
		"a word that is said": {`{"userRequest":{"utterance":"callbackUrl"}}`, true},
		"a word in escapes":   {`{"userRequest":{"callback\u0055rl":"https://x"}}`, true},
	} {
		r, whole, err := kakao.SkimSkillRequest([]byte(tt.body), "callbackUrl", "chunk")
		all, _ := kakao.ParseSkillRequest([]byte(tt.body))
		if err != nil || whole != tt.whole || whole && !cmp.Equal(r, all) {
			t.Errorf("%s: %+v, %v, %v, want whole %v", name, r, whole, err, tt.whole)
		}
	}
}

// nested returns an object in which objects nest to a depth.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat(`}`, depth-1)
}

func words(r kakao.SkillRequest) string { return r.Utterance }
func lang(r kakao.SkillRequest) string  { return r.Lang }

func param(name string) func(kakao.SkillRequest) string {
	return func(r kakao.SkillRequest) string {
		if value, ok := r.Params[name]; ok {
			return value
		}
		return "<none>"
	}
}

func extra(name string) func(kakao.SkillRequest) string {
	return func(r kakao.SkillRequest) string {
		if r.Typed() {
			return "<typed>"
		}
		return r.Action.ClientExtra[name]
	}
}

func detail(name string) func(kakao.SkillRequest) string {
	return func(r kakao.SkillRequest) string {
		return r.Action.DetailParams[name].Origin + " " + r.Action.DetailParams[name].Value
	}
}

func question(r kakao.SkillRequest) string {
	if len(r.Intent.Knowledge) == 0 {
		return "<none>"
	}
	return r.Intent.Knowledge[0].Question + " " + strings.Join(r.Intent.Knowledge[0].Categories, ",")
}

func friend(r kakao.SkillRequest) string {
	if r.IsFriend() {
		return "friend"
	}
	return ""
}
