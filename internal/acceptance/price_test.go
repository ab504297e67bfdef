package acceptance_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// priceNow tells what a message costs by the price list, and by a quote for one.
func (h *house) priceNow() (list, quote int64) {
	h.t.Helper()
	var prices struct {
		Items []struct {
			Item  string `json:"item"`
			Price int64  `json:"price_krw"`
		}
	}
	h.get("/api/v1/prices", &prices)
	for _, p := range prices.Items {
		if p.Item == "event_message" {
			list = p.Price
		}
	}
	var one struct {
		Price  int64 `json:"price_krw"`
		Supply int64 `json:"supply_krw"`
	}
	h.do("POST", "/api/v1/quote", map[string]any{"people": 1}, &one)
	if one.Price != one.Supply {
		h.t.Errorf("one message is quoted %d KRW for a price of %d", one.Supply, one.Price)
	}
	return list, one.Price
}

// Price list and quote agree, today and after a price has begun; what is charged is what was quoted
// when the broadcast was sealed.
func prices(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	if list, quote := h.priceNow(); list != 15 || quote != 15 {
		t.Fatalf("a message costs %d by the list and %d by a quote, want 15", list, quote)
	}
	tomorrow := h.now().In(seoul).AddDate(0, 0, 1)
	h.do("POST", "/api/v1/prices", map[string]any{"item": "event_message", "price_krw": 17, "valid_from": tomorrow.Format(time.DateOnly)}, nil)
	if list, quote := h.priceNow(); list != 15 || quote != 15 {
		t.Errorf("with a price to come a message costs %d by the list and %d by a quote, want 15", list, quote)
	}
	var early broadcast // sealed today, sent tomorrow
	h.do("POST", "/api/v1/broadcasts", map[string]any{
		"bot": s.bot, "event": map[string]any{"name": event}, "start_at": nextMidnight(h.now()).Add(time.Minute),
		"recipients": []map[string]string{{"type": "botUserKey", "id": s.friends(1)[0]}},
	}, &early, apiclient.IdempotencyKey(rand.Text()))
	if b := s.deliver(10); b.Captured != 150 {
		t.Errorf("10 messages of today cost %d KRW, want 150", b.Captured)
	}

	h.midnight()
	if list, quote := h.priceNow(); list != 17 || quote != 17 {
		t.Errorf("from the day on a message costs %d by the list and %d by a quote, want 17", list, quote)
	}
	h.advance(2 * time.Minute)
	if early = s.finish(early); early.Captured != 15 {
		t.Errorf("what was sealed yesterday cost %d KRW, want 15", early.Captured)
	}
	if b := s.deliver(10); b.Captured != 170 {
		t.Errorf("10 messages of the new price cost %d KRW, want 170", b.Captured)
	}
	if w := s.see().Balance; w.Paid != 10_000-150-15-170 {
		t.Errorf("the wallet has %d, want %d", w.Paid, 10_000-150-15-170)
	}
}

// Free and paid cash that the platform gives: one mail each to everybody who is to hear.
func cashGranted(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	worker := h.account("cash-worker")
	s.member(worker, "worker")
	s.use(s.give(50_000, 30))
	order := map[string]any{"kind": "paid", "amount_krw": 300, "reason": "발송 장애 보상"}
	key := apiclient.IdempotencyKey(rand.Text())
	for range 2 { // a repeated call gives and mails once
		h.do("POST", "/api/v1/wallets/"+s.wallet+"/grants", order, nil, key)
	}
	s.mailed()
	for _, to := range []account{s.master, worker} {
		for _, l := range h.mails(to, "무상캐시", 1) {
			h.mentions(l, "50,000원", "첫 이용 축하", "사용하기")
		}
		for _, l := range h.mails(to, "유상캐시", 1) {
			h.mentions(l, "300원", "발송 장애 보상", "50,300원")
		}
	}
	if b := s.see().Balance; b.Free != 50_000 || b.Paid != 2_300 { // 2,000 of the top-up that comes last
		t.Errorf("the wallet has %d free and %d paid, want 50000 and 2300", b.Free, b.Paid)
	}
}
