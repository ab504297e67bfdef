package botfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// What is written is read again as the same.
func TestWrite_isRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content, header := draw(t)
		files := botfile.Write(content, header)
		fsys := fstest.MapFS{}
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: text}
		}
		got, gotHeader, problems := botfile.Read(t.Context(), fsys, scenario.Rules{})
		if len(problems) > 0 {
			t.Fatalf("Read(Write(content)) = %q of %s", lines(problems), printed(files))
		}
		if diff := cmp.Diff(content, got); diff != "" || gotHeader != header {
			t.Fatalf("Read(Write(content)) = header %+v, content (-want +got):\n%s\nof %s", gotHeader, diff, printed(files))
		}
	})
}

func printed(files map[string][]byte) (text string) {
	for name, data := range files {
		text += fmt.Sprintf("\n=== %s\n%s", name, data)
	}
	return text
}

// draw makes a content that passes its check.
func draw(t *rapid.T) (scenario.Content, botfile.Header) {
	text := func(most int) *rapid.Generator[string] {
		return rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("가나 ab:#-\"'\\|>&*!?{}[],.%@`\n\t~1e0_😀á…\u200d")), 1, most, most),
			rapid.SampledFrom([]string{"true", "~", "null", "1", "1e3", "0x1f", ".inf", "- a", "a: b", "#a", "<<", "---", "...", "a\n\nb\n", "a\n# b\n - c", "y", "=", "2026-11-24", "12:30:00", "1_000", "%", "|", "a\n", "\na", "a ", "'", "\"\""}),
		).Filter(func(s string) bool { return len(bytes.TrimSpace([]byte(s))) > 0 })
	}
	var content scenario.Content
	name := func(i int) string {
		return fmt.Sprintf("%s %d", []string{"주문", "yes", "1", "배송: 조회", "[x]"}[i%5], i)
	}
	var extra func(depth int) *rapid.Generator[any]
	extra = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{
			rapid.Map(text(20), func(s string) any { return s }),
			rapid.Map(rapid.Float64Range(-1e40, 1e40), func(f float64) any { return f }),
			rapid.Map(rapid.Int64(), func(i int64) any { return float64(i) }),
			rapid.SampledFrom([]any{1e21, 1e300, 1e-7, 1e-300, -1e22, 1.5e+25, 0.1, 9007199254740992.0, 9007199254740994.0}),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Just[any](nil),
		}
		if depth < 3 {
			kinds = append(kinds,
				rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return extra(depth + 1) }), 0, 3), func(s []any) any { return s }),
				rapid.Map(rapid.MapOfN(text(5), rapid.Deferred(func() *rapid.Generator[any] { return extra(depth + 1) }), 0, 3), func(m map[string]any) any { return m }))
		}
		return rapid.OneOf(kinds...)
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "blocks") {
		b := scenario.Block{ID: fmt.Sprintf("b-%d", 100-i), Name: name(i), Kind: scenario.Normal}
		for j := range rapid.IntRange(0, 3).Draw(t, "says") {
			b.Says = append(b.Says, fmt.Sprintf("%s %d/%d", text(20).Draw(t, "said"), i, j))
		}
		b.Answer = &kakao.Template{Outputs: []kakao.Output{{SimpleText: &kakao.SimpleText{Text: text(60).Draw(t, "text")}}}}
		if rapid.Bool().Draw(t, "replies") {
			b.Answer.QuickReplies = []kakao.QuickReply{{Label: text(10).Draw(t, "label"), Action: "message", MessageText: text(20).Draw(t, "message"),
				Extra: map[string]any{text(5).Draw(t, "key"): extra(0).Draw(t, "extra")}}}
		}
		content.Blocks = append(content.Blocks, b)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "knowledge") {
		item := knowledge.Item{Question: strings.TrimSpace(text(20).Draw(t, "question")) + fmt.Sprint(i), Answer: strings.TrimSpace(text(60).Draw(t, "answer"))}
		item.Categories[i] = "주문, \"반품\""
		item.LandingURL = rapid.SampledFrom([]string{"", "https://a.example/?a,b"}).Draw(t, "landing")
		content.Knowledge = append(content.Knowledge, item)
	}
	content.Servers = slices.Repeat([]scenario.Server{{Name: "s", URL: "https://a.example", Headers: map[string]string{"X-A": ": # a"}}}, rapid.IntRange(0, 1).Draw(t, "servers"))
	if parts := (scenario.Rules{}).Check(t.Context(), content); len(parts) > 0 {
		t.Skip(parts) // rapid draws another, and fails when it finds too few
	}
	text0, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	content = scenario.Content{}
	if err := json.Unmarshal(text0, &content); err != nil {
		t.Fatal(err)
	}
	return content, botfile.Header{ID: "b1", Name: "한빛: 서점"}
}
