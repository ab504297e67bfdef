// Package demo fills a running malgil with a bookshop and a stationer, and plays a short tour of
// it through its public face: the API, the skill URL, the payer's page, the inbox and the clock.
package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// World is where the demo plays: a malgil and the sandbox that stands in for everything outside.
type World struct {
	API     *apiclient.Client // with a token of every scope
	Sandbox *apiclient.Client
	// FixedClock says that the clock cannot be moved, as with several processes. The tour then
	// makes a charge due by its amount instead of by midnight.
	FixedClock bool
}

// Shop is a customer with a wallet and a bot.
type Shop struct {
	Name     string
	Bot      string
	Wallet   string
	SkillURL string
	RestKey  string   // at the sandbox's Kakao
	Master   string   // account
	Cards    []string // ids of the wallet's cards, the payment card first
	Plastic  []string // names of the same cards in the sandbox
}

// Names of blocks that the demo seeds.
const (
	slowBlock = "주문 찾아보기"
	event     = "restock_alert"
)

// SlowURL is the skill URL of the block that answers late and by callback.
func (s Shop) SlowURL() string { return s.SkillURL + "?block=" + url.QueryEscape(slowBlock) }

// seed describes a shop.
type seed struct {
	name, bot, botKey, number string
	people                    []person // the master first; the others get the wallet permission
	cards                     int
	invoices, greeting        string
}

type person struct{ name, email string }

var bookshop = seed{
	name: "한빛서점", bot: "66a1f0c2d4b7e83f5a9c1d20", botKey: "demo-rest-key-bookshop", number: "999-81-00015",
	people: []person{{"김하늘", "haneul@hanbit.example"}, {"이바다", "bada@hanbit.example"}},
	cards:  3, invoices: "tax@hanbit.example", greeting: "안녕하세요, 한빛서점입니다. 무엇을 도와드릴까요?",
}

var stationer = seed{
	name: "달빛문구", bot: "66a1f0c2d4b7e83f5a9c1d21", botKey: "demo-rest-key-stationer", number: "999-81-00029",
	people: []person{{"박노을", "noeul@dalbit.example"}},
	cards:  1, invoices: "tax@dalbit.example", greeting: "달빛문구입니다.",
}

// issuers are the card companies of a shop's cards, the payment card's first.
var issuers = []struct{ name, bin string }{{"한빛카드", "944601"}, {"새벽카드", "557042"}, {"노래카드", "402857"}}

// Seed makes both shops and returns them.
func (w World) Seed(ctx context.Context) (books, stationery Shop, err error) {
	if books, err = w.open(ctx, bookshop); err != nil {
		return books, stationery, fmt.Errorf("seed %s: %w", bookshop.name, err)
	}
	if stationery, err = w.open(ctx, stationer); err != nil {
		return books, stationery, fmt.Errorf("seed %s: %w", stationer.name, err)
	}
	return books, stationery, nil
}

// id is the part of many answers that names what was made.
type id struct {
	ID string `json:"id"`
}

func (w World) open(ctx context.Context, s seed) (shop Shop, err error) {
	shop = Shop{Name: s.name, Bot: s.bot, RestKey: s.botKey}
	accounts := make([]string, len(s.people))
	for i, p := range s.people {
		var made id
		if err := w.API.Call(ctx, "POST", "/api/v1/accounts", map[string]any{"name": p.name, "email": p.email}, &made); err != nil {
			return shop, err
		}
		accounts[i] = made.ID
	}
	shop.Master = accounts[0]
	var wallet id
	if err := w.API.Call(ctx, "POST", "/api/v1/wallets", map[string]any{
		"name": s.name, "kind": "business", "business_number": s.number,
		"invoice_email": s.invoices, "master": shop.Master, "daily_limit_krw": 10_000_000,
	}, &wallet); err != nil {
		return shop, err
	}
	shop.Wallet = wallet.ID
	for _, worker := range accounts[1:] {
		if err := w.API.Call(ctx, "PUT", "/api/v1/wallets/"+shop.Wallet+"/members/"+worker, map[string]any{"role": "worker"}, nil); err != nil {
			return shop, err
		}
	}
	for n := range s.cards {
		plastic := fmt.Sprintf("%s-%d", s.bot, n+1)
		if err := w.Sandbox.Call(ctx, "PUT", "/sandbox/cards/"+plastic, map[string]any{"issuer": issuers[n].name, "bin": issuers[n].bin}, nil); err != nil {
			return shop, fmt.Errorf("make a card: %w", err)
		}
		card, err := w.RegisterCard(ctx, shop.Master, plastic)
		if err != nil {
			return shop, fmt.Errorf("register a card: %w", err)
		}
		shop.Cards, shop.Plastic = append(shop.Cards, card), append(shop.Plastic, plastic)
	}
	if err := w.API.Call(ctx, "PUT", "/api/v1/wallets/"+shop.Wallet+"/cards", map[string]any{"cards": shop.Cards}, nil); err != nil {
		return shop, err
	}
	return shop, w.openBot(ctx, s, &shop)
}

func (w World) openBot(ctx context.Context, s seed, shop *Shop) error {
	var made struct {
		SkillURL string `json:"skill_url"`
	}
	if err := w.API.Call(ctx, "POST", "/api/v1/bots", map[string]any{
		"id": s.bot, "name": s.name + " 도우미", "rest_api_key": s.botKey, "wallet": shop.Wallet,
		"rate_per_second": 20_000, "in_flight": 16,
		"members": []map[string]any{{"account": shop.Master, "role": "master"}},
	}, &made); err != nil {
		return err
	}
	shop.SkillURL = made.SkillURL
	for _, side := range []string{"live", "development"} {
		if err := w.API.Call(ctx, "PUT", "/api/v1/bots/"+s.bot+"/channels/"+side, map[string]any{"name": s.name}, nil); err != nil {
			return err
		}
	}
	if err := w.API.Call(ctx, "POST", "/api/v1/bots/"+s.bot+"/versions?deploy=true", map[string]any{"blocks": s.blocks()}, nil); err != nil {
		return err
	}
	return w.Sandbox.Call(ctx, "PUT", "/sandbox/bots/"+s.bot, map[string]any{"rest_api_key": s.botKey, "events": []string{event}}, nil)
}

func (s seed) blocks() []map[string]any {
	block := func(number int, name, kind, text string, more map[string]any, buttons ...map[string]any) map[string]any {
		output := map[string]any{"simpleText": map[string]any{"text": text}}
		if len(buttons) > 0 {
			output = map[string]any{"textCard": map[string]any{"description": text, "buttons": buttons}}
		}
		b := map[string]any{
			"id": fmt.Sprintf("66a1f111d4b7e83f5a9c%04x", number), "name": name, "kind": kind,
			"answer": map[string]any{"outputs": []any{output}},
		}
		for key, value := range more {
			b[key] = value
		}
		return b
	}
	operator := map[string]any{"action": "operator", "label": "상담직원 연결"}
	return []map[string]any{
		block(1, "웰컴 블록", "welcome", s.greeting, nil, operator),
		block(2, "폴백 블록", "fallback", "말씀을 이해하지 못했어요. 상담직원에게 물어보시겠어요?", nil, operator),
		block(3, "영업시간", "normal", "매일 오전 10시부터 오후 9시까지 엽니다.", nil),
		block(4, "상담원", "normal", "상담직원을 연결해 드릴게요.", nil, operator),
		block(5, slowBlock, "normal", "주문하신 책은 내일 도착해요.", map[string]any{"delay": 2 * time.Second, "callback": true}),
		block(6, "재입고 알림", "normal", "기다리시던 책이 다시 들어왔어요.", map[string]any{"event": event}),
	}
}

// checkout is a payment that waits for its payer.
type checkout struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Redirect struct {
		PC string `json:"pc"`
	} `json:"redirect"`
	Transfer struct {
		Number string `json:"number"`
	} `json:"transfer"`
	Total int64 `json:"total_krw"`
}

// RegisterCard registers a card of the sandbox for an account, with the demo as the payer, and
// returns its id.
func (w World) RegisterCard(ctx context.Context, account, plastic string) (string, error) {
	if err := w.pay(ctx, "/api/v1/accounts/"+account+"/cards", map[string]any{}, plastic); err != nil {
		return "", err
	}
	var cards struct {
		Items []id `json:"items"`
	}
	if err := w.API.Call(ctx, "GET", "/api/v1/accounts/"+account+"/cards", nil, &cards); err != nil {
		return "", err
	}
	if len(cards.Items) == 0 {
		return "", fmt.Errorf("account %s has no card after registering one", account)
	}
	return cards.Items[len(cards.Items)-1].ID, nil
}

// TopUp adds paid cash of a supply value to a wallet, with the demo as the payer.
func (w World) TopUp(ctx context.Context, wallet string, supply int64) error {
	return w.pay(ctx, "/api/v1/wallets/"+wallet+"/topups", map[string]any{"amount_krw": supply}, "hanbit")
}

// Transfer adds paid cash of a supply value to a wallet by bank transfer, with the demo as the payer.
func (w World) Transfer(ctx context.Context, wallet string, supply int64) error {
	var c checkout
	path := "/api/v1/wallets/" + wallet + "/topups"
	if err := w.API.Call(ctx, "POST", path, map[string]any{"amount_krw": supply, "method": "bank"}, &c, apiclient.IdempotencyKey(rand.Text())); err != nil {
		return err
	}
	if err := w.Sandbox.Call(ctx, "POST", "/sandbox/bank/"+c.Transfer.Number+"/deposit", map[string]any{"amount": c.Total}, nil); err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	if !w.FixedClock { // the bank is asked every minute
		if err := w.Sandbox.Call(ctx, "PUT", "/sandbox/clock", map[string]any{"advance": "1m1s"}, nil); err != nil {
			return err
		}
	}
	return w.ended(ctx, &c, 90*time.Second)
}

// pay starts a checkout, pays it with a card of the sandbox as its payer does, and waits for its end.
func (w World) pay(ctx context.Context, path string, body map[string]any, plastic string) error {
	var c checkout
	if err := w.API.Call(ctx, "POST", path, body, &c, apiclient.IdempotencyKey(rand.Text())); err != nil {
		return err
	}
	page, err := url.Parse(c.Redirect.PC)
	if err != nil {
		return fmt.Errorf("the checkout's page %q: %w", c.Redirect.PC, err)
	}
	var back struct {
		URL string `json:"redirect_url"`
	}
	if err := w.Sandbox.Call(ctx, "POST", page.Path, map[string]any{"card": plastic, "action": "pay"}, &back); err != nil {
		return fmt.Errorf("pay: %w", err)
	}
	if err := visit(ctx, back.URL); err != nil {
		return fmt.Errorf("come back from the payment: %w", err)
	}
	return w.ended(ctx, &c, 20*time.Second)
}

// ended waits until the money of a checkout is there, at most for a while.
func (w World) ended(ctx context.Context, c *checkout, limit time.Duration) error {
	return poll(ctx, limit, func() (bool, error) {
		if err := w.API.Call(ctx, "GET", "/api/v1/checkouts/"+c.ID, nil, c); err != nil {
			return false, err
		}
		switch c.State {
		case "done":
			return true, nil
		case "failed", "cancelled", "review":
			return false, fmt.Errorf("the checkout ended as %s (%s)", c.State, c.Reason)
		}
		return false, nil
	})
}

// visit opens a page as a browser does.
func visit(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", request.URL.Path, answer.Status)
	}
	return nil
}

// poll asks again and again until something is so, at most for a while.
func poll(ctx context.Context, limit time.Duration, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not so within %s", limit)
		}
	}
}
