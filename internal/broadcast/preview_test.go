package broadcast

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

// stored is a broadcast with personal text whose audience is some chunks of people u<seq>-<place>.
func stored(t *testing.T, sizes ...int) (*Desk, *memory) {
	t.Helper()
	m := &memory{}
	desk := newDesk(m)
	if _, err := desk.Create(t.Context(), personalOrder(), Request{}); err != nil {
		t.Fatal(err)
	}
	m.b.Chunks, m.b.Purpose = len(sizes), Ad
	for i, n := range sizes {
		seq := 7 + i // numbered from behind an earlier upload
		people := make([]Recipient, n)
		for j := range people {
			people[j] = Recipient{Type: "botUserKey", ID: fmt.Sprintf("u%d-%d", seq, j), Properties: map[string]string{"greeting": fmt.Sprintf("%d #{x}", j)}}
		}
		m.past = append(m.past, PastChunk{ID: NewChunkID(m.b.ID, seq), Seq: seq, Recipients: appendPeople(nil, people)})
		m.b.Counts.Audience += n
	}
	return desk, m
}

func shown(t *testing.T, previews []Preview) (ids []string) {
	t.Helper()
	for _, p := range previews {
		if len(p.Request.Users) != 1 || p.Request.Users[0].ID != p.Person.ID {
			t.Errorf("a request for %+v, want one for %s alone", p.Request.Users, p.Person.ID)
		}
		ids = append(ids, p.Person.ID)
	}
	return ids
}

// Three people are drawn: others with another seed, the same with the same, each of the audience in the end,
// and all of a small one.
func TestDesk_Preview_draws(t *testing.T) {
	desk, _ := stored(t, 100, 100, 3, 100)
	times := map[string]int{}
	for seed := range uint64(400) {
		previews, err := desk.Preview(t.Context(), "brd", nil, seed)
		ids := shown(t, previews)
		if err != nil || len(ids) != PreviewPeople || ids[0] == ids[1] || ids[1] == ids[2] || ids[0] == ids[2] {
			t.Fatalf("Preview with seed %d = %v, %v, want three people", seed, ids, err)
		}
		again, _ := desk.Preview(t.Context(), "brd", nil, seed)
		if diff := cmp.Diff(ids, shown(t, again)); diff != "" {
			t.Fatalf("Preview with seed %d once more (-first +again):\n%s", seed, diff)
		}
		for _, id := range ids {
			times[id]++
		}
	}
	if small := times["u9-0"] + times["u9-1"] + times["u9-2"]; len(times) < 280 || small < 2 || small > 40 {
		t.Errorf("1,200 draws of 303 people met %d, those of the small chunk %d times; want nearly all, and the three about 12 times", len(times), small)
	}
	desk, _ = stored(t, 1, 1)
	if previews, err := desk.Preview(t.Context(), "brd", nil, 1); err != nil || len(shown(t, previews)) != 2 {
		t.Errorf("Preview of two people = %v, %v, want both", previews, err)
	}
}

// However an audience lies in its chunks, nobody is drawn twice, and drawing ends.
func TestDesk_Preview_drawsOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		seqs     []int // of chunks of one person each
		audience int   // as it was counted
		want     int
	}{
		"chunks far from each other":      {[]int{1, 50, 51}, 3, 3},
		"fewer than were counted":         {[]int{1, 2}, 5, 2},
		"many chunks of nearly nobody":    {append(numbers(1, 40), numbers(9_000, 20)...), 60, 3},
		"more chunks than are known of":   {numbers(1, 40), 1, 3},
		"none where the people should be": {nil, 3, 0},
	} {
		desk, m := stored(t)
		for _, seq := range tt.seqs {
			m.past = append(m.past, PastChunk{ID: NewChunkID(m.b.ID, seq), Seq: seq, Recipients: appendPeople(nil, []Recipient{{Type: "botUserKey", ID: fmt.Sprint("u", seq)}})})
		}
		m.b.Counts.Audience, m.b.Chunks = tt.audience, len(tt.seqs)
		for seed := range uint64(50) {
			previews, err := desk.Preview(t.Context(), "brd", nil, seed)
			ids := shown(t, previews)
			slices.Sort(ids)
			if len(slices.Compact(ids)) != tt.want || len(previews) != tt.want || err != nil {
				t.Fatalf("%s: Preview with seed %d = %v, %v, want %d people", name, seed, ids, err, tt.want)
			}
		}
	}
}

// numbers are so many from a first one.
func numbers(first, n int) (all []int) {
	for i := range n {
		all = append(all, first+i)
	}
	return all
}

// A large audience is drawn from evenly, its small chunks too.
func TestDesk_Preview_drawsFromMany(t *testing.T) {
	sizes := slices.Repeat([]int{100}, 40)
	sizes[20] = 3
	desk, _ := stored(t, sizes...)
	late, small := 0, 0
	for seed := range uint64(400) {
		previews, err := desk.Preview(t.Context(), "brd", nil, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range shown(t, previews) {
			var seq, place int
			if _, err := fmt.Sscanf(id, "u%d-%d", &seq, &place); err != nil {
				t.Fatal(err)
			}
			switch {
			case seq == 27:
				small++
			case seq > 27:
				late++
			}
		}
	}
	if late < 500 || late > 680 || small > 5 {
		t.Errorf("of 1,200 draws %d are of the later half and %d of its chunk of three, want about 585 and 1", late, small)
	}
}

// Who is named is shown with what the audience knows of him, or filled in from what is said of him.
func TestDesk_Preview_named(t *testing.T) {
	desk, m := stored(t, 100, 3)
	previews, err := desk.Preview(t.Context(), "brd", []Recipient{
		{Type: "botUserKey", ID: "u8-1"}, {Type: "botUserKey", ID: "u8-1", Properties: map[string]string{"name": "하늘"}}, {Type: "appUserId", ID: "u8-1"},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range previews {
		path, body, err := p.Request.Written()
		if err != nil || path != "/v2/bots/66a1f0c2d4b7e83f5a9c1d20/talk" || p.Request.RestKey != "" {
			t.Errorf("request %d goes to %s with key %q, %v", i, path, p.Request.RestKey, err)
		}
		wantGolden(t, fmt.Sprintf("testdata/preview_%d.json", i), body)
	}
	if m.looks != 1 {
		t.Errorf("the audience was looked through %d times, want once", m.looks)
	}
	if _, err := desk.Preview(t.Context(), "brd", make([]Recipient, MaxNamed+1), 0); fieldOf(err) != "recipients" {
		t.Errorf("Preview of 11 people error = %v, want recipients", err)
	}
	if _, err := desk.Preview(t.Context(), "brd", []Recipient{{Type: "botUserKey", ID: "u8-1"}, {Type: "botUserKey"}}, 0); fieldOf(err) != "recipients[1].id" {
		t.Errorf("Preview of nobody's id error = %v, want recipients[1].id", err)
	}
	m.b.Personal.Properties["greeting"] = "#{name}님"
	if _, err := desk.Preview(t.Context(), "brd", []Recipient{{Type: "botUserKey", ID: "other"}}, 0); fieldOf(err) != "recipients[0].properties.name" {
		t.Errorf("Preview of somebody without a name error = %v, want recipients[0].properties.name", err)
	}
	m.b.Unreadable = "params: x"
	if _, err := desk.Preview(t.Context(), "brd", nil, 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Preview of what cannot be read error = %v, want Conflict", err)
	}
	desk, _ = stored(t)
	if _, err := desk.Preview(t.Context(), "brd", nil, 0); fault.CodeOf(err) != codeNobody {
		t.Errorf("Preview without an audience error = %v, want %s", err, codeNobody)
	}
}

// A test is a broadcast of its own that goes now, as it stands, and leaves the other as it is.
func TestDesk_Test(t *testing.T) {
	desk, m := stored(t, 3)
	desk.newID = func(string) string { return madeID }
	of := m.b
	people := []Recipient{{Type: "botUserKey", ID: "u7-1"}, {Type: "appUserId", ID: "me", Properties: map[string]string{"name": "하늘"}}}
	b, err := desk.Test(t.Context(), TestOrder{Of: of.ID, People: people, By: "acc_1"}, Request{})
	if err != nil || b.SealedBy != "acc_1" || b.TestOf != of.ID || b.Purpose != Ad || b.ID == of.ID || b.State != Running || b.Counts.Audience != 2 || !b.StartAt.Equal(start) || cmp.Diff(of.Message, b.Message) != "" {
		t.Fatalf("Test = %+v, %v, want a broadcast to two that names %s", b, err, of.ID)
	}
	var sent []Recipient
	if err := json.Unmarshal([]byte(m.chunks[0].Recipients), &sent); err != nil {
		t.Fatal(err)
	}
	want := []Recipient{
		{Type: "botUserKey", ID: "u7-1", Properties: map[string]string{"greeting": "1 #{x}"}},
		{Type: "appUserId", ID: "me", Properties: map[string]string{"name": "하늘", "greeting": "하늘님, 한빛서점입니다", "shop": "한빛서점"}},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}

func TestDesk_Test_refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		people []Recipient
		field  string
	}{
		"nobody":       {nil, "recipients"},
		"eleven":       {make([]Recipient, MaxNamed+1), "recipients"},
		"no id":        {[]Recipient{{Type: "botUserKey"}}, "recipients[0].id"},
		"twice":        {[]Recipient{{Type: "botUserKey", ID: "u"}, {Type: "botUserKey", ID: "u"}}, "recipients[1]"},
		"a room":       {[]Recipient{{Type: Room, ID: "g"}}, "recipients[0].type"},
		"without name": {[]Recipient{{Type: "botUserKey", ID: "u"}}, "recipients[0].properties.name"},
	} {
		desk, m := stored(t, 1)
		if name == "without name" {
			m.b.Personal.Properties["greeting"] = "#{name}님"
		}
		of := m.b
		_, err := desk.Test(t.Context(), TestOrder{Of: of.ID, People: tt.people}, Request{})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || cmp.Diff(of, m.b) != "" {
			t.Errorf("%s: Test error = %v, want Invalid %s and nothing stored", name, err, tt.field)
		}
	}
	// Repeated it is what it was, also when its people cannot be found any more, nor its message read.
	desk, m := stored(t)
	m.b.Unreadable = "params: x"
	if b, err := desk.Test(t.Context(), TestOrder{Of: m.b.ID, People: []Recipient{{Type: "botUserKey"}}}, Request{Key: "k"}); err != nil || b.ID != m.b.ID || m.looks != 0 {
		t.Errorf("Test repeated = %+v, %v after %d looks, want the first at once", b, err, m.looks)
	}
}
