package acceptance_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
)

// shownCard is a card as lists show it.
type shownCard struct {
	ID           string    `json:"id"`
	Role         string    `json:"role"`
	Masked       string    `json:"masked"`
	Issuer       string    `json:"issuer"`
	State        string    `json:"state"`
	DormantSince time.Time `json:"dormant_since"`
	AddedAt      time.Time `json:"added_at"`
	Wallet       string    `json:"wallet"`
}

// cardsAt lists cards of an account or a wallet.
func (h *house) cardsAt(path string) []shownCard {
	h.t.Helper()
	var list struct {
		Items []shownCard `json:"items"`
	}
	h.get(path, &list)
	return list.Items
}

// dormant makes a card dormant at its issuer, or revives it.
func (h *house) dormant(c card, is bool) {
	h.t.Helper()
	h.tell("POST", "/sandbox/cards/"+c.plastic+map[bool]string{true: "/dormant", false: "/revive"}[is], nil, nil)
}

// A card that its issuer lets sleep is shown as dormant, with since when, wherever cards are.
func dormantIsShown(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(2)
	h.dormant(s.cards[0], true)
	found := h.now()

	cards := h.cardsAt(s.cardsPath())
	if len(cards) != 2 || cards[0].State != "dormant" || cards[1].State != "usable" || !cards[1].DormantSince.IsZero() {
		t.Fatalf("cards of the wallet = %+v, want the first dormant", cards)
	}
	if since := cards[0].DormantSince; since.Before(found.Add(-time.Second)) || since.After(h.now()) {
		t.Errorf("dormant since %s, want since it was found so, %s", since, found)
	}
	h.advance(24 * time.Hour)
	if again := h.cardsAt(s.cardsPath())[0]; !again.DormantSince.Equal(cards[0].DormantSince) {
		t.Errorf("a day later it is dormant since %s, want still since %s", again.DormantSince, cards[0].DormantSince)
	}
	var one shownCard
	if h.get("/api/v1/cards/"+s.cards[0].id, &one); one.State != "dormant" {
		t.Errorf("the card itself is %s, want dormant", one.State)
	}
	if mine := h.cardsAt("/api/v1/accounts/" + s.master.id + "/cards"); mine[0].State != "dormant" {
		t.Errorf("its owner's list shows it %s, want dormant", mine[0].State)
	}
	h.dormant(s.cards[0], false)
	if cards := h.cardsAt(s.cardsPath()); cards[0].State != "usable" || !cards[0].DormantSince.IsZero() {
		t.Errorf("revived, it is %s since %s, want usable", cards[0].State, cards[0].DormantSince)
	}
}

// A dormant card does not pay, and its backup does. When all are dormant the wallet is unpaid; a
// revived one is used again at the next 00:00, because the state is asked for at each run.
func dormantDoesNotPay(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(3)
	h.dormant(s.cards[0], true)
	s.deliver(100)
	h.midnight()
	c := s.charged(1, "paid")
	if diff := cmp.Diff([]string{"declined: dormant", "done"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if n := h.truth().KakaoPay.Requests["subscription"]; n != 1 || h.paidBy(s.cards[1]).Paid != 1_650 {
		t.Errorf("the gateway was asked to charge %d times and the backup paid %d, want once and 1650", n, h.paidBy(s.cards[1]).Paid)
	}

	h.dormant(s.cards[1], true)
	h.dormant(s.cards[2], true)
	s.deliver(100)
	h.midnight()
	c = s.charged(2, "failed")
	if diff := cmp.Diff([]string{"declined: dormant", "declined: dormant", "declined: dormant"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if w := s.see(); w.PaymentState != "UNPAID" {
		t.Errorf("with three dormant cards the wallet is %s, want UNPAID", w.PaymentState)
	}
	h.balance()

	h.dormant(s.cards[2], false)
	h.midnight()
	c = s.charged(3, "paid")
	if diff := cmp.Diff([]string{"declined: dormant", "declined: dormant", "done"}, c.tries()); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	if w := s.see(); w.PaymentState != "AWAITING_RECONNECT" {
		t.Errorf("after a revived card paid the wallet is %s, want AWAITING_RECONNECT", w.PaymentState)
	}
	h.balance()
}

// A card is registered at KakaoPay: the payer goes there, approves, and comes back. It costs
// nothing, or what it costs is given back at once. What is shown is the masked number, never the key.
func registeredAtKakaoPay(t *testing.T) {
	for name, amount := range map[string]int64{"for nothing": 0, "for 100 KRW": 100} {
		t.Run(name, func(t *testing.T) {
			h := open(t, plan{config: func(c *app.Config) { c.CardAmount = 100 }})
			if amount == 0 {
				h = open(t, plan{})
			}
			owner := h.account("owner")
			var begun struct {
				ID       string            `json:"id"`
				State    string            `json:"state"`
				Redirect map[string]string `json:"redirect"`
			}
			h.do("POST", "/api/v1/accounts/"+owner.id+"/cards", nil, &begun, apiclient.IdempotencyKey(rand.Text()))
			if begun.State != "ready" || begun.Redirect["pc"] == "" || begun.Redirect["mobile"] == "" || begun.Redirect["app"] == "" {
				t.Fatalf("registration begun = %+v, want where the payer goes on each device", begun)
			}
			if cards := h.cardsAt("/api/v1/accounts/" + owner.id + "/cards"); len(cards) != 0 {
				t.Errorf("before the payer approves there are cards %+v, want none", cards)
			}
			c := h.card(owner, "plastic-1", "한빛카드", "944601")
			shown := h.cardsAt("/api/v1/accounts/" + owner.id + "/cards")
			if len(shown) != 1 || shown[0].Masked != "9446-01**" || shown[0].Issuer != "한빛카드" || shown[0].State != "usable" || shown[0].ID != c.id {
				t.Fatalf("cards after it = %+v, want 9446-01** of 한빛카드", shown)
			}
			h.until("what the registration cost is given back", func() (bool, any) {
				pay := h.truth().KakaoPay
				return pay.Cancelled == amount && pay.Paid == amount, pay
			})
			sids := h.truth().KakaoPay.Cards
			for _, path := range []string{"/api/v1/accounts/" + owner.id + "/cards", "/api/v1/cards/" + c.id, "/api/v1/audit"} {
				var answer json.RawMessage
				h.get(path, &answer)
				for _, plastic := range sids {
					for _, sid := range plastic.SIDs {
						if strings.Contains(string(answer), sid) {
							t.Errorf("GET %s shows the key of a card", path)
						}
					}
				}
			}
		})
	}
}

// A wallet has a payment card and two backups, and no fourth.
func threeCards(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(3)
	var roles []string
	for _, c := range h.cardsAt(s.cardsPath()) {
		roles = append(roles, c.Role)
	}
	if diff := cmp.Diff([]string{"payment", "backup_1", "backup_2"}, roles); diff != "" {
		t.Errorf("roles differ (-want +got):\n%s", diff)
	}
	fourth := h.card(s.master, "plastic-4", "네번째카드", "376292")
	before := s.places()
	h.refusal("a fourth card", "POST", s.cardsPath(), map[string]any{"card": fourth.id}, 422, "WALLET_CARD_LIMIT")
	ids := []string{fourth.id}
	for _, c := range s.cards {
		ids = append(ids, c.id)
	}
	h.refusal("four cards at once", "PUT", s.cardsPath(), map[string]any{"cards": ids}, 422, "INVALID")
	if diff := cmp.Diff(before, s.places()); diff != "" {
		t.Errorf("the refused card changed the cards (-before +after):\n%s", diff)
	}
	h.do("DELETE", s.cardsPath()+"/"+s.cards[0].id, nil, nil)
	h.do("POST", s.cardsPath(), map[string]any{"card": fourth.id}, nil)
	if diff := cmp.Diff([]string{"payment " + s.cards[1].id, "backup_1 " + s.cards[2].id, "backup_2 " + fourth.id}, s.places()); diff != "" {
		t.Errorf("places after one made room (-want +got):\n%s", diff)
	}
}

// The picker lists cards by the time they were added, and so they are asked; until the operator
// puts them in another order.
func byTimeAdded(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(0)
	var cards []card
	for i, name := range []string{"first", "second", "third"} {
		cards = append(cards, h.card(s.master, name, plastics[i].issuer, plastics[i].bin))
		h.advance(time.Minute)
	}
	var picker []string
	added := time.Time{}
	for _, c := range h.cardsAt("/api/v1/accounts/" + s.master.id + "/cards") {
		picker = append(picker, c.ID)
		if !c.AddedAt.After(added) {
			t.Errorf("card %s was added at %s, want after the one before it in the list", c.ID, c.AddedAt)
		}
		added = c.AddedAt
	}
	if diff := cmp.Diff([]string{cards[0].id, cards[1].id, cards[2].id}, picker); diff != "" {
		t.Errorf("picker differs (-want +got):\n%s", diff)
	}

	for _, i := range []int{2, 0, 1} { // whichever is put on first
		h.do("POST", s.cardsPath(), map[string]any{"card": cards[i].id}, nil)
	}
	s.cards = cards
	s.behave("declined", cards[0], cards[1])
	tried := func(all int) (ids []string) {
		t.Helper()
		s.deliver(100)
		for _, a := range s.charged(all, "paid").Attempts {
			ids = append(ids, a.Card)
		}
		return ids
	}
	if diff := cmp.Diff([]string{cards[0].id, cards[1].id, cards[2].id}, tried(1)); diff != "" {
		t.Errorf("order of attempts differs (-want +got):\n%s", diff)
	}
	s.putCards(cards[1], cards[2], cards[0])
	h.advance(time.Minute)
	if diff := cmp.Diff([]string{cards[1].id, cards[2].id}, tried(2)); diff != "" {
		t.Errorf("order of attempts after it was changed differs (-want +got):\n%s", diff)
	}
	h.balance()
}
