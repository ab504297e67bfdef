package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// seoul is a moment in Korea.
func seoul(year int, month time.Month, day, hour, minute int) time.Time {
	return time.Date(year, month, day, hour, minute, 0, 0, clock.Seoul).UTC()
}

// free is free cash that vanishes at the end of a day.
func free(walletID, id string, amount wallet.KRW, end, now time.Time) wallet.Gift {
	return wallet.Gift{ID: id, WalletID: walletID, Kind: wallet.FreeCash, Amount: amount, Remaining: amount, Reason: "첫 이용 축하", ExpiresAt: end, CreatedAt: now}
}

// give gives free cash, and starts it unless told not to.
func give(t testing.TB, s *Store, g wallet.Gift, use bool) {
	t.Helper()
	if _, _, err := s.Give(t.Context(), g, wallet.Request{}); err != nil {
		t.Fatal(err)
	}
	if use {
		if _, _, err := s.StartGift(t.Context(), g.WalletID, g.ID, g.CreatedAt, wallet.Request{}); err != nil {
			t.Fatal(err)
		}
	}
}

// vanish expires free cash and returns how much went.
func vanish(t testing.TB, s *Store, now time.Time) wallet.KRW {
	t.Helper()
	krw, err := s.ExpireFree(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return krw
}

func TestGift_countsOnceSomebodyPressesUse(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		owing(t, s, "other", 0)
		end := clock.NextMidnight(t0)
		g := free("w", "grt_1", 50_000, end, t0)
		r := wallet.Request{Scope: "tok", Key: "k1", BodyHash: []byte{1}}
		for n := range 2 {
			got, repeated, err := s.Give(t.Context(), g, r)
			if err != nil || got != g || repeated != (n > 0) {
				t.Errorf("Give() call %d = %+v, repeated %v, %v, want the gift", n+1, got, repeated, err)
			}
		}
		if w := wantWallet(t, s, "w"); w.Free != 0 {
			t.Errorf("before use the wallet has %d of free cash, want 0", w.Free)
		}
		if _, _, err := s.Give(t.Context(), g, wallet.Request{Scope: "tok", Key: "k1", BodyHash: []byte{2}}); fault.CodeOf(err) != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("Give() with another body error = %v, want IDEMPOTENCY_KEY_REUSED", err)
		}
		use := wallet.Request{Scope: "tok", Key: "k2", BodyHash: []byte{3}}
		for n := range 2 {
			got, repeated, err := s.StartGift(t.Context(), "w", "grt_1", t0.Add(time.Hour), use)
			if err != nil || !got.StartedAt.Equal(t0.Add(time.Hour)) || repeated != (n > 0) {
				t.Errorf("StartGift() call %d = %+v, repeated %v, %v, want it started", n+1, got, repeated, err)
			}
		}
		if w := wantWallet(t, s, "w"); w.Free != 50_000 || w.Spendable(t0) != 50_000 {
			t.Errorf("after use the wallet has %d of free cash, want 50000", w.Free)
		}
		refused := map[string]struct {
			wallet, grant string
			code          string
			kind          fault.Kind
		}{
			"used again":     {"w", "grt_1", "GRANT_STARTED", fault.Conflict},
			"another's":      {"other", "grt_1", "", fault.NotFound},
			"no such grant":  {"w", "grt_9", "", fault.NotFound},
			"no such wallet": {"w9", "grt_1", "", fault.NotFound},
		}
		for name, tt := range refused {
			if _, _, err := s.StartGift(t.Context(), tt.wallet, tt.grant, t0, wallet.Request{}); fault.KindOf(err) != tt.kind || fault.CodeOf(err) != tt.code {
				t.Errorf("%s: StartGift() error = %v, want %v %s", name, err, tt.kind, tt.code)
			}
		}
		give(t, s, free("w", "grt_2", 10, end, t0), false)
		if _, _, err := s.StartGift(t.Context(), "w", "grt_2", end, wallet.Request{}); fault.CodeOf(err) != "GRANT_EXPIRED" {
			t.Errorf("StartGift() at the end of its last day error = %v, want GRANT_EXPIRED", err)
		}
		exec(t, s, `UPDATE wallet SET status = 'suspended' WHERE id = 'w'`)
		if _, _, err := s.StartGift(t.Context(), "w", "grt_2", t0, wallet.Request{}); fault.CodeOf(err) != "WALLET_SUSPENDED" {
			t.Errorf("StartGift() on a suspended wallet error = %v, want WALLET_SUSPENDED", err)
		}
		want(t, "mails", texts(t, s, `SELECT mail_case || ' ' || subject_id || ' ' || receiver FROM mail ORDER BY subject_id`),
			"free_cash_granted grt_1 acc_w@hanbit.example", "free_cash_granted grt_2 acc_w@hanbit.example")
		gifts, err := s.Gifts(t.Context(), "w", "", 10)
		if err != nil || len(gifts) != 2 || gifts[0].ID != "grt_2" || gifts[0].State(t0) != wallet.GiftWaiting || gifts[1].State(t0) != wallet.GiftStarted {
			t.Errorf("Gifts() = %+v, %v, want grt_2 waiting, then grt_1 started", gifts, err)
		}
		if next, err := s.Gifts(t.Context(), "w", "grt_2", 10); err != nil || len(next) != 1 || next[0].ID != "grt_1" {
			t.Errorf("Gifts() before grt_2 = %+v, %v, want grt_1", next, err)
		}
	})
}

// Paid cash that the platform gives counts at once, pays what is owed first and ends the unpaid
// state as a top-up does.
func TestGift_paidCash(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500)
		exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID', unpaid_since = 1 WHERE id = 'w'`)
		exec(t, s, `UPDATE channel SET state = 'disconnected', cause = 'wallet'`)
		paid := wallet.Gift{ID: "grt_1", WalletID: "w", Kind: wallet.PaidCash, Amount: 2000, Reason: "발송 장애 보상", CreatedAt: t0}
		r := wallet.Request{Scope: "tok", Key: "k", BodyHash: []byte{1}}
		for n := range 2 {
			if got, repeated, err := s.Give(t.Context(), paid, r); err != nil || got != paid || repeated != (n > 0) {
				t.Errorf("Give() call %d = %+v, repeated %v, %v, want the gift", n+1, got, repeated, err)
			}
		}
		if w := wantWallet(t, s, "w"); w.Paid != 500 || w.Accrual != 0 || w.PaymentState != wallet.AwaitingReconnect {
			t.Errorf("the wallet has %d, owes %d and is %s; want 500, 0, AWAITING_RECONNECT", w.Paid, w.Accrual, w.PaymentState)
		}
		want(t, "channels", texts(t, s, `SELECT DISTINCT state FROM channel`), "awaiting_reconnect")
		want(t, "mails", texts(t, s, `SELECT mail_case FROM mail`), "paid_cash_granted")
		if _, _, err := s.StartGift(t.Context(), "w", "grt_1", t0, wallet.Request{}); fault.CodeOf(err) != "GRANT_COUNTS" {
			t.Errorf("StartGift() of paid cash error = %v, want GRANT_COUNTS", err)
		}
	})
}

// Days end at 00:00 in Korea, in the middle of the day in UTC.
func TestExpireFree_atTheEndOfTheLastDay(t *testing.T) {
	ends := map[string]time.Time{
		"a day in the month": seoul(2026, 11, 25, 0, 0),
		"month end":          seoul(2026, 12, 1, 0, 0),
		"year end":           seoul(2027, 1, 1, 0, 0),
		"28 February":        seoul(2027, 3, 1, 0, 0),
		"29 February":        seoul(2028, 3, 1, 0, 0),
		"before a leap day":  seoul(2028, 2, 29, 0, 0),
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				id := fmt.Sprint("w", end.Unix())
				owing(t, s, id, 0)
				start := end.Add(-30 * time.Hour)
				give(t, s, free(id, "grt_"+id, 700, end, start), true)
				give(t, s, free(id, "later_"+id, 300, end.Add(24*time.Hour), start), true)
				give(t, s, free(id, "unused_"+id, 50, end, start), false)
				if gone := vanish(t, s, end.Add(-time.Millisecond)); gone != 0 {
					t.Errorf("ExpireFree() a millisecond before = %d, want 0", gone)
				}
				if gone := vanish(t, s, end); gone != 700 {
					t.Errorf("ExpireFree() at the end = %d, want 700", gone)
				}
				if gone := vanish(t, s, end); gone != 0 {
					t.Errorf("ExpireFree() again = %d, want 0", gone)
				}
				if w := wantWallet(t, s, id); w.Free != 300 {
					t.Errorf("%d of free cash are left, want the 300 that are good a day longer", w.Free)
				}
				if gone := vanish(t, s, end.Add(72*time.Hour)); gone != 300 { // a scheduler that was down for days
					t.Errorf("ExpireFree() three days later = %d, want 300", gone)
				}
				wantWallet(t, s, id)
			})
		}
	})
}

// What is held when the day ends pays for its messages; what it does not need vanishes then.
func TestExpireFree_underAHold(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		end := clock.NextMidnight(t0)
		owing(t, s, "w", 0)
		botID := "bot_w"
		give(t, s, free("w", "grt_1", 4000, end, t0), true)
		b := running(t, s, order("brd_1", botID), 100, 100)
		dispatch(t, s, end.Add(-time.Minute)) // holds 3,000
		if gone := vanish(t, s, end); gone != 1000 {
			t.Errorf("ExpireFree() with 3000 held = %d, want 1000", gone)
		}
		first := sent(t, s, b.ID, 1, end)
		if !settle(t, s, first, 60, end.Add(time.Second)) {
			t.Fatal("the first chunk is not settled")
		}
		if w := wantWallet(t, s, "w"); w.Free != 3000-900 || w.Held != 1500 {
			t.Errorf("the wallet has %d free and holds %d, want 2100 and 1500", w.Free, w.Held)
		}
		// Between the release and the sweep nothing may hold what is to vanish.
		next := running(t, s, order("brd_2", botID), 10)
		if rows := dispatch(t, s, end.Add(2*time.Second)); len(rows) != 0 {
			t.Errorf("Dispatch() queued %v with cash that is over", rows)
		}
		if gone := vanish(t, s, end.Add(2*time.Second)); gone != 600 {
			t.Errorf("ExpireFree() after the release = %d, want 600", gone)
		}
		dispatch(t, s, end.Add(3*time.Second))
		if b := wantBroadcast(t, s, next.ID); b.Wait != broadcast.WaitFunds {
			t.Errorf("the next broadcast waits for %q, want funds", b.Wait)
		}
		second := sent(t, s, b.ID, 2, end)
		if !settle(t, s, second, 0, end.Add(4*time.Second)) {
			t.Fatal("the second chunk is not settled")
		}
		if gone := vanish(t, s, end.Add(5*time.Second)); gone != 1500 {
			t.Errorf("ExpireFree() after nothing was delivered = %d, want 1500", gone)
		}
		if w := wantWallet(t, s, "w"); w.Free != 0 || w.Held != 0 || w.Accrual != 0 {
			t.Errorf("the wallet has %d free, holds %d and owes %d, want nothing", w.Free, w.Held, w.Accrual)
		}
		want(t, "postings", texts(t, s, `SELECT ref FROM posting WHERE kind = 'grant_expired' ORDER BY at`), "grt_1/3000", "grt_1/1500", "grt_1/0")
	})
}

// Free cash under a hold that other cash can pay goes as the hold goes; dispatch is not stopped.
func TestExpireFree_heldBesidePaidCash(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		end := clock.NextMidnight(t0)
		owing(t, s, "w", 0)
		topUp(t, s, "w", 100_000, "cko_1", t0)
		give(t, s, free("w", "grt_1", 1000, end, t0), true)
		b := running(t, s, order("brd_1", "bot_w"), 100, 100)
		dispatch(t, s, end.Add(-time.Minute))
		if gone := vanish(t, s, end); gone != 0 {
			t.Errorf("ExpireFree() with 3000 held = %d, want 0", gone)
		}
		running(t, s, order("brd_2", "bot_w"), 10)
		if rows := dispatch(t, s, end); len(rows) != 1 {
			t.Errorf("Dispatch() queued %d chunks, want the 1 that paid cash covers", len(rows))
		}
		settle(t, s, sent(t, s, b.ID, 1, end), 100, end)
		if w := wantWallet(t, s, "w"); w.Free != 0 || w.Paid != 99_500 {
			t.Errorf("the wallet has %d free and %d paid, want 0 and 99500: what was held used it", w.Free, w.Paid)
		}
	})
}

// Two schedulers, and messages that are settled meanwhile: nothing vanishes twice.
func TestExpireFree_fromTwoSides(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		end := clock.NextMidnight(t0)
		for n := range 8 {
			id := fmt.Sprintf("w%d", n)
			owing(t, s, id, 0)
			for g := range 5 {
				give(t, s, free(id, fmt.Sprintf("grt_%d_%d", n, g), wallet.KRW(100+g), end, t0), true)
			}
		}
		var mu sync.Mutex
		var total wallet.KRW
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				gone, err := s.ExpireFree(t.Context(), end)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("ExpireFree() error = %v", err)
				}
				total += gone
			})
		}
		group.Wait()
		if total != 8*(100+101+102+103+104) {
			t.Errorf("four runs at once took %d, want each won once: 4080", total)
		}
		for n := range 8 {
			if w := wantWallet(t, s, fmt.Sprintf("w%d", n)); w.Free != 0 {
				t.Errorf("wallet %s keeps %d", w.ID, w.Free)
			}
		}
	})
}

// One chunk is paid by two gifts, the one that ends first first, then by paid cash, then by the card.
func TestCapture_freeBeforePaidBeforeAccrual(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		end := clock.NextMidnight(t0)
		owing(t, s, "w", 0, "c1")
		topUp(t, s, "w", 500, "cko_1", t0)
		give(t, s, free("w", "grt_a", 200, end.Add(48*time.Hour), t0), true)
		give(t, s, free("w", "grt_b", 300, end, t0), true)
		give(t, s, free("w", "grt_c", 900, end, t0), false)
		b := running(t, s, order("brd_1", "bot_w"), 100)
		settle(t, s, sent(t, s, b.ID, 1, t0), 25, t0) // 375 KRW
		want(t, "left", texts(t, s, `SELECT id || ' ' || remaining_krw FROM free_grant ORDER BY id`), "grt_a 125", "grt_b 0", "grt_c 900")
		b = running(t, s, order("brd_2", "bot_w"), 100)
		settle(t, s, sent(t, s, b.ID, 1, t0), 100, t0) // 1,500 KRW
		want(t, "the posting of the second", texts(t, s, `SELECT free || ' ' || paid || ' ' || accrual || ' ' || revenue FROM posting WHERE ref = $1`, string(b.ID)+"-000001"),
			"-125 -500 -875 1500")
		if w := wantWallet(t, s, "w"); w.Free != 0 || w.Paid != 0 || w.Accrual != 875 {
			t.Errorf("the wallet has %d, %d and owes %d, want 0, 0 and 875", w.Free, w.Paid, w.Accrual)
		}
	})
}

// Several bots speak for one wallet; each has one wallet at most.
func TestWallet_ofSeveralBots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, first := shop(t, s, "1", 10_000)
		second := newBot(t, s, "bot_2", walletID)
		for n, botID := range []string{first, second} {
			b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), 100)
			settle(t, s, sent(t, s, b.ID, 1, t0), 100, t0)
		}
		if w := wantWallet(t, s, walletID); w.Paid != 7000 {
			t.Errorf("after 200 messages of two bots the wallet has %d, want 7000", w.Paid)
		}
		other := newWallet(t, s, "wal_other", 0)
		exec(t, s, `UPDATE bot SET wallet_id = $2 WHERE id = $1`, second, other)
		b := create(t, s, order("brd_3", second))
		if b.WalletID != other {
			t.Errorf("a bot that moved is paid by %s, want %s alone", b.WalletID, other)
		}
	})
}

// Nobody paid for paid cash that was given: a refund of everything gives back what top-ups brought in.
func TestGift_paidCashIsNotRefunded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		if _, _, err := s.Give(t.Context(), wallet.Gift{ID: "grt_1", WalletID: "w", Kind: wallet.PaidCash, Amount: 500, Reason: "보상", CreatedAt: t0}, wallet.Request{}); err != nil {
			t.Fatal(err)
		}
		b := newTill(t, s, nil)
		if _, err := b.QuoteRefund(t.Context(), "w", 0); fault.CodeOf(err) != "NOTHING_TO_REFUND" {
			t.Errorf("QuoteRefund() of given cash error = %v, want NOTHING_TO_REFUND", err)
		}
		c, key := b.startTopUp("w", 2000, "k")
		b.back(c, key)
		b.run()
		if r, err := b.QuoteRefund(t.Context(), "w", 0); err != nil || r.Supply != 2000 {
			t.Errorf("QuoteRefund() of everything = %d, %v, want the 2000 that were paid for", r.Supply, err)
		}
		if _, err := b.QuoteRefund(t.Context(), "w", 2001); fault.CodeOf(err) != "REFUND_TOO_MUCH" {
			t.Errorf("QuoteRefund(2001) error = %v, want REFUND_TOO_MUCH", err)
		}
	})
}
