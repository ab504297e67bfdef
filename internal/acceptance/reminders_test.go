package acceptance_test

import (
	"fmt"
	"testing"
	"time"
)

// to moves the clock to a time of day in Korea, so many days on.
func (h *house) to(days, hour, minute int) {
	h.t.Helper()
	y, m, d := h.now().In(seoul).Date()
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": time.Date(y, m, d+days, hour, minute, 0, 0, seoul)}, nil)
}

// posted returns when the wallet has no mail that is still to be sent or being sent: one under way while
// the clock jumps over its lease is sent again, as after the death of its worker.
func (s *shop) posted() {
	s.house.t.Helper()
	for _, state := range []string{"waiting", "sending"} {
		s.house.until("no mail is "+state, func() (bool, any) {
			var list struct {
				Items []struct{ ID, State, Reason string }
			}
			s.house.get("/api/v1/wallets/"+s.wallet+"/mails?state="+state, &list)
			return len(list.Items) == 0, list.Items
		})
	}
}

// A wallet that cannot pay for its broadcast is told of once a day until it can; what it can pay for
// goes out meanwhile. With a card the same cash is enough.
func lowBalance(t *testing.T) {
	h := open(t, plan{})
	h.to(1, 12, 0)
	s, carded := h.openShop(0), h.openShop(1)
	worker := h.account("worker")
	s.member(worker, "worker")
	s.topUp(1_500)
	b := s.waits(s.order(s.friends(300)...), "funds")
	h.advance(time.Minute)
	letters := h.mails(s.master, "잔액 부족", 1)
	h.mails(worker, "잔액 부족", 1)
	if len(letters) == 1 {
		h.mentions(letters[0], "200명", "3,000원", "3,300원")
	}
	s.posted()
	h.advance(time.Hour)
	s.topUp(1_000) // not enough for the 200 that wait
	s.posted()
	h.advance(time.Hour)
	h.mails(s.master, "잔액 부족", 1)
	h.to(1, 9, 0)
	h.mails(s.master, "잔액 부족", 2)
	h.advance(time.Minute)

	carded.deliver(300)
	s.topUp(5_000)
	s.finish(b)
	s.posted()
	carded.posted()
	h.to(1, 9, 0)
	h.advance(time.Minute)
	s.mailed()
	h.mails(s.master, "잔액 부족", 2)
	h.mails(carded.master, "잔액 부족", 0)
	h.balance()
}

// Free cash that ends is told of 7 days before and on its last day, at 09:00, as long as some is left.
func freeCashExpiring(t *testing.T) {
	h := open(t, plan{})
	h.to(1, 12, 0)
	s, spent := h.openShop(0), h.openShop(0)
	s.use(s.give(3_000, 9))
	spent.use(spent.give(1_500, 9))
	spent.deliver(100)
	spent.posted()
	said := func(when string, want int) {
		t.Helper()
		t.Log(when)
		defer s.posted()
		if letters := h.mails(s.master, "사라집니다", want); len(letters) == want && want > 0 {
			h.mentions(letters[want-1], "3,000원")
		}
	}
	h.to(2, 8, 59)
	s.mailed()
	said("7 days before, before 09:00", 0)
	h.to(0, 9, 0)
	said("7 days before", 1)
	for day := range 6 {
		h.to(1, 9, 1)
		said(fmt.Sprintf("%d days before", 6-day), 1)
	}
	h.to(1, 8, 59)
	s.mailed()
	said("on the last day, before 09:00", 1)
	h.to(0, 9, 0)
	said("on the last day", 2)
	h.to(1, 9, 0)
	h.advance(time.Minute)
	s.mailed()
	spent.mailed()
	said("when it is gone", 2)
	h.mails(spent.master, "사라집니다", 0)
	h.balance()
}
