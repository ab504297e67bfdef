package broadcast

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// desktop is a chunk store, a limiter and Kakao with one chunk.
type desktop struct {
	work        Work
	ready       bool // ChunkWork finds it
	claims      bool // ClaimChunk wins it
	refused     bool // ClaimChunk finds that people have to be sifted meanwhile
	claimTakes  time.Duration
	limit       error
	atLimit     func() // called while the limiter is asked
	atClaim     func() // called while the chunk is claimed
	atSend      func() // called while Kakao is asked
	giveBackErr error
	some        []Recipient // whom ClaimSome lets through
	receipt     kakao.SendReceipt
	sendErr     error
	recordFails int // how often RecordSend fails first; -1 for ever

	requests []kakao.SendRequest
	lease    time.Duration
	verdicts []Verdict
	back     []time.Duration // delays of chunks that were given back
	tries    int
	acquired []int // messages, per second, in flight
	released int
	ended    []error // what the limiter was told of requests
	backWhy  Wait
	metered  []string
	storeErr error
}

func (d *desktop) ChunkWork(context.Context, ChunkID, int) (Work, bool, error) {
	return d.work, d.ready, d.storeErr
}

func (d *desktop) ClaimChunk(_ context.Context, _ ChunkID, _ int, now, lease time.Time) (bool, error) {
	if d.refused {
		return false, nil
	}
	return d.claim(now, lease)
}

func (d *desktop) claim(now, lease time.Time) (bool, error) {
	time.Sleep(d.claimTakes)
	if d.atClaim != nil {
		d.atClaim()
	}
	d.lease = lease.Sub(now)
	return d.claims, nil
}

func (d *desktop) ClaimSome(_ context.Context, _ ChunkID, _ int, now, lease time.Time) ([]Recipient, bool, error) {
	ok, err := d.claim(now, lease)
	return d.some, ok, err
}

func (d *desktop) GiveBack(ctx context.Context, _ ChunkID, _ int, why Wait, delay time.Duration, _ time.Time) (bool, error) {
	if err := errors.Join(ctx.Err(), d.giveBackErr); err != nil {
		return false, err
	}
	d.back, d.backWhy = append(d.back, delay), why
	return true, nil
}

func (d *desktop) RecordSend(ctx context.Context, _ ChunkID, _ int, v Verdict, _ time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if d.tries++; d.recordFails < 0 || d.tries <= d.recordFails {
		return false, errors.New("database is away")
	}
	d.verdicts = append(d.verdicts, v)
	return true, nil
}

func (d *desktop) Send(_ context.Context, r kakao.SendRequest) (kakao.SendReceipt, error) {
	d.requests = append(d.requests, r)
	if d.atSend != nil {
		d.atSend()
	}
	return d.receipt, d.sendErr
}

func (d *desktop) Acquire(_ context.Context, _ string, messages, perSecond, inFlight int) (func(bool, error), error) {
	d.acquired = []int{messages, perSecond, inFlight}
	if d.atLimit != nil {
		d.atLimit()
	}
	var once sync.Once
	return func(made bool, err error) {
		once.Do(func() {
			if d.released++; made {
				d.ended = append(d.ended, err)
			}
		})
	}, d.limit
}

func (d *desktop) ChunkSent(outcome string, _ int) { d.metered = append(d.metered, outcome) }

func (d *desktop) send(ctx context.Context) error { return d.sendBegun(ctx, ctx) }

func (d *desktop) sendBegun(ctx, begin context.Context) error {
	return NewSender(d, d, d, d, 30*time.Second, time.Now).SendChunk(ctx, begin, "brd_1-000001", 1)
}

func newDesktop() *desktop {
	return &desktop{ready: true, claims: true, receipt: kakao.SendReceipt{TaskID: "task"},
		work: Work{Chunk: Chunk{ID: "brd_1-000001", BotID: "bot", People: 7}, RestKey: "key", Rate: 500, InFlight: 8}}
}

func TestSender_SendChunk(t *testing.T) {
	d := newDesktop()
	if err := d.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []Verdict{{Outcome: Accepted, TaskID: "task"}}
	if diff := cmp.Diff(want, d.verdicts); diff != "" || len(d.requests) != 1 || d.released != 1 || d.lease != 30*time.Second {
		t.Errorf("%d requests, %d released, lease %v, want 1, 1, 30 s; verdicts (-want +got):\n%s", len(d.requests), d.released, d.lease, diff)
	}
	if diff := cmp.Diff([]int{7, 500, 8}, d.acquired); diff != "" {
		t.Errorf("Acquire was asked for (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"accepted"}, d.metered); diff != "" {
		t.Errorf("metered (-want +got):\n%s", diff)
	}
}

// A key that does not open is the installation's mistake: the chunk has another chance.
func TestSender_SendChunk_keyDoesNotOpen(t *testing.T) {
	d := newDesktop()
	d.work.RestKey = ""
	if err := d.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.requests) != 0 || len(d.verdicts) != 1 || d.verdicts[0].Outcome != BadConfig || !strings.Contains(d.verdicts[0].Reason, "MALGIL_SEAL_KEYS") {
		t.Errorf("%d requests, verdicts %+v, want none and %s", len(d.requests), d.verdicts, BadConfig)
	}
}

func TestSender_SendChunk_sendsNothing(t *testing.T) {
	away := fault.New(fault.Unavailable, "Redis is away")
	broken := errors.New("database is away")
	tests := map[string]struct {
		change   func(*desktop)
		want     error
		released int
	}{
		"a chunk of another epoch":     {func(d *desktop) { d.ready = false }, nil, 0},
		"one that another run claimed": {func(d *desktop) { d.claims = false }, nil, 1},
		"when nobody knows the rate":   {func(d *desktop) { d.limit = away }, away, 0},
		"when the store is away":       {func(d *desktop) { d.storeErr = broken }, broken, 0},
	}
	for name, tt := range tests {
		d := newDesktop()
		tt.change(d)
		if err := d.send(t.Context()); !errors.Is(err, tt.want) || len(d.requests) != 0 || len(d.verdicts) != 0 || d.released != tt.released {
			t.Errorf("%s: SendChunk = %v, %d requests, %d verdicts, %d released, want %v, 0, 0, %d",
				name, err, len(d.requests), len(d.verdicts), d.released, tt.want, tt.released)
		}
	}
}

// A chunk that may not go now is given back, and its worker is free for another bot.
func TestSender_SendChunk_givesBack(t *testing.T) {
	later := &fault.Error{Kind: fault.Throttled, Message: "later", RetryAfter: 16 * time.Second}
	silent := &fault.Error{Kind: fault.Throttled, Code: "kakao", Message: "Kakao does not answer", RetryAfter: 40 * time.Second}
	broken := errors.New("database is away")
	tests := map[string]struct {
		change   func(d *desktop, stop context.CancelFunc)
		want     error
		back     []time.Duration
		why      Wait
		verdicts []Verdict
		released int
		metered  []string
	}{
		"when the rate is used up": {
			change: func(d *desktop, _ context.CancelFunc) { d.limit = later },
			back:   []time.Duration{16 * time.Second}, why: WaitRate, metered: []string{"given_back"},
		},
		"when Kakao does not answer": {
			change: func(d *desktop, _ context.CancelFunc) { d.limit = silent },
			back:   []time.Duration{40 * time.Second}, why: WaitKakao, metered: []string{"given_back"},
		},
		"when that cannot be stored": {
			change: func(d *desktop, _ context.CancelFunc) { d.limit, d.giveBackErr = later, broken },
			want:   broken,
		},
		"when the process stops while it waits": {
			change: func(d *desktop, stop context.CancelFunc) { d.atLimit, d.limit = stop, context.Canceled },
			back:   []time.Duration{0}, metered: []string{"given_back"},
		},
		"when the process stops as it may go": {
			change: func(d *desktop, stop context.CancelFunc) { d.atLimit = stop },
			back:   []time.Duration{0}, released: 1, metered: []string{"given_back"},
		},
		"when the process stops as it is claimed": {
			change:   func(d *desktop, stop context.CancelFunc) { d.atClaim = stop },
			verdicts: []Verdict{{Outcome: NotSent, Reason: "the process stopped before it was sent"}}, released: 1, metered: []string{"not_sent"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesktop()
			begin, stop := context.WithCancel(t.Context())
			defer stop()
			tt.change(d, stop)
			if err := d.sendBegun(t.Context(), begin); !errors.Is(err, tt.want) || len(d.requests) != 0 || d.released != tt.released {
				t.Errorf("SendChunk = %v, %d requests, %d released, want %v, 0, %d", err, len(d.requests), d.released, tt.want, tt.released)
			}
			if diff := cmp.Diff(tt.back, d.back); diff != "" || d.backWhy != tt.why || len(d.ended) != 0 {
				t.Errorf("given back because of %q, want %q; %d requests ended, want 0; after (-want +got):\n%s", d.backWhy, tt.why, len(d.ended), diff)
			}
			if diff := cmp.Diff(tt.verdicts, d.verdicts); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.metered, d.metered); diff != "" {
				t.Errorf("metered (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("also when its own time is over", func(t *testing.T) {
		d := newDesktop()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.send(ctx); err != nil || len(d.back) != 1 || len(d.requests) != 0 {
			t.Errorf("SendChunk = %v, %d given back, %d requests, want nil, 1, 0", err, len(d.back), len(d.requests))
		}
	})
}

// Of people who are sifted only those are sent to who are left when the chunk is claimed.
func TestSender_SendChunk_sifted(t *testing.T) {
	d := newDesktop()
	d.work.Recipients = []Recipient{{Type: "botUserKey", ID: "a"}, {Type: "botUserKey", ID: "b"}}
	if err := d.send(t.Context()); err != nil || len(d.requests[0].Users) != 2 {
		t.Errorf("SendChunk of a chunk that is not sifted = %v, %+v, want both people", err, d.requests)
	}
	d.work.Sifted, d.some = true, []Recipient{{Type: "botUserKey", ID: "b"}}
	if err := d.send(t.Context()); err != nil || len(d.requests) != 2 || len(d.requests[1].Users) != 1 || d.requests[1].Users[0].ID != "b" {
		t.Errorf("SendChunk of a sifted chunk = %v, %+v, want b alone", err, d.requests)
	}
	d.work.Sifted, d.refused = false, true // somebody refuses after the chunk is read
	if err := d.send(t.Context()); err != nil || len(d.requests) != 3 || len(d.requests[2].Users) != 1 || d.requests[2].Users[0].ID != "b" {
		t.Errorf("SendChunk of a chunk that is to be sifted by now = %v, %+v, want b alone", err, d.requests)
	}
	d.claims = false // nobody is left
	if err := d.send(t.Context()); err != nil || len(d.requests) != 3 {
		t.Errorf("SendChunk without anybody left = %v, %d requests, want no third", err, len(d.requests))
	}
}

// A chunk whose time runs out between the claim and the request is not sent: its bot may be closed by then.
func TestSender_SendChunk_timeRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop()
		d.work.Chunk.SendBy, d.claimTakes = time.Now().Add(time.Second), time.Second
		if err := d.send(t.Context()); err != nil || len(d.requests) != 0 || len(d.verdicts) != 1 || d.verdicts[0].Outcome != NotSent {
			t.Errorf("SendChunk = %v, %d requests, verdicts %+v, want none and not sent", err, len(d.requests), d.verdicts)
		}
	})
}

// The limiter is told how a request ended before the outcome is stored, however long that takes.
func TestSender_SendChunk_tellsHowItEnded(t *testing.T) {
	for _, sent := range []error{nil, fault.New(fault.Throttled, "slower"), fault.New(fault.InDoubt, "no answer")} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesktop()
			d.sendErr, d.recordFails = sent, -1
			if err := d.send(t.Context()); err == nil || d.released != 1 || len(d.ended) != 1 || d.ended[0] != sent {
				t.Errorf("SendChunk whose request ended with %v = %v; the limiter was told %v, want it once", sent, err, d.ended)
			}
		})
	}
}

// A claim that came back when half of the lease was gone leaves no time for the request.
func TestSender_SendChunk_claimCameBackLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for took, wantRequests := range map[time.Duration]int{14 * time.Second: 1, 15 * time.Second: 0, time.Minute: 0} {
			d := newDesktop()
			d.claimTakes = took
			if err := d.send(t.Context()); err != nil {
				t.Errorf("SendChunk after a claim of %v error = %v", took, err)
			}
			if len(d.requests) != wantRequests || len(d.verdicts) != 1 || wantRequests == 0 && d.verdicts[0].Outcome != NotSent {
				t.Errorf("after a claim of %v = %d requests, verdicts %+v, want %d", took, len(d.requests), d.verdicts, wantRequests)
			}
		}
	})
}

// The outcome is recorded while the process stops, and again and again while the store is away.
func TestSender_SendChunk_recordsWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop()
		d.recordFails = 5
		ctx, cancel := context.WithCancel(t.Context())
		d.atSend = cancel
		if err := d.send(ctx); err != nil || len(d.verdicts) != 1 || d.tries != 6 || len(d.requests) != 1 {
			t.Errorf("SendChunk = %v after %d tries to record, %d requests, want nil after 6, 1", err, d.tries, len(d.requests))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop()
		d.recordFails = -1
		began := time.Now()
		if err := d.send(t.Context()); err == nil || len(d.requests) != 1 {
			t.Errorf("SendChunk with a store that stays away = %v, %d requests, want an error, 1", err, len(d.requests))
		}
		if took := time.Since(began); took < 28*time.Second || took > 32*time.Second {
			t.Errorf("it tried for %v, want until the lease of 30 s ends", took)
		}
	})
}

func TestOutcomeOf(t *testing.T) {
	tests := map[string]struct {
		err  error
		want Verdict
	}{
		"accepted":             {nil, Verdict{Outcome: Accepted, TaskID: "task"}},
		"not reached":          {fault.New(fault.Unavailable, "away"), Verdict{Outcome: NotSent, Reason: "away"}},
		"throttled":            {&fault.Error{Kind: fault.Throttled, Message: "slower", RetryAfter: time.Minute}, Verdict{Outcome: NotSent, Delay: time.Minute, Reason: "slower"}},
		"rejected":             {fault.Coded(fault.Refused, kakao.CodeRejected, "no"), Verdict{Outcome: Refused, Reason: "no"}},
		"refused without code": {fault.New(fault.Refused, "no"), Verdict{Outcome: Refused, Reason: "no"}},
		"bad key":              {fault.Coded(fault.Refused, kakao.CodeConfig, "key"), Verdict{Outcome: BadConfig, Reason: "key"}},
		"balance empty":        {fault.Coded(fault.Refused, kakao.CodeProvider, "money"), Verdict{Outcome: ProviderEmpty, Reason: "money"}},
		"cannot be written":    {fault.New(fault.Invalid, "json"), Verdict{Outcome: Refused, Reason: "json"}},
		"in doubt":             {fault.New(fault.InDoubt, "no answer"), Verdict{Outcome: OutcomeInDoubt, Reason: "no answer"}},
		"anything else":        {errors.New("secret text"), Verdict{Outcome: OutcomeInDoubt, Reason: "internal error"}},
		"an ended context":     {context.Canceled, Verdict{Outcome: OutcomeInDoubt, Reason: "internal error"}},
		"a kind it never has":  {fault.New(fault.NotFound, "?"), Verdict{Outcome: OutcomeInDoubt, Reason: "?"}},
	}
	for name, tt := range tests {
		receipt := kakao.SendReceipt{}
		if tt.err == nil {
			receipt.TaskID = "task"
		}
		if diff := cmp.Diff(tt.want, outcomeOf(receipt, tt.err)); diff != "" {
			t.Errorf("outcomeOf %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBuildRequest(t *testing.T) {
	params := map[string]any{"campaign": "winter"}
	got := buildRequest(Work{
		Chunk:   Chunk{ID: "brd_1-000002", BotID: "bot"},
		Message: Message{Event: "restock_alert", Data: map[string]string{"title": "겨울 바다"}, Params: params},
		Side:    Development, RestKey: "key",
		Recipients: []Recipient{{Type: "botUserKey", ID: "u1"}, {Type: "appUserId", ID: "7", Properties: map[string]string{"grade": "gold"}}},
	})
	want := kakao.SendRequest{
		BotID: "bot", Development: true, RestKey: "key",
		Event:  kakao.Event{Name: "restock_alert", Data: map[string]string{"title": "겨울 바다"}},
		Users:  []kakao.EventUser{{Type: "botUserKey", ID: "u1"}, {Type: "appUserId", ID: "7", Properties: map[string]string{"grade": "gold"}}},
		Params: map[string]any{"campaign": "winter", "malgil_chunk": "brd_1-000002"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("buildRequest (-want +got):\n%s", diff)
	}
	if len(params) != 1 {
		t.Errorf("the order's own params became %v", params)
	}
	rooms := buildRequest(Work{
		Chunk: Chunk{ID: "c"}, Side: Live, Message: Message{Event: "notice", Option: map[string]any{"quiet": true}},
		Recipients: []Recipient{{Type: Room, ID: "g1"}, {Type: Room, ID: "g2"}},
	})
	if diff := cmp.Diff([]kakao.EventRoom{{Type: "botGroupKey", ID: "g1"}, {Type: "botGroupKey", ID: "g2"}}, rooms.Rooms); diff != "" || rooms.Users != nil || rooms.Option["quiet"] != true {
		t.Errorf("buildRequest to rooms = %+v, want rooms alone and the option (-want +got):\n%s", rooms, diff)
	}
	if bare := buildRequest(Work{Chunk: Chunk{ID: "c"}, Side: Live}); bare.Development || bare.Params[ChunkParam] != "c" {
		t.Errorf("buildRequest without params = %+v, want the live channel and the chunk's id", bare)
	}
}
