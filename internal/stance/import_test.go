package stance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// table is rows of a file; a nil one is bad.
type table struct {
	rows []*broadcast.Recipient
	line int
	end  error // io.EOF when nil
}

func (r *table) Next() (broadcast.Recipient, error) {
	if r.line == len(r.rows) {
		if r.end != nil {
			return broadcast.Recipient{}, r.end
		}
		return broadcast.Recipient{}, io.EOF
	}
	r.line++
	if row := r.rows[r.line-1]; row != nil {
		return *row, nil
	}
	return broadcast.Recipient{}, &broadcast.BadRow{Line: r.line, Column: "id", Reason: "is empty"}
}

func (r *table) Line() int { return r.line }

func refusal(id, at string) *broadcast.Recipient {
	return &broadcast.Recipient{Type: "botUserKey", ID: id, Properties: map[string]string{"at": at}}
}

// memory is a list that is new to everybody, and what was told of it.
type memory struct {
	goes  [][]string
	told  []string
	weigh bool
	err   error
}

func (m *memory) PutStances(_ context.Context, _ string, _ broadcast.PeopleList, said []broadcast.Stance, tell func(broadcast.Noted) any) (broadcast.Noted, error) {
	if m.err != nil && len(m.goes) == 1 {
		return broadcast.Noted{}, m.err
	}
	var ids []string
	for _, s := range said {
		ids = append(ids, s.ID+" "+s.At.Format("0102"))
	}
	m.goes = append(m.goes, ids)
	noted := broadcast.Noted{New: len(said)}
	if tell != nil {
		m.told = append(m.told, fmt.Sprint(tell(noted)))
	}
	return noted, nil
}

func (m *memory) WeighStances(_ context.Context, _ string, _ broadcast.PeopleList, said []broadcast.Stance) (broadcast.Noted, error) {
	m.weigh = true
	return broadcast.Noted{Unchanged: len(said)}, nil
}

// Everybody is stored once, with what he said last; a bad row refuses everybody, or is left out.
func TestImport(t *testing.T) {
	rows := []*broadcast.Recipient{refusal("b", "2026-01-02"), refusal("a", "2026-01-03"), refusal("a", "2026-01-02")}
	with := append(rows[:2:2], nil, rows[2], refusal("c", "yesterday"))
	bad := []broadcast.BadRow{{Line: 3, Column: "id", Reason: "is empty"}, {Line: 5, Column: "at", Reason: "must be " + aTime}}
	tests := map[string]struct {
		rows   []*broadcast.Recipient
		o      broadcast.UploadOptions
		want   Report
		goes   [][]string
		told   []string
		refuse string
	}{
		"all good":    {rows: rows, want: Report{Noted: broadcast.Noted{New: 2}, Duplicates: 1}, goes: [][]string{{"a 0102", "b 0101"}}, told: []string{"map[bad_rows:0 changed:0 list:suppressions new:2 rows:3 unchanged:0]"}},
		"bad rows":    {rows: with, want: Report{BadRows: 2, Problems: bad}, refuse: "2 bad rows, the first is line 3, id: is empty; nothing was taken over"},
		"skipped":     {rows: with, o: broadcast.UploadOptions{SkipBad: true}, want: Report{Noted: broadcast.Noted{New: 2}, Duplicates: 1, BadRows: 2, Problems: bad}, goes: [][]string{{"a 0102", "b 0101"}}, told: []string{"map[bad_rows:2 changed:0 list:suppressions new:2 rows:3 unchanged:0]"}},
		"a dry run":   {rows: with, o: broadcast.UploadOptions{DryRun: true}, want: Report{Noted: broadcast.Noted{Unchanged: 2}, Duplicates: 1, BadRows: 2, Problems: bad}},
		"nobody":      {},
		"all are bad": {rows: []*broadcast.Recipient{nil}, o: broadcast.UploadOptions{SkipBad: true}, want: Report{BadRows: 1, Problems: []broadcast.BadRow{{Line: 1, Column: "id", Reason: "is empty"}}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var left []broadcast.BadRow
			tt.o.Dropped = func(d broadcast.Dropped) error { left = append(left, d.BadRow); return nil }
			to := &memory{}
			got, err := Import(t.Context(), to, "b1", broadcast.Suppressions, &table{rows: tt.rows}, tt.o, noon)
			if (err == nil) != (tt.refuse == "") || err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.refuse)) {
				t.Fatalf("Import error = %v, want %q", err, tt.refuse)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || !reflect.DeepEqual(left, tt.want.Problems) {
				t.Errorf("Import left out %v and reports (-want +got):\n%s", left, diff)
			}
			if !reflect.DeepEqual(to.goes, tt.goes) || !reflect.DeepEqual(to.told, tt.told) || to.weigh != tt.o.DryRun {
				t.Errorf("Import stored %v, told %q and weighed: %v; want %v, %q", to.goes, to.told, to.weigh, tt.goes, tt.told)
			}
		})
	}
}

// A long import is told of when it begins to store and when it has ended, so that one that breaks off is told of.
func TestImport_long(t *testing.T) {
	var rows []*broadcast.Recipient
	for i := range 2*AtOnce + 1 {
		rows = append(rows, refusal(fmt.Sprintf("u%04d", i), "2026-01-02"))
	}
	to := &memory{}
	got, err := Import(t.Context(), to, "b1", broadcast.Suppressions, &table{rows: rows}, broadcast.UploadOptions{}, noon)
	if err != nil || got.New != len(rows) || len(to.goes) != 3 || len(to.goes[2]) != 1 {
		t.Fatalf("Import = %+v, %v, in %d goes; want %d in 3", got, err, len(to.goes), len(rows))
	}
	begun := "map[bad_rows:0 list:suppressions rows:1001]"
	if want := []string{begun, "map[bad_rows:0 changed:0 list:suppressions new:1001 rows:1001 unchanged:0]"}; !reflect.DeepEqual(to.told, want) {
		t.Errorf("told is %q, want %q", to.told, want)
	}
	to = &memory{err: errors.New("disk full")}
	if _, err := Import(t.Context(), to, "b1", broadcast.Suppressions, &table{rows: rows}, broadcast.UploadOptions{}, noon); !errors.Is(err, to.err) || fault.KindOf(err) != fault.Unavailable || !reflect.DeepEqual(to.told, []string{begun}) {
		t.Errorf("one that breaks off error = %v, told %q; want %v and that it began", err, to.told, to.err)
	}
	to, broken := &memory{}, errors.New("connection reset")
	if _, err := Import(t.Context(), to, "b1", broadcast.Suppressions, &table{rows: rows, end: broken}, broadcast.UploadOptions{SkipBad: true}, noon); !errors.Is(err, broken) || len(to.goes) > 0 {
		t.Errorf("one of half a file error = %v, stored %v; want %v and nothing", err, to.goes, broken)
	}
}

// However a pile is cut into runs, everybody comes once and in order, with what he said last.
func TestPile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pile{limit: rapid.IntRange(1, 5).Draw(t, "limit")}
		defer func() {
			if err := p.close(); err != nil {
				t.Error(err)
			}
		}()
		last, n := map[string]broadcast.Stance{}, rapid.IntRange(0, 30).Draw(t, "n")
		for i := range n {
			s := broadcast.Stance{Type: rapid.SampledFrom([]string{"appUserId", "botUserKey"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"a", "b", "가", "d\n"}).Draw(t, "id"),
				At: noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at"))), Source: fmt.Sprint(i)}
			if err := p.add(s); err != nil {
				t.Fatal(err)
			}
			if before, again := last[s.Type+s.ID]; !again || !before.At.After(s.At) {
				last[s.Type+s.ID] = s
			}
		}
		before := ""
		err := p.each(func(s broadcast.Stance) error {
			if key := s.Type + s.ID; s != last[key] || key <= before {
				t.Errorf("after %q comes %+v, want %+v", before, s, last[key])
			} else {
				before = key
				delete(last, key)
			}
			return nil
		})
		if err != nil || len(last) > 0 {
			t.Errorf("each error = %v, and %v did not come", err, last)
		}
	})
}
