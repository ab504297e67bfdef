package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// storm is many workers, schedulers and people at one store at once.
type storm struct {
	t          *testing.T
	s          *Store
	broadcasts []broadcast.ID
	sends      chan broadcast.Row
	accepted   sync.Map    // chunk id → *atomic.Int64
	calm       atomic.Bool // people leave it alone and Kakao takes everything
	ended      atomic.Bool
}

func (st *storm) now() time.Time { return t0.Add(time.Since(stormBegan)) }

var stormBegan = time.Now()

// again does something at every tick until the storm ends.
func (st *storm) again(group *sync.WaitGroup, seed uint64, every time.Duration, do func(r *rand.Rand) error) {
	group.Go(func() {
		r := rand.New(rand.NewPCG(seed, 1))
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for !st.ended.Load() {
			if err := do(r); err != nil {
				st.t.Error(err)
				return
			}
			<-ticker.C
		}
	})
}

// work sends one chunk as a worker does and settles it at once where it was accepted.
func (st *storm) work(r *rand.Rand, row broadcast.Row) error {
	id := broadcast.ChunkID(row.ID)
	ctx := context.Background()
	claimed, err := st.s.ClaimChunk(ctx, id, row.Epoch, st.now(), st.now().Add(time.Hour))
	if err != nil || !claimed {
		return err
	}
	verdict := broadcast.Verdict{Outcome: broadcast.NotSent, Reason: "busy"}
	luck := r.IntN(10)
	if st.calm.Load() {
		luck = 9
	}
	switch luck {
	case 0:
	case 1:
		verdict.Outcome = broadcast.OutcomeInDoubt
	case 2:
		verdict.Outcome = broadcast.BadConfig
	default:
		verdict = accepted("task-" + row.ID)
		n, _ := st.accepted.LoadOrStore(id, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
	recorded, err := st.s.RecordSend(ctx, id, row.Epoch, verdict, st.now())
	if err != nil || !recorded {
		return fmt.Errorf("record %s of %v = %v, %w", verdict.Outcome, row, recorded, err)
	}
	if verdict.Outcome != broadcast.Accepted {
		return nil
	}
	looked, ok, err := st.s.SentChunk(ctx, id, row.Epoch)
	if err != nil || !ok {
		return err
	}
	tally := broadcast.Tally{Delivered: looked.Chunk.People}
	for range 2 { // two runs of one task
		if _, err := st.s.SettleChunk(ctx, looked.Chunk, broadcast.Settlement{Tally: tally}, st.now()); err != nil {
			return err
		}
	}
	return nil
}

// Dispatch, claims, outcomes, captures, recalls of a bot on two wallets, pauses and top-ups all at
// once: no deadlock comes through, the books agree and nobody is sent to twice.
func TestStorm_everythingAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		st := &storm{t: t, s: s, sends: make(chan broadcast.Row, 10_000)}
		_, bot1 := shop(t, s, "1", 500_000)
		_, bot2 := shop(t, s, "2", 500_000)
		for n, botID := range []string{bot1, bot2, bot1} {
			if n == 2 {
				exec(t, s, `UPDATE bot SET wallet_id = 'wal_2' WHERE id = $1`, bot1)
			}
			b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), slices.Repeat([]int{10}, 60)...)
			st.broadcasts = append(st.broadcasts, b.ID)
		}
		ctx := context.Background()
		var group sync.WaitGroup
		for n := range uint64(2) {
			st.again(&group, n, 5*time.Millisecond, func(r *rand.Rand) error {
				done, err := s.Dispatch(ctx, broadcast.Pace{MaxQueued: 40, Ahead: 2 * time.Second, SendBy: time.Hour}, broadcast.Turn{N: r.IntN(9)}, st.now())
				for _, row := range done.Rows {
					st.sends <- row
				}
				return err
			})
		}
		for n := range uint64(4) {
			st.again(&group, 10+n, time.Millisecond, func(r *rand.Rand) error {
				select {
				case row := <-st.sends:
					return st.work(r, row)
				default:
					return nil
				}
			})
		}
		st.again(&group, 20, 50*time.Millisecond, func(r *rand.Rand) error {
			if st.calm.Load() {
				return nil
			}
			id := st.broadcasts[r.IntN(len(st.broadcasts))]
			for _, do := range []func(context.Context, broadcast.ID, time.Time) (broadcast.Broadcast, error){s.Pause, s.Resume} {
				if _, err := do(ctx, id, st.now()); err != nil && fault.CodeOf(err) != "WRONG_STATE" { // it may have finished
					return err
				}
			}
			return nil
		})
		st.again(&group, 21, 50*time.Millisecond, func(r *rand.Rand) error {
			if st.calm.Load() {
				return nil
			}
			bot := []string{bot1, bot2}[r.IntN(2)]
			return s.inTx(ctx, func(tx *sql.Tx) error { return s.recallBot(ctx, tx, bot, st.now()) })
		})
		st.again(&group, 22, 50*time.Millisecond, func(*rand.Rand) error {
			_, err := s.write.ExecContext(ctx, `UPDATE bot SET paused_reason = '' WHERE paused_reason <> ''`)
			return err
		})
		st.again(&group, 23, 50*time.Millisecond, func(r *rand.Rand) error {
			rows, err := s.Waiting(ctx, WorkChunk, st.now(), 5)
			if err != nil {
				return err
			}
			if err := s.Forget(ctx, WorkChunk, rows, false, st.now()); err != nil {
				return err
			}
			stamped, err := s.Stamp(ctx, WorkChunk, st.now(), 5)
			for _, row := range stamped {
				st.sends <- row
			}
			return err
		})
		st.wait(t, 3*time.Second)
		st.calm.Store(true)
		if !st.wait(t, 60*time.Second) {
			t.Error("a minute after the storm the broadcasts are not finished")
		}
		st.ended.Store(true)
		group.Wait()
		delivered := 0
		for _, id := range st.broadcasts {
			delivered += wantBroadcast(t, s, id).Counts.Delivered
		}
		for _, id := range []string{"wal_1", "wal_2"} {
			wantWallet(t, s, id)
		}
		sent := 0
		st.accepted.Range(func(id, n any) bool {
			if sent++; n.(*atomic.Int64).Load() != 1 {
				t.Errorf("chunk %v was accepted %d times", id, n.(*atomic.Int64).Load())
			}
			return true
		})
		if sent == 0 || delivered != 10*sent {
			t.Errorf("%d chunks of 10 were accepted and %d people delivered, want all of their people", sent, delivered)
		}
	})
}

// wait reports whether every broadcast finishes in a time.
func (st *storm) wait(t *testing.T, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !st.finished() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (st *storm) finished() bool {
	for _, id := range st.broadcasts {
		if b, err := st.s.Broadcast(context.Background(), id); err != nil || b.State != broadcast.Finished {
			return false
		}
	}
	return true
}
