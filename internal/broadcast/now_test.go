package broadcast

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

const madeID = "brd_01JD9Z6Q3MV8C2W4XK5T7N9PAB"

func TestDesk_SendAtOnce(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	desk.newID = func(string) string { return madeID }
	// Three kinds of ids, which an upload would put into three chunks.
	people := []Recipient{{Type: "botUserKey", ID: "u1"}, {Type: "appUserId", ID: "u1", Properties: map[string]string{"grade": "gold"}}, {Type: "plusfriendUserKey", ID: "u3"}}
	o := goodOrder()
	o.Side, o.Message.Option = Development, map[string]any{"quiet": true}
	got, err := desk.SendAtOnce(t.Context(), o, people, Request{})
	want := Broadcast{BotID: "bot", Side: Development, OnDoubt: HoldDoubt, Purpose: Info, Caution: Caution{StopAbove: DefaultStopAbove}, Name: o.Name, Message: o.Message,
		State: Running, StartAt: start, CreatedAt: start, SealedAt: start, Chunks: 1, PlannedChunks: 1, UploadEpoch: 1, AudienceEpoch: 1, Counts: Counts{Audience: 3}}
	want.ID = got.ID // its bits are those of a UUID
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("SendAtOnce, %v (-want +got):\n%s", err, diff)
	}
	if len(m.chunks) != 1 || m.chunks[0].People != 3 || m.chunks[0].Recipients != `[{"type":"botUserKey","id":"u1"},{"type":"appUserId","id":"u1","properties":{"grade":"gold"}},{"type":"plusfriendUserKey","id":"u3"}]` {
		t.Errorf("chunks = %+v, want the call as it is", m.chunks)
	}
	if back, ok := OfReceipt(got.ID.Receipt()); !ok || back != got.ID {
		t.Errorf("OfReceipt(%q) = %q, %v, want %q", got.ID.Receipt(), back, ok, got.ID)
	}
	if back, ok := OfReceipt("none"); ok {
		t.Errorf("OfReceipt(none) = %q, want nothing", back)
	}
}

func TestDesk_SendAtOnce_refuses(t *testing.T) {
	many := make([]Recipient, MaxPeople+1)
	for i := range many {
		many[i] = Recipient{Type: "botUserKey", ID: fmt.Sprint(i)}
	}
	u1, g1 := Recipient{Type: "botUserKey", ID: "u1"}, Recipient{Type: Room, ID: "g1"}
	tests := map[string]struct {
		people []Recipient
		change func(*Order)
		field  string
	}{
		"nobody":              {nil, nil, "recipients"},
		"101":                 {many, nil, "recipients"},
		"somebody twice":      {[]Recipient{u1, {Type: "appUserId", ID: "u1"}, u1}, nil, "recipients[2]"},
		"an unknown type":     {[]Recipient{u1, {Type: "appUserKey", ID: "1"}}, nil, "recipients[1].type"},
		"an empty id":         {[]Recipient{{Type: "appUserId"}}, nil, "recipients[0].id"},
		"a room and people":   {[]Recipient{u1, g1}, nil, "recipients[1].type"},
		"people and a room":   {[]Recipient{g1, u1}, nil, "recipients[1].type"},
		"a room that is rich": {[]Recipient{{Type: Room, ID: "g", Properties: map[string]string{"a": "b"}}}, nil, "recipients[0].properties"},
		"the reserved key":    {[]Recipient{u1}, func(o *Order) { o.Message.Params = map[string]any{ChunkParam: 1} }, "params.malgil_chunk"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, o := &memory{}, goodOrder()
			if tt.change != nil {
				tt.change(&o)
			}
			_, err := newDesk(m).SendAtOnce(t.Context(), o, tt.people, Request{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || m.b.ID != "" {
				t.Errorf("SendAtOnce = %+v, want Invalid %s and nothing stored", err, tt.field)
			}
		})
	}
	if _, err := newDesk(&memory{}).SendAtOnce(t.Context(), goodOrder(), many[:MaxPeople], Request{}); err != nil {
		t.Errorf("SendAtOnce(100 people) = %v, want nil", err)
	}
}
