package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// BenchmarkHotWallet measures how many postings a second one wallet takes, by settling sent chunks
// of one broadcast as one result worker does and as the 32 of a process do, beside a bare transaction of three statements in the same
// tables: take from the balance, insert the posting, end what caused it. Both are run in turns, over
// the same pool and with the same durability: commits are synced to disk. of_bare is the ratio.
func BenchmarkHotWallet(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) *Store{
		"sqlite":   func(b *testing.B) *Store { return openTest(b, sqliteAddress(b)) },
		"postgres": func(b *testing.B) *Store { s := openTest(b, testserver.Postgres(b)); syncCommits(b, s); return s },
	} {
		for _, workers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d workers", name, workers), func(b *testing.B) {
				const slice = 512 // chunks of each kind in a turn
				h := newHotWallet(b, open(b), (b.N/slice+1)*slice, workers)
				var ours, bare time.Duration
				b.ResetTimer()
				for from := 0; from < len(h.ours); from += slice {
					ours += h.all(b, h.ours[from:from+slice], h.settle)
					bare += h.all(b, h.bare[from:from+slice], h.threeStatements)
				}
				b.StopTimer()
				n := float64(len(h.ours))
				b.ReportMetric(n/ours.Seconds(), "postings/s")
				b.ReportMetric(n/bare.Seconds(), "bare/s")
				b.ReportMetric(bare.Seconds()/ours.Seconds(), "of_bare")
				for _, id := range []string{"wal_ours", "wal_bare"} {
					if w := wantWallet(b, h.s, id); w.Held != 0 {
						b.Errorf("%s still holds %d", id, w.Held)
					}
				}
				wantBroadcast(b, h.s, "brd_ours")
			})
		}
	}
}

// syncCommits makes the PostgreSQL of the tests as durable as one that is in use.
func syncCommits(b *testing.B, s *Store) {
	b.Helper()
	exec(b, s, `ALTER SYSTEM SET fsync = on`)
	exec(b, s, `SELECT pg_reload_conf()`)
	b.Cleanup(func() {
		exec(b, s, `ALTER SYSTEM RESET fsync`)
		exec(b, s, `SELECT pg_reload_conf()`)
	})
}

// hotWallet is two wallets with the same work: one for the store, one for bare transactions.
type hotWallet struct {
	s          *Store
	workers    int
	ours, bare []string // sent chunks
}

func newHotWallet(b *testing.B, s *Store, n, workers int) *hotWallet {
	b.Helper()
	h := &hotWallet{s: s, workers: workers}
	for _, name := range []string{"ours", "bare"} {
		walletID, bot := shop(b, s, name, price*wallet.KRW(100*n))
		id := create(b, s, order("brd_"+name, bot)).ID
		people := make([]int, n)
		for i := range people {
			people[i] = 100
		}
		upload(b, s, id, people...)
		if _, err := s.Seal(b.Context(), id, broadcast.Sealing{}, t0); err != nil {
			b.Fatal(err)
		}
		exec(b, s, `UPDATE chunk SET state = 'sent', task_id = id, hold_krw = people * 15, epoch = 1, sent_at = $2 WHERE broadcast_id = $1`, id, millis(t0))
		exec(b, s, `UPDATE broadcast SET planned_chunks = 0 WHERE id = $1`, id)
		exec(b, s, `UPDATE wallet SET held_krw = $2 WHERE id = $1`, walletID, int64(price)*100*int64(n))
		all := texts(b, s, `SELECT id FROM chunk WHERE broadcast_id = $1 ORDER BY seq`, id)
		if name == "ours" {
			h.ours = all
		} else {
			h.bare = all
		}
	}
	return h
}

// all does something with chunks, so many at a time, and returns how long that took.
func (h *hotWallet) all(b *testing.B, chunks []string, do func(ctx context.Context, id string) error) time.Duration {
	b.Helper()
	began := time.Now()
	var next atomic.Int64
	var group sync.WaitGroup
	for range h.workers {
		group.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(chunks); i = next.Add(1) - 1 {
				if err := do(b.Context(), chunks[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// result is what Kakao answers to a look-up.
var result = []byte(`{"taskId":"task","status":"ALL SUCCESS","allRequestCount":100,"successCount":100,"fail":{"count":0,"list":[]}}`)

func (h *hotWallet) settle(ctx context.Context, id string) error {
	looked, ok, err := h.s.SentChunk(ctx, broadcast.ChunkID(id), 1)
	if err != nil || !ok {
		return fmt.Errorf("read chunk %s: %v, %w", id, ok, err)
	}
	ok, err = h.s.SettleChunk(ctx, looked.Chunk, broadcast.Settlement{Tally: broadcast.Tally{Delivered: 100}, Result: result}, t0)
	if err == nil && !ok {
		err = fmt.Errorf("chunk %s is settled already", id)
	}
	return err
}

// threeStatements is the least that keeps balances and postings together.
func (h *hotWallet) threeStatements(ctx context.Context, id string) error {
	tx, err := h.s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, one := range []struct {
		statement string
		args      []any
	}{
		{`UPDATE wallet SET paid_krw = paid_krw - $2, held_krw = held_krw - $2 WHERE id = $1`, []any{"wal_bare", 1500}},
		{`INSERT INTO posting (wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding)
			VALUES ($1, 'capture', $2, $3, 0, -1500, 0, 0, 1500, 0, 0, 0, 0, 0)`, []any{"wal_bare", id, millis(t0)}},
		{`UPDATE chunk SET state = 'settled', hold_krw = 0, delivered = people, result = $2 WHERE id = $1 AND state = 'sent'`, []any{id, string(result)}},
	} {
		if ok, err := changed(tx.ExecContext(ctx, one.statement, one.args...)); err != nil || !ok {
			return fmt.Errorf("%s: %v, %w", strings.Fields(one.statement)[0], ok, err)
		}
	}
	return tx.Commit()
}
