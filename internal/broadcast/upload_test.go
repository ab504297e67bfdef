package broadcast

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

// script yields what it holds: people, bad rows, and at last perhaps an error.
type script struct {
	rows []any // Recipient or *BadRow
	end  error // io.EOF when nil
}

func (s *script) Next() (Recipient, error) {
	if len(s.rows) == 0 {
		if s.end != nil {
			return Recipient{}, s.end
		}
		return Recipient{}, io.EOF
	}
	row := s.rows[0]
	s.rows = s.rows[1:]
	if bad, ok := row.(*BadRow); ok {
		return Recipient{}, bad
	}
	return row.(Recipient), nil
}

func (s *script) Line() int { return 0 }

func people(kind string, from, n int) []any {
	rows := make([]any, n)
	for i := range n {
		rows[i] = Recipient{Type: kind, ID: fmt.Sprintf("%s-%d", kind, from+i)}
	}
	return rows
}

func TestDesk_Upload_packsByTypeOfID(t *testing.T) {
	var rows []any
	for i := range 250 { // mixed as they come
		rows = append(rows, people("appUserId", i, 1)...)
		rows = append(rows, people("botUserKey", i, 1)...)
	}
	rows = append(rows, people("plusfriendUserKey", 0, 3)...)
	m := &memory{}
	report, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{})
	if err != nil || report.Audience != 503 {
		t.Fatalf("Upload = %+v, %v, want 503 people", report, err)
	}
	var sizes []int
	seen := map[string]bool{}
	for i, c := range m.chunks {
		if c.Seq != i+1 {
			t.Errorf("chunk %d has seq %d", i+1, c.Seq)
		}
		var list []Recipient
		if err := json.Unmarshal([]byte(c.Recipients), &list); err != nil || len(list) != c.People {
			t.Fatalf("chunk %d holds %d people, %v, says %d", c.Seq, len(list), err, c.People)
		}
		for _, r := range list {
			if r.Type != list[0].Type {
				t.Errorf("chunk %d mixes %s and %s", c.Seq, list[0].Type, r.Type)
			}
			if seen[r.ID] {
				t.Errorf("%s is in two chunks", r.ID)
			}
			seen[r.ID] = true
		}
		sizes = append(sizes, c.People)
	}
	slices.Sort(sizes)
	if want := []int{3, 50, 50, 100, 100, 100, 100}; !slices.Equal(sizes, want) || len(seen) != 503 {
		t.Errorf("chunks of %v for %d people, want %v for 503", sizes, len(seen), want)
	}
}

// Whoever goes first has chunks of his own, and the report says how many.
func TestDesk_Upload_canary(t *testing.T) {
	mixed := append(people("botUserKey", 0, 120), people("appUserId", 0, 30)...)
	mixed = append(mixed, people("botUserKey", 0, 5)...) // named before: they do not count
	mixed = append(mixed, people("botUserKey", 120, 250)...)
	tests := map[string]struct {
		canary, chunks int
		sizes          []int
	}{
		"no canary":                   {0, 0, []int{100, 100, 100, 70, 30}},
		"within a chunk":              {10, 1, []int{10, 100, 100, 100, 60, 30}},
		"a chunk":                     {100, 1, []int{100, 100, 100, 70, 30}},
		"people of two kinds":         {150, 3, []int{100, 20, 30, 100, 100, 50}},
		"behind who was named before": {151, 3, []int{100, 21, 30, 100, 100, 49}},
		"everybody":                   {400, 5, []int{100, 100, 100, 70, 30}},
		"more than everybody":         {9_999, 5, []int{100, 100, 100, 70, 30}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			m.b = Broadcast{ID: "brd", State: Uploading, Caution: Caution{Canary: Canary{People: tt.canary}}}
			report, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: slices.Clone(mixed)}, UploadOptions{})
			var sizes []int
			for _, c := range m.chunks {
				sizes = append(sizes, c.People)
			}
			if err != nil || report.Audience != 400 || report.CanaryChunks != tt.chunks || !slices.Equal(sizes, tt.sizes) {
				t.Errorf("Upload = %d people, %d chunks first of %v, %v; want 400, %d of %v", report.Audience, report.CanaryChunks, sizes, err, tt.chunks, tt.sizes)
			}
		})
	}
}

func TestDesk_Upload_storesInBatches(t *testing.T) {
	m := &memory{}
	const n = 100*uploadBatch + 150
	i := 0
	rows := rowsFunc(func() (Recipient, error) {
		if i++; i > n {
			return Recipient{}, io.EOF
		}
		return Recipient{Type: "botUserKey", ID: fmt.Sprint(i)}, nil
	})
	report, err := newDesk(m).Upload(t.Context(), "brd", rows, UploadOptions{})
	if err != nil || report.Audience != n || !slices.Equal(m.batches, []int{uploadBatch, 2}) {
		t.Errorf("Upload of %d = %+v, %v in batches of %v, want %v", n, report, err, m.batches, []int{uploadBatch, 2})
	}
	if last := m.chunks[len(m.chunks)-1]; last.Seq != uploadBatch+2 || last.People != 50 {
		t.Errorf("last chunk = no. %d of %d people, want no. %d of 50", last.Seq, last.People, uploadBatch+2)
	}
}

type rowsFunc func() (Recipient, error)

func (f rowsFunc) Next() (Recipient, error) { return f() }
func (f rowsFunc) Line() int                { return 0 }

func TestDesk_Upload_duplicates(t *testing.T) {
	rows := people("botUserKey", 0, 150)
	rows = append(rows, people("botUserKey", 100, 100)...)                   // 50 again, 50 new
	rows = append(rows, Recipient{Type: "appUserId", ID: "botUserKey-1"})    // the same id of another kind is another person
	rows = append(rows, Recipient{Type: "botUserKey", ID: "botUserKey-149"}) // across a chunk's border
	m := &memory{}
	report, err := newDesk(m).Upload(t.Context(), "brd", &script{rows: rows}, UploadOptions{})
	want := Report{Audience: 201, Duplicates: 51}
	if diff := cmp.Diff(want, report); err != nil || diff != "" {
		t.Errorf("Upload, %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(&want, m.ended); diff != "" {
		t.Errorf("EndUpload was told (-want +got):\n%s", diff)
	}
}

func TestDesk_Upload_badRows(t *testing.T) {
	rows := func() *script {
		mixed := people("botUserKey", 0, 2)
		for line := range 120 {
			mixed = append(mixed, &BadRow{Line: line + 4, Column: "id", Reason: "is empty"})
		}
		return &script{rows: append(mixed, people("botUserKey", 2, 1)...)}
	}
	t.Run("refuse the whole file", func(t *testing.T) {
		m := &memory{}
		report, err := newDesk(m).Upload(t.Context(), "brd", rows(), UploadOptions{})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "120 bad rows") || !strings.Contains(err.Error(), "line 4, id: is empty") {
			t.Errorf("Upload error = %v, want Invalid with count and first line", err)
		}
		if report.BadRows != 120 || len(report.Problems) != maxBadRows || report.Problems[99].Line != 103 {
			t.Errorf("Upload reports %d bad rows, %d of them with lines, want 120 and %d", report.BadRows, len(report.Problems), maxBadRows)
		}
		if m.ended != nil {
			t.Error("it became the audience all the same")
		}
	})
	t.Run("are left out when that is asked for", func(t *testing.T) {
		m := &memory{}
		report, err := newDesk(m).Upload(t.Context(), "brd", rows(), UploadOptions{SkipBad: true})
		if err != nil || report.Audience != 3 || report.BadRows != 120 || m.ended == nil {
			t.Errorf("Upload = %d people, %d bad rows, %v, want 3 and 120", report.Audience, report.BadRows, err)
		}
	})
}

func TestDesk_Upload_ends(t *testing.T) {
	broken, full := errors.New("connection reset"), errors.New("disk full")
	tests := map[string]struct {
		rows     *script
		storeErr error
		want     error
	}{
		"when the file breaks off":    {&script{rows: people("botUserKey", 0, 250), end: broken}, nil, broken},
		"when chunks are not stored":  {&script{rows: people("botUserKey", 0, 250)}, full, full},
		"with a file that holds none": {&script{}, nil, nil},
	}
	for name, tt := range tests {
		m := &memory{storeErr: tt.storeErr}
		report, err := newDesk(m).Upload(t.Context(), "brd", tt.rows, UploadOptions{})
		if !errors.Is(err, tt.want) || (m.ended != nil) != (tt.want == nil) {
			t.Errorf("%s: Upload = %+v, %v, ended %v, want %v", name, report, err, m.ended, tt.want)
		}
	}
}
