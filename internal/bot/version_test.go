package bot_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

func normal(id string, change ...func(*scenario.Block)) scenario.Block {
	b := scenario.Block{ID: id, Name: "블록 " + id, Kind: scenario.Normal, Answer: kakao.Text("안녕하세요").Template}
	for _, c := range change {
		c(&b)
	}
	return b
}

func TestAdmin_Import(t *testing.T) {
	long := func(b *scenario.Block) { b.Answer.Outputs[0].SimpleText.Text = strings.Repeat("가", 1001) }
	tests := map[string]struct {
		blocks []scenario.Block
		note   string
		fields []string // at fault, in order; none when all is good
	}{
		"nothing": {},
		"two":     {blocks: []scenario.Block{normal("a"), normal("b")}, note: " 새 답변 "},
		"several wrong": {blocks: []scenario.Block{normal("a", long), normal("b", func(b *scenario.Block) { b.Kind = "end" })},
			fields: []string{"blocks[0].answer.outputs[0].simpleText.text", "blocks[1].kind"}},
		"a note of two lines": {note: "하나\n둘", fields: []string{"note"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			admin, s := newAdmin()
			got, err := admin.Import(t.Context(), "b", bot.Import{Content: scenario.Content{Blocks: tt.blocks}, Note: tt.note, By: "acc_1"})
			if len(tt.fields) > 0 {
				wantField(t, "Import()", err, tt.fields[0])
				if len(s.drafts) != 0 {
					t.Error("a refused version was stored")
				}
				if all := new(bot.ContentError); errors.As(err, &all) {
					var fields []string
					for _, p := range all.Problems {
						fields = append(fields, p.Field)
					}
					if !slices.Equal(fields, tt.fields) {
						t.Errorf("Import() problems = %v, want %v", fields, tt.fields)
					}
				}
				return
			}
			if err != nil || got.Number != 1 || !got.Added || got.Blocks != len(tt.blocks) || got.MadeBy != "acc_1" || got.Note != strings.TrimSpace(tt.note) || !got.MadeAt.Equal(noon) {
				t.Fatalf("Import() = %+v, %v, want version 1 by acc_1", got, err)
			}
			var kept scenario.Content
			if err := json.Unmarshal(s.drafts[0].JSON, &kept); err != nil || len(kept.Blocks) != len(tt.blocks) || kept.Blocks == nil {
				t.Errorf("Import() stored %s, %v, want the blocks", s.drafts[0].JSON, err)
			}
			if hash := sha256.Sum256(s.drafts[0].JSON); !bytes.Equal(hash[:], s.drafts[0].Hash) {
				t.Error("the hash is not that of what was stored")
			}
		})
	}
}

func TestAdmin_Import_events(t *testing.T) {
	admin, s := newAdmin()
	_, err := admin.Import(t.Context(), "b", bot.Import{Content: scenario.Content{Blocks: []scenario.Block{
		normal("a", func(b *scenario.Block) { b.Event = "restock_alert" }), normal("b"),
	}}})
	if err != nil || !slices.Equal(s.drafts[0].Events, []string{"restock_alert"}) {
		t.Errorf("Import() stored events %v, %v, want the one", s.drafts[0].Events, err)
	}
}

func TestCompare(t *testing.T) {
	before := scenario.Content{
		Blocks:    []scenario.Block{normal("a"), normal("b"), normal("c")},
		Knowledge: []knowledge.Item{{Question: "반품", Answer: "7일"}, {Question: "배송", Answer: "2일"}},
		Servers:   []scenario.Server{{Name: "shop", URL: "https://a.example"}},
	}
	after := scenario.Content{
		Blocks:    []scenario.Block{normal("c"), normal("a", func(b *scenario.Block) { b.Name, b.Says = "새 이름", []string{"안녕"} }), normal("d")},
		Knowledge: []knowledge.Item{{Question: "반품", Answer: "14일"}, {Question: "교환", Answer: "7일"}},
		Servers:   before.Servers,
	}
	want := bot.Difference{
		Blocks: bot.Changes{
			Added: []bot.Changed{{ID: "d", Name: "블록 d"}}, Removed: []bot.Changed{{ID: "b", Name: "블록 b"}},
			Changed: []bot.Changed{{ID: "a", Name: "새 이름", Fields: []string{"name", "says"}}}, Reordered: true,
		},
		Knowledge: bot.Changes{
			Added: []bot.Changed{{ID: "교환"}}, Removed: []bot.Changed{{ID: "배송"}}, Changed: []bot.Changed{{ID: "반품", Fields: []string{"answer"}}},
		},
	}
	if diff := cmp.Diff(want, bot.Compare(before, after)); diff != "" {
		t.Errorf("Compare() (-want +got):\n%s", diff)
	}
	if same := bot.Compare(before, before); !same.Blocks.None() || !same.Knowledge.None() || !same.Servers.None() {
		t.Errorf("Compare(same, same) = %+v, want nothing", same)
	}
}

func TestAdmin_Change_talking(t *testing.T) {
	at := func(n int) *int { return &n }
	tests := map[string]struct {
		change bot.TalkingChange
		field  string
	}{
		"the least":            {change: bot.TalkingChange{MinimumAccuracy: at(0), ChooseWithin: at(0), HandoffAfter: at(0), SecurityLevel: at(1), WebhookCalls: at(1)}},
		"the most":             {change: bot.TalkingChange{MinimumAccuracy: at(100), ChooseWithin: at(30), HandoffAfter: at(20), SecurityLevel: at(4), WebhookCalls: at(256)}},
		"accuracy over 100":    {bot.TalkingChange{MinimumAccuracy: at(101)}, "talking.minimum_accuracy"},
		"accuracy below 0":     {bot.TalkingChange{MinimumAccuracy: at(-1)}, "talking.minimum_accuracy"},
		"choosing within more": {bot.TalkingChange{ChooseWithin: at(31)}, "talking.choose_within"},
		"handoff after more":   {bot.TalkingChange{HandoffAfter: at(21)}, "talking.handoff_after"},
		"no security level":    {bot.TalkingChange{SecurityLevel: at(0)}, "talking.security_level"},
		"a level too high":     {bot.TalkingChange{SecurityLevel: at(5)}, "talking.security_level"},
		"no webhook call":      {bot.TalkingChange{WebhookCalls: at(0)}, "talking.webhook_calls"},
		"webhook calls":        {bot.TalkingChange{WebhookCalls: at(257)}, "talking.webhook_calls"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			admin, s := newAdmin()
			s.bots = []bot.Bot{{ID: "b"}}
			_, err := admin.Change(t.Context(), "b", bot.Change{Talking: &tt.change})
			if tt.field != "" {
				wantField(t, "Change()", err, tt.field)
				return
			}
			if err != nil || len(s.changes) != 1 || s.changes[0].Talking == nil {
				t.Errorf("Change() = %v with %+v stored, want the change", err, s.changes)
			}
		})
	}
	accuracy, plain := 90, true
	got := bot.TalkingChange{MinimumAccuracy: &accuracy, PlainUserKeys: &plain}.Apply(scenario.DefaultSettings)
	want := scenario.DefaultSettings
	want.MinimumAccuracy, want.PlainUserKeys = 90, true
	if got != want {
		t.Errorf("Apply() = %+v, want %+v", got, want)
	}
}
