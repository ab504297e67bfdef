package main

import (
	"strings"
	"testing"
)

func TestBotExplain(t *testing.T) {
	const candidates = `"candidates":[
		{"question":"반품 기한은 며칠인가요","score":83,"offered":true,"parts":[{"name":"base rate","value":1,"contribution":-4.29},{"name":"same letters","value":0.5,"contribution":1.39},{"name":"little","value":0.1,"contribution":0.004},{"name":"said 반품","value":1,"contribution":0}]},
		{"block":"k1","words":"반품 신청하고 싶어요","score":81,"offered":true,"parts":[{"name":"base rate","value":1,"contribution":-4.29}]},
		{"question":"주차장이 있나요","score":2,"parts":[]}]`
	const rest = `"minimum_accuracy":70,"choose_within":3,` + candidates + `}`
	tests := map[string]struct {
		answer string
		says   []string
	}{
		"an item":                   {`{"why":"knowledge","question":"반품 기한은 며칠인가요","score":83,` + rest, []string{`item "반품 기한은 며칠인가요": it scores 83, and 70 is enough`, "block k1", "0.50 (+1.39)", "1.00 (-4.29)  1.00 (-4.29)"}},
		"a block's words":           {`{"why":"words","block":"k1","block_name":"반품","score":100,` + rest, []string{"block 반품 (k1): these are its own words"}},
		"an example":                {`{"why":"likeness","block":"k1","block_name":"반품","score":81,` + rest, []string{"block 반품 (k1): its example scores 81, and 70 is enough"}},
		"a choice":                  {`{"why":"choice","score":83,` + rest, []string{"which of 2 answers", "within 3 of 83"}},
		"nothing":                   {`{"why":"nothing","block":"f","block_name":"폴백 블록","score":62,` + rest, []string{"block 폴백 블록 (f): the best scores 62, and 70 would be enough"}},
		"a version that is not had": {`{"version":4,"failing_version":5,"why":"nothing","score":0,"candidates":[]}`, []string{"version 5 cannot be read or compiled, so version 4 still answers"}},
		"nothing at all":            {`{"why":"nothing","score":0,"candidates":[]}`, []string{"the bot has no fallback: nothing is like these words"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			came := uploads(t, tt.answer)
			got := malgil(t, "bot", "explain", "반품 언제까지 돼요", "--bot=b1", "--side=development")
			const want = "GET /api/v1/bots/b1/explain?side=development&utterance=%EB%B0%98%ED%92%88+%EC%96%B8%EC%A0%9C%EA%B9%8C%EC%A7%80+%EB%8F%BC%EC%9A%94"
			if call := strings.TrimSpace(came()); call != want || got.code != 0 {
				t.Errorf("called %q and exits %d with %q, want %q", call, got.code, got.stderr, want)
			}
			for _, text := range tt.says {
				if !strings.Contains(got.stdout, text) || strings.Contains(got.stdout, "little") || strings.Contains(got.stdout, "+0.00") {
					t.Errorf("it prints\n%s\nwant %q in it", got.stdout, text)
				}
			}
		})
	}
}
