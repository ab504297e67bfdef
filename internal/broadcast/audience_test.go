package broadcast

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

// An audience goes into broadcasts as if it were uploaded to each, and stays as it is.
func TestDesk_UseAudience(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	a, err := desk.CreateAudience(t.Context(), "bot", "  단골 ")
	if err != nil || a.Name != "단골" || a.BotID != "bot" || !a.CreatedAt.Equal(start) {
		t.Fatalf("CreateAudience = %+v, %v", a, err)
	}
	m.b = Broadcast{ID: "brd", BotID: "bot", State: Uploading}
	if _, err := desk.UseAudience(t.Context(), "brd", a.ID, UploadOptions{}); fault.CodeOf(err) != "NO_RECIPIENTS" {
		t.Errorf("UseAudience of an empty one error = %v, want NO_RECIPIENTS", err)
	}
	rows := append(people("botUserKey", 0, 25_000), people("appUserId", 0, 50)...)
	report, err := desk.UploadAudience(t.Context(), a.ID, &script{rows: append(rows, rows[0])}, UploadOptions{})
	if want := (Report{Audience: 25_050, Duplicates: 1}); err != nil || cmp.Diff(want, report) != "" || !m.audience.UploadedAt.Equal(start) {
		t.Fatalf("UploadAudience = %+v, %v, want %+v", report, err, want)
	}
	m.past = []PastChunk{{Seq: 1, State: Sent, Recipients: []byte(`[{"type":"botUserKey","id":"botUserKey-7"}]`)}}
	for range 2 {
		report, err = desk.UseAudience(t.Context(), "brd", a.ID, UploadOptions{Exclude: "brd_past"})
		if want := (Report{Audience: 25_049, Excluded: 1}); err != nil || cmp.Diff(want, report) != "" || m.ended == nil {
			t.Fatalf("UseAudience = %+v, %v, want %+v", report, err, want)
		}
	}
	seen := map[string]bool{}
	for _, c := range m.chunks {
		var list []Recipient
		if err := json.Unmarshal([]byte(c.Recipients), &list); err != nil || len(list) != c.People {
			t.Fatalf("chunk %d: %d people, %v, says %d", c.Seq, len(list), err, c.People)
		}
		for _, r := range list {
			seen[r.ID] = true
		}
	}
	if len(seen) != 25_049 || seen["botUserKey-7"] {
		t.Errorf("the broadcast has %d people, want 25049 without botUserKey-7", len(seen))
	}
	m.people = slices.Delete(m.people, 3, 4) // somebody uploads to it
	if _, err := desk.UseAudience(t.Context(), "brd", a.ID, UploadOptions{}); fault.CodeOf(err) != "AUDIENCE_CHANGED" || m.ended != nil {
		t.Errorf("UseAudience of one that changes error = %v, want AUDIENCE_CHANGED and nothing taken over", err)
	}
	m.b.BotID = "other"
	if _, err := desk.UseAudience(t.Context(), "brd", a.ID, UploadOptions{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("UseAudience of another bot error = %v, want Invalid", err)
	}
}

func TestDesk_CreateAudience_refuses(t *testing.T) {
	for field, ask := range map[string][2]string{"bot": {"", "a"}, "name": {"b", " "}, "name ": {"b", strings.Repeat("가", 201)}, "name  ": {"b", "a\nb"}} {
		_, err := newDesk(&memory{}).CreateAudience(t.Context(), ask[0], ask[1])
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("CreateAudience(%q) error = %v, want Invalid about %s", ask, err, field)
		}
	}
}
