package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// walletOf is the part of a wallet that the tour looks at.
type walletOf struct {
	PaymentState string  `json:"payment_state"`
	Balance      balance `json:"balance"`
}

type balance struct {
	Free     int64 `json:"free_krw"`
	Paid     int64 `json:"paid_krw"`
	Accrual  int64 `json:"accrual_krw"`
	Charging int64 `json:"charging_krw"`
	Held     int64 `json:"held_krw"`
}

// has says that a shop's wallet does not stand as it should.
func (w World) has(ctx context.Context, shop Shop, when string, want walletOf) error {
	got, err := w.wallet(ctx, shop)
	if err == nil && got != want {
		err = fmt.Errorf("%s the wallet is %+v, want %+v", when, got, want)
	}
	return err
}

// now is the time of everything that shares the sandbox's clock.
func (w World) now(ctx context.Context) (time.Time, error) {
	if w.FixedClock {
		return time.Now(), nil
	}
	var told struct {
		Now time.Time `json:"now"`
	}
	err := w.Sandbox.Call(ctx, "GET", "/sandbox/clock", nil, &told)
	return told.Now, err
}

// midnight moves the clock just past the next 00:00 in Korea.
func (w World) midnight(ctx context.Context) error {
	now, err := w.now(ctx)
	if err != nil {
		return err
	}
	if err := w.Sandbox.Call(ctx, "PUT", "/sandbox/clock", map[string]any{"now": clock.NextMidnight(now).Add(time.Second)}, nil); err != nil {
		return fmt.Errorf("move the clock past 00:00: %w", err)
	}
	return nil
}

func (w World) wallet(ctx context.Context, shop Shop) (o walletOf, err error) {
	err = w.API.Call(ctx, "GET", "/api/v1/wallets/"+shop.Wallet, nil, &o)
	return o, err
}

// charge is the part of a charge that the tour looks at.
type charge struct {
	State    string `json:"state"`
	Total    int64  `json:"total_krw"`
	Attempts []struct {
		Slot    int    `json:"slot"`
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"attempts"`
}

func (w World) charges(ctx context.Context, shop Shop) ([]charge, error) {
	var list struct {
		Items []charge `json:"items"`
	}
	err := w.API.Call(ctx, "GET", "/api/v1/wallets/"+shop.Wallet+"/charges", nil, &list)
	return list.Items, err
}

// tries tells how a charge went, card by card.
func (c charge) tries() (list []string) {
	for _, a := range c.Attempts {
		list = append(list, strings.TrimSpace(a.Outcome+" "+a.Reason))
	}
	return list
}

// charged waits for the bookshop's charge of a number, counted from 1, to end in a state.
func (t *tour) charged(ctx context.Context, number int, state string) (c charge, err error) {
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		charges, err := t.charges(ctx, t.books) // the newest first
		if len(charges) >= number {
			c = charges[len(charges)-number]
		}
		return c.State == state, err
	})
	if err != nil {
		return c, fmt.Errorf("wait for charge %d to be %s, which is %q: %w", number, state, c.State, err)
	}
	return c, nil
}

// mailed waits for a mail to an address whose subject holds a word.
func (w World) mailed(ctx context.Context, to, word string) error {
	var inbox struct {
		Items []struct {
			Subject string `json:"subject"`
		} `json:"items"`
	}
	err := poll(ctx, 20*time.Second, func() (bool, error) {
		err := w.Sandbox.Call(ctx, "GET", "/sandbox/mails?to="+url.QueryEscape(to)+"&subject="+url.QueryEscape(word), nil, &inbox)
		return len(inbox.Items) > 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for a mail about %s to %s: %w", word, to, err)
	}
	return nil
}

// booksBalance compares the sandbox's truth with the ledger: nobody was reached twice, every
// delivered message was captured and nothing else, the gateway's money is the ledger's, and
// nothing is held for what is over.
func (t *tour) booksBalance(ctx context.Context) error {
	var truth struct {
		Kakao struct {
			Messages int64 `json:"messages"`
			People   struct {
				Again int `json:"reached_again"`
			} `json:"people"`
		} `json:"kakao"`
		KakaoPay struct {
			Paid      int64 `json:"paid_krw"`
			Cancelled int64 `json:"cancelled_krw"`
		} `json:"kakaopay"`
		Bank struct {
			Paid int64 `json:"paid_krw"`
			Sent int64 `json:"sent_krw"`
		} `json:"bank"`
	}
	if err := t.Sandbox.Call(ctx, "GET", "/sandbox/truth", nil, &truth); err != nil {
		return err
	}
	if truth.Kakao.People.Again != 0 {
		return fmt.Errorf("%d people were reached more than once", truth.Kakao.People.Again)
	}
	var revenue, clearing int64
	for _, shop := range []Shop{t.books, t.stationery} {
		sums, err := t.legs(ctx, shop)
		if err != nil {
			return err
		}
		w, err := t.wallet(ctx, shop)
		if err != nil {
			return err
		}
		if sums.sum() != 0 || sums.Free != w.Balance.Free || sums.Paid != w.Balance.Paid || -sums.Accrual != w.Balance.Accrual || -sums.Charging != w.Balance.Charging {
			return fmt.Errorf("%s: balances %+v differ from the ledger %+v", shop.Name, w.Balance, sums)
		}
		revenue, clearing = revenue+sums.Revenue, clearing+sums.Clearing
	}
	if revenue != 15*truth.Kakao.Messages {
		return fmt.Errorf("%d KRW were captured for %d delivered messages, want %d", revenue, truth.Kakao.Messages, 15*truth.Kakao.Messages)
	}
	if paid := truth.KakaoPay.Paid - truth.KakaoPay.Cancelled + truth.Bank.Paid - truth.Bank.Sent; -clearing != paid {
		return fmt.Errorf("the ledger has %d KRW from cards and transfers, gateway and bank %d", -clearing, paid)
	}
	return nil
}

// posting is the legs of one posting, or sums of them.
type posting struct {
	Free      int64 `json:"free_krw"`
	Paid      int64 `json:"paid_krw"`
	Refunding int64 `json:"refunding_krw"`
	Accrual   int64 `json:"accrual_krw"`
	Charging  int64 `json:"charging_krw"`
	Revenue   int64 `json:"revenue_krw"`
	Clearing  int64 `json:"clearing_krw"`
	VAT       int64 `json:"vat_krw"`
	Rounding  int64 `json:"rounding_krw"`
	Promotion int64 `json:"promotion_krw"`
}

func (p posting) sum() int64 {
	return p.Free + p.Paid + p.Refunding + p.Accrual + p.Charging + p.Revenue + p.Clearing + p.VAT + p.Rounding + p.Promotion
}

// legs sums every posting of a shop's wallet.
func (w World) legs(ctx context.Context, shop Shop) (sums posting, err error) {
	path := "/api/v1/wallets/" + shop.Wallet + "/postings?limit=200"
	for cursor := ""; ; {
		var page struct {
			Items []posting `json:"items"`
			Next  string    `json:"next_cursor"`
		}
		at := path
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := w.API.Call(ctx, "GET", at, nil, &page); err != nil {
			return sums, err
		}
		for _, p := range page.Items {
			sums.Free, sums.Paid, sums.Accrual, sums.Charging = sums.Free+p.Free, sums.Paid+p.Paid, sums.Accrual+p.Accrual, sums.Charging+p.Charging
			sums.Revenue, sums.Clearing, sums.VAT = sums.Revenue+p.Revenue, sums.Clearing+p.Clearing, sums.VAT+p.VAT
			sums.Refunding += p.Refunding
			sums.Rounding, sums.Promotion = sums.Rounding+p.Rounding, sums.Promotion+p.Promotion
		}
		if cursor = page.Next; cursor == "" {
			return sums, nil
		}
	}
}

// dormant makes a card of the sandbox dormant (휴면), or revives it.
func (w World) dormant(ctx context.Context, plastic string, is bool) error {
	to := "revive"
	if is {
		to = "dormant"
	}
	return w.Sandbox.Call(ctx, "POST", "/sandbox/cards/"+plastic+"/"+to, nil, nil)
}

// personality makes the sandbox treat a card in a way: ok, declined, dormant, dead.
func (w World) personality(ctx context.Context, plastic, is string) error {
	as := map[string]any{"personality": is}
	if is == "declined" {
		as["method_result_code"], as["method_result_message"] = "8326", "한도초과"
	}
	return w.Sandbox.Call(ctx, "PUT", "/sandbox/cards/"+plastic, as, nil)
}
