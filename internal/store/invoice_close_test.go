package store

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// closings is how an installation that issues tax invoices closes months.
func closings() Closing {
	calendar := holiday.Default()
	return Closing{
		Invoices: true, NewID: id.New(time.Now, rand.Reader).Next,
		Dates: func(month time.Time) invoice.Dates { return invoice.DatesOf(month, calendar) },
	}
}

// eachBook runs a test on a store of each database that closes months and makes invoices.
func eachBook(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.UseClosing(closings())
		test(t, s)
	})
}

// opened makes a wallet that is invoiced from a month on, with people who hear of it.
func opened(t testing.TB, s *Store, walletID string, month time.Time) {
	t.Helper()
	owing(t, s, walletID, 0)
	exec(t, s, `UPDATE wallet SET invoiced_to = $2 WHERE id = $1`, walletID, millis(month))
}

// closed closes what is over and checks of how many wallets.
func closed(t testing.TB, s *Store, now time.Time, want int) {
	t.Helper()
	if got, err := s.CloseMonths(t.Context(), now); err != nil || got != want {
		t.Errorf("CloseMonths(%s) = %d, %v, want %d", now.In(clock.Seoul).Format(korean), got, err, want)
	}
}

// invoicesOf tells the invoices of a wallet as "month/revision state supply+vat free code", in the order in which they were made.
func invoicesOf(t testing.TB, s *Store, walletID string) []string {
	t.Helper()
	all, err := s.Invoices(t.Context(), walletID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, i := range slices.Backward(all) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s/%d %s %d+%d %d %s",
			clock.Month(i.Month), i.Revision, i.State, i.Supply, i.VAT, i.FreeUsed, i.Code)))
	}
	return lines
}

// roundings tells what months were rounded by, as "wallet month at rounding".
func roundings(t testing.TB, s *Store, walletID string) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `SELECT `+postingColumns+` FROM posting WHERE kind = 'month_rounded' AND wallet_id = $1 ORDER BY ref`, walletID)
	all, err := collect(rows, err, scanPosting)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, p := range all {
		if rest := (wallet.Posting{Kind: p.Kind, Ref: p.Ref, At: p.At, VAT: -p.Rounding, Rounding: p.Rounding}); legsOf(rest) != legsOf(p) {
			t.Errorf("%s %s is %+v, want VAT against rounding alone", p.Kind, p.Ref, p)
		}
		lines = append(lines, fmt.Sprintf("%s %s %d", p.Ref, p.At.In(clock.Seoul).Format("01-02 15:04"), p.Rounding))
	}
	return lines
}

func legsOf(p wallet.Posting) [10]wallet.KRW {
	return [10]wallet.KRW{p.Free, p.Paid, p.Refunding, p.Accrual, p.Charging, p.Revenue, p.Clearing, p.VAT, p.Rounding, p.Promotion}
}

// sumsToZero checks the books of every wallet and the sum of the whole ledger.
func sumsToZero(t testing.TB, s *Store) {
	t.Helper()
	want(t, "sum of the ledger", texts(t, s, `SELECT CAST(SUM(free + paid + refunding + accrual + charging + revenue + clearing + vat + rounding + promotion) AS TEXT) FROM posting`), "0")
	for _, id := range texts(t, s, `SELECT id FROM wallet`) {
		wantWallet(t, s, id)
	}
}

var (
	october  = seoul(2026, 10, 1, 0, 0)
	november = seoul(2026, 11, 1, 0, 0)
	december = seoul(2026, 12, 1, 0, 0)
	january  = seoul(2027, 1, 1, 0, 0)
	tenPast  = 10 * time.Minute // midnight of the 1st, a month is closed
)

// delivers sends a broadcast of a wallet to so many people at once, all of whom are reached.
func delivers(t testing.TB, s *Store, walletID, id string, people int, now time.Time) {
	t.Helper()
	o := order(id, "bot_"+walletID)
	o.StartAt, o.CreatedAt = now, now
	b := running(t, s, o, people)
	settle(t, s, sent(t, s, b.ID, 1, now), people, now)
}

// An invoice is over what was used from the first to the last moment of a month, without free cash; it
// waits for its day with one attempt. Whoever gets none has a closed month all the same.
func TestCloseMonths(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		opened(t, s, "w", november)
		topUp(t, s, "w", 5_000, "cko_w", november)
		newGrant(t, s, "w", "grt_w", 400, never, november)
		delivers(t, s, "w", "brd_w", 100, t0) // 1,500 KRW, 400 of them free
		accrue(t, s, "w", 111, november)
		accrue(t, s, "w", 3, december.Add(-time.Millisecond))
		accrue(t, s, "w", 70, november.Add(-time.Millisecond))
		accrue(t, s, "w", 900, december)

		opened(t, s, "w_free", november)
		newGrant(t, s, "w_free", "grt_free", 5_000, never, november)
		delivers(t, s, "w_free", "brd_free", 100, t0)
		opened(t, s, "w_idle", november)
		topUp(t, s, "w_idle", 10_000, "cko_idle", november)
		opened(t, s, "w_person", november)
		exec(t, s, `UPDATE wallet SET kind = 'personal' WHERE id = 'w_person'`)
		accrue(t, s, "w_person", 500, november)
		opened(t, s, "w_deleted", november)
		exec(t, s, `UPDATE wallet SET deleted_at = 1 WHERE id = 'w_deleted'`)

		closed(t, s, december.Add(tenPast-time.Millisecond), 0)
		closed(t, s, december.Add(tenPast), 3)
		for _, later := range []time.Time{december.Add(tenPast), december.Add(time.Hour), january.Add(tenPast - time.Millisecond)} {
			closed(t, s, later, 0)
		}
		want(t, "wallets with invoices", texts(t, s, `SELECT wallet_id FROM invoice`), "w")
		all, err := s.Invoices(t.Context(), "w", "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("Invoices(w) = %+v, %v, want one", all, err)
		}
		got := all[0]
		wanted := invoice.Invoice{
			ID: got.ID, WalletID: "w", WalletName: "한빛서점", Month: november, Revision: 1,
			Recipient: invoice.Party{Number: "9998100015", Name: "한빛서점", Email: "tax@hanbit.example"},
			Supply:    1_214, VAT: 121, FreeUsed: 400, Messages: 100, State: invoice.Waiting,
			WrittenOn: got.WrittenOn, ClosedAt: december.Add(tenPast), NextAt: seoul(2026, 12, 2, 10, 0),
			LastOrder: got.LastOrder, Again: seoul(2026, 12, 3, 10, 0), GiveUp: seoul(2026, 12, 7, 10, 0), Deadline: seoul(2026, 12, 11, 0, 0),
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("the invoice differs (-want +got):\n%s", diff)
		}
		if day := got.WrittenOn.In(clock.Seoul).Format(time.DateOnly); day != "2026-11-30" {
			t.Errorf("it is written on %s, want the last day of November", day)
		}
		want(t, "attempts", texts(t, s, `SELECT wallet_id || ' ' || kind || ' ' || state || ' ' || total_krw FROM attempt`), "w invoice prepared 1335")
		want(t, "what was closed until", texts(t, s, `SELECT id || ' ' || closed_to || ' ' || invoiced_to FROM wallet ORDER BY id`),
			fmt.Sprintf("w %d %[1]d", millis(december)), fmt.Sprintf("w_deleted 0 %d", millis(november)), fmt.Sprintf("w_free %d %[1]d", millis(december)),
			fmt.Sprintf("w_idle %d %[1]d", millis(december)), fmt.Sprintf("w_person 0 %d", millis(november)))
		want(t, "mails", texts(t, s, `SELECT mail_case FROM mail`))
		sumsToZero(t, s)
	})
}

// Eight schedulers in two processes close the same months at once: each wallet has one invoice, one
// attempt and one rounding for each month.
func TestCloseMonths_manyAtOnce(t *testing.T) {
	stores := map[string]func(t *testing.T) []*Store{
		"sqlite": func(t *testing.T) []*Store { return []*Store{openTest(t, sqliteAddress(t))} },
		"postgres": func(t *testing.T) []*Store {
			address := testserver.PostgresCopy(t, migrate)
			return []*Store{openTest(t, address), openTest(t, address)}
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			all := open(t)
			s := all[0]
			rule := closings()
			for _, one := range all {
				one.UseClosing(rule)
			}
			const wallets = 12
			var wantInvoices, wantRoundings []string
			for n := range wallets {
				id := fmt.Sprintf("w_%02d", n)
				opened(t, s, id, october)
				for month, start := range map[string]time.Time{"2026-10": october, "2026-11": november} {
					accrue(t, s, id, wallet.KRW(100+n), start.Add(time.Duration(n)*time.Hour))
					for i := range 3 { // each 101 of VAT, where 302 is right for all
						topUp(t, s, id, 1_005, fmt.Sprint(month, "-", i), start.Add(48*time.Hour))
					}
				}
				for _, month := range []string{"2026-10", "2026-11"} {
					wantInvoices = append(wantInvoices, fmt.Sprintf("%s %s 1 %d", id, month, 100+n))
					wantRoundings = append(wantRoundings, fmt.Sprintf("%s %s 1", id, month))
				}
			}
			var group sync.WaitGroup
			begin := make(chan struct{})
			for n := range 8 {
				group.Go(func() {
					<-begin
					if _, err := all[n%len(all)].CloseMonths(t.Context(), december.Add(tenPast)); err != nil {
						t.Errorf("CloseMonths error = %v, want nil", err)
					}
				})
			}
			close(begin)
			group.Wait()
			closed(t, s, december.Add(tenPast), 0)
			var got []string
			for n := range wallets {
				id := fmt.Sprintf("w_%02d", n)
				invoices, err := s.Invoices(t.Context(), id, "", 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range slices.Backward(invoices) { // by their ids: October's is made first
					got = append(got, fmt.Sprintf("%s %s %d %d", id, clock.Month(i.Month), i.Revision, i.Supply))
				}
			}
			want(t, "invoices", got, wantInvoices...)
			want(t, "roundings", texts(t, s, `SELECT wallet_id || ' ' || ref || ' ' || rounding FROM posting WHERE kind = 'month_rounded' ORDER BY wallet_id, ref`), wantRoundings...)
			want(t, "invoices without one attempt of their own", texts(t, s, `SELECT i.id FROM invoice i WHERE i.state = 'waiting' AND 1 <>
				(SELECT COUNT(*) FROM attempt a WHERE a.subject_id = i.id AND a.kind = 'invoice')`))
			want(t, "attempts", texts(t, s, `SELECT CAST(COUNT(*) AS TEXT) FROM attempt`), fmt.Sprint(wallets)) // October is late
			sumsToZero(t, s)
		})
	}
}

// More wallets than one call closes are closed by the next, each once.
func TestCloseMonths_inBatches(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		for n := range closeBatch + 7 {
			id := newWallet(t, s, fmt.Sprintf("w_%03d", n), 0)
			exec(t, s, `UPDATE wallet SET invoiced_to = $2 WHERE id = $1`, id, millis(november))
			accrue(t, s, id, 15, t0)
		}
		closed(t, s, december.Add(tenPast), closeBatch+7)
		closed(t, s, december.Add(tenPast), 0)
		want(t, "invoices", texts(t, s, `SELECT COUNT(*) || ' of ' || COUNT(DISTINCT wallet_id) FROM invoice`), fmt.Sprintf("%d of %[1]d", closeBatch+7))
	})
}

// A result that comes late, from a worker whose clock stands in the closed month, is written with the
// first moment that is open, and is in the invoice of the next month.
func TestCloseMonths_whatComesLate(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		opened(t, s, "w", november)
		topUp(t, s, "w", 10_000, "cko_w", november)
		b := running(t, s, order("brd_w", "bot_w"), 10, 20)
		first := sent(t, s, b.ID, 1, t0)
		second := sent(t, s, b.ID, 2, t0)
		lastMoment := december.Add(-time.Millisecond)
		settle(t, s, first, 10, lastMoment)
		closed(t, s, december.Add(tenPast), 1)
		settle(t, s, second, 20, lastMoment)
		topUp(t, s, "w", 1_005, "cko_late", lastMoment)
		accrue(t, s, "w", 7, november)

		want(t, "postings of November", texts(t, s, `SELECT kind || ' ' || ref FROM posting WHERE at < $1 ORDER BY kind, ref`, millis(december)),
			"capture "+string(first.ID), "topup cko_w")
		want(t, "postings that came late", texts(t, s, `SELECT kind || ' ' || ref || ' ' || at FROM posting WHERE at >= $1 ORDER BY kind, ref`, millis(december)),
			fmt.Sprintf("capture %s %d", second.ID, millis(december)), fmt.Sprintf("capture use-%d-7 %d", november.UnixMilli(), millis(december)),
			fmt.Sprintf("topup cko_late %d", millis(december)))
		closed(t, s, january.Add(tenPast), 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 waiting 150+15 0", "2026-12/1 waiting 307+31 0")
		want(t, "messages", texts(t, s, `SELECT CAST(messages AS TEXT) FROM invoice ORDER BY month`), "10", "20")
		for month, used := range map[time.Time]wallet.KRW{november: 150, december: 307} { // the statement says the same
			days, err := s.Days(t.Context(), "w", month, clock.NextMonth(month))
			if err != nil {
				t.Fatal(err)
			}
			var f wallet.Flow
			for _, day := range days {
				f = f.Plus(day.Flow)
			}
			if f.Invoiceable() != used {
				t.Errorf("the statement of %s says %d, want the %d of the invoice", clock.Month(month), f.Invoiceable(), used)
			}
		}
		sumsToZero(t, s)
	})
}

// Whatever is posted with a clock of the closed month counts from the first open moment on.
func TestCloseMonths_everyPostingOpens(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	late := december.Add(-time.Hour)
	rules := map[string]func(w wallet.Wallet) (wallet.Wallet, wallet.Posting){
		"capture":       func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.Capture(0, 5, nil, "r", late) },
		"topup":         func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.TopUp(5, 1, "r", late) },
		"grant_started": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.StartGrant(5, "r", late) },
		"paid_granted":  func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.GivePaid(5, "r", late) },
		"grant_expired": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			w, p, _ := w.ExpireGrant(wallet.Grant{ID: "g", Remaining: 5, ExpiresAt: november}, late)
			return w, p
		},
		"charge_opened": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.OpenCharge(5, "r", late) },
		"charge_paid":   func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.PayCharge(5, 1, "r", late) },
		"charge_failed": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.FailCharge(5, "r", late) },
		"refund_opened": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.OpenRefund(5, "r", late) },
		"refund":        func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.PayRefund(5, 1, "r", late) },
		"refund_failed": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.FailRefund(5, "r", late) },
		"correction": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			return w.GiveBack(5, wallet.Used{Cash: 5}, "r", late)
		},
		"month_rounded": func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			p, _ := w.RoundMonth(wallet.Month{Start: october, Flow: wallet.Flow{TopUps: 2_010}, VAT: 202}, late)
			return w, p
		},
	}
	for _, kind := range wallet.PostingKinds {
		rule := rules[string(kind)]
		if rule == nil {
			t.Errorf("no rule posts a %s here", kind)
			continue
		}
		_, p := rule(wallet.Wallet{ID: "w", Free: 100, Paid: 100, ClosedTo: december})
		if p.Kind != kind || !p.At.Equal(december) || p.Sum() != 0 || legsOf(p) == legsOf(wallet.Posting{}) {
			t.Errorf("a %s that comes at %s is %+v, want it at %s", kind, late, p, december)
		}
	}
	for name, p := range map[string]wallet.Posting{
		"use":       second(wallet.Wallet{ClosedTo: december}.CorrectUse(5, nil, "r", late)),
		"a payment": second(wallet.Wallet{ClosedTo: december}.CorrectPayment(-11, "r", late)),
	} {
		if !p.At.Equal(december) {
			t.Errorf("a correction of %s that comes at %s is %+v, want it at %s", name, late, p, december)
		}
	}

	// And the store reads until when months are closed under the lock under which it posts.
	opened(t, s, "w", december)
	exec(t, s, `UPDATE wallet SET closed_to = $1`, millis(december))
	topUp(t, s, "w", 5, "cko_late", late)
	want(t, "when it was posted", texts(t, s, `SELECT CAST(at AS TEXT) FROM posting`), fmt.Sprint(millis(december)))
}

func second(_ wallet.Wallet, p wallet.Posting) wallet.Posting { return p }

// Months that passed while nobody closed them are made up for in their order; what is beyond its legal
// date waits for a person, and nobody is told of it by mail.
func TestCloseMonths_makesUpFor(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		opened(t, s, "w", seoul(2026, 9, 1, 0, 0))
		for n, when := range []time.Time{seoul(2026, 9, 30, 23, 59), seoul(2026, 10, 1, 0, 0), seoul(2026, 11, 30, 23, 59), seoul(2026, 12, 1, 0, 0)} {
			accrue(t, s, "w", wallet.KRW(1_000*(n+1)), when)
		}
		for n := range 3 {
			topUp(t, s, "w", 1_005, fmt.Sprint("cko_", n), seoul(2026, 10, 10+n, 12, 0))
		}
		now := seoul(2026, 12, 1, 9, 0)
		closed(t, s, now, 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-09/1 failed 1000+100 0 LATE", "2026-10/1 failed 2000+200 0 LATE", "2026-11/1 waiting 3000+300 0")
		want(t, "roundings", roundings(t, s, "w"), "2026-10 12-01 09:00 1")
		want(t, "attempts", texts(t, s, `SELECT a.state || ' ' || a.total_krw || ' ' || i.state FROM attempt a JOIN invoice i ON i.id = a.subject_id`), "prepared 3300 waiting")
		want(t, "mails of what is late", texts(t, s, `SELECT mail_case || ' ' || COUNT(*) FROM mail GROUP BY mail_case`), "invoice_failed 4")
		unissued, err := s.UnissuedInvoices(t.Context(), InvoiceMark{}, 10)
		if err != nil || len(unissued) != 3 || !unissued[0].Month.Equal(seoul(2026, 9, 1, 0, 0)) || unissued[0].Failure == "" || !unissued[0].FailedAt.Equal(now) {
			t.Errorf("UnissuedInvoices() = %+v, %v, want three, that of September first, failed now", unissued, err)
		}
		sumsToZero(t, s)
	})
}

// A month is late from its legal date on: October's from the first moment of the 11th of November.
func TestCloseMonths_late(t *testing.T) {
	for name, tt := range map[string]struct {
		now  time.Time
		want string
	}{
		"on the last day":  {seoul(2026, 11, 11, 0, 0).Add(-time.Millisecond), "2026-10/1 waiting 1004+100 0"},
		"when it was over": {seoul(2026, 11, 11, 0, 0), "2026-10/1 failed 1004+100 0 LATE"},
	} {
		t.Run(name, func(t *testing.T) {
			eachBook(t, func(t *testing.T, s *Store) {
				opened(t, s, "w", october)
				accrue(t, s, "w", 1_004, seoul(2026, 10, 10, 0, 0))
				closed(t, s, tt.now, 1)
				want(t, "invoices", invoicesOf(t, s, "w"), tt.want)
			})
		})
	}
}

// A wallet that is older than invoices are begins with last month.
func TestCloseMonths_olderWallet(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		for n, when := range []time.Time{seoul(2026, 9, 10, 0, 0), november.Add(-time.Millisecond), november, december.Add(-time.Millisecond), december} {
			accrue(t, s, "w", wallet.KRW(100*(n+1)), when)
		}
		closed(t, s, december.Add(tenPast), 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 waiting 700+70 0")
		closed(t, s, january.Add(tenPast), 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 waiting 700+70 0", "2026-12/1 waiting 500+50 0")
	})
}

// Without a carrier months close all the same, and what they come to waits for a person, untold; a store
// that was not told how closes none.
func TestCloseMonths_withoutInvoices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		opened(t, s, "w", november)
		accrue(t, s, "w", 1_000, t0)
		for n := range 3 {
			topUp(t, s, "w", 1_005, fmt.Sprint("cko_", n), t0)
		}
		closed(t, s, december.Add(tenPast), 0)
		want(t, "wallets as they were", texts(t, s, `SELECT closed_to || ' ' || invoiced_to FROM wallet`), fmt.Sprintf("0 %d", millis(november)))

		rule := closings()
		rule.Invoices = false
		s.UseClosing(rule)
		closed(t, s, december.Add(tenPast), 1)
		closed(t, s, december.Add(tenPast), 0)
		want(t, "closed wallets", texts(t, s, `SELECT closed_to || ' ' || invoiced_to FROM wallet`), fmt.Sprintf("%d %[1]d", millis(december)))
		want(t, "roundings", roundings(t, s, "w"), "2026-11 12-01 00:10 1")

		rule.Invoices = true
		s.UseClosing(rule)
		closed(t, s, december.Add(tenPast), 0)
		accrue(t, s, "w", 2_000, december)
		closed(t, s, january.Add(tenPast), 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 failed 1000+100 0 NO_CARRIER", "2026-12/1 waiting 2000+200 0")
		want(t, "mails", texts(t, s, `SELECT mail_case FROM mail`))
		if _, _, err := s.ReissueInvoice(t.Context(), ask(invoicedIn(t, s, "w", november), "k", december.Add(time.Hour))); err != nil {
			t.Errorf("ReissueInvoice() error = %v, want it issued once there is a carrier", err)
		}
	})
}

// A month in which more was taken back than used waits for a person, untold; reissuing it is refused.
func TestCloseMonths_negative(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		opened(t, s, "w", october)
		topUp(t, s, "w", 1_500, "cko_w", october)
		accrue(t, s, "w", 1_500, october)
		accrue(t, s, "w", 96, november)
		post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { // as reconciliation does
			return w.GiveBack(1_501, wallet.Used{Cash: 1_501}, "capture/brd-1/1", t0)
		})
		closed(t, s, december.Add(tenPast), 1)
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-10/1 failed 1500+150 0 LATE", "2026-11/1 failed -1405+-141 0 NEGATIVE")
		want(t, "attempts", texts(t, s, `SELECT id FROM attempt`))
		want(t, "mails but that of October, which is late", texts(t, s, `SELECT mail_case FROM mail WHERE data NOT LIKE '%"supply_krw":1500%'`))
		sumsToZero(t, s)
	})
}

// The account rounding carries what the VAT of the payments of a month differs by from the VAT of their
// sum, so that the VAT of all is that of the sum; exactly then a posting says so. People see none of it.
func TestCloseMonths_rounds(t *testing.T) {
	pay := func(supply, vat wallet.KRW) func(wallet.Wallet, string, time.Time) []wallet.Posting {
		return func(w wallet.Wallet, ref string, now time.Time) []wallet.Posting {
			_, p := w.TopUp(supply, vat, ref, now)
			return []wallet.Posting{p}
		}
	}
	charge := func(supply, vat wallet.KRW) func(wallet.Wallet, string, time.Time) []wallet.Posting {
		return func(w wallet.Wallet, ref string, now time.Time) []wallet.Posting {
			w, used := w.Capture(0, w.Paid+supply, nil, ref, now) // what is in the wallet, and the rest on the card
			w, opened := w.OpenCharge(supply, ref, now)
			_, paid := w.PayCharge(supply, vat, ref, now)
			return []wallet.Posting{used, opened, paid}
		}
	}
	back := func(supply, returned wallet.KRW) func(wallet.Wallet, string, time.Time) []wallet.Posting {
		return func(w wallet.Wallet, ref string, now time.Time) []wallet.Posting {
			w, opened := w.OpenRefund(supply, ref, now)
			_, paid := w.PayRefund(supply, returned, ref+"-001", now)
			return []wallet.Posting{opened, paid}
		}
	}
	mend := func(total wallet.KRW) func(wallet.Wallet, string, time.Time) []wallet.Posting {
		return func(w wallet.Wallet, ref string, now time.Time) []wallet.Posting {
			_, p := w.CorrectPayment(total, "payment/"+ref+"/1", now)
			return []wallet.Posting{p}
		}
	}
	type step struct {
		when  time.Time // t0 unless said otherwise
		times int
		does  func(wallet.Wallet, string, time.Time) []wallet.Posting
	}
	tests := map[string]struct {
		steps []step
		vat   wallet.KRW // of the payments of November, as they were made
		want  wallet.KRW // rounding: vat less the VAT of the sum
	}{
		"one payment of 1,005":           {steps: []step{{times: 1, does: pay(1_005, 101)}}, vat: 101},
		"two of 1,005: 201 of 2,010":     {steps: []step{{times: 2, does: pay(1_005, 101)}}, vat: 202, want: 1},
		"three of 1,005: 302 of 3,015":   {steps: []step{{times: 3, does: pay(1_005, 101)}}, vat: 303, want: 1},
		"ten of 1,005: 1,005 of 10,050":  {steps: []step{{times: 10, does: pay(1_005, 101)}}, vat: 1_010, want: 5},
		"one of 1,004":                   {steps: []step{{times: 1, does: pay(1_004, 100)}}, vat: 100},
		"two of 1,004: 201 of 2,008":     {steps: []step{{times: 2, does: pay(1_004, 100)}}, vat: 200, want: -1},
		"ten of 1,004: 1,004 of 10,040":  {steps: []step{{times: 10, does: pay(1_004, 100)}}, vat: 1_000, want: -4},
		"of whole tens":                  {steps: []step{{times: 7, does: pay(1_000, 100)}}, vat: 700},
		"up and down, 201 of 2,009":      {steps: []step{{times: 1, does: pay(1_005, 101)}, {times: 1, does: pay(1_004, 100)}}, vat: 201},
		"a charge beside a top-up":       {steps: []step{{times: 1, does: pay(1_005, 101)}, {times: 1, does: charge(1_005, 101)}}, vat: 202, want: 1},
		"what goes back in the month":    {steps: []step{{times: 3, does: pay(1_005, 101)}, {times: 1, does: back(1_005, 101)}}, vat: 202, want: 1},
		"what goes back in parts":        {steps: []step{{times: 1, does: pay(1_005, 101)}, {times: 1, does: back(5, 1)}, {times: 1, does: back(1_000, 100)}}, vat: 0},
		"a part that returns less VAT":   {steps: []step{{times: 1, does: pay(1_000, 100)}, {times: 1, does: back(5, 1)}, {times: 1, does: back(5, 0)}}, vat: 98, want: -1},
		"what was corrected":             {steps: []step{{times: 1, does: pay(1_005, 101)}, {times: 1, does: mend(1_106)}}, vat: 202, want: 1},
		"what was taken back by another": {steps: []step{{times: 4, does: pay(1_005, 101)}, {times: 2, does: mend(-1_106)}}, vat: 202, want: 1},
		"more went back than came in":    {steps: []step{{when: october, times: 2, does: pay(1_005, 101)}, {times: 2, does: back(1_005, 101)}}, vat: -202, want: -1},
		"at the edges of the month": {steps: []step{
			{when: november.Add(-time.Millisecond), times: 1, does: pay(1_005, 101)}, {when: november, times: 1, does: pay(1_005, 101)},
			{when: december.Add(-time.Millisecond), times: 1, does: pay(1_005, 101)}, {when: december, times: 1, does: pay(1_005, 101)},
		}, vat: 202, want: 1},
		"only used": {steps: []step{
			{when: october, times: 1, does: pay(5_000, 500)},
			{times: 3, does: func(w wallet.Wallet, ref string, now time.Time) []wallet.Posting {
				_, p := w.Capture(0, 1_005, nil, ref, now)
				return []wallet.Posting{p}
			}},
		}},
	}
	eachBook(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				id := "w " + name
				opened(t, s, id, november)
				n := 0
				for _, st := range tt.steps {
					if st.when.IsZero() {
						st.when = t0
					}
					for range st.times {
						n++
						book(t, s, id, st.does, fmt.Sprintf("ref_%d", n), st.when)
					}
				}
				before := wantWallet(t, s, id)
				closed(t, s, december.Add(tenPast), 1)
				var lines []string
				if tt.want != 0 {
					lines = append(lines, fmt.Sprintf("2026-11 12-01 00:10 %d", tt.want))
				}
				want(t, "roundings", roundings(t, s, id), lines...)
				if got := wantWallet(t, s, id); got.Balances() != before.Balances() {
					t.Errorf("the wallet has %+v, want %+v as before", got.Balances(), before.Balances())
				}

				// What stands on the account VAT for the month, with what went back beside it, is the VAT of its sum.
				var total, paid, vat wallet.KRW // outside, the VAT of it that was paid there, and what was posted as VAT
				err := s.read.QueryRowContext(t.Context(), `SELECT CAST(COALESCE(SUM(-clearing), 0) AS BIGINT),
					CAST(COALESCE(SUM(CASE WHEN clearing <> 0 THEN vat + rounding ELSE 0 END), 0) AS BIGINT),
					CAST(COALESCE(SUM(CASE WHEN clearing <> 0 THEN vat ELSE 0 END), 0) AS BIGINT)
					FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3`, id, millis(november), millis(december)).Scan(&total, &paid, &vat)
				if err != nil || vat != tt.vat {
					t.Fatalf("payments of November have a VAT of %d, %v, want %d", vat, err, tt.vat)
				}
				supply, sign := total-paid, wallet.KRW(1)
				if supply < 0 {
					supply, sign = -supply, -1
				}
				if got := vat - tt.want; got != sign*wallet.VAT(supply) {
					t.Errorf("rounded by %d, the VAT is %d, want that of the sum, %d", tt.want, got, sign*wallet.VAT(supply))
				}

				postings, err := s.Postings(t.Context(), id, PostingMark{}, 1_000)
				if err != nil {
					t.Fatal(err)
				}
				entries, err := s.History(t.Context(), id, HistoryFilter{}, PostingMark{}, nil, 1_000)
				if err != nil || len(entries) != len(postings)-len(lines) {
					t.Fatalf("History() has %d entries, %v, want the %d postings without %d roundings", len(entries), err, len(postings), len(lines))
				}
				for _, e := range entries {
					if e.Kind == wallet.MonthRounded {
						t.Errorf("the history shows %+v", e)
					}
				}
				if len(entries) > 0 && entries[0].After != before.Balances() {
					t.Errorf("the newest entry has %+v after it, want %+v", entries[0].After, before.Balances())
				}
				shown := 0
				for _, p := range postings {
					if p.Kind == wallet.MonthRounded {
						shown++
					}
				}
				if shown != len(lines) {
					t.Errorf("Postings() shows %d roundings, want %d", shown, len(lines))
				}
			})
		}
		sumsToZero(t, s)
	})
}

// book stores what a rule posts, one after another, and the wallet that comes of it.
func book(t *testing.T, s *Store, walletID string, rule func(wallet.Wallet, string, time.Time) []wallet.Posting, ref string, now time.Time) {
	t.Helper()
	w, err := s.Wallet(t.Context(), walletID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rule(w, ref, now) {
		post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			change := p.Change()
			w.Free, w.Paid, w.Refunding, w.Accrual, w.Charging = w.Free+change.Free, w.Paid+change.Paid, w.Refunding+change.Refunding, w.Accrual+change.Accrual, w.Charging+change.Charging
			return w, p
		})
	}
}

// invoicedIn reads the first invoice of a month.
func invoicedIn(t *testing.T, s *Store, walletID string, month time.Time) invoice.Invoice {
	t.Helper()
	ids := texts(t, s, `SELECT id FROM invoice WHERE wallet_id = $1 AND month = $2 AND revision = 1`, walletID, millis(month))
	if len(ids) == 0 {
		t.Fatalf("wallet %s has no invoice of %s", walletID, month)
	}
	i, err := s.InvoiceByID(t.Context(), ids[0])
	must(t, err)
	return i
}
