package broadcast

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// personalOrder names a campaign for everybody, and each person by his name.
func personalOrder() Order {
	return Order{
		BotID: "66a1f0c2d4b7e83f5a9c1d20",
		Message: Message{
			Event: "restock_alert", Data: map[string]string{"title": "#{campaign} 세일", "code": "#{{code}"},
			Params: map[string]any{"campaign": "#{campaign}", "n": 7.0, "steps": []any{"#{campaign} 1", map[string]any{"at": "#{when|곧}"}}},
		},
		Personal: Personal{
			Variables:  map[string]string{"campaign": "겨울", "when": "", "shop": "한빛서점"},
			Properties: map[string]string{"greeting": "#{name|고객}님, #{shop}입니다", "shop": "#{shop}"},
		},
	}
}

// What stands in the database after an order and an upload is what goes to Kakao.
func TestPersonal_golden(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	if _, err := desk.Create(t.Context(), personalOrder(), Request{}); err != nil {
		t.Fatal(err)
	}
	report, err := desk.Upload(t.Context(), m.b.ID, &script{rows: []any{
		Recipient{Type: "botUserKey", ID: "u1", Properties: map[string]string{"name": "김하늘", "grade": "gold"}},
		Recipient{Type: "botUserKey", ID: "u2", Properties: map[string]string{"shop": "모래책방"}},
		Recipient{Type: "botUserKey", ID: "u3", Properties: map[string]string{"name": "#{{name}", "point": "#{name|없음}점"}},
		Recipient{Type: "botUserKey", ID: "u4", Properties: map[string]string{"nick": "바다", "point": "#{nick} 10점"}},
	}}, UploadOptions{SkipBad: true})
	if want := (Report{Audience: 3, BadRows: 1, Problems: []BadRow{{Column: "point", Reason: "names #{name}, which is to be filled in itself"}}}); err != nil || cmp.Diff(want, report) != "" {
		t.Fatalf("Upload, %v (-want +got):\n%s", err, cmp.Diff(want, report))
	}
	work := Work{Chunk: Chunk{ID: NewChunkID("brd_1", 1), BotID: m.b.BotID}, Message: m.b.Message, Side: m.b.Side}
	if err := json.Unmarshal([]byte(m.chunks[0].Recipients), &work.Recipients); err != nil {
		t.Fatal(err)
	}
	_, body, err := buildRequest(work).Written()
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, "testdata/personal.json", body)
}

// wantGolden compares JSON with a golden file.
func wantGolden(t *testing.T, name string, body []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", " "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteString("\n")
	if *update {
		if err := os.WriteFile(name, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// A word that the Event API cannot carry refuses the order, and names its field.
func TestDesk_Create_personal_refuses(t *testing.T) {
	many := map[string]string{}
	for i := range maxProperties + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	tests := map[string]struct {
		change func(*Order)
		field  string
		says   string
	}{
		"a person's word in event data":      {func(o *Order) { o.Message.Data = map[string]string{"a": "#{name}님"} }, "event.data.a", "#{name}"},
		"a default does not carry it either": {func(o *Order) { o.Message.Data = map[string]string{"a": "#{name|고객}님"} }, "event.data.a", "properties"},
		"a person's word deep in params":     {func(o *Order) { o.Message.Params = map[string]any{"a": []any{1, map[string]any{"b": "#{name}"}}} }, "params.a[1].b", "#{name}"},
		"an empty variable":                  {func(o *Order) { o.Message.Data = map[string]string{"a": "#{when}"} }, "event.data.a", "empty"},
		"event data that do not close":       {func(o *Order) { o.Message.Data = map[string]string{"a": "#{name"} }, "event.data.a", "without }"},
		"a property that does not close":     {func(o *Order) { o.Personal.Properties = map[string]string{"a": "#{name"} }, "properties.a", "without }"},
		"a variable with a word":             {func(o *Order) { o.Personal.Variables["campaign"] = "#{name}" }, "variables.campaign", "names no variables"},
		"a variable without a name":          {func(o *Order) { o.Personal.Variables[""] = "x" }, "variables", "is empty"},
		"too many variables":                 {func(o *Order) { o.Personal.Variables = many }, "variables", "at most 50"},
		"variables that are too long":        {func(o *Order) { o.Personal.Variables["a"] = strings.Repeat("x", 5000) }, "variables", "4096 bytes"},
		"a word in the event's name":         {func(o *Order) { o.Message.Event = "sale_#{campaign}" }, "event.name", "values alone"},
		"a word in a name of data":           {func(o *Order) { o.Message.Data = map[string]string{"#{campaign}": "x"} }, "event.data.#{campaign}", "values alone"},
		"a word in a name of params":         {func(o *Order) { o.Message.Params = map[string]any{"#{campaign}": 1} }, "params.#{campaign}", "values alone"},
		"a word in a name deep in params":    {func(o *Order) { o.Message.Params = map[string]any{"a": []any{map[string]any{"#{{": 1}}} }, "params.a[0].#{{", "values alone"},
		"a word in a property's name":        {func(o *Order) { o.Personal.Properties = map[string]string{"#{name}": "x"} }, "properties.#{name}", "values alone"},
		"too many properties":                {func(o *Order) { o.Personal.Properties = many }, "properties", "at most 50"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, o := &memory{}, personalOrder()
			tt.change(&o)
			_, err := newDesk(m).Create(t.Context(), o, Request{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || !strings.Contains(f.Message, tt.says) || m.b.ID != "" {
				t.Errorf("Create error = %v, want Invalid %s about %q and nothing stored", err, tt.field, tt.says)
			}
		})
	}
}

// A row that lacks a word is bad, each with its line, and nothing of the upload is taken over; with the
// limits it is the same.
func TestDesk_Upload_missingWords(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	o := personalOrder()
	o.Personal.Properties = map[string]string{"greeting": "#{name}님", "long": "#{note|-}#{note|-}"}
	if _, err := desk.Create(t.Context(), o, Request{}); err != nil {
		t.Fatal(err)
	}
	rows := func() Rows {
		return &lined{script: script{rows: []any{
			Recipient{Type: "botUserKey", ID: "u1", Properties: map[string]string{"name": "김하늘"}},
			Recipient{Type: "botUserKey", ID: "u2"},
			Recipient{Type: "botUserKey", ID: "u3", Properties: map[string]string{"name": "박", "note": strings.Repeat("x", 1500)}},
			Recipient{Type: Room, ID: "g1"},
			Recipient{Type: "botUserKey", ID: "u5", Properties: map[string]string{"name": ""}},
			Recipient{Type: "botUserKey", ID: "u6", Properties: map[string]string{"name": "최", "#{name}": "x"}},
		}}}
	}
	want := []BadRow{
		{2, "name", `is missing, and property "greeting" needs it; give it, or a default as in #{name|…}`},
		{3, "properties", "must be at most 4096 bytes together, filled in"},
		{4, "type", "is a group room, which has no properties to fill in; send to rooms in a broadcast without properties"},
		{5, "name", `is missing, and property "greeting" needs it; give it, or a default as in #{name|…}`},
		{6, "#{name}", notFilled},
	}
	report, err := desk.Upload(t.Context(), m.b.ID, rows(), UploadOptions{})
	if fault.KindOf(err) != fault.Invalid || cmp.Diff(want, report.Problems) != "" || m.ended != nil {
		t.Errorf("Upload = %v, ended %v, want Invalid (-want +got):\n%s", err, m.ended, cmp.Diff(want, report.Problems))
	}
	report, err = desk.Upload(t.Context(), m.b.ID, rows(), UploadOptions{SkipBad: true})
	if err != nil || report.Audience != 1 || report.BadRows != 5 || m.ended == nil {
		t.Errorf("Upload without bad rows = %+v, %v, want 1 person and 5 bad rows", report, err)
	}
}

// lined counts its rows.
type lined struct {
	script
	line int
}

func (l *lined) Next() (Recipient, error) {
	l.line++
	return l.script.Next()
}

func (l *lined) Line() int { return l.line }

// An audience is kept as it was uploaded; each broadcast that takes it fills it in.
func TestDesk_UseAudience_personal(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	a, err := desk.CreateAudience(t.Context(), "66a1f0c2d4b7e83f5a9c1d20", "단골")
	if err != nil {
		t.Fatal(err)
	}
	rows := []any{Recipient{Type: "botUserKey", ID: "u1", Properties: map[string]string{"name": "김하늘", "line": "#{name}"}}, Recipient{Type: "botUserKey", ID: "u2"}}
	if _, err := desk.UploadAudience(t.Context(), a.ID, &script{rows: rows}, UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	o := personalOrder()
	o.Personal.Properties = map[string]string{"greeting": "#{name}님"}
	if _, err := desk.Create(t.Context(), o, Request{}); err != nil {
		t.Fatal(err)
	}
	if report, err := desk.UseAudience(t.Context(), m.b.ID, a.ID, UploadOptions{}); fault.KindOf(err) != fault.Invalid || len(report.Problems) != 1 || report.Problems[0].Line != 2 {
		t.Errorf("UseAudience = %+v, %v, want Invalid and the second person", report, err)
	}
	if report, err := desk.UseAudience(t.Context(), m.b.ID, a.ID, UploadOptions{SkipBad: true}); err != nil || report.Audience != 1 {
		t.Fatalf("UseAudience without bad rows = %+v, %v, want 1 person", report, err)
	}
	if want := `[{"type":"botUserKey","id":"u1","properties":{"greeting":"김하늘님","line":"김하늘","name":"김하늘"}}]`; m.chunks[0].Recipients != want {
		t.Errorf("recipients = %s, want %s", m.chunks[0].Recipients, want)
	}
}

// People in the order itself are filled in too, and those of the caller stay as they are.
func TestDesk_Send_personal(t *testing.T) {
	m := &memory{}
	people := []Recipient{{Type: "botUserKey", ID: "u1", Properties: map[string]string{"name": "김하늘"}}}
	o := personalOrder()
	o.Personal.Properties = map[string]string{"name": "#{name}님"}
	if _, err := newDesk(m).Send(t.Context(), o, people, Request{}); err != nil {
		t.Fatal(err)
	}
	odd := Recipient{Type: "botUserKey", ID: "u3", Properties: map[string]string{"#{name}": "x"}}
	if _, err := newDesk(&memory{}).Send(t.Context(), goodOrder(), []Recipient{odd}, Request{}); fieldOf(err) != "recipients[0].properties.#{name}" {
		t.Errorf("Send of a word in a name error = %v, want recipients[0].properties.#{name}", err)
	}
	if want := `[{"type":"botUserKey","id":"u1","properties":{"name":"김하늘님"}}]`; m.chunks[0].Recipients != want || people[0].Properties["name"] != "김하늘" {
		t.Errorf("recipients = %s, want %s; the caller's are %v", m.chunks[0].Recipients, want, people)
	}
	people = append(people, Recipient{Type: "botUserKey", ID: "u2"})
	_, err := newDesk(m).Send(t.Context(), o, people, Request{})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != "recipients[1].properties.name" {
		t.Errorf("Send error = %v, want Invalid recipients[1].properties.name", err)
	}
}

// A call of the Event API says what it says, and so does a retry of what was filled in once.
func TestDesk_asItIs(t *testing.T) {
	m := &memory{}
	desk := newDesk(m)
	desk.newID = func(string) string { return madeID }
	raw := Message{Event: "restock_alert", Data: map[string]string{"title": "#{name"}, Params: map[string]any{"a": "#{b}"}}
	people := []Recipient{{Type: "botUserKey", ID: "u2-1", Properties: map[string]string{"name": "#{x}"}}}
	b, err := desk.SendAtOnce(t.Context(), Order{BotID: "bot", Message: raw}, people, Request{})
	if err != nil || cmp.Diff(raw, b.Message) != "" || !strings.Contains(m.chunks[0].Recipients, `"#{x}"`) {
		t.Fatalf("SendAtOnce = %+v, %v, to %s, want the call as it is", b.Message, err, m.chunks[0].Recipients)
	}
	m.b.FinishedAt = start
	m.endedChunks = []PastChunk{{Seq: 1, State: Rejected, Recipients: []byte(m.chunks[0].Recipients)}}
	again, err := desk.Retry(t.Context(), RetryOrder{Of: b.ID, Missed: Missed{Failed: true}}, Request{})
	if err != nil || cmp.Diff(raw, m.b.Message) != "" || !strings.Contains(m.chunks[0].Recipients, `"#{x}"`) {
		t.Errorf("Retry = %+v, %v, to %s, want the same", again, err, m.chunks[0].Recipients)
	}
}

// What is filled in is bounded before it is written: a short order makes no endless message, and a row no endless
// person.
func TestPersonal_bounds(t *testing.T) {
	p := Personal{Variables: map[string]string{"a": strings.Repeat("x", 4_000)}}
	for name, m := range map[string]Message{
		"one text":   {Data: map[string]string{"t": strings.Repeat("#{a}", 60_000)}},
		"many texts": {Data: map[string]string{"t": strings.Repeat("#{a}", 40)}, Params: map[string]any{"list": []any{strings.Repeat("#{a}", 40)}}},
	} {
		if _, err := p.message(m); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s of hundreds of kilobytes = %v, want Invalid", name, err)
		}
	}
	if m, err := p.message(Message{Data: map[string]string{"t": strings.Repeat("#{a}", 60)}}); err != nil || len(m.Data["t"]) != 240_000 {
		t.Errorf("a text of 240,000 bytes = %d bytes, %v", len(m.Data["t"]), err)
	}
	f, err := Personal{Properties: map[string]string{"greeting": strings.Repeat("#{name}", 100)}}.filler()
	if err != nil {
		t.Fatal(err)
	}
	if _, bad := f.fill(Recipient{Type: "botUserKey", ID: "u", Properties: map[string]string{"name": strings.Repeat("x", 100)}}); bad == nil || bad.Column != "greeting" {
		t.Errorf("a property of 10,000 bytes = %+v, want a bad row", bad)
	}
}
