package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// Each entry says what the wallet had after it, on whatever page it stands.
func TestHistory_balancesAfterEachEntry(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		r := rand.New(rand.NewPCG(3, 1))
		w, bot := shop(t, s, "past", 0)
		create(t, s, order("brd_a", bot))
		live(t, s, w, []broadcast.ID{"brd_a"}, r, edges(r, seoul(2026, 11, 20, 0, 0), seoul(2026, 12, 10, 0, 0)))
		ledger, err := s.Postings(t.Context(), w, PostingMark{}, 10_000)
		must(t, err)
		after := map[PostingMark]wallet.Balances{}
		var sum wallet.Balances
		for _, p := range slices.Backward(ledger) {
			sum = sum.Plus(p.Change())
			after[Mark(p)] = sum
		}
		stretches := map[string]HistoryFilter{
			"all":         {},
			"a few days":  {From: seoul(2026, 11, 25, 0, 0), Until: seoul(2026, 12, 1, 0, 0)},
			"up to a day": {Until: seoul(2026, 11, 30, 0, 0)},
			"since a day": {From: seoul(2026, 12, 9, 0, 0)},
		}
		for name, f := range stretches {
			for _, carried := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, balances carried over: %v", name, carried), func(t *testing.T) {
					var want []wallet.Posting
					for _, p := range ledger {
						if !p.At.Before(f.From) && (f.Until.IsZero() || p.At.Before(f.Until)) {
							want = append(want, p)
						}
					}
					for i, e := range historyOf(t, s, w, f, 7, carried) {
						if i >= len(want) || Mark(e.Posting) != Mark(want[i]) || e.After != after[Mark(e.Posting)] {
							t.Fatalf("entry %d = %s %s with %+v after it, want posting %d of the stretch and %+v", i, e.Kind, e.Ref, e.After, i, after[Mark(e.Posting)])
						}
						if i == len(want)-1 {
							return
						}
					}
					t.Errorf("the history of %d postings ends early", len(want))
				})
			}
		}
		if _, err := s.History(t.Context(), "wal_9", HistoryFilter{}, PostingMark{}, nil, 2); fault.KindOf(err) != fault.NotFound {
			t.Errorf("History(wal_9) error = %v, want NotFound", err)
		}
	})
}

// Together the kinds hold every posting, and each its own.
func TestHistory_ofOneKind(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		r := rand.New(rand.NewPCG(4, 1))
		w, bot := shop(t, s, "kinds", 0)
		create(t, s, order("brd_a", bot))
		live(t, s, w, []broadcast.ID{"brd_a"}, r, edges(r, seoul(2026, 11, 1, 0, 0), seoul(2026, 12, 20, 0, 0)))
		ledger, err := s.Postings(t.Context(), w, PostingMark{}, 10_000)
		must(t, err)
		period := HistoryFilter{From: seoul(2026, 11, 10, 0, 0), Until: seoul(2026, 12, 10, 0, 0)}
		for _, kind := range []wallet.HistoryKind{wallet.HistoryTopUp, wallet.HistoryConsumption, wallet.HistoryRestitution,
			wallet.HistoryRefund, wallet.HistoryCharge, wallet.HistoryExpiry} {
			var want, got []PostingMark
			for _, p := range ledger {
				if p.InHistory() == kind && !p.At.Before(period.From) && p.At.Before(period.Until) {
					want = append(want, Mark(p))
				}
			}
			f := period
			f.Kind = kind
			for _, e := range historyOf(t, s, w, f, 3, false) {
				got = append(got, Mark(e.Posting))
			}
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("history of %s = %v, want %v", kind, got, want)
			}
		}
	})
}

// historyOf reads a history page by page.
func historyOf(t testing.TB, s *Store, walletID string, f HistoryFilter, limit int, carry bool) (all []HistoryEntry) {
	t.Helper()
	var mark PostingMark
	var known *wallet.Balances
	for range 10_000 {
		page, err := s.History(t.Context(), walletID, f, mark, known, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		last := page[len(page)-1]
		mark = Mark(last.Posting)
		if carry {
			before := last.After.Minus(last.Change())
			known = &before
		}
	}
	t.Fatal("a history that does not end")
	return nil
}

// BenchmarkStatement reads a month with a million postings of a hundred broadcasts.
func BenchmarkStatement(b *testing.B) {
	read := func(b *testing.B, s *Store) {
		w, bot := shop(b, s, "large", 0)
		month := seoul(2026, 11, 1, 0, 0)
		const broadcasts, chunks = 100, 10_000
		for i := range broadcasts {
			create(b, s, order(fmt.Sprintf("brd_%03d", i), bot))
			exec(b, s, `INSERT INTO posting (wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding)
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($5 AS BIGINT))
				SELECT $1, 'capture', $2 || '-' || substr('000000' || i, length('000000' || i) - 5), CAST($3 AS BIGINT) + i * CAST($4 AS BIGINT), 0, 0, -1500, 0, 1500, 0, 0, 0, 0, 0 FROM n`,
				w, fmt.Sprintf("brd_%03d", i), millis(month)+int64(i)*25_000_000, 2, chunks)
		}
		exec(b, s, `UPDATE wallet SET accrual_krw = $2 WHERE id = $1`, w, broadcasts*chunks*1_500)
		if !s.dialect.embedded {
			exec(b, s, `ANALYZE`)
		}
		now := month.AddDate(0, 2, 0)
		b.Run("statement", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				st, lines := readStatement(b, s, w, month, now)
				if len(lines) != broadcasts || st.Total.Messages != broadcasts*chunks*100 {
					b.Fatalf("%d lines, %d messages", len(lines), st.Total.Messages)
				}
			}
		})
		b.Run("days", func(b *testing.B) {
			for b.Loop() {
				if days, err := s.Days(b.Context(), w, month, now); err != nil || len(days) != 61 {
					b.Fatal(len(days), err)
				}
			}
		})
		b.Run("history, newest page", func(b *testing.B) {
			for b.Loop() {
				if page, err := s.History(b.Context(), w, HistoryFilter{}, PostingMark{}, nil, 50); err != nil || len(page) != 50 {
					b.Fatal(len(page), err)
				}
			}
		})
		b.Run("history, oldest day", func(b *testing.B) {
			for b.Loop() {
				if page, err := s.History(b.Context(), w, HistoryFilter{Until: month.Add(time.Hour)}, PostingMark{}, nil, 50); err != nil || len(page) != 50 {
					b.Fatal(len(page), err)
				}
			}
		})
		b.Run("history, top-ups", func(b *testing.B) {
			for b.Loop() {
				if page, err := s.History(b.Context(), w, HistoryFilter{Kind: wallet.HistoryTopUp}, PostingMark{}, nil, 50); err != nil || len(page) != 0 {
					b.Fatal(len(page), err)
				}
			}
		})
	}
	b.Run("sqlite", func(b *testing.B) { read(b, openTest(b, sqliteAddress(b))) })
	b.Run("postgres", func(b *testing.B) { read(b, openTest(b, testserver.Postgres(b))) })
}
