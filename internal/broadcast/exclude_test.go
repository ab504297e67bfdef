package broadcast

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

// past is a chunk of an earlier broadcast with the people "a1" to "a3", "b1" to "b3" and so on.
func past(seq int, state ChunkState, result string) PastChunk {
	letter := string(rune('a' + seq - 1))
	list := "["
	for i := range 3 {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf(`{"type":"botUserKey","id":"%s%d"}`, letter, i+1)
	}
	return PastChunk{Seq: seq, State: state, Recipients: []byte(list + "]"), Result: []byte(result), Failed: strings.Count(result, "userId")}
}

func TestPastChunk_reached(t *testing.T) {
	const oneNamed = `{"allRequestCount":3,"successCount":1,"fail":{"count":2,"list":[{"userId":"a2"}]}}` // and one is unknown
	for state, want := range map[ChunkState]int{
		Planned: 0, Queued: 0, Rejected: 0, Expired: 0, ChunkCancelled: 0, Parked: 0, Sending: 3, Sent: 3, InDoubt: 3, Settled: 3,
	} {
		if got, err := past(1, state, "").reached(); err != nil || len(got) != want {
			t.Errorf("reached() of a chunk that is %s = %v, %v, want %d", state, got, err, want)
		}
	}
	got, err := past(1, Settled, oneNamed).reached()
	if want := []Recipient{{Type: "botUserKey", ID: "a1"}, {Type: "botUserKey", ID: "a3"}}; err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("reached() = %v, %v, want %v: all but whom Kakao names", got, err, want)
	}
	refused, late := past(1, Rejected, ""), past(1, Settled, oneNamed)
	refused.Evident, late.Failed = 1, 2 // it arrived all the same; a correction says that two failed
	for _, c := range []PastChunk{refused, late} {
		if got, err := c.reached(); err != nil || len(got) != 3 {
			t.Errorf("reached() of a chunk of which nobody knows who failed, %s = %v, %v, want everybody", c.State, got, err)
		}
	}
	if _, err := (PastChunk{State: Sent, Recipients: []byte("{")}).reached(); err == nil {
		t.Error("reached() of people that cannot be read error = nil")
	}
}

func TestDesk_Upload_excludes(t *testing.T) {
	var rows []any
	for _, id := range []string{"a1", "a2", "b1", "b2", "new", "a1", "new"} {
		rows = append(rows, Recipient{Type: "botUserKey", ID: id})
	}
	rows = append(rows, Recipient{Type: "appUserId", ID: "a1"}) // another person
	m := &memory{b: Broadcast{ID: "brd", BotID: "bot", State: Uploading}}
	m.past = []PastChunk{past(1, Settled, `{"allRequestCount":3,"fail":{"count":1,"list":[{"userId":"a2"}]}}`), past(2, Rejected, "")}
	for range pastChunks {
		m.past = append(m.past, past(3+len(m.past), Expired, ""))
	}
	m.past = append(m.past, PastChunk{Seq: 1000, State: Sent, Recipients: []byte(`[{"type":"botUserKey","id":"b2"}]`)})
	var told []string
	report, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{Exclude: "brd_past", Dropped: func(d Dropped) error {
		told = append(told, fmt.Sprint(d.Why, " ", d.Person.ID, " ", d.Reason))
		return nil
	}})
	if want := (Report{Audience: 4, Duplicates: 1, Excluded: 3}); err != nil || cmp.Diff(want, report) != "" {
		t.Errorf("Upload = %+v, %v, want %+v", report, err, want)
	}
	m.b.Counts = Counts{Audience: 10, Delivered: 2, Failed: 1} // it is not over
	open, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{Exclude: "brd_past", DryRun: true})
	if err != nil || open.ExcludedOpen != 7 {
		t.Errorf("Upload = %+v, %v, want 7 of the earlier broadcast without an outcome", open, err)
	}
	if m.ended == nil || m.ended.Excluded != 3 {
		t.Errorf("EndUpload was told %+v, want 3 excluded", m.ended)
	}
	if want := []string{"excluded a1 was reached by brd_past", "excluded b2 was reached by brd_past", "excluded a1 was reached by brd_past", "duplicate new is named before"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}

func TestParseExclusion(t *testing.T) {
	for text, want := range map[string]ID{"": "", "broadcast:brd_1": "brd_1", "broadcast:": "!", "brd_1": "!", "audience:aud_1": "!"} {
		got, err := ParseExclusion(text)
		if bad := want == "!"; bad != (fault.KindOf(err) == fault.Invalid && err != nil) || !bad && got != want {
			t.Errorf("ParseExclusion(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestDesk_Upload_dryRun(t *testing.T) {
	rows := people("botUserKey", 0, 250)
	rows = append(rows, &BadRow{Line: 252, Column: "id", Reason: "is empty"})
	rows = append(rows, people("botUserKey", 0, 120)...)
	m := &memory{b: Broadcast{ID: "brd", State: Uploading}}
	told := map[DropReason]int{}
	report, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{DryRun: true, Dropped: func(d Dropped) error {
		told[d.Why]++
		return nil
	}})
	if err != nil || report.Audience != 250 || report.Duplicates != 120 || report.BadRows != 1 || len(report.Problems) != 1 || len(report.Dropped) != maxBadRows {
		t.Errorf("Upload = %+v, %v, want 250 people, 120 duplicates of which %d are told, 1 bad row", report, err, maxBadRows)
	}
	if m.ended != nil || len(m.chunks) > 0 {
		t.Errorf("a dry run stored %d chunks", len(m.chunks))
	}
	if told[DroppedDuplicate] != 120 || told[DroppedBad] != 1 {
		t.Errorf("told of %v, want 120 duplicates and 1 bad row", told)
	}
	first, last := rows[0].(Recipient), rows[249].(Recipient)
	m.b.Purpose, m.refused = Ad, []string{first.ID, last.ID, "somebody else"}
	var suppressed []string
	report, err = newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{DryRun: true, Dropped: func(d Dropped) error {
		if d.Why == DroppedSuppressed {
			suppressed = append(suppressed, d.Person.ID)
		}
		return nil
	}})
	if err != nil || report.Suppressed != 2 || report.Audience != 250 || !slices.Equal(suppressed, []string{first.ID, last.ID}) {
		t.Errorf("of advertising the dry run reports %d of %d suppressed, %v, and that they are %v; want 2 of 250, the first and the last", report.Suppressed, report.Audience, err, suppressed)
	}
	m.b.State = Running
	if _, err := newDesk(m).Upload(t.Context(), "brd", &script{}, UploadOptions{DryRun: true}); fault.CodeOf(err) != "SEALED" {
		t.Errorf("a dry run of a sealed broadcast error = %v, want SEALED", err)
	}
}

// However long properties are, a batch stays small.
func TestDesk_Upload_boundsBatchesByBytes(t *testing.T) {
	m := &memory{}
	long := string(slices.Repeat([]byte("x"), 4000))
	i := 0
	rows := rowsFunc(func() (Recipient, error) {
		if i++; i > 10_000 {
			return Recipient{}, io.EOF
		}
		return Recipient{Type: "botUserKey", ID: fmt.Sprint(i), Properties: map[string]string{"p": long}}, nil
	})
	if _, err := newDesk(m).Upload(t.Context(), "brd", rows, UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(m.batches) != 17 || m.batches[0] > 6 {
		t.Errorf("40 MB came in batches of %v chunks, want 17 of at most 2 MiB and a chunk", m.batches)
	}
}
