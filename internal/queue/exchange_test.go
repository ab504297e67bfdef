package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
)

var (
	answer  = queue.Decision{Kind: queue.Answered, Answer: []byte(`{"version":"2.0"}`)}
	other   = queue.Decision{Kind: queue.Answered, Answer: []byte(`{"version":"2.0","data":{}}`)}
	promise = queue.Decision{Kind: queue.PromisedCallback, At: time.UnixMilli(1_795_490_000_123).UTC()}
	inline  = queue.Decision{Kind: queue.TakenInline}
	late    = queue.Decision{Kind: queue.GivenUp}
)

func newExchange(t *testing.T, address queue.Address) *queue.Exchange {
	t.Helper()
	conn := address.EnqueueClient()
	t.Cleanup(func() { _ = conn.Close() })
	return queue.NewExchange(conn)
}

func TestExchange_Settle_firstWins(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x := newExchange(t, address)
		all := map[string]queue.Decision{"answer": answer, "callback": promise, "inline": inline, "late": late}
		for name, first := range all {
			id := "utt_" + name
			if _, decided, err := x.Standing(t.Context(), id); decided || err != nil {
				t.Errorf("Standing(%s) before = %v, %v, want undecided", name, decided, err)
			}
			got, won, err := x.Settle(t.Context(), id, first)
			if err != nil || !won || !cmp.Equal(got, first) {
				t.Errorf("Settle(%s) = %+v, won %v, %v, want itself", name, got, won, err)
			}
			got, won, err = x.Settle(t.Context(), id, first)
			if err != nil || !won || !cmp.Equal(got, first) {
				t.Errorf("Settle(%s) again = %+v, won %v, %v, want the same", name, got, won, err)
			}
			got, won, err = x.Settle(t.Context(), id, other)
			if err != nil || won || !cmp.Equal(got, first) {
				t.Errorf("Settle(other) after %s = %+v, won %v, %v, want %+v", name, got, won, err, first)
			}
			got, decided, err := x.Standing(t.Context(), id)
			if err != nil || !decided || !cmp.Equal(got, first) {
				t.Errorf("Standing(%s) = %+v, %v, %v, want %+v", name, got, decided, err, first)
			}
		}
	})
}

func TestExchange_keysEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x, raw := newExchange(t, address), rawRedis(t, address)
		if _, _, err := x.Settle(t.Context(), "utt_1", late); err != nil {
			t.Fatal(err)
		}
		if _, err := x.ClaimCallback(t.Context(), "utt_1", "worker-1"); err != nil {
			t.Fatal(err)
		}
		keys, err := raw.Keys(t.Context(), "malgil:utt:*").Result()
		if err != nil || len(keys) != 2 {
			t.Fatalf("Keys = %v, %v, want 2", keys, err)
		}
		for _, key := range keys {
			ttl, err := raw.TTL(t.Context(), key).Result()
			if err != nil || ttl <= 100*time.Second || ttl > 120*time.Second {
				t.Errorf("TTL(%s) = %v, %v, want about 120 s", key, ttl, err)
			}
		}
	})
}

// An answer is settled as any decision is, keeps its time to live and may be proposed again.
func TestExchange_Answer(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x, raw := newExchange(t, address), rawRedis(t, address)
		for range 2 {
			got, won, err := x.Answer(t.Context(), "utt_1", answer.Answer, "mailbox")
			if err != nil || !won || !cmp.Equal(got, answer) {
				t.Errorf("Answer = %+v, won %v, %v, want itself", got, won, err)
			}
		}
		if ttl, err := raw.PTTL(t.Context(), "malgil:utt:utt_1").Result(); err != nil || ttl < 110*time.Second || ttl > 120*time.Second {
			t.Errorf("the key lives for %v, %v, want about 120 s", ttl, err)
		}
		if got, won, err := x.Settle(t.Context(), "utt_1", late); err != nil || won || !cmp.Equal(got, answer) {
			t.Errorf("Settle after it = %+v, won %v, %v, want the answer", got, won, err)
		}
		for name, first := range map[string]queue.Decision{"callback": promise, "inline": inline, "late": late, "another": other} {
			if _, _, err := x.Settle(t.Context(), "utt_"+name, first); err != nil {
				t.Fatal(err)
			}
			if got, won, err := x.Answer(t.Context(), "utt_"+name, answer.Answer, "mailbox"); err != nil || won || !cmp.Equal(got, first) {
				t.Errorf("Answer after %s = %+v, won %v, %v, want that", name, got, won, err)
			}
		}
	})
}

func TestExchange_unknownWord(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x, raw := newExchange(t, address), rawRedis(t, address)
		for _, word := range []string{"later", "callback:soon", ""} {
			if err := raw.Set(t.Context(), "malgil:utt:utt_1", word, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if _, won, err := x.Settle(t.Context(), "utt_1", answer); won || fault.KindOf(err) != fault.Internal {
				t.Errorf("Settle over %q = won %v, %v, want Internal", word, won, err)
			}
			if _, won, err := x.Answer(t.Context(), "utt_1", answer.Answer, "mailbox"); won || fault.KindOf(err) != fault.Internal {
				t.Errorf("Answer over %q = won %v, %v, want Internal", word, won, err)
			}
			if _, decided, err := x.Standing(t.Context(), "utt_1"); decided || fault.KindOf(err) != fault.Internal {
				t.Errorf("Standing of %q = %v, %v, want Internal", word, decided, err)
			}
		}
	})
}

// Intake and worker race for a thousand utterances: each is decided once, and both sides know
// the same.
func TestExchange_Settle_races(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		intake, worker := newExchange(t, address), newExchange(t, address)
		type side struct {
			standing queue.Decision
			won      bool
			err      error
		}
		const races = 1000
		var wins [2]int
		for start := 0; start < races; start += 20 {
			var sides [20][2]side
			var all sync.WaitGroup
			for i := range sides {
				id := fmt.Sprintf("utt_%d", start+i)
				all.Go(func() {
					s := &sides[i][0]
					s.standing, s.won, s.err = intake.Settle(t.Context(), id, promise)
				})
				all.Go(func() {
					s := &sides[i][1]
					s.standing, s.won, s.err = worker.Answer(t.Context(), id, answer.Answer, "intake-1")
				})
			}
			all.Wait()
			for i, s := range sides {
				if s[0].err != nil || s[1].err != nil || s[0].won == s[1].won || !cmp.Equal(s[0].standing, s[1].standing) {
					t.Fatalf("race %d: intake %+v, worker %+v, want one winner and one decision", start+i, s[0], s[1])
				}
				for j := range s {
					if s[j].won {
						wins[j]++
					}
				}
			}
		}
		t.Logf("of %d races the intake won %d and the worker %d", races, wins[0], wins[1])
	})
}

func TestExchange_ClaimCallback(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x := newExchange(t, address)
		var claimed [8]bool
		var all sync.WaitGroup
		for i := range claimed {
			all.Go(func() {
				got, err := x.ClaimCallback(t.Context(), "utt_1", fmt.Sprint(i))
				if err != nil {
					t.Errorf("ClaimCallback = %v", err)
				}
				claimed[i] = got
			})
		}
		all.Wait()
		winners := 0
		for i, got := range claimed {
			if !got {
				continue
			}
			winners++
			if again, err := x.ClaimCallback(t.Context(), "utt_1", fmt.Sprint(i)); !again || err != nil {
				t.Errorf("ClaimCallback again by the winner = %v, %v, want true", again, err)
			}
		}
		if winners != 1 {
			t.Errorf("%d of 8 claimed the callback, want 1", winners)
		}
	})
}

// A frozen or stopped Redis holds nobody longer than their context says.
func TestExchange_obeysItsContext(t *testing.T) {
	server := testserver.Redis(t)
	x := newExchange(t, parse(t, server.URL()))
	if _, _, err := x.Settle(t.Context(), "utt_0", late); err != nil {
		t.Fatal(err)
	}
	expect := func(state string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, won, err := x.Settle(ctx, "utt_1", late)
		if took := time.Since(start); won || fault.KindOf(err) != fault.InDoubt || took > time.Second {
			t.Errorf("Settle with Redis %s = won %v, %v after %v, want InDoubt within 200 ms", state, won, err, took)
		}
		if _, _, err := x.Standing(ctx, "utt_1"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Standing with Redis %s = %v, want Unavailable", state, err)
		}
		if _, won, err := x.Answer(ctx, "utt_1", answer.Answer, "mailbox"); won || fault.KindOf(err) != fault.InDoubt {
			t.Errorf("Answer with Redis %s = won %v, %v, want InDoubt", state, won, err)
		}
		if got, err := x.ClaimCallback(ctx, "utt_1", "w"); got || fault.KindOf(err) != fault.InDoubt {
			t.Errorf("ClaimCallback with Redis %s = %v, %v, want InDoubt", state, got, err)
		}
	}
	server.Freeze()
	expect("frozen")
	server.Thaw()
	server.Stop()
	expect("stopped")
}
