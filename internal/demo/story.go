package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/clock"
)

// What the wallet of the bookshop has at first, and what its broadcasts cost.
const (
	freeCash  = 1_500
	paidCash  = 3_000
	firstCost = 970 * 15
	saleCost  = 33_000 * 15
)

// grant: free cash counts for nothing until somebody presses use.
func (t *tour) grant(ctx context.Context) (string, error) {
	now, err := t.now(ctx)
	if err != nil {
		return "", err
	}
	var given struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	grants := "/api/v1/wallets/" + t.books.Wallet + "/grants"
	err = t.API.Call(ctx, "POST", grants, map[string]any{
		"amount_krw": freeCash, "expires_on": now.In(clock.Seoul).AddDate(0, 1, 0).Format(time.DateOnly), "reason": "첫 이용 축하",
	}, &given, apiclient.IdempotencyKey(rand.Text()))
	if err != nil {
		return "", err
	}
	if err := t.has(ctx, t.books, "before it is used", walletOf{PaymentState: "ACTIVE"}); err != nil {
		return "", err
	}
	if err := t.API.Call(ctx, "POST", grants+"/"+given.ID+"/use", nil, nil, apiclient.IdempotencyKey(rand.Text())); err != nil {
		return "", err
	}
	if err := t.has(ctx, t.books, "after it is used", walletOf{PaymentState: "ACTIVE", Balance: balance{Free: freeCash}}); err != nil {
		return "", err
	}
	if err := t.mailed(ctx, bookshop.people[0].email, "무상캐시"); err != nil {
		return "", err
	}
	return "1,500원 of free cash counts from its use on, mail delivered", nil
}

// broadcast: 1,000 people, 30 of whom are not friends of the channel; only the others cost. Free cash
// goes first, then paid cash, and the rest is owed.
func (t *tour) broadcast(ctx context.Context) (string, error) {
	if err := t.TopUp(ctx, t.books.Wallet, paidCash); err != nil {
		return "", err
	}
	b, err := t.order(ctx, t.books, "재입고 알림", 1_000, func(i int) string {
		if i%33 == 0 && i < 990 {
			return fmt.Sprintf("stranger-%d", i)
		}
		return fmt.Sprintf("reader-%d", i)
	})
	if err != nil {
		return "", err
	}
	if b, err = t.finish(ctx, b); err != nil {
		return "", err
	}
	if b.Counts.Delivered != 970 || b.Counts.Failed != 30 || b.Captured != firstCost {
		return "", fmt.Errorf("%d delivered, %d failed, %d KRW; want 970, 30 and %d", b.Counts.Delivered, b.Counts.Failed, b.Captured, firstCost)
	}
	if err := t.has(ctx, t.books, "after it", walletOf{PaymentState: "ACTIVE", Balance: balance{Accrual: firstCost - freeCash - paidCash}}); err != nil {
		return "", err
	}
	return "970 delivered, 30 not friends, 14,550원: free cash, paid cash, then 10,050원 owed", nil
}

// charge: usage passes 500,000 KRW. Card 1 is dormant, card 2 is over its limit, and card 3 pays while
// its answer is lost, which a look-up finds out.
func (t *tour) charge(ctx context.Context) (string, error) {
	if err := t.dormant(ctx, t.books.Plastic[0], true); err != nil {
		return "", err
	}
	for i, is := range []string{"declined", "unknown_paid"} {
		if err := t.personality(ctx, t.books.Plastic[1+i], is); err != nil {
			return "", err
		}
	}
	b, err := t.order(ctx, t.books, "겨울 세일", saleCost/15, func(i int) string { return fmt.Sprintf("customer-%d", i) })
	if err != nil {
		return "", err
	}
	if _, err := t.finish(ctx, b); err != nil {
		return "", err
	}
	paid, err := t.charged(ctx, 1, "paid")
	if err != nil {
		return "", err
	}
	if want := []string{"declined dormant", "declined declined", "done"}; paid.Total != 550_000 || !slices.Equal(paid.tries(), want) {
		return "", fmt.Errorf("a charge of %d KRW was tried as %q, want 550000 and %q", paid.Total, paid.tries(), want)
	}
	left := int64(firstCost - freeCash - paidCash + saleCost - 500_000)
	if err := t.has(ctx, t.books, "after the charge", walletOf{PaymentState: "ACTIVE", Balance: balance{Accrual: left}}); err != nil {
		return "", err
	}
	if err := t.mailed(ctx, bookshop.people[0].email, "자동결제 완료"); err != nil {
		return "", err
	}
	return "550,000원: card 1 dormant, card 2 over its limit, card 3 paid as a look-up found out, mail delivered", nil
}

// unpaid: every card fails. The bookshop's channels are disconnected and its sends wait; its bot
// answers, and the stationer is not touched.
func (t *tour) unpaid(ctx context.Context) (string, error) {
	if err := t.dormant(ctx, t.books.Plastic[0], false); err != nil {
		return "", err
	}
	for _, plastic := range t.books.Plastic {
		if err := t.personality(ctx, plastic, "declined"); err != nil {
			return "", err
		}
	}
	if err := t.makeDue(ctx); err != nil {
		return "", err
	}
	failed, err := t.charged(ctx, 2, "failed")
	if err != nil {
		return "", err
	}
	if len(failed.Attempts) != 3 {
		return "", fmt.Errorf("the failed charge was tried as %q, want three cards", failed.tries())
	}
	if err := t.stands(ctx, "UNPAID", "disconnected"); err != nil {
		return "", err
	}
	if t.waiting, err = t.order(ctx, t.books, "봄 행사", 10, func(i int) string { return fmt.Sprintf("spring-%d", i) }); err != nil {
		return "", err
	}
	if err := t.waits(ctx, "unpaid"); err != nil {
		return "", err
	}
	if _, err := t.say(ctx, t.books.SkillURL, "영업시간", false); err != nil {
		return "", fmt.Errorf("a bot whose wallet is unpaid: %w", err)
	}
	b, err := t.order(ctx, t.stationery, "신학기", 10, func(i int) string { return fmt.Sprintf("pupil-%d", i) })
	if err != nil {
		return "", err
	}
	if b, err = t.finish(ctx, b); err != nil || b.Counts.Delivered != 10 {
		return "", fmt.Errorf("the stationer's messages beside it: %d delivered, %w", b.Counts.Delivered, err)
	}
	if err := t.mailed(ctx, bookshop.people[0].email, "요금 미납"); err != nil {
		return "", err
	}
	return "every card failed: UNPAID, channels disconnected, sends wait, chat answers; the other customer's go out; mail delivered", nil
}

// fiveDays: each midnight the cards are tried again; on the fifth day people are told, once.
func (t *tour) fiveDays(ctx context.Context) (string, error) {
	for day := 1; day <= 5; day++ {
		if err := t.midnight(ctx); err != nil {
			return "", err
		}
		if _, err := t.charged(ctx, 2+day, "failed"); err != nil {
			return "", fmt.Errorf("day %d: %w", day, err)
		}
	}
	if err := t.mailed(ctx, bookshop.people[0].email, "장기 결제 실패"); err != nil {
		return "", err
	}
	return "tried again each midnight, failed 5 days: told once more", t.stands(ctx, "UNPAID", "disconnected")
}

// topUp: paying what is owed ends the unpaid state, and connects nothing by itself.
func (t *tour) topUp(ctx context.Context) (string, error) {
	w, err := t.wallet(ctx, t.books)
	if err != nil {
		return "", err
	}
	if err := t.TopUp(ctx, t.books.Wallet, w.Balance.Accrual+1_000); err != nil {
		return "", err
	}
	if err := t.has(ctx, t.books, "after the top-up", walletOf{PaymentState: "AWAITING_RECONNECT", Balance: balance{Paid: 1_000}}); err != nil {
		return "", err
	}
	if err := t.stands(ctx, "AWAITING_RECONNECT", "awaiting_reconnect"); err != nil {
		return "", err
	}
	if err := t.waits(ctx, "unpaid"); err != nil {
		return "", err
	}
	return message.NewPrinter(language.Korean).Sprintf("%d원 owed are paid, 1,000원 stay; sends wait for an operator", w.Balance.Accrual), nil
}

// reconnect: an operator connects the wallet, what waited goes out, and a card pays again.
func (t *tour) reconnect(ctx context.Context) (string, error) {
	for _, plastic := range t.books.Plastic {
		if err := t.personality(ctx, plastic, "ok"); err != nil {
			return "", err
		}
	}
	if err := t.API.Call(ctx, "POST", "/api/v1/wallets/"+t.books.Wallet+"/reconnect", nil, nil); err != nil {
		return "", err
	}
	if err := t.stands(ctx, "ACTIVE", "connected"); err != nil {
		return "", err
	}
	b, err := t.finish(ctx, t.waiting)
	if err != nil {
		return "", err
	}
	if b.Counts.Delivered != 10 {
		return "", fmt.Errorf("of the broadcast that waited %d were delivered, want 10", b.Counts.Delivered)
	}
	if err := t.has(ctx, t.books, "in the end", walletOf{PaymentState: "ACTIVE", Balance: balance{Paid: 1_000 - 10*15}}); err != nil {
		return "", err
	}
	return "connected again by an operator; the broadcast that waited went out", nil
}

// makeDue makes the bookshop owe what is to be charged now: what was used before 00:00, or, where
// the clock cannot be moved, more than 500,000 KRW.
func (t *tour) makeDue(ctx context.Context) error {
	if !t.FixedClock {
		return t.midnight(ctx)
	}
	b, err := t.order(ctx, t.books, "겨울 세일 2", 33_400, func(i int) string { return fmt.Sprintf("reader-2-%d", i) })
	if err != nil {
		return err
	}
	_, err = t.finish(ctx, b)
	return err
}

// waits waits until what was ordered while the wallet was unpaid waits for a reason.
func (t *tour) waits(ctx context.Context, reason string) error {
	err := poll(ctx, 10*time.Second, func() (bool, error) {
		err := t.API.Call(ctx, "GET", "/api/v1/broadcasts/"+t.waiting.ID, nil, &t.waiting)
		return t.waiting.Wait.Reason == reason, err
	})
	if err != nil {
		return fmt.Errorf("wait for the reason of waiting, which is %q: %w", t.waiting.Wait.Reason, err)
	}
	return nil
}

// stands waits until the bookshop's wallet and both of its channels stand as they should.
func (t *tour) stands(ctx context.Context, payment, channels string) error {
	var seen string
	want := payment + " " + channels + " " + channels
	err := poll(ctx, 20*time.Second, func() (bool, error) {
		w, err := t.wallet(ctx, t.books)
		if err != nil {
			return false, err
		}
		var bot struct {
			Channels []struct {
				State string `json:"state"`
			} `json:"channels"`
		}
		err = t.API.Call(ctx, "GET", "/api/v1/bots/"+t.books.Bot, nil, &bot)
		states := []string{w.PaymentState}
		for _, c := range bot.Channels {
			states = append(states, c.State)
		}
		seen = strings.Join(states, " ")
		return seen == want, err
	})
	if err != nil {
		return fmt.Errorf("the wallet and its channels are %s, want %s: %w", seen, want, err)
	}
	return nil
}
