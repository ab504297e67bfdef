package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

// memory keeps orders and uploads of one broadcast.
type memory struct {
	b       Broadcast
	chunks  []Packed
	batches []int
	ended   *Report
	decided []Decision
	sealing Sealing // of the last Seal

	retries     []ID
	endedChunks []PastChunk
	storeErr    error

	past     []PastChunk
	looks    int // at them
	refused  []string
	audience Audience
	people   []Packed // of the audience
}

func (m *memory) CreateBroadcast(_ context.Context, b Broadcast, chunks []Packed, _ int, r Request) (Broadcast, bool, error) {
	if m.b.ID != "" && r.Key != "" {
		return m.b, true, nil
	}
	m.b, m.chunks = b, chunks
	return b, false, nil
}

func (m *memory) CreateAtOnce(ctx context.Context, b Broadcast, chunk Packed, r Request) (Broadcast, error) {
	b, _, err := m.CreateBroadcast(ctx, b, []Packed{chunk}, 0, r)
	return b, err
}

func (m *memory) RepeatedBroadcast(_ context.Context, r Request) (Broadcast, bool, error) {
	return m.b, m.b.ID != "" && r.Key != "", nil
}
func (m *memory) Broadcast(context.Context, ID) (Broadcast, error) { return m.b, nil }
func (m *memory) Seal(_ context.Context, _ ID, o Sealing, _ time.Time) (Broadcast, error) {
	m.b.State, m.sealing = Running, o
	return m.b, nil
}
func (m *memory) Approve(context.Context, ID, string, time.Time) (Broadcast, error) {
	return m.b, nil
}
func (m *memory) Pause(context.Context, ID, time.Time) (Broadcast, error)  { return m.b, nil }
func (m *memory) Resume(context.Context, ID, time.Time) (Broadcast, error) { return m.b, nil }
func (m *memory) Cancel(context.Context, ID, time.Time) (Broadcast, error) { return m.b, nil }

func (m *memory) BeginUpload(context.Context, ID) (int, error) {
	m.chunks, m.batches, m.ended = nil, nil, nil
	return 1, nil
}

func (m *memory) StoreChunks(_ context.Context, _ ID, _ int, chunks []Packed) error {
	m.chunks = append(m.chunks, chunks...)
	m.batches = append(m.batches, len(chunks))
	return m.storeErr
}

func (m *memory) EndUpload(_ context.Context, _ ID, _ int, _ int, r Report) error {
	m.ended = &r
	return nil
}

func (m *memory) Retries(context.Context, ID) ([]ID, error) { return m.retries, nil }

func (m *memory) EndedChunks(_ context.Context, _ ID, after, limit int) (found []PastChunk, _ error) {
	for _, c := range m.endedChunks {
		if c.Seq > after && len(found) < limit {
			found = append(found, c)
		}
	}
	return found, nil
}

func (m *memory) DecideChunks(_ context.Context, d Decision) (Decided, error) {
	m.decided = append(m.decided, d)
	return Decided{Chunks: len(d.Chunks)}, nil
}

func (m *memory) PastChunks(_ context.Context, id ID, people []string, after, limit int) (page []PastChunk, err error) {
	m.looks++
	for _, c := range m.past {
		holds := func(id string) bool { return strings.Contains(string(c.Recipients), id) }
		if c.Seq > after && (len(people) == 0 || slices.ContainsFunc(people, holds)) && len(page) < limit {
			page = append(page, c)
		}
	}
	return page, nil
}

// LeftOut has people refuse whose ids are those of refused, of advertising alone.
func (m *memory) LeftOut(_ context.Context, _ string, ad bool, people []Recipient, _ time.Time) ([]LeftOut, error) {
	why := make([]LeftOut, len(people))
	for i, p := range people {
		if ad && slices.Contains(m.refused, p.ID) {
			why[i] = OptedOut
		}
	}
	return why, nil
}

func (m *memory) CreateAudience(_ context.Context, a Audience) error {
	m.audience = a
	return nil
}

func (m *memory) Audience(context.Context, AudienceID) (Audience, error) { return m.audience, nil }
func (m *memory) DeleteAudience(context.Context, AudienceID) error       { return nil }

func (m *memory) BeginAudience(context.Context, AudienceID) (int, error) {
	m.people = nil
	return 1, nil
}

func (m *memory) StoreAudience(_ context.Context, _ AudienceID, _ int, chunks []Packed) error {
	m.people = append(m.people, chunks...)
	return nil
}

func (m *memory) EndAudience(_ context.Context, _ AudienceID, epoch, _ int, r Report, now time.Time) error {
	m.audience.Counts, m.audience.PeopleEpoch, m.audience.UploadedAt = r, epoch, now
	return nil
}

func (m *memory) AudienceChunks(_ context.Context, _ AudienceID, _, after, limit int) (page []Packed, err error) {
	for _, c := range m.people {
		if c.Seq > after && len(page) < limit {
			page = append(page, c)
		}
	}
	return page, nil
}

func newDesk(m *memory) *Desk {
	n := 0
	return NewDesk(m, m, m, m, func() time.Time { return start }, func(prefix string) string {
		n++
		return fmt.Sprintf("%s_%d", prefix, n)
	})
}

func goodOrder() Order {
	return Order{BotID: "bot", Name: "겨울 재입고", Message: Message{Event: "restock_alert"}}
}

func TestDesk_Create(t *testing.T) {
	m := &memory{}
	got, err := newDesk(m).Create(t.Context(), goodOrder(), Request{})
	want := Broadcast{ID: "brd_1", BotID: "bot", Side: Live, Name: "겨울 재입고", Message: Message{Event: "restock_alert"},
		State: Uploading, Wait: WaitUploading, StartAt: start, CreatedAt: start, OnDoubt: HoldDoubt, Purpose: Info, Caution: Caution{StopAbove: DefaultStopAbove}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Create, %v (-want +got):\n%s", err, diff)
	}
}

func TestDesk_Create_refuses(t *testing.T) {
	tests := map[string]struct {
		change func(*Order)
		field  string
	}{
		"no bot":                       {func(o *Order) { o.BotID = "" }, "bot"},
		"a bot with a NUL":             {func(o *Order) { o.BotID = "b\x00t" }, "bot"},
		"no such channel":              {func(o *Order) { o.Side = "beta" }, "channel"},
		"no event":                     {func(o *Order) { o.Message.Event = " " }, "event.name"},
		"an event that is too long":    {func(o *Order) { o.Message.Event = strings.Repeat("가", 101) }, "event.name"},
		"an event with a line break":   {func(o *Order) { o.Message.Event = "a\nb" }, "event.name"},
		"a name that is too long":      {func(o *Order) { o.Name = strings.Repeat("가", 201) }, "name"},
		"a name that is not UTF-8":     {func(o *Order) { o.Name = "\xb0\xa1" }, "name"},
		"a start in the past":          {func(o *Order) { o.StartAt = start.Add(-time.Minute - time.Millisecond) }, "start_at"},
		"another word for a past":      {func(o *Order) { o.IfPast = "wait" }, "if_past"},
		"another word for a doubt":     {func(o *Order) { o.OnDoubt = "guess" }, "on_doubt"},
		"an expiry at the start":       {func(o *Order) { o.ExpiresAt = start }, "expires_at"},
		"an expiry before the start":   {func(o *Order) { o.StartAt, o.ExpiresAt = start.Add(time.Hour), start.Add(time.Minute) }, "expires_at"},
		"params with the reserved key": {func(o *Order) { o.Message.Params = map[string]any{ChunkParam: "x"} }, "params.malgil_chunk"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := goodOrder()
			tt.change(&o)
			m := &memory{}
			_, err := newDesk(m).Create(t.Context(), o, Request{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || f.Message == "" {
				t.Errorf("Create error = %+v, want Invalid %s", err, tt.field)
			}
			if m.b.ID != "" {
				t.Error("it was stored all the same")
			}
		})
	}
}

func TestDesk_Create_accepts(t *testing.T) {
	tests := map[string]func(*Order){
		"the longest names":          func(o *Order) { o.Message.Event, o.Name = strings.Repeat("가", 100), strings.Repeat("가", 200) },
		"no name":                    func(o *Order) { o.Name = "" },
		"the development channel":    func(o *Order) { o.Side = Development },
		"a start a minute ago":       func(o *Order) { o.StartAt = start.Add(-time.Minute) },
		"a start and a later expiry": func(o *Order) { o.StartAt, o.ExpiresAt = start.Add(time.Hour), start.Add(2*time.Hour) },
	}
	for name, change := range tests {
		o := goodOrder()
		change(&o)
		if _, err := newDesk(&memory{}).Create(t.Context(), o, Request{}); err != nil {
			t.Errorf("Create with %s error = %v", name, err)
		}
	}
}

// The first answer stands, also when the same order would be refused by now.
func TestDesk_Create_repeatedAfterItsStart(t *testing.T) {
	m := &memory{}
	now := start
	desk := NewDesk(m, m, m, m, func() time.Time { return now }, func(prefix string) string { return prefix + "_1" })
	o, request := goodOrder(), Request{Scope: "tok", Key: "k"}
	o.StartAt = start.Add(time.Hour)
	first, err := desk.Create(t.Context(), o, request)
	if err != nil {
		t.Fatal(err)
	}
	now = start.Add(2 * time.Hour)
	again, err := desk.Create(t.Context(), o, request)
	if err != nil || again.ID != first.ID {
		t.Errorf("repeated Create = %s, %v, want %s", again.ID, err, first.ID)
	}
	if _, err := desk.Create(t.Context(), o, Request{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a new Create with a start in the past error = %v, want Invalid", err)
	}
}

func TestDesk_Send(t *testing.T) {
	people := []Recipient{{Type: "botUserKey", ID: "u1"}, {Type: "botUserKey", ID: "u1"}, {Type: "appUserId", ID: "7"}}
	request := Request{Scope: "tok", Key: "k"}
	m := &memory{}
	desk := newDesk(m)
	b, err := desk.Send(t.Context(), goodOrder(), people, request)
	if err != nil {
		t.Fatal(err)
	}
	if b.State != Running || b.Counts.Audience != 2 || b.Counts.Duplicates != 1 || b.Chunks != 2 || b.PlannedChunks != 2 || len(m.chunks) != 2 {
		t.Errorf("Send = %+v with %d chunks, want running, 2 people, 1 duplicate, 2 planned chunks", b, len(m.chunks))
	}
	if again, err := desk.Send(t.Context(), goodOrder(), people, request); err != nil || again.ID != b.ID {
		t.Errorf("repeated Send = %s, %v, want %s", again.ID, err, b.ID)
	}
}

func TestDesk_Send_refuses(t *testing.T) {
	tests := map[string]struct {
		people []Recipient
		field  string
	}{
		"nobody":        {nil, "recipients"},
		"an empty id":   {[]Recipient{{Type: "botUserKey", ID: "u"}, {Type: "botUserKey"}}, "recipients[1].id"},
		"another type":  {[]Recipient{{Type: "appUserKey", ID: "u"}}, "recipients[0].type"},
		"a huge id":     {[]Recipient{{Type: "appUserId", ID: strings.Repeat("9", 201)}}, "recipients[0].id"},
		"huge property": {[]Recipient{{Type: "appUserId", ID: "9", Properties: map[string]string{"a": strings.Repeat("9", 4096)}}}, "recipients[0].properties"},
	}
	for name, tt := range tests {
		m := &memory{}
		_, err := newDesk(m).Send(t.Context(), goodOrder(), tt.people, Request{})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || m.b.ID != "" {
			t.Errorf("Send to %s error = %+v, stored %q, want Invalid %s and nothing", name, err, m.b.ID, tt.field)
		}
	}
}

func TestBroadcast_Finish(t *testing.T) {
	now, before := start.Add(time.Hour), start
	tests := map[string]struct {
		in, want Broadcast
	}{
		"not everyone":                {Broadcast{State: Running, Counts: Counts{Audience: 3, Delivered: 2}}, Broadcast{State: Running}},
		"everyone delivered":          {Broadcast{State: Running, Wait: WaitFunds, Counts: Counts{Audience: 2, Delivered: 2}}, Broadcast{State: Finished, FinishedAt: now}},
		"everyone somehow":            {Broadcast{State: Paused, Counts: Counts{Audience: 5, Delivered: 1, Failed: 1, Unknown: 1, Skipped: 1, InDoubt: 1}}, Broadcast{State: Finished, FinishedAt: now}},
		"cancelled keeps its state":   {Broadcast{State: Cancelled, Counts: Counts{Audience: 2, Skipped: 2}}, Broadcast{State: Cancelled, FinishedAt: now}},
		"uploading is never finished": {Broadcast{State: Uploading}, Broadcast{State: Uploading}},
		"finished already":            {Broadcast{State: Finished, FinishedAt: before, Counts: Counts{Audience: 1, Failed: 1}}, Broadcast{State: Finished, FinishedAt: before}},
		"open again":                  {Broadcast{State: Finished, FinishedAt: before, Counts: Counts{Audience: 1}}, Broadcast{State: Running}},
		"cancelled and open again":    {Broadcast{State: Cancelled, FinishedAt: before, Counts: Counts{Audience: 1}}, Broadcast{State: Cancelled}},
	}
	for name, tt := range tests {
		got := tt.in.Finish(now)
		tt.want.Counts = tt.in.Counts
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Finish of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestChunkState(t *testing.T) {
	tests := map[ChunkState]struct{ holds, final bool }{
		Planned: {false, false}, Queued: {true, false}, Sending: {true, false}, Sent: {true, false}, InDoubt: {true, false},
		Settled: {false, true}, Rejected: {false, true}, Expired: {false, true}, ChunkCancelled: {false, true}, Parked: {false, false},
	}
	for state, want := range tests {
		if state.Holds() != want.holds || state.Final() != want.final {
			t.Errorf("%s holds %v, final %v, want %v and %v", state, state.Holds(), state.Final(), want.holds, want.final)
		}
	}
}

// A start that has passed is refused, or is now where the order says so.
func TestDesk_Create_ifPast(t *testing.T) {
	m := &memory{}
	o := goodOrder()
	o.StartAt, o.IfPast = start.Add(-24*time.Hour), SendNow
	b, err := newDesk(m).Create(t.Context(), o, Request{})
	if err != nil || !b.StartAt.Equal(start) {
		t.Errorf("Create = %s, %v, want it to start now, at %s", b.StartAt, err, start)
	}
}
