package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What the server says becomes a tree that a bookkeeper reads.
func TestWhy_tree(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   string
	}{
		"a capture": {
			`{"why": {"posting": {"kind": "capture", "ref": "brd_1-000001", "at": "2026-11-24T03:00:00Z", "free_krw": -600, "paid_krw": -400, "accrual_krw": -500, "revenue_krw": 1500},
			  "messages": {"chunk": "brd_1-000001", "broadcast": "brd_1", "name": "재입고", "bot": "66a1", "channel": "live", "price_krw": 15, "people": 101, "delivered": 100, "failed": 1, "task_id": "t-1"},
			  "grants": [{"grant": "grt_1", "amount_krw": 600, "reason": "첫 이용", "expires_at": "2026-12-31T15:00:00Z"}],
			  "paid_by": [{"kind": "charge_opened", "ref": "chg_1", "at": "2026-11-24T15:00:00Z", "amount_krw": 400, "state": "paid"}], "unpaid_krw": 100},
			  "people": [{"type": "botUserKey", "id": "u1", "outcome": "failed", "error_type": 201, "message": "skill error"},
			    {"type": "botUserKey", "id": "u2", "outcome": "delivered", "captured_krw": 15, "posting": "capture/brd_1-000001"}], "more": true}`,
			`capture brd_1-000001, 2026-11-24 12:00:00 KST
  legs, which sum to 0
    free              -600
    paid              -400
    accrual           -500
    revenue         +1,500
  100 of 101 messages delivered at 15 KRW, 1 failed, 0 not named
    broadcast brd_1 (재입고), live channel of bot 66a1
    Kakao's receipt t-1
    botUserKey u1: failed (201 skill error)
    botUserKey u2: delivered, 15 KRW in capture/brd_1-000001
    and more: --limit=0 tells all
  600 KRW of free cash grt_1 (첫 이용), which expires 2027-01-01 00:00:00 KST
           400  paid by charge (paid) chg_1, 2026-11-25 00:00:00 KST
           100  not paid yet
`},
		"a charge": {
			`{"why": {"posting": {"kind": "charge_paid", "ref": "chg_1", "at": "2026-11-24T15:00:01Z", "charging_krw": 400, "vat_krw": 40, "clearing_krw": -440},
			  "charge": {"id": "chg_1", "state": "paid", "supply_krw": 400, "vat_krw": 40, "total_krw": 440, "attempts": [{"slot": 1, "masked": "9446-01**", "outcome": "declined", "reason": "dormant"}, {"slot": 2, "masked": "5570-42**", "outcome": "done"}]}},
			  "origins": [{"kind": "capture", "ref": "brd_1-000001", "at": "2026-11-24T03:00:00Z", "accrued_krw": 500, "paid_krw": 400, "earlier_krw": 40, "later_krw": 60}]}`,
			`charge_paid chg_1, 2026-11-25 00:00:01 KST
  legs, which sum to 0
    charging          +400
    clearing          -440
    vat                +40
  charge chg_1, paid: 400 + 40 VAT = 440 KRW
    card 1 9446-01**: declined dormant
    card 2 5570-42**: done
    pays what was accrued by, newest first
               400  capture brd_1-000001, 2026-11-24 12:00:00 KST; 40 was paid before; 60 is left to what pays next
`},
		"a top-up": {
			`{"why": {"posting": {"kind": "topup", "ref": "cko_1", "at": "2026-11-24T03:00:00Z", "paid_krw": 1000, "vat_krw": 100, "clearing_krw": -1100},
			  "payment": {"order": "att_1", "tid": "T1", "method": "card", "outcome": "done", "total_krw": 1100, "checkout": "cko_1"}}}`,
			`topup cko_1, 2026-11-24 12:00:00 KST
  legs, which sum to 0
    paid            +1,000
    clearing        -1,100
    vat               +100
  1,100 KRW by card, done: order att_1
    payment at the gateway T1
    checkout cko_1
`},
		"a broadcast": {
			`{"cost": {"broadcast": "brd_1", "captured_krw": 1500, "postings": 1, "free_krw": 600, "paid_krw": 400, "accrual_krw": 500,
			  "paid_by": [{"kind": "topup", "ref": "cko_2", "at": "2026-11-24T15:00:00Z", "amount_krw": 500}]}}`,
			`broadcast brd_1: 1,500 KRW in 1 postings
           600  free cash
           400  paid cash
           500  accrued
             500  paid by topup cko_2, 2026-11-25 00:00:00 KST
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var x explained
			if err := json.Unmarshal([]byte(tt.answer), &x); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			if err := x.tree().print(&got, ""); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for line := range strings.Lines(got.String()) {
				lines = append(lines, strings.TrimRight(line, " \n"))
			}
			if text := strings.Join(lines, "\n") + "\n"; text != tt.want {
				t.Errorf("tree =\n%s\nwant\n%s", text, tt.want)
			}
		})
	}
}
