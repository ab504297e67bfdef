package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// five are the people of a chunk; two of them have one id.
var five = []Recipient{{Type: "botUserKey", ID: "p0"}, {Type: "botUserKey", ID: "p1"}, {Type: "botUserKey", ID: "p2"}, {Type: "botUserKey", ID: "same"}, {Type: "appUserId", ID: "same"}}

func TestSettle(t *testing.T) {
	name := func(ids ...string) (all []kakao.SendFailure) {
		for _, id := range ids {
			kind, id, typed := strings.Cut(id, "/")
			if !typed {
				kind, id = "", kind
			}
			all = append(all, kakao.SendFailure{UserID: id, UserType: kind})
		}
		return all
	}
	named := func(n int) []kakao.SendFailure {
		return name([]string{"p0", "p1", "p2", "botUserKey/same", "appUserId/same"}[:n]...)
	}
	failed := func(failures []kakao.SendFailure) kakao.SendResult {
		return kakao.SendResult{AllRequestCount: 5, SuccessCount: 3, FailCount: 2, Failures: failures}
	}
	tests := map[string]struct {
		answer   kakao.SendResult
		want     Tally
		complete bool
	}{
		"all delivered":                  {kakao.SendResult{AllRequestCount: 5, SuccessCount: 5}, Tally{Delivered: 5}, true},
		"all failed and named":           {kakao.SendResult{AllRequestCount: 5, FailCount: 5, Failures: named(5)}, Tally{Failed: 5}, true},
		"one named, one not":             {kakao.SendResult{AllRequestCount: 5, SuccessCount: 3, FailCount: 2, Unresolved: 1, Failures: named(1)}, Tally{Delivered: 3, Failed: 1, Unknown: 1}, true},
		"more named than counted":        {kakao.SendResult{AllRequestCount: 5, SuccessCount: 4, FailCount: 1, Failures: named(3)}, Tally{Delivered: 4, Failed: 1}, true},
		"still under way":                {kakao.SendResult{AllRequestCount: 5, SuccessCount: 4}, Tally{}, false},
		"nothing yet":                    {kakao.SendResult{AllRequestCount: 5}, Tally{}, false},
		"more than were sent":            {kakao.SendResult{AllRequestCount: 5, SuccessCount: 5, FailCount: 1}, Tally{}, false},
		"of another number of people":    {kakao.SendResult{AllRequestCount: 4, SuccessCount: 4}, Tally{}, false},
		"complete for more people":       {kakao.SendResult{AllRequestCount: 6, SuccessCount: 6}, Tally{}, false},
		"a negative failure count":       {kakao.SendResult{AllRequestCount: 5, SuccessCount: 6, FailCount: -1}, Tally{}, false},
		"a negative success count":       {kakao.SendResult{AllRequestCount: 5, SuccessCount: -1, FailCount: 6}, Tally{}, false},
		"names without a failure count":  {kakao.SendResult{AllRequestCount: 5, SuccessCount: 4, Failures: named(1)}, Tally{}, false},
		"an answer that counts nobody":   {kakao.SendResult{}, Tally{}, false},
		"a sum that fits, total that is": {kakao.SendResult{AllRequestCount: 500, SuccessCount: 5}, Tally{}, false},
		"one named twice":                {failed(name("p1", "botUserKey/p1")), Tally{Delivered: 3, Failed: 1, Unknown: 1}, true},
		"one named who is not in it":     {failed(name("p1", "stranger")), Tally{Delivered: 3, Failed: 1, Unknown: 1}, true},
		"one of two with one id":         {failed(name("p1", "appUserId/same")), Tally{Delivered: 3, Failed: 2}, true},
		"one of two, and not which":      {failed(name("p1", "same")), Tally{Delivered: 3, Failed: 1, Unknown: 1}, true},
		"a type that is not his":         {failed(name("p1", "appUserId/p2")), Tally{Delivered: 3, Failed: 1, Unknown: 1}, true},
		"a type that nobody knows":       {failed(name("p1", "userKey/p2")), Tally{Delivered: 3, Failed: 2}, true},
	}
	people, err := json.Marshal(five)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		end, complete := Settle(tt.answer, 5, people)
		got := end.Tally
		if got != tt.want || complete != tt.complete {
			t.Errorf("Settle(%s) = %+v, %v, want %+v, %v", name, got, complete, tt.want, tt.complete)
		}
		if complete && got.Delivered+got.Failed+got.Unknown != 5 {
			t.Errorf("Settle(%s) = %+v does not sum to 5", name, got)
		}
		if len(end.Missed) != got.Failed && name != "more named than counted" || len(end.Missed) > got.Failed {
			t.Errorf("Settle(%s) names %v, want the %d who failed", name, end.Missed, got.Failed)
		}
	}
	if end, complete := Settle(failed(named(2)), 5, []byte("{")); !complete || end.Tally != (Tally{Delivered: 3, Unknown: 2}) {
		t.Errorf("Settle of people that cannot be read = %+v, %t, want it complete, and nobody named", end, complete)
	}
}

// Evidence is of a skill call: those whom Kakao names as failed may be among it.
func TestTally_Reached(t *testing.T) {
	for _, tt := range []struct {
		tally           Tally
		people, evident int
		want            int
	}{
		{Tally{Delivered: 90, Failed: 10}, 100, 100, 90}, {Tally{Delivered: 90, Unknown: 10}, 100, 95, 95}, {Tally{Delivered: 90, Unknown: 10}, 100, 3, 90},
		{Tally{Delivered: 85, Failed: 10, Unknown: 5}, 100, 97, 87}, {Tally{}, 100, 140, 100}, {Tally{Failed: 5}, 5, 3, 0},
	} {
		if got := tt.tally.Reached(tt.people, tt.evident); got != tt.want {
			t.Errorf("%+v.Reached(%d, %d) = %d, want %d", tt.tally, tt.people, tt.evident, got, tt.want)
		}
	}
}

func TestPostpone(t *testing.T) {
	raw := kakao.SendResult{Raw: []byte(`{}`)}
	away := &fault.Error{Kind: fault.Unavailable, Message: "away"}
	slower := &fault.Error{Kind: fault.Throttled, Message: "slower", RetryAfter: 10 * time.Minute}
	answered := func(in time.Duration, sent time.Duration, unconfirmed bool) Postponement {
		return Postponement{NextAt: start.Add(sent + in), Answered: true, Unconfirmed: unconfirmed, Result: []byte(`{}`)}
	}
	tests := map[string]struct {
		attempts int
		since    time.Duration // since it was sent
		err      error
		want     Postponement
	}{
		"first":                       {0, 2 * time.Second, nil, answered(5*time.Second, 2*time.Second, false)},
		"second":                      {1, 7 * time.Second, nil, answered(15*time.Second, 7*time.Second, false)},
		"third":                       {2, 22 * time.Second, nil, answered(time.Minute, 22*time.Second, false)},
		"fourth":                      {3, 82 * time.Second, nil, answered(5*time.Minute, 82*time.Second, false)},
		"fifth":                       {4, 7 * time.Minute, nil, answered(15*time.Minute, 7*time.Minute, false)},
		"sixth":                       {5, 23 * time.Minute, nil, answered(time.Hour, 23*time.Minute, false)},
		"seventh and later, hourly":   {6, 2 * time.Hour, nil, answered(time.Hour, 2*time.Hour, false)},
		"just before 24 h":            {28, 24*time.Hour - time.Millisecond, nil, answered(time.Hour, 24*time.Hour-time.Millisecond, false)},
		"24 h of answered look-ups":   {28, 24 * time.Hour, nil, answered(time.Hour, 24*time.Hour, true)},
		"24 h without an answer":      {28, 24 * time.Hour, away, Postponement{NextAt: start.Add(25 * time.Hour), Reason: "away"}},
		"no answer":                   {0, 2 * time.Second, away, Postponement{NextAt: start.Add(7 * time.Second), Reason: "away"}},
		"asked to come back later":    {0, 0, slower, Postponement{NextAt: start.Add(10 * time.Minute), Reason: "slower"}},
		"asked to come back too soon": {6, 0, slower, Postponement{NextAt: start.Add(time.Hour), Reason: "slower"}},
	}
	for name, tt := range tests {
		answer := raw
		if tt.err != nil {
			answer = kakao.SendResult{}
		}
		got := postpone(Chunk{Attempts: tt.attempts, SentAt: start}, answer, tt.err, start.Add(tt.since))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("postpone %s (-want +got):\n%s", name, diff)
		}
	}
}

// ledger is a result store and Kakao with one sent chunk of three people.
type ledger struct {
	found, fence bool
	answer       kakao.SendResult
	err          error

	settled   []Settlement
	postponed []Postponement
	messages  map[string]int
}

func (l *ledger) SentChunk(context.Context, ChunkID, int) (Looked, bool, error) {
	return Looked{Chunk: Chunk{ID: "c", TaskID: "task", People: 3, SentAt: start}, Recipients: []byte(`[{"type":"botUserKey","id":"a1"},{"type":"botUserKey","id":"a2"},{"type":"botUserKey","id":"a3"}]`), RestKey: "key"}, l.found, nil
}

func (l *ledger) SettleChunk(_ context.Context, _ Chunk, s Settlement, _ time.Time) (bool, error) {
	l.settled = append(l.settled, s)
	return l.fence, nil
}

func (l *ledger) PostponeResult(_ context.Context, _ ChunkID, _ int, p Postponement) error {
	l.postponed = append(l.postponed, p)
	return nil
}

func (l *ledger) Result(_ context.Context, restKey, taskID string) (kakao.SendResult, error) {
	if restKey != "key" || taskID != "task" {
		return kakao.SendResult{}, errors.New("asked for another task")
	}
	return l.answer, l.err
}

func (l *ledger) Messages(outcome string, people int) { l.messages[outcome] += people }

func TestResults_FetchResult(t *testing.T) {
	complete := kakao.SendResult{AllRequestCount: 3, SuccessCount: 2, FailCount: 1, Raw: []byte(`{}`)}
	settlement := []Settlement{{Tally: Tally{Delivered: 2, Unknown: 1}, Result: []byte(`{}`)}}
	names := complete
	names.Failures = []kakao.SendFailure{{UserID: "a2"}}
	named := []Settlement{{Tally: Tally{Delivered: 2, Failed: 1}, Missed: []Recipient{{Type: "botUserKey", ID: "a2"}}, Result: []byte(`{}`)}}
	metered := map[string]int{"delivered": 2, "failed": 0, "unknown": 1}
	tests := map[string]struct {
		in        ledger
		settled   []Settlement
		postponed int
		messages  map[string]int
	}{
		"complete":                    {ledger{found: true, fence: true, answer: complete}, settlement, 0, metered},
		"complete, with a name":       {ledger{found: true, fence: true, answer: names}, named, 0, map[string]int{"delivered": 2, "failed": 1, "unknown": 0}},
		"settled by another run":      {ledger{found: true, answer: complete}, settlement, 0, map[string]int{}},
		"not complete":                {ledger{found: true, fence: true, answer: kakao.SendResult{AllRequestCount: 3}}, nil, 1, map[string]int{}},
		"no answer":                   {ledger{found: true, fence: true, err: fault.New(fault.Unavailable, "away")}, nil, 1, map[string]int{}},
		"unknown to Kakao":            {ledger{found: true, fence: true, err: fault.New(fault.NotFound, "?")}, nil, 1, map[string]int{}},
		"settled or of another epoch": {ledger{answer: complete}, nil, 0, map[string]int{}},
	}
	for name, tt := range tests {
		l := tt.in
		l.messages = map[string]int{}
		if err := NewResults(&l, &l, &l, func() time.Time { return start }).FetchResult(t.Context(), "c", 1); err != nil {
			t.Errorf("%s: FetchResult error = %v", name, err)
		}
		if diff := cmp.Diff(tt.settled, l.settled); diff != "" || len(l.postponed) != tt.postponed {
			t.Errorf("%s: postponed %d times, want %d; settled (-want +got):\n%s", name, len(l.postponed), tt.postponed, diff)
		}
		if diff := cmp.Diff(tt.messages, l.messages); diff != "" {
			t.Errorf("%s: metered (-want +got):\n%s", name, diff)
		}
	}
}
