package acceptance_test

import (
	"net/url"
	"time"
)

// broadcast is a broadcast as the API shows it.
type broadcast struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Wait  struct {
		Reason string    `json:"reason"`
		Until  time.Time `json:"until"`
	} `json:"wait"`
	Counts struct {
		Audience, Delivered, Failed, Unknown, Skipped int
		InDoubt                                       int `json:"in_doubt"`
	} `json:"counts"`
	Chunks struct {
		Total, Planned int
		ByState        map[string]int `json:"by_state"`
	} `json:"chunks"`
	Captured int64  `json:"captured_krw"`
	Note     string `json:"note"`
}

// wallet is a wallet as the API shows it.
type wallet struct {
	PaymentState string `json:"payment_state"`
	Balance      struct {
		Free       int64 `json:"free_krw"`
		Paid       int64 `json:"paid_krw"`
		Refunding  int64 `json:"refunding_krw"`
		Accrual    int64 `json:"accrual_krw"`
		Charging   int64 `json:"charging_krw"`
		Held       int64 `json:"held_krw"`
		Spendable  int64 `json:"spendable_krw"`
		Refundable int64 `json:"refundable_krw"`
		Due        int64 `json:"due_krw"`
	} `json:"balance"`
	Cards []walletCard `json:"cards"`
}

type walletCard struct {
	Slot int    `json:"slot"`
	Role string `json:"role"`
	ID   string `json:"id"`
}

// charge is a charge as the API shows it.
type charge struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Supply   int64     `json:"supply_krw"`
	VAT      int64     `json:"vat_krw"`
	Total    int64     `json:"total_krw"`
	Attempts []attempt `json:"attempts"`
}

type attempt struct {
	ID      string `json:"id"`
	Slot    int    `json:"slot"`
	Card    string `json:"card"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

// tries returns the outcomes of a charge's attempts in order, with the reason of those that have one.
func (c charge) tries() (words []string) {
	for _, a := range c.Attempts {
		word := a.Outcome
		if a.Reason != "" {
			word += ": " + a.Reason
		}
		words = append(words, word)
	}
	return words
}

// posting is the legs of a posting.
type posting struct {
	Kind      string `json:"kind"`
	Ref       string `json:"ref"`
	Free      int64  `json:"free_krw"`
	Paid      int64  `json:"paid_krw"`
	Refunding int64  `json:"refunding_krw"`
	Accrual   int64  `json:"accrual_krw"`
	Charging  int64  `json:"charging_krw"`
	Revenue   int64  `json:"revenue_krw"`
	Clearing  int64  `json:"clearing_krw"`
	VAT       int64  `json:"vat_krw"`
	Rounding  int64  `json:"rounding_krw"`
	Promotion int64  `json:"promotion_krw"`
}

func (p posting) sum() int64 {
	return p.Free + p.Paid + p.Refunding + p.Accrual + p.Charging + p.Revenue + p.Clearing + p.VAT + p.Rounding + p.Promotion
}

func (p posting) and(q posting) posting {
	return posting{
		Free: p.Free + q.Free, Paid: p.Paid + q.Paid, Refunding: p.Refunding + q.Refunding, Accrual: p.Accrual + q.Accrual, Charging: p.Charging + q.Charging,
		Revenue: p.Revenue + q.Revenue, Clearing: p.Clearing + q.Clearing, VAT: p.VAT + q.VAT,
		Rounding: p.Rounding + q.Rounding, Promotion: p.Promotion + q.Promotion,
	}
}

// truth is what happened outside.
type truth struct {
	Kakao struct {
		People struct {
			Reached int `json:"reached"`
			Again   int `json:"reached_again"`
		} `json:"people"`
		Messages int64 `json:"messages"`
		Sends    struct {
			Requests int `json:"requests"`
			Accepted int `json:"accepted"`
		} `json:"sends"`
	} `json:"kakao"`
	KakaoPay struct {
		Requests  map[string]int `json:"requests"`
		Payments  int            `json:"payments"`
		Paid      int64          `json:"paid_krw"`
		Cancelled int64          `json:"cancelled_krw"`
		Failed    int            `json:"failed"`
		Cards     []plasticTruth `json:"cards"`
	} `json:"kakaopay"`
	Bank struct {
		Accounts int   `json:"accounts"`
		Paid     int64 `json:"paid_krw"`
		Returned int64 `json:"returned_krw"`
		Sent     int64 `json:"sent_krw"`
	} `json:"bank"`
}

type plasticTruth struct {
	Name     string   `json:"name"`
	SIDs     []string `json:"sids"`
	Payments int      `json:"payments"`
	Paid     int64    `json:"paid_krw"`
}

func (h *house) truth() (t truth) {
	h.t.Helper()
	h.ask("/sandbox/truth", &t)
	return t
}

// paidBy tells how often, and how much in total, a card has paid.
func (h *house) paidBy(c card) plasticTruth {
	h.t.Helper()
	for _, plastic := range h.truth().KakaoPay.Cards {
		if plastic.Name == c.plastic {
			return plastic
		}
	}
	h.t.Fatalf("the sandbox knows no card %s", c.plastic)
	return plasticTruth{}
}

func (s *shop) see() (w wallet) {
	s.house.t.Helper()
	s.house.get("/api/v1/wallets/"+s.wallet, &w)
	return w
}

// charges lists the charges of the wallet, newest first.
func (s *shop) charges() []charge {
	s.house.t.Helper()
	var list struct {
		Items []charge `json:"items"`
	}
	s.house.get("/api/v1/wallets/"+s.wallet+"/charges", &list)
	return list.Items
}

// charged waits until the newest charge, of so many in all, is in a state.
func (s *shop) charged(all int, state string) charge {
	s.house.t.Helper()
	var list []charge
	s.house.until("the newest charge is "+state, func() (bool, any) {
		list = s.charges()
		return len(list) == all && list[0].State == state, list
	})
	return list[0]
}

// postings lists every posting of the wallet, newest first.
func (s *shop) postings() (all []posting) {
	s.house.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []posting `json:"items"`
			Next  string    `json:"next_cursor"`
		}
		s.house.get("/api/v1/wallets/"+s.wallet+"/postings?limit=200"+cursor, &page)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// balance compares the ledger of every shop with its balances and with what happened outside:
// each posting sums to 0, the legs sum to the balances, every message that arrived was captured
// and nothing else, money from cards is the gateway's, nothing is held, nobody was reached twice.
// It is called when nothing is under way.
func (h *house) balance() {
	h.t.Helper()
	var all posting
	for _, s := range h.shops {
		var sums posting
		for _, p := range s.postings() {
			if p.sum() != 0 {
				h.t.Errorf("posting %+v sums to %d, want 0", p, p.sum())
			}
			sums = sums.and(p)
		}
		b := s.see().Balance
		if b.Free != sums.Free || b.Paid != sums.Paid || b.Refunding != sums.Refunding || b.Accrual != -sums.Accrual || b.Charging != -sums.Charging {
			h.t.Errorf("wallet %s: balances %+v, want those of its legs %+v", s.wallet, b, sums)
		}
		if b.Held != 0 {
			h.t.Errorf("wallet %s holds %d KRW, want 0 with nothing on its way", s.wallet, b.Held)
		}
		all = all.and(sums)
	}
	outside := h.truth()
	if want := 15 * outside.Kakao.Messages; all.Revenue != want {
		h.t.Errorf("the ledger captured %d KRW, want %d for %d messages that arrived", all.Revenue, want, outside.Kakao.Messages)
	}
	if want := outside.KakaoPay.Paid - outside.KakaoPay.Cancelled + outside.Bank.Paid - outside.Bank.Sent; -all.Clearing != want {
		h.t.Errorf("the ledger took %d KRW from cards and transfers, gateway and bank %d", -all.Clearing, want)
	}
	if outside.Kakao.People.Again != 0 {
		h.t.Errorf("%d people were reached more than once, want nobody", outside.Kakao.People.Again)
	}
}
