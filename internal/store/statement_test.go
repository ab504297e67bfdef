package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// captured posts delivered messages of a chunk.
func captured(t testing.TB, s *Store, walletID string, id broadcast.ID, seq, messages int, now time.Time) {
	t.Helper()
	post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return w.Capture(0, price*wallet.KRW(messages), []wallet.Grant{{ID: "grt_1", Remaining: w.Free}}, string(broadcast.NewChunkID(id, seq)), now)
	})
}

// correct posts a correction: of so many messages, or for none of a payment.
func correct(t testing.TB, s *Store, walletID string, id broadcast.ID, seq, messages int, now time.Time) {
	t.Helper()
	post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		p := wallet.Posting{Kind: wallet.Correction, Ref: wallet.CorrectionRef(wallet.CorrectsCapture, string(broadcast.NewChunkID(id, seq)), 1), At: now}
		switch amount := price * wallet.KRW(messages); {
		case messages > 0: // had arrived, and were not paid for
			p.Revenue, p.Accrual = amount, -amount
		case messages < 0: // had been paid for, and did not arrive; a part of it was free cash that is over
			p.Revenue, p.Paid, p.Promotion = amount, -amount-5, 5
		default:
			p.Ref = wallet.CorrectionRef(wallet.CorrectsPayment, "att_1", seq)
			p.Paid, p.VAT, p.Clearing = 100, 10, -110
		}
		w.Paid += p.Paid
		w.Accrual -= p.Accrual
		return w, p
	})
}

// live moves a wallet so many times through everything that moves one, at times that begin and end
// days, months and years, and returns how many messages were captured on each day.
func live(t testing.TB, s *Store, walletID string, ids []broadcast.ID, r *rand.Rand, times []time.Time) map[time.Time]int64 {
	t.Helper()
	messages := map[time.Time]int64{}
	for i, now := range times {
		w, err := s.Wallet(t.Context(), walletID)
		if err != nil {
			t.Fatal(err)
		}
		ref := fmt.Sprintf("ref_%04d", i)
		amount := func(most wallet.KRW) wallet.KRW { return 1 + wallet.KRW(r.Int64N(int64(most))) }
		rule := func(f func(w wallet.Wallet) (wallet.Wallet, wallet.Posting)) { post1(t, s, walletID, f) }
		switch n := r.IntN(11); {
		case n < 4:
			people := 1 + r.IntN(100)
			captured(t, s, walletID, ids[r.IntN(len(ids))], i+1, people, now)
			messages[clock.Midnight(now)] += int64(people)
		case n == 10:
			people := r.IntN(40) - 20
			correct(t, s, walletID, ids[r.IntN(len(ids))], i+1, people, now)
			messages[clock.Midnight(now)] += int64(people)
		case n == 4 && w.Accrual > 0:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				return w.OpenCharge(amount(w.Accrual), ref, now)
			})
		case n == 5 && w.Charging > 0:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				some := amount(w.Charging)
				if r.IntN(2) == 0 {
					return w.FailCharge(some, ref, now)
				}
				return w.PayCharge(some, wallet.VAT(some), ref, now)
			})
		case n == 6 && w.Paid > 0:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.OpenRefund(amount(w.Paid), ref, now) })
		case n == 7 && w.Refunding > 0:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				some := amount(w.Refunding)
				if r.IntN(2) == 0 {
					return w.FailRefund(some, ref, now)
				}
				return w.PayRefund(some, wallet.RefundVAT(some, 5, 1), ref, now)
			})
		case n == 8:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.GivePaid(amount(500), ref, now) })
		case n == 9:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				if w.Free > 0 && r.IntN(2) == 0 {
					after, p, _ := w.ExpireGrant(wallet.Grant{ID: "grt_1", Remaining: amount(w.Free)}, now)
					p.Ref, p.Grants = ref, nil
					return after, p
				}
				return w.StartGrant(amount(2_000), ref, now)
			})
		default:
			rule(func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				some := amount(3_000)
				return w.TopUp(some, wallet.VAT(some), ref, now)
			})
		}
	}
	return messages
}

// edges are moments on both sides of midnights in Korea from one day to another, in order.
func edges(r *rand.Rand, from, until time.Time) (times []time.Time) {
	for day := from; day.Before(until); day = day.Add(24 * time.Hour) {
		if r.IntN(5) == 0 {
			continue // a day on which nothing happens
		}
		times = append(times, day, day, day.Add(time.Millisecond), day.Add(time.Duration(r.Int64N(int64(23*time.Hour)))+time.Hour), day.Add(24*time.Hour-time.Millisecond))
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// Days of every stretch add up to the ledger, whose postings the test adds up by itself.
func TestDays_addUpToTheLedger(t *testing.T) {
	stretches := map[string][2]time.Time{
		"a month end":  {seoul(2026, 11, 20, 0, 0), seoul(2026, 12, 11, 0, 0)},
		"a year end":   {seoul(2026, 12, 25, 0, 0), seoul(2027, 1, 6, 0, 0)},
		"a leap day":   {seoul(2028, 2, 25, 0, 0), seoul(2028, 3, 4, 0, 0)},
		"one midnight": {seoul(2026, 11, 30, 0, 0), seoul(2026, 12, 2, 0, 0)},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := uint64(0)
		for name, stretch := range stretches {
			n++
			t.Run(name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(n, 7))
				w, bot := shop(t, s, fmt.Sprint("days", n), 0)
				ids := []broadcast.ID{broadcast.ID(fmt.Sprint("brd_a", n)), broadcast.ID(fmt.Sprint("brd_b", n))}
				for _, id := range ids {
					create(t, s, order(string(id), bot))
				}
				messages := live(t, s, w, ids, r, edges(r, stretch[0], stretch[1]))
				ledger, err := s.Postings(t.Context(), w, PostingMark{}, 10_000)
				if err != nil || len(ledger) < 4 {
					t.Fatalf("the wallet has %d postings, %v, want a few", len(ledger), err)
				}
				wantBalances(t, s, w, ledger)
				for _, cut := range [][2]time.Duration{{-48 * time.Hour, 48 * time.Hour}, {0, 0}, {24 * time.Hour, -24 * time.Hour}, {-24 * time.Hour, -24 * time.Hour}} {
					from, until := stretch[0].Add(cut[0]), stretch[1].Add(cut[1])
					days, err := s.Days(t.Context(), w, from, until)
					if want := int(until.Sub(from) / (24 * time.Hour)); err != nil || len(days) != max(want, 0) {
						t.Fatalf("Days(%v, %v) = %d days, %v, want %d", from, until, len(days), err, want)
					}
					for i, d := range days {
						wantDay(t, d, ledger, messages[d.Start])
						if i > 0 && (d.Opening != days[i-1].Closing || !d.Start.Equal(days[i-1].Start.Add(24*time.Hour))) {
							t.Errorf("%v opens with %+v, want the day after %v and its closing %+v", d.Start, d.Opening, days[i-1].Start, days[i-1].Closing)
						}
					}
				}
			})
		}
		if _, err := s.Days(t.Context(), "wal_9", t0, t0); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Days(wal_9) error = %v, want NotFound", err)
		}
	})
}

// wantBalances checks that the wallet's row is what its ledger adds up to.
func wantBalances(t testing.TB, s *Store, walletID string, ledger []wallet.Posting) {
	t.Helper()
	w, err := s.Wallet(t.Context(), walletID)
	var sum wallet.Balances
	for _, p := range ledger {
		sum = sum.Plus(p.Change())
	}
	if err != nil || w.Balances() != sum {
		t.Fatalf("the wallet has %+v, %v, its ledger %+v", w.Balances(), err, sum)
	}
}

// wantDay compares a day with the postings of a ledger.
func wantDay(t testing.TB, d wallet.DaySummary, ledger []wallet.Posting, messages int64) {
	t.Helper()
	var opening, closing wallet.Balances
	var used, outside, revenue wallet.KRW
	for _, p := range ledger {
		switch day := clock.Midnight(p.At); {
		case day.Before(d.Start):
			opening = opening.Plus(p.Change())
		case day.Equal(d.Start):
			revenue += p.Revenue
			outside -= p.Clearing
			if p.Revenue != 0 {
				used -= p.Free + p.Paid + p.Accrual + p.Promotion
			}
		}
		if p.At.Before(d.Start.Add(24 * time.Hour)) {
			closing = closing.Plus(p.Change())
		}
	}
	if d.Opening != opening || d.Closing != closing || d.Opening.Plus(d.Change()) != d.Closing || d.Other != (wallet.Balances{}) {
		t.Errorf("%v opens with %+v and closes with %+v (%+v), the ledger with %+v and %+v", d.Start, d.Opening, d.Closing, d.Flow, opening, closing)
	}
	if d.Used() != used || d.Used() != revenue || d.Messages != messages || int64(revenue) != messages*int64(price) {
		t.Errorf("%v used %d for %d messages, the ledger %d for %d", d.Start, d.Used(), d.Messages, used, messages)
	}
	if got := d.TopUps + d.TopUpVAT + d.ChargesPaid + d.ChargeVAT - d.Refunded - d.RefundVAT; got != outside {
		t.Errorf("%v: %d moved outside, the ledger says %d", d.Start, got, outside)
	}
}

// A statement holds what was captured in its month: a broadcast that goes over the midnight has a
// line in two of them.
func TestStatement(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		w, bot := shop(t, s, "month", 0)
		for _, id := range []string{"brd_1", "brd_2", "brd_3"} {
			create(t, s, order(id, bot))
		}
		eve := seoul(2026, 12, 1, 0, 0).Add(-time.Millisecond)
		topUp(t, s, w, 10_000, "cko_1", seoul(2026, 11, 2, 9, 0))
		newGrant(t, s, w, "grt_1", 1_000, seoul(2027, 1, 1, 0, 0), seoul(2026, 11, 3, 9, 0))
		captured(t, s, w, "brd_1", 1, 100, seoul(2026, 11, 24, 12, 0))
		captured(t, s, w, "brd_2", 1, 10, eve)
		captured(t, s, w, "brd_2", 2, 7, seoul(2026, 12, 1, 0, 0))
		captured(t, s, w, "brd_3", 1, 1, seoul(2026, 12, 31, 23, 59))
		correct(t, s, w, "brd_1", 1, -10, seoul(2026, 12, 2, 9, 0)) // November's, found in December
		later := seoul(2027, 2, 1, 0, 0)

		november, lines := readStatement(t, s, w, seoul(2026, 11, 1, 0, 0), later)
		wantLines(t, lines, "brd_1 100 1500 1000", "brd_2 10 150 0")
		if len(november.Days) != 30 || !november.SoFar.IsZero() || november.Total.Messages != 110 || november.Total.Used() != 1_650 || november.Total.Invoiceable() != 650 {
			t.Errorf("November = %d days, so far %v, %+v; want 30 days, 110 messages, 1650 used, 650 invoiced", len(november.Days), november.SoFar, november.Total)
		}
		if november.Opening != (wallet.Balances{}) || november.Closing != (wallet.Balances{Paid: 9_350}) {
			t.Errorf("November opens with %+v and closes with %+v, want nothing and 9350 paid", november.Opening, november.Closing)
		}
		if !lines[1].First.Equal(eve) || lines[1].Bot != "한빛서점 도우미" || lines[1].Side != broadcast.Live || lines[1].Price != price || lines[1].Name != "겨울 재입고" {
			t.Errorf("line %+v, want the broadcast with its bot and the price", lines[1])
		}

		december, lines := readStatement(t, s, w, seoul(2026, 12, 1, 0, 0), later)
		wantLines(t, lines, "brd_1 -10 -150 -5", "brd_2 7 105 0", "brd_3 1 15 0")
		if len(december.Days) != 31 || december.Opening != november.Closing || december.Closing.Paid != 9_375 || december.Total.Messages != -2 || december.Total.Used() != -30 {
			t.Errorf("December = %d days, opens with %+v, closes with %+v; want 31, November's closing, 9375 paid and 2 messages less than none", len(december.Days), december.Opening, december.Closing)
		}
		halfway := seoul(2026, 12, 15, 8, 0)
		if st, _ := readStatement(t, s, w, seoul(2026, 12, 1, 0, 0), halfway); len(st.Days) != 15 || !st.SoFar.Equal(halfway) {
			t.Errorf("December by its 15th = %d days, so far %v, want 15", len(st.Days), st.SoFar)
		}
		if st, lines := readStatement(t, s, w, seoul(2028, 2, 1, 0, 0), seoul(2030, 1, 1, 0, 0)); len(st.Days) != 29 || len(lines) != 0 || st.Total != (wallet.Flow{}) || st.Opening.Paid != 9_375 {
			t.Errorf("a month without anything = %d days, %d lines, %+v; want 29 empty ones", len(st.Days), len(lines), st.Total)
		}
		if err := s.Statement(t.Context(), "wal_9", t0, t0, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Statement(wal_9) error = %v, want NotFound", err)
		}
	})
}

func readStatement(t testing.TB, s *Store, walletID string, month, now time.Time) (st Statement, lines []BroadcastLine) {
	t.Helper()
	err := s.Statement(t.Context(), walletID, month, now, func(read Statement) error {
		st = read
		for line, err := range read.Lines {
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return st, lines
}

func wantLines(t testing.TB, lines []BroadcastLine, want ...string) {
	t.Helper()
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprint(l.ID, " ", l.Messages, " ", int64(l.Used), " ", int64(l.Free)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}
