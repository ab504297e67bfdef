package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// writers are 64 callers that change one wallet at the same time.
type writers struct {
	*till
	gateway *provider
	chunks  []string // sent, each of ten people

	toppedUp, refunded, started, given, delivered atomic.Int64
	refunds                                       atomic.Int64
}

const writerCount = 64

func newWriters(t *testing.T, s *Store) *writers {
	s.settlement.Threshold = 1_000
	wr := &writers{till: newTill(t, s, func(c *billing.Settings) { c.TopUpMin = 1 })}
	wr.gateway = newProvider(wr.till)
	owing(t, s, "w", 0, "c1", "c2")
	end := clock.NextMidnight(t0)
	for n := range writerCount {
		give(t, s, free("w", fmt.Sprintf("grt_free_%02d", n), wallet.KRW(100+n), end.AddDate(0, 0, n%3), t0), false)
	}
	b := running(t, s, order("brd", "bot_w"), slices.Repeat([]int{10}, 2*writerCount)...)
	exec(t, s, `UPDATE chunk SET state = 'sent', task_id = id, hold_krw = people * 15, epoch = 1, sent_at = $1`, millis(t0))
	exec(t, s, `UPDATE broadcast SET planned_chunks = 0`)
	exec(t, s, `UPDATE wallet SET held_krw = $1`, 150*2*writerCount)
	wr.chunks = texts(t, s, `SELECT id FROM chunk WHERE broadcast_id = $1 ORDER BY seq`, string(b.ID))
	return wr
}

// all lets every writer do the same things, each in an order of its own.
func (wr *writers) all(things ...func(ctx context.Context, n int) error) {
	wr.t.Helper()
	var group sync.WaitGroup
	begin := make(chan struct{})
	for n := range writerCount {
		group.Go(func() {
			<-begin
			for i := range things {
				wr.pass(20 * time.Millisecond)
				if err := things[(n+i)%len(things)](wr.t.Context(), n); err != nil && fault.KindOf(err) != fault.Refused {
					wr.t.Errorf("writer %d: %v", n, err)
				}
			}
		})
	}
	close(begin)
	group.Wait()
}

func (wr *writers) topUp(ctx context.Context, n int) error {
	supply := wallet.KRW(10 + n)
	c, err := wr.StartTopUp(ctx, billing.TopUpOrder{AccountID: "acc_w", WalletID: "w", Supply: supply})
	if err != nil {
		return err
	}
	c, result, err := wr.Return(ctx, c.ID, wr.keyOf(c), "pg-token")
	if err == nil && (c.State != billing.CheckoutDone || result.Outcome != billing.Paid) {
		err = fmt.Errorf("top-up is %s, %s", c.State, result.Outcome)
	}
	wr.toppedUp.Add(int64(supply))
	return err
}

// capture settles a chunk of its own, and races with its neighbour for his.
func (wr *writers) capture(round int) func(ctx context.Context, n int) error {
	return func(ctx context.Context, n int) error {
		for _, i := range []int{n, (n + 1) % writerCount} {
			id := broadcast.ChunkID(wr.chunks[round*writerCount+i])
			looked, ok, err := wr.s.SentChunk(ctx, id, 1)
			if err != nil {
				return err
			}
			if !ok {
				continue // the neighbour was first
			}
			ok, err = wr.s.SettleChunk(ctx, looked.Chunk, broadcast.Settlement{Tally: broadcast.Tally{Delivered: 7, Failed: 3}, Result: []byte(`{}`)}, wr.clock())
			if err != nil {
				return err
			}
			if ok {
				wr.delivered.Add(7)
			}
		}
		return nil
	}
}

// charge opens what is due and asks the cards, as scheduler and workers do.
func (wr *writers) charge(ctx context.Context, _ int) error {
	for kind, run := range map[Work]func(context.Context, string, int) (billing.Result, error){
		WorkWallet: wr.OpenDue, WorkAttempt: wr.RunAttempt, WorkResolve: wr.ResolveAttempt,
	} {
		rows, err := wr.s.Stamp(ctx, kind, wr.clock(), 10)
		if err != nil {
			return err
		}
		for _, row := range rows {
			result, err := run(ctx, row.ID, row.Epoch)
			for err == nil && len(result.Next) > 0 {
				result, err = wr.RunAttempt(ctx, result.Next[0].Row.ID, result.Next[0].Row.Epoch)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (wr *writers) use(ctx context.Context, n int) error {
	g, _, err := wr.s.StartGift(ctx, "w", fmt.Sprintf("grt_free_%02d", n), wr.clock(), wallet.Request{})
	wr.started.Add(int64(g.Amount))
	return err
}

func (wr *writers) give(ctx context.Context, n int) error {
	g := wallet.Gift{ID: fmt.Sprintf("grt_paid_%02d", n), WalletID: "w", Kind: wallet.PaidCash, Amount: 5, Reason: "보상", CreatedAt: wr.clock()}
	_, _, err := wr.s.Give(ctx, g, wallet.Request{})
	wr.given.Add(int64(g.Amount))
	return err
}

func (wr *writers) refund(ctx context.Context, n int) error {
	supply := wallet.KRW(1 + n)
	_, next, err := wr.OpenRefund(ctx, billing.RefundOrder{WalletID: "w", Supply: supply})
	if err != nil {
		return err
	}
	wr.refunds.Add(1)
	wr.refunded.Add(int64(supply))
	for _, f := range next {
		result, err := wr.RunAttempt(ctx, f.Row.ID, f.Row.Epoch)
		if err != nil || result.Outcome != billing.Refunded {
			return errors.Join(err, fmt.Errorf("line %s is %s", f.Row.ID, result.Outcome))
		}
	}
	return nil
}

func (wr *writers) expire(ctx context.Context, _ int) error {
	_, err := wr.s.ExpireFree(ctx, wr.clock())
	return err
}

// Sixty-four callers top up, capture, charge, use and lose free cash and refund on one wallet at once:
// nothing is lost, nothing is negative, no caller hears of a deadlock, and balances are the sum of the
// legs and what was done.
func TestLedger_manyWriters(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		wr := newWriters(t, s)
		wr.all(wr.topUp, wr.capture(0), wr.charge, wr.use, wr.capture(1), wr.give, wr.charge)
		wr.pass(clock.NextMidnight(t0).AddDate(0, 0, 1).Sub(wr.clock()))
		for wantWallet(t, s, "w").Accrual+wantWallet(t, s, "w").Charging > 0 {
			wr.pass(2 * time.Second)
			wr.run()
		}
		if w := wantWallet(t, s, "w"); w.Held != 0 || w.PaymentState != wallet.Active {
			t.Fatalf("wallet holds %d and is %s, want 0 and ACTIVE", w.Held, w.PaymentState)
		}
		// Nothing is owed or held: refunds are possible, one at a time.
		wr.all(wr.refund, wr.topUp, wr.expire, wr.refund)

		w := wantWallet(t, s, "w")
		books, err := s.Books(t.Context(), "w")
		if err != nil {
			t.Fatal(err)
		}
		var charged, vanished wallet.KRW
		err = s.read.QueryRowContext(t.Context(), `SELECT CAST(COALESCE(SUM(charging), 0) AS BIGINT),
			(SELECT CAST(SUM(expired_krw) AS BIGINT) FROM free_grant) FROM posting WHERE kind = 'charge_paid'`).Scan(&charged, &vanished)
		if err != nil {
			t.Fatal(err)
		}
		done := func(n *atomic.Int64) wallet.KRW { return wallet.KRW(n.Load()) }
		if done(&wr.delivered) != 7*2*writerCount || books.Revenue != 15*done(&wr.delivered) {
			t.Errorf("%d were delivered and %d captured, want %d people at 15", done(&wr.delivered), books.Revenue, 7*2*writerCount)
		}
		in := done(&wr.toppedUp) + done(&wr.given) + done(&wr.started) + charged
		out := books.Revenue + done(&wr.refunded) + vanished
		if left := w.Free + w.Paid; left != in-out || w.Accrual+w.Charging+w.Refunding+w.Held != 0 {
			t.Errorf("wallet %+v, want %d that came in less %d that went", w, in, out)
		}
		if -books.Clearing != wr.gateway.taken {
			t.Errorf("%d moved outside by the ledger, %d at the gateway", -books.Clearing, wr.gateway.taken)
		}
		if charged == 0 || vanished == 0 || wr.refunds.Load() == 0 {
			t.Errorf("%d were charged, %d vanished, %d refunds were made; want some of each", charged, vanished, wr.refunds.Load())
		}
		if b := wantBroadcast(t, s, "brd"); b.State != broadcast.Finished {
			t.Errorf("broadcast is %s, want finished", b.State)
		}
	})
}
