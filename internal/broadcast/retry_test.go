package broadcast

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

// ended makes a chunk of people u<seq>-1 … of whom Kakao names some as failed, by number.
func ended(seq int, state ChunkState, people int, failed map[int]int) PastChunk {
	var all []Recipient
	type failure struct {
		UserID string `json:"userId"`
		Error  struct {
			Type int    `json:"errorType"`
			Msg  string `json:"msg"`
		} `json:"errorMsg"`
	}
	var list []failure
	for i := 1; i <= people; i++ {
		all = append(all, Recipient{Type: "botUserKey", ID: fmt.Sprintf("u%d-%d", seq, i), Properties: map[string]string{"grade": "gold"}})
		if number := failed[i]; number != 0 {
			f := failure{UserID: all[i-1].ID}
			f.Error.Type, f.Error.Msg = number, "no"
			list = append(list, f)
		}
	}
	recipients, _ := json.Marshal(all)
	result, _ := json.Marshal(map[string]any{"taskId": "t", "status": "x", "allRequestCount": people, "successCount": people - len(list),
		"fail": map[string]any{"count": len(list), "list": list}})
	return PastChunk{Seq: seq, State: state, Recipients: recipients, Result: result, Failed: len(list)}
}

// Nobody is retried of a chunk in which it is not certain who failed: what counts as failed is not whom Kakao names, or
// skill calls say that somebody was reached all the same.
func TestPastChunk_missed(t *testing.T) {
	failed := map[int]int{2: 100, 4: 201}
	for name, tt := range map[string]struct {
		of     PastChunk
		change func(c *PastChunk)
		want   int
	}{
		"named":                             {ended(1, Settled, 4, failed), func(*PastChunk) {}, 2},
		"fewer failed, by a correction":     {ended(1, Settled, 4, failed), func(c *PastChunk) { c.Failed = 1 }, 0},
		"more failed than are named":        {ended(1, Settled, 4, failed), func(c *PastChunk) { c.Failed = 3 }, 0},
		"skill calls, one of which failed":  {ended(1, Settled, 4, failed), func(c *PastChunk) { c.Evident = 3 }, 2},
		"a skill call of one who was named": {ended(1, Settled, 4, failed), func(c *PastChunk) { c.Evident = 4 }, 0},
		"refused":                           {ended(1, Rejected, 4, nil), func(*PastChunk) {}, 4},
		"refused, and arrived":              {ended(1, Rejected, 4, nil), func(c *PastChunk) { c.Evident = 1 }, 0},
		"skipped":                           {ended(1, Expired, 4, nil), func(*PastChunk) {}, 4},
		"skipped, and arrived":              {ended(1, ChunkCancelled, 4, nil), func(c *PastChunk) { c.Evident = 1 }, 0},
		"in doubt":                          {ended(1, InDoubt, 4, nil), func(*PastChunk) {}, 0},
	} {
		tt.change(&tt.of)
		people, err := tt.of.people()
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.of.missed(people); len(got) != tt.want {
			t.Errorf("%s: missed() = %v, want %d", name, got, tt.want)
		}
	}
}

// A retry goes to those alone who certainly did not get it, with what was known of them.
func TestDesk_Retry(t *testing.T) {
	chunks := []PastChunk{
		ended(1, Settled, 4, map[int]int{2: 100, 4: 201}), ended(2, Rejected, 2, nil), ended(3, InDoubt, 2, nil), ended(4, Expired, 1, nil),
		ended(5, ChunkCancelled, 1, nil), ended(6, Parked, 1, nil), ended(7, Sent, 1, nil), ended(8, Planned, 1, nil), ended(9, Settled, 1, nil),
	}
	tests := map[string]struct {
		order RetryOrder
		want  []string
	}{
		"everybody who failed":      {RetryOrder{Missed: Missed{Failed: true}}, []string{"u1-2", "u1-4", "u2-1", "u2-2"}},
		"one reason":                {RetryOrder{Missed: Missed{Failed: true, ErrorTypes: []int{100}}}, []string{"u1-2"}},
		"two reasons":               {RetryOrder{Missed: Missed{Failed: true, ErrorTypes: []int{201, 100}}}, []string{"u1-2", "u1-4"}},
		"who was skipped, too":      {RetryOrder{Missed: Missed{Failed: true, Skipped: true}}, []string{"u1-2", "u1-4", "u2-1", "u2-2", "u4-1", "u5-1"}},
		"nobody for another reason": {RetryOrder{Missed: Missed{Failed: true, ErrorTypes: []int{7}}}, nil},
		"whose request was refused": {RetryOrder{Missed: Missed{Failed: true, ErrorTypes: []int{0}}}, []string{"u2-1", "u2-2"}},
		"who was skipped alone":     {RetryOrder{Missed: Missed{Skipped: true}}, []string{"u4-1", "u5-1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &memory{endedChunks: chunks}
			m.b = Broadcast{ID: "brd_of", BotID: "bot", Side: Development, Name: "겨울", Message: Message{Event: "restock_alert"}, State: Finished, FinishedAt: start, OnDoubt: HoldDoubt,
				Caution: Caution{StopAbove: 30, Canary: Canary{People: 1}}}
			tt.order.Of, tt.order.By, tt.order.Confirm = "brd_of", "acc_1", 7
			b, err := newDesk(m).Retry(t.Context(), tt.order, Request{})
			if len(tt.want) == 0 {
				if fault.CodeOf(err) != "NOBODY_TO_RETRY" || m.b.ID != "brd_of" {
					t.Errorf("Retry of nobody = %v and made %s, want NOBODY_TO_RETRY and nothing", err, m.b.ID)
				}
				return
			}
			if err != nil || m.b.RetryOf != "brd_of" || m.b.Side != Development || m.b.Name != "겨울" || b.State != Running || m.b.Caution != (Caution{StopAbove: 30}) {
				t.Fatalf("Retry = %+v, %v; want a sealed broadcast of brd_of on its channel, as careful and without a canary", b, err)
			}
			if want := (Sealing{7, "acc_1"}); m.sealing != want {
				t.Errorf("it was sealed as %+v, want %+v", m.sealing, want)
			}
			var got []string
			for _, c := range m.chunks {
				var people []Recipient
				if err := json.Unmarshal([]byte(c.Recipients), &people); err != nil {
					t.Fatal(err)
				}
				for _, p := range people {
					got = append(got, p.ID)
					if p.Properties["grade"] != "gold" {
						t.Errorf("%s lost his properties: %v", p.ID, p.Properties)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("it goes to %v, want %v", got, tt.want)
			}
		})
	}
}

// A broadcast is retried when everyone in it has an outcome.
func TestDesk_Retry_notYet(t *testing.T) {
	m := &memory{endedChunks: []PastChunk{ended(1, Rejected, 2, nil)}}
	m.b = Broadcast{ID: "brd_of", BotID: "bot", State: Running, Message: Message{Event: "e"}}
	if _, err := newDesk(m).Retry(t.Context(), RetryOrder{Of: "brd_of", Missed: Missed{Failed: true}}, Request{}); fault.CodeOf(err) != "NOT_FINISHED" {
		t.Errorf("Retry of a running broadcast = %v, want NOT_FINISHED", err)
	}
	if b, err := newDesk(m).Retry(t.Context(), RetryOrder{Of: "brd_of"}, Request{Key: "k"}); err != nil || b.ID != m.b.ID {
		t.Errorf("Retry repeated while the other is not finished any more = %+v, %v, want the first", b, err)
	}
}

// Parts that somebody may be in twice overlap, and an order for nobody is refused.
func TestMissed(t *testing.T) {
	all, some, other, refused, skipped := Missed{Failed: true}, Missed{Failed: true, ErrorTypes: []int{201, 100}}, Missed{Failed: true, ErrorTypes: []int{7}, Skipped: true}, Missed{Failed: true, ErrorTypes: []int{0, 100}}, Missed{Skipped: true}
	for _, tt := range []struct {
		a, b Missed
		want bool
	}{
		{all, all, true}, {all, some, true}, {some, some, true}, {some, refused, true}, {skipped, other, true}, {skipped, skipped, true},
		{some, other, false}, {all, skipped, false}, {some, skipped, false}, {refused, other, false}, {all, Missed{}, false},
	} {
		for _, pair := range [][2]Missed{{tt.a, tt.b}, {tt.b, tt.a}} {
			if err := pair[0].Beside(Broadcast{ID: "brd_r", RetryOf: "brd_of", RetryFor: pair[1], State: Running}); (fault.CodeOf(err) == "RETRIED") != tt.want {
				t.Errorf("%+v beside %+v = %v, want it refused: %t", pair[0], pair[1], err, tt.want)
			}
		}
	}
	if err := some.Beside(Broadcast{RetryFor: other, State: Uploading}); fault.CodeOf(err) != "RETRIED" {
		t.Errorf("a part beside one that is not sealed = %v, want RETRIED", err)
	}
	for _, wrong := range []Missed{{}, {ErrorTypes: []int{1}, Skipped: true}} {
		m := &memory{}
		m.b = Broadcast{ID: "brd_of", BotID: "bot", State: Finished, FinishedAt: start}
		if _, err := newDesk(m).Retry(t.Context(), RetryOrder{Of: "brd_of", Missed: wrong}, Request{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Retry for %+v = %v, want it refused", wrong, err)
		}
	}
}

// Who is in another retry is in no second one, whatever Kakao says of him now.
func TestDesk_Retry_taken(t *testing.T) {
	m := &memory{endedChunks: []PastChunk{ended(1, Settled, 4, map[int]int{2: 100, 4: 100})}, retries: []ID{"brd_other"}}
	m.past = []PastChunk{{ID: "brd_other-000001", Seq: 1, State: Planned, Recipients: []byte(`[{"type":"botUserKey","id":"u1-2"}]`)}}
	m.b = Broadcast{ID: "brd_of", BotID: "bot", State: Finished, FinishedAt: start, Message: Message{Event: "e"}}
	if _, err := newDesk(m).Retry(t.Context(), RetryOrder{Of: "brd_of", Missed: Missed{Failed: true, ErrorTypes: []int{100}}}, Request{}); err != nil {
		t.Fatal(err)
	}
	if len(m.chunks) != 1 || m.chunks[0].People != 1 || !strings.Contains(m.chunks[0].Recipients, "u1-4") {
		t.Errorf("it goes to %+v, want u1-4 alone", m.chunks)
	}
}

// Nobody gets into a retry but those whom the other broadcast did not reach.
func TestDesk_Upload_intoRetry(t *testing.T) {
	for _, o := range []UploadOptions{{}, {DryRun: true}} {
		m := &memory{b: Broadcast{ID: "brd_again", BotID: "bot", State: Uploading, RetryOf: "brd_of"}}
		if _, err := newDesk(m).Upload(t.Context(), "brd_again", &script{rows: []any{Recipient{Type: "botUserKey", ID: "u1"}}}, o); fault.CodeOf(err) != "IS_RETRY" || len(m.chunks) > 0 {
			t.Errorf("Upload into a retry, %+v = %v, want IS_RETRY and nothing stored", o, err)
		}
	}
}

// More people than one look reads are all there, once.
func TestMissedPeople_many(t *testing.T) {
	m := &memory{}
	for seq := 1; seq <= 2*endedAtOnce+5; seq++ {
		m.endedChunks = append(m.endedChunks, ended(seq, Rejected, 2, nil))
	}
	rows := &missedPeople{ctx: t.Context(), desk: newDesk(m), order: RetryOrder{Of: "brd_of", Missed: Missed{Failed: true}}}
	seen := map[string]bool{}
	for {
		p, err := rows.Next()
		if err != nil {
			break
		}
		if seen[p.ID] {
			t.Fatalf("%s comes twice", p.ID)
		}
		seen[p.ID] = true
	}
	if len(seen) != 2*(2*endedAtOnce+5) {
		t.Errorf("%d people come, want %d", len(seen), 2*(2*endedAtOnce+5))
	}
}
