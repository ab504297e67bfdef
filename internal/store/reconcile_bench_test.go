package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// BenchmarkReconcile tells how long the comparison takes of a wallet that sent to ten million people in
// a day, and the hourly comparison of many small wallets.
func BenchmarkReconcile(b *testing.B) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": sqliteAddress, "postgres": testserver.Postgres} {
		b.Run(name, func(b *testing.B) {
			s := openTest(b, address(b))
			const chunks, wallets = 100_000, 2_000
			newWallet(b, s, "w", 0)
			newBot(b, s, "bot_w", "w")
			create(b, s, order("brd_w", "bot_w"))
			fill(b, s, "brd_w", chunks)
			for i := range wallets {
				newWallet(b, s, fmt.Sprintf("small-%04d", i), 1_000)
			}
			if !s.dialect.embedded {
				exec(b, s, `ANALYZE`)
			}
			today := clock.Midnight(t0)
			o := reconcile.Order{Window: reconcile.Window{From: today, To: today.Add(24 * time.Hour)}, WalletID: "w"}
			b.Run("a wallet of ten million messages", func(b *testing.B) {
				for b.Loop() {
					service := reconcile.New(s, nil, nil, nil, func() time.Time { return t0 })
					page, err := service.Compare(b.Context(), o, nil)
					if err != nil || len(page.Found) != 0 || page.Next != nil {
						b.Fatalf("Compare() = %d found, next %v, %v, want none", len(page.Found), page.Next, err)
					}
				}
				b.ReportMetric(float64(chunks*b.N)/b.Elapsed().Seconds(), "chunks/s")
			})
			b.Run("small wallets", func(b *testing.B) {
				now := t0
				service := reconcile.New(s, nil, nil, nil, func() time.Time { return now })
				n := 0
				for b.Loop() {
					now = now.Add(2 * time.Hour)
					if err := service.Check(b.Context()); err != nil {
						b.Fatal(err)
					}
					n += wallets
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "wallets/s")
			})
			b.Run("what a broadcast of ten million cost", func(b *testing.B) {
				for b.Loop() {
					c, err := s.BroadcastCost(b.Context(), "brd_w", true)
					if err != nil || c.Captured != 1_500*chunks || c.Unpaid != c.Accrual {
						b.Fatalf("BroadcastCost() = %+v, %v", c, err)
					}
				}
			})
		})
	}
}

// fill writes chunks of 100 people that were settled and captured, all owed.
func fill(b *testing.B, s *Store, id string, chunks int) {
	b.Helper()
	at := millis(t0)
	exec(b, s, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $3)
		INSERT INTO chunk (id, broadcast_id, seq, upload_epoch, wallet_id, bot_id, state, epoch, next_at, enqueued_at, attempts, dead, lease_until,
			send_by, people, recipients, hold_krw, task_id, sent_at, doubt_at, unconfirmed, delivered, failed, unknown, skipped, result, error)
		SELECT $1 || '-' || substr('000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1), $1, i, 1, 'w', 'bot_w', 'settled', 1, 0, 0, 0, 0, 0,
			0, 100, '[]', 0, 't', CAST($2 AS BIGINT) + i, 0, 0, 100, 0, 0, 0, '{}', '' FROM n`, id, at, chunks)
	exec(b, s, `INSERT INTO posting (wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding)
		SELECT wallet_id, 'capture', id, sent_at, 0, 0, -1500, 0, 1500, 0, 0, 0, 0, 0 FROM chunk`)
	exec(b, s, `UPDATE broadcast SET price_krw = 15 WHERE id = $1`, id)
	exec(b, s, `UPDATE wallet SET accrual_krw = $1 WHERE id = 'w'`, wallet.KRW(1_500*chunks))
}
