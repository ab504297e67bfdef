package acceptance_test

import (
	"crypto/rand"
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
)

func TestUnpaid(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"long_story":    longStory,
		"review":        review,
		"review_topup":  reviewTopUp,
		"storm":         declineStorm,
		"channels":      channels,
		"half_finished": halfFinished,
	})
}

// channels tells the channels of the shop's bot, live first.
func (s *shop) channels() (states []string) {
	s.house.t.Helper()
	var b struct {
		Channels []struct {
			Side, State, Cause string
		} `json:"channels"`
	}
	s.house.get("/api/v1/bots/"+s.bot, &b)
	for _, c := range b.Channels {
		states = append(states, c.Side+" "+c.State+" "+c.Cause)
	}
	return states
}

func (s *shop) wantChannels(when string, want ...string) {
	s.house.t.Helper()
	if diff := cmp.Diff(want, s.channels()); diff != "" {
		s.house.t.Errorf("channels %s differ (-want +got):\n%s", when, diff)
	}
}

// The story of a wallet: cash, then what a card is asked for; a dormant card, a card over its limit
// and one that pays; then none that does, days without messages, and the way back.
func longStory(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(3)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 100_000, "in_flight": 64}, nil)

	// Cash is used up, and the rest is owed.
	s.topUp(3_000)
	s.deliver(300)
	if b := s.see().Balance; b.Paid != 0 || b.Accrual != 1_500 {
		t.Fatalf("after 4500 KRW of messages the wallet has %d and owes %d, want 0 and 1500", b.Paid, b.Accrual)
	}

	// 500,000 KRW are owed: card 1 is dormant, card 2 over its limit, card 3 pays.
	h.dormant(s.cards[0], true)
	s.behave("declined", s.cards[1])
	s.deliverFile(33_240) // 498,600 KRW
	c := s.charged(1, "paid")
	if diff := cmp.Diff([]string{"declined: dormant", "declined: declined", "done"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if c.Supply != 500_000 || h.paidBy(s.cards[2]).Paid != 550_000 {
		t.Errorf("charged %d KRW, card 3 paid %d; want 500000 and 550000", c.Supply, h.paidBy(s.cards[2]).Paid)
	}
	if w := s.see(); w.PaymentState != "ACTIVE" || w.Balance.Accrual != 100 {
		t.Errorf("the wallet is %s and owes %d, want ACTIVE and 100", w.PaymentState, w.Balance.Accrual)
	}
	h.mails(s.master, "자동결제 완료", 1)
	h.balance()

	// Then no card pays at 00:00: unpaid, disconnected, and sends wait.
	h.dormant(s.cards[0], false)
	s.behave("declined", s.cards...)
	h.midnight()
	s.charged(2, "failed")
	if w := s.see(); w.PaymentState != "UNPAID" || w.Balance.Due != 100 {
		t.Fatalf("the wallet is %s and %d are due, want UNPAID and 100", w.PaymentState, w.Balance.Due)
	}
	s.wantChannels("of an unpaid wallet", "live disconnected wallet", "development disconnected wallet")
	waiting := s.waits(s.order(s.friends(10)...), "unpaid")
	if err := h.saysAndHears(s, "somebody", gibberish, greeting); err != nil {
		t.Errorf("an unpaid wallet silences its bot: %v", err)
	}

	// Day after day it is tried again, and on the fifth people are told.
	mails := 4 // a top-up, a charge that was paid, one that failed, unpaid
	for day := 1; day <= 6; day++ {
		h.sent(mails)
		h.midnight()
		s.charged(2+day, "failed")
		mails++
		want := 0
		if day >= 5 {
			want = 1
		}
		if day == 5 {
			mails++
		}
		h.mails(s.master, "장기 결제 실패", want)
	}
	h.mails(s.master, "요금 미납", 1)
	sends := h.truth().Kakao.Sends.Requests

	// A top-up of more than what is due: paid, and it waits for a person.
	s.topUp(1_100)
	if w := s.see(); w.PaymentState != "AWAITING_RECONNECT" || w.Balance.Accrual != 0 || w.Balance.Paid != 1_000 {
		t.Fatalf("after the top-up the wallet is %s with %+v, want AWAITING_RECONNECT, nothing owed and 1000", w.PaymentState, w.Balance)
	}
	s.wantChannels("after the top-up", "live awaiting_reconnect wallet", "development awaiting_reconnect wallet")
	h.advance(time.Minute)
	if got := h.truth().Kakao.Sends.Requests; got != sends {
		t.Errorf("%d send calls before it was reconnected, want none", got-sends)
	}
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/reconnect", nil, nil)
	s.wantChannels("after the reconnect", "live connected ", "development connected ")
	if done := s.finish(waiting); done.Counts.Delivered != 10 {
		t.Errorf("the broadcast that waited delivered %d, want 10", done.Counts.Delivered)
	}
	s.deliver(10)
	if w := s.see(); w.PaymentState != "ACTIVE" || w.Balance.Paid != 700 {
		t.Errorf("in the end the wallet is %s with %d, want ACTIVE with 700", w.PaymentState, w.Balance.Paid)
	}
	h.balance()
}

// reviewed is a charge as the list of those in review shows it.
type reviewed struct {
	charge
	Wallet  string `json:"wallet"`
	Decided struct {
		By     string `json:"by"`
		Reason string `json:"reason"`
	} `json:"decided"`
}

// The gateway takes another amount than was asked for: nothing goes on until a person says what its
// own list shows, and then the books are the gateway's.
func review(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(2)
	s.behave("wrong_amount", s.cards[0])
	s.deliver(100)
	s.charged(1, "review")
	s.deliver(100)
	h.midnight()
	if w := s.see(); w.PaymentState != "ACTIVE" || w.Balance.Charging != 1_500 || w.Balance.Accrual != 1_500 || len(s.charges()) != 1 {
		t.Errorf("beside a charge in review the wallet is %s with %+v and %d charges, want it left alone", w.PaymentState, w.Balance, len(s.charges()))
	}
	var list struct{ Items []reviewed }
	h.get("/api/v1/reviews", &list)
	if len(list.Items) != 1 || list.Items[0].Wallet != s.wallet || len(list.Items[0].Attempts) != 1 {
		t.Fatalf("charges in review = %+v, want that of the shop", list.Items)
	}
	c := list.Items[0]
	var payments struct {
		Items []struct {
			TID   string `json:"tid"`
			Total int64  `json:"total_krw"`
		}
	}
	h.ask("/sandbox/truth/payments?order="+c.Attempts[0].ID, &payments)
	if len(payments.Items) != 1 || payments.Items[0].Total != 1_660 {
		t.Fatalf("KakaoPay has %+v for the order, want one payment of 1660", payments.Items)
	}
	found := map[string]any{"finding": "paid", "tid": payments.Items[0].TID, "paid_krw": payments.Items[0].Total, "reason": "카카오페이 결제 내역에서 확인"}
	decide := "/api/v1/charges/" + c.ID + "/decide"
	h.refusal("a decision without a key", "POST", decide, found, 422, "IDEMPOTENCY_KEY_MISSING")
	var decided reviewed
	for range 2 {
		h.do("POST", decide, found, &decided, apiclient.IdempotencyKey("decision-1"))
		if decided.State != "paid" || decided.Decided.By == "" || decided.Decided.Reason != found["reason"] {
			t.Errorf("the decided charge = %+v, want it paid, by whom and why", decided)
		}
	}
	s.behave("ok", s.cards[0])
	h.advance(time.Minute)
	// What was used beside it is charged, less the 9 KRW that were taken beyond.
	if c := s.charged(2, "paid"); c.Supply != 1_491 {
		t.Errorf("the next charge is of %d KRW, want 1491", c.Supply)
	}
	if b := s.see().Balance; b.Paid != 0 || b.Accrual != 0 {
		t.Errorf("the wallet has %d and owes %d, want neither", b.Paid, b.Accrual)
	}
	h.get("/api/v1/reviews", &list)
	if len(list.Items) != 0 {
		t.Errorf("charges in review = %+v, want none any more", list.Items)
	}
	h.balance()
}

// One card after another declines: charging stops for everybody, whoever was not asked yet stays
// as he is, and after ten minutes it goes on.
func declineStorm(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) { c.StormAttempts, c.StormDeclines = 3, 2 }})
	var shops []*shop
	for range 4 {
		s := h.openShop(1)
		s.deliver(100)
		s.behave("declined", s.cards...)
		shops = append(shops, s)
	}
	h.midnight()
	h.until("charging has stopped", func() (bool, any) { n := h.metric("malgil_charging_storm"); return n == 1, n })
	count := func() (states map[string]int) {
		states = map[string]int{}
		for _, s := range shops {
			states[s.see().PaymentState]++
		}
		return states
	}
	before, asked := count(), h.truth().KakaoPay.Requests["subscription"]
	if before["UNPAID"] >= asked || before["ACTIVE"] != len(shops)-before["UNPAID"] {
		t.Errorf("after %d declines the wallets are %v: the one that was too many makes nobody unpaid", asked, before)
	}
	for _, s := range shops {
		s.behave("ok", s.cards...)
	}
	h.advance(9 * time.Minute)
	if n := h.truth().KakaoPay.Requests["subscription"]; n != asked {
		t.Errorf("%d cards were asked while charging had stopped, want none", n-asked)
	}
	h.advance(2 * time.Minute)
	h.until("everybody who is not unpaid has paid", func() (bool, any) {
		paid := h.truth().KakaoPay.Payments
		return paid == before["ACTIVE"], paid
	})
	if diff := cmp.Diff(before, count()); diff != "" {
		t.Errorf("the storm changed the wallets (-before +after):\n%s", diff)
	}
	h.balance()
}

// An operator disconnects a channel: its broadcasts wait, the other side goes on, people get
// answers, and paying for an unpaid spell does not connect it.
func channels(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	live := "/api/v1/bots/" + s.bot + "/channels/live"
	h.as(s.master).do("POST", live+"/disconnect", nil, nil)
	s.wantChannels("after one was disconnected", "live disconnected operator", "development connected ")
	waiting := s.waits(s.order(s.friends(3)...), "disconnected")
	s.finish(s.orderOn("development", s.friends(3)...))
	if err := h.saysAndHears(s, "somebody", gibberish, greeting); err != nil {
		t.Errorf("a disconnected channel silences its bot: %v", err)
	}

	s.behave("declined", s.cards...)
	h.midnight()
	s.charged(1, "failed")
	s.wantChannels("of an unpaid wallet", "live disconnected operator", "development disconnected wallet")
	h.refusal("connecting a channel of an unpaid wallet", "POST", live+"/connect", nil, 409, "WALLET_UNPAID")
	s.topUp(1_000)
	h.refusal("connecting a channel before its wallet", "POST", live+"/connect", nil, 409, "WALLET_AWAITING_RECONNECT")
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/reconnect", nil, nil)
	s.wantChannels("after the wallet was reconnected", "live disconnected operator", "development connected ")
	h.advance(time.Minute)
	s.waits(waiting, "disconnected")
	h.as(s.master).do("POST", live+"/connect", nil, nil)
	s.finish(waiting)

	// What Kakao says of a channel and of its app is kept.
	h.do("PUT", "/api/v1/apps/1043277", map[string]any{"name": "한빛서점", "verified": true, "kakao_sync": true}, nil)
	var channel struct {
		App                string
		Verified, Deployed bool
	}
	h.do("PATCH", live, map[string]any{"app": "1043277", "verified": true, "deployed": true}, &channel)
	if channel.App != "1043277" || !channel.Verified || !channel.Deployed {
		t.Errorf("the channel = %+v, want what was said of it", channel)
	}
	h.balance()
}

// Payments that stop half-way are settled by looking them up: a payer who closes his browser has
// paid nothing, and a lost approval is found paid.
func halfFinished(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	begin := func() (checkout, tid string) {
		t.Helper()
		var begun struct {
			ID       string            `json:"id"`
			Redirect map[string]string `json:"redirect"`
		}
		h.do("POST", "/api/v1/wallets/"+s.wallet+"/topups", map[string]any{"amount_krw": 10_000}, &begun, apiclient.IdempotencyKey(rand.Text()))
		return begun.ID, path.Base(begun.Redirect["pc"])
	}
	state := func(id string) (c struct{ State, Reason string }) {
		h.get("/api/v1/checkouts/"+id, &c)
		return c
	}

	closed, tid := begin() // he pays at KakaoPay, and does not come back
	h.tell("POST", "/sandbox/pay/"+tid, map[string]any{"card": s.cards[0].plastic}, nil)
	h.advance(21 * time.Minute)
	h.until("the checkout nobody came back to has ended", func() (bool, any) { c := state(closed); return c.State == "cancelled", c })
	if c := state(closed); c.Reason != "expired" {
		t.Errorf("its reason is %q, want expired", c.Reason)
	}
	h.balance()

	h.fault("kakaopay.approve", "cut_after", nil)
	lost, tid := begin() // he comes back, and KakaoPay's answer is lost
	var back struct {
		URL string `json:"redirect_url"`
	}
	h.tell("POST", "/sandbox/pay/"+tid, map[string]any{"card": s.cards[0].plastic}, &back)
	response, err := http.Get(back.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	h.advance(time.Minute)
	h.until("the lost approval is found paid", func() (bool, any) { c := state(lost); return c.State == "done", c })
	if b := s.see().Balance; b.Paid != 10_000 {
		t.Errorf("the wallet has %d, want 10000", b.Paid)
	}
	h.balance()
}

// A channel that begins to cost money is told of, once for each side.
func channelConnected(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	for _, l := range h.mails(s.master, "과금 대상 채널 연결", 2) {
		h.mentions(l, "한빛서점", "월렛에서 냅니다")
	}
	for _, side := range []string{"live", "development"} { // said again, nothing is connected
		h.do("PUT", "/api/v1/bots/"+s.bot+"/channels/"+side, map[string]any{"name": "한빛서점"}, nil)
	}
	s.mailed()
	all := h.mails(s.master, "과금 대상 채널 연결", 2)
	if len(all) == 2 {
		h.mentions(all[0], "운영채널")
		h.mentions(all[1], "개발채널")
	}
}

// Five days of failure are told on the fifth, by the clock, and once.
func longFailure(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.deliver(100)
	s.behave("declined", s.cards...)
	failed := h.midnight()
	s.charged(1, "failed")
	mails := 2                                             // that it failed, and that the wallet is unpaid
	for day, want := range []int{0, 0, 0, 0, 0, 1, 1, 1} { // from the day on which it failed
		if day > 0 {
			h.sent(mails)
			h.midnight()
			s.charged(1+day, "failed")
			mails++
		}
		if day == 5 {
			mails++
		}
		if got := h.mails(s.master, "장기 결제 실패", want); want == 1 {
			h.mentions(got[0], "1,650원", korean(failed), "5일째")
		}
	}
}
