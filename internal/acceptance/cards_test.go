package acceptance_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/app"
)

func TestCards(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"01_dormant_is_shown":       dormantIsShown,
		"02_dormant_does_not_pay":   dormantDoesNotPay,
		"03_card_is_enough":         cardIsEnough,
		"04_before_any_wallet":      cardBeforeAnyWallet,
		"05_ten_cards":              tenCards,
		"06_registered_at_kakaopay": registeredAtKakaoPay,
		"07_three_cards":            threeCards,
		"08_backup_pays_once":       backupPaysOnce,
		"08_unknown_and_paid":       unknownAndPaid,
		"08_unknown_and_not_paid":   unknownAndNotPaid,
		"08_all_declined":           allDeclined,
		"09_workers_register_cards": workersRegisterCards,
		"10_only_ones_own_card":     onlyOnesOwnCard,
		"11_amount_due_passes":      amountDuePasses,
		"11_permission_taken":       nobodyLeftToPay(permissionTaken),
		"11_removed_from_the_bot":   nobodyLeftToPay(removedFromBot),
		"11_charge_in_flight":       chargeInFlight,
		"12_cash_is_used_first":     cashIsUsedFirst,
		"13_by_time_added":          byTimeAdded,
	})
}

// chargeHundred makes a card be charged as soon as a hundred messages have accrued.
func chargeHundred(c *app.Config) { c.ChargeThreshold = 1_500 }

// A wallet without cash and with a card sends; what it used is owed, and charged at 00:00.
func cardIsEnough(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)

	s.deliver(100)
	if b := s.see().Balance; b.Paid != 0 || b.Accrual != 1_500 {
		t.Fatalf("after 100 messages the wallet has %d KRW and owes %d, want 0 and 1500", b.Paid, b.Accrual)
	}
	if n := len(s.charges()); n != 0 {
		t.Fatalf("%d charges before the settlement, want none", n)
	}
	h.balance()

	h.midnight()
	c := s.charged(1, "paid")
	if diff := cmp.Diff([]string{"done"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if b := s.see().Balance; b.Accrual != 0 || b.Charging != 0 {
		t.Errorf("after the charge the wallet owes %d KRW and %d are under way, want 0 and 0", b.Accrual, b.Charging)
	}
	if got := h.paidBy(s.cards[0]); got.Payments != 1 || got.Paid != c.Total {
		t.Errorf("the card paid %d KRW in %d payments, want %d in 1", got.Paid, got.Payments, c.Total)
	}
	h.balance()
}

// Two cards decline: the third pays, once, and stays what it is.
func backupPaysOnce(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(3)
	before := s.see().Cards
	s.behave("declined", s.cards[0], s.cards[1])

	s.deliver(100)
	c := s.charged(1, "paid")
	if diff := cmp.Diff([]string{"declined: declined", "declined: declined", "done"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	pay := h.truth().KakaoPay
	if pay.Requests["subscription"] != 3 || pay.Payments != 1 || pay.Paid != 1_650 || pay.Failed != 2 {
		t.Errorf("the gateway was asked %d times, refused %d and took %d KRW in %d payments; want 3, 2, 1650 and 1",
			pay.Requests["subscription"], pay.Failed, pay.Paid, pay.Payments)
	}
	if diff := cmp.Diff(before, s.see().Cards); diff != "" {
		t.Errorf("the cards of the wallet changed by a charge (-before +after):\n%s", diff)
	}
	if got := s.cards[2]; c.Attempts[2].Card != got.id || h.paidBy(got).Payments != 1 {
		t.Errorf("card %s paid, want the second backup, %s", c.Attempts[2].Card, got.id)
	}
	h.balance()

	// The next charge begins with the payment card again.
	s.behave("ok", s.cards[0])
	h.advance(time.Minute)
	s.deliver(100)
	c = s.charged(2, "paid")
	if len(c.Attempts) != 1 || c.Attempts[0].Card != s.cards[0].id {
		t.Errorf("the next charge tried %+v, want the payment card %s alone", c.Attempts, s.cards[0].id)
	}
	h.balance()
}

// The card pays and its answer is lost. Nobody knows, so no other card is asked and the wallet
// stays usable, however long the look-ups are not answered; then the charge is found paid.
func unknownAndPaid(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(3)
	s.behave("unknown_paid", s.cards[0])
	s.inDoubt(func() { s.deliver(100) })

	first := s.outOfDoubt()
	if diff := cmp.Diff([]string{"done"}, first.tries()); diff != "" || first.State != "paid" {
		t.Errorf("the charge is %s and its attempts differ (-want +got):\n%s", first.State, diff)
	}
	pay := h.truth().KakaoPay
	if pay.Requests["subscription"] != 2 || pay.Payments != 2 || h.paidBy(s.cards[0]).Paid != 3_300 {
		t.Errorf("the gateway was asked %d times and took %d KRW in %d payments, want 2, 3300 and 2 of the payment card",
			pay.Requests["subscription"], pay.Paid, pay.Payments)
	}
	h.balance()
}

// The call is lost before the card pays. When a look-up shows that, and not before, the next card
// is asked.
func unknownAndNotPaid(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(3)
	s.behave("unknown_unpaid", s.cards[0])
	s.inDoubt(func() { s.deliver(100) })

	first := s.outOfDoubt()
	if diff := cmp.Diff([]string{"declined: lost", "done"}, first.tries()); diff != "" || first.State != "paid" {
		t.Errorf("the charge is %s and its attempts differ (-want +got):\n%s", first.State, diff)
	}
	pay := h.truth().KakaoPay
	if pay.Requests["subscription"] != 3 || pay.Payments != 2 || h.paidBy(s.cards[1]).Paid != 1_650 || h.paidBy(s.cards[0]).Paid != 1_650 {
		t.Errorf("the gateway was asked %d times and took %d KRW in %d payments, want 3, and 1650 each of the first backup and the payment card",
			pay.Requests["subscription"], pay.Paid, pay.Payments)
	}
	h.balance()
}

// inDoubt brings about a charge whose outcome is not known, keeps every look-up from being
// answered for a quarter of an hour: the charge stays open and no other card is asked.
func (s *shop) inDoubt(use func()) {
	h := s.house
	h.t.Helper()
	use()
	var c charge
	h.until("the outcome of the first attempt is unknown", func() (bool, any) {
		list := s.charges()
		if len(list) == 1 {
			c = list[0]
		}
		return len(c.Attempts) > 0 && c.Attempts[0].Outcome == "unknown", list
	})
	h.fault("kakaopay.sid_status", "error_before", map[string]any{"count": -1})
	asked := func() int { return h.truth().KakaoPay.Requests["sid_status"] }
	ended := func() float64 {
		return h.metric("malgil_task_duration_seconds_count", `type="billing:resolve_attempt"`)
	}
	for range 3 {
		before, endedBefore := asked(), ended()
		h.advance(5 * time.Minute)
		h.until("the attempt is looked up", func() (bool, any) { now := asked(); return now > before, now })
		// The time to the next look-up counts from there.
		h.until("the look-up has ended", func() (bool, any) { now := ended(); return now > endedBefore, now })
	}
	c = s.charges()[0]
	if diff := cmp.Diff([]string{"unknown"}, c.tries()); diff != "" || c.State != "open" {
		h.t.Errorf("a charge in doubt is %s and its attempts differ (-want +got):\n%s", c.State, diff)
	}
	if w := s.see(); w.PaymentState != "ACTIVE" || w.Balance.Charging != 1_500 {
		h.t.Errorf("with a charge in doubt the wallet is %s with %d KRW under way, want ACTIVE with 1500", w.PaymentState, w.Balance.Charging)
	}
	// More use is not charged beside it.
	s.deliver(100)
	h.advance(5 * time.Minute)
	if list := s.charges(); len(list) != 1 || len(list[0].Attempts) != 1 {
		h.t.Errorf("beside a charge in doubt there are charges %+v, want no other card and no other charge", list)
	}
	if n := h.truth().KakaoPay.Requests["subscription"]; n != 1 {
		h.t.Errorf("the gateway was asked to charge %d times, want 1", n)
	}
}

// outOfDoubt lets look-ups be answered and the payment card pay from now on. It returns the charge that
// was in doubt, when what was used beside it has been charged after it.
func (s *shop) outOfDoubt() charge {
	h := s.house
	h.t.Helper()
	s.behave("ok", s.cards[0])
	h.tell("DELETE", "/sandbox/faults", nil, nil)
	h.advance(2 * time.Minute)
	if next := s.charged(2, "paid"); len(next.Attempts) != 1 || next.Attempts[0].Card != s.cards[0].id {
		h.t.Errorf("what was used meanwhile was charged by %+v, want the payment card %s alone", next.Attempts, s.cards[0].id)
	}
	return s.charges()[1]
}

// Every card declines at 00:00: the wallet is unpaid, people are told, sends wait and say why. A
// top-up of what is due and a person who reconnects let them go on.
func allDeclined(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(3)
	s.deliver(100)
	s.behave("declined", s.cards...)
	h.midnight()

	c := s.charged(1, "failed")
	if diff := cmp.Diff([]string{"declined: declined", "declined: declined", "declined: declined"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if w := s.see(); w.PaymentState != "UNPAID" || w.Balance.Due != 1_500 || w.Balance.Accrual != 1_500 {
		t.Fatalf("the wallet is %s, owes %d KRW and %d are due; want UNPAID, 1500 and 1500", w.PaymentState, w.Balance.Accrual, w.Balance.Due)
	}
	h.mails(s.master, "요금 미납", 1)
	h.mails(s.master, "자동결제 실패", 1)

	sends := h.truth().Kakao.Sends.Requests
	waiting := s.waits(s.order(s.friends(10)...), "unpaid")
	h.balance()

	s.topUp(1_500)
	if w := s.see(); w.PaymentState != "AWAITING_RECONNECT" || w.Balance.Accrual != 0 || w.Balance.Paid != 0 {
		t.Fatalf("after the top-up the wallet is %s with %+v, want AWAITING_RECONNECT and nothing owed", w.PaymentState, w.Balance)
	}
	h.advance(time.Minute)
	if got := h.truth().Kakao.Sends.Requests; got != sends {
		t.Errorf("%d send calls before the wallet was reconnected, want none", got-sends)
	}
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/reconnect", nil, nil)
	if done := s.finish(waiting); done.Counts.Delivered != 10 {
		t.Errorf("the broadcast that waited delivered %d, want 10", done.Counts.Delivered)
	}
	if w := s.see(); w.PaymentState != "ACTIVE" {
		t.Errorf("after it was reconnected the wallet is %s, want ACTIVE", w.PaymentState)
	}
	h.balance()
}

// Paid cash of 3,000 and 300 messages: the cash is used up, the rest accrues.
func cashIsUsedFirst(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.topUp(3_000)
	s.deliver(300)

	if b := s.see().Balance; b.Paid != 0 || b.Accrual != 1_500 {
		t.Errorf("after 4500 KRW of messages the wallet has %d KRW of 3000 and owes %d, want 0 and 1500", b.Paid, b.Accrual)
	}
	var captured posting
	for _, p := range s.postings() {
		if p.Kind == "capture" {
			captured = captured.and(p)
		}
	}
	if captured.Paid != -3_000 || captured.Accrual != -1_500 || captured.Revenue != 4_500 {
		t.Errorf("captures took %d of paid cash and %d of accrual for %d, want -3000, -1500 and 4500", captured.Paid, captured.Accrual, captured.Revenue)
	}
	h.balance()
}
