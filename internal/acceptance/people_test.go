package acceptance_test

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/demo"
)

// as returns the house as somebody enters it: with a token that stands for him.
func (h *house) as(a account) *house {
	h.t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	h.do("POST", "/api/v1/tokens", map[string]any{"name": a.email, "account": a.id, "scopes": []string{"read", "send", "billing", "admin"}}, &made)
	inside := *h
	inside.api, inside.token = apiclient.New(h.url, made.Secret), made.Secret
	inside.world = demo.World{API: inside.api, Sandbox: h.sandbox}
	return &inside
}

// staff says who is on the shop's bot, besides its master.
func (s *shop) staff(operators ...account) {
	s.house.t.Helper()
	members := []map[string]string{{"account": s.master.id, "role": "master"}}
	for _, a := range operators {
		members = append(members, map[string]string{"account": a.id, "role": "operator"})
	}
	s.house.as(s.master).do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"members": members}, nil)
}

func (s *shop) memberPath(a account) string {
	return "/api/v1/wallets/" + s.wallet + "/members/" + a.id
}

func (s *shop) cardsPath() string { return "/api/v1/wallets/" + s.wallet + "/cards" }

// worker returns an operator of the shop's bot to whom its master gave the wallet permission, with
// a card of his own that comes first on the wallet.
func (s *shop) worker() (account, card) {
	h := s.house
	h.t.Helper()
	a := h.account("worker-" + s.bot[20:])
	s.staff(a)
	h.as(s.master).do("PUT", s.memberPath(a), map[string]any{"role": "worker"}, nil)
	his := h.as(a).card(a, s.bot+"-worker", "새벽카드", "557042")
	h.as(a).do("POST", s.cardsPath(), map[string]any{"card": his.id}, nil)
	order := []string{his.id}
	for _, c := range s.cards {
		order = append(order, c.id)
	}
	h.as(a).do("PUT", s.cardsPath(), map[string]any{"cards": order}, nil)
	return a, his
}

// places returns the cards of the wallet in the order of their use.
func (s *shop) places() (ids []string) {
	s.house.t.Helper()
	for _, c := range s.see().Cards {
		ids = append(ids, c.Role+" "+c.ID)
	}
	return ids
}

// auditEntry is a line of the audit log.
type auditEntry struct {
	Account string `json:"account"`
	Action  string `json:"action"`
	Subject struct {
		ID string `json:"id"`
	} `json:"subject"`
	Wallet string         `json:"wallet"`
	Before map[string]any `json:"before"`
	After  map[string]any `json:"after"`
}

// audited returns the newest entry about an action on the shop's wallet, as its master reads it.
func (s *shop) audited(action string) auditEntry {
	h := s.house
	h.t.Helper()
	var list struct {
		Items []auditEntry `json:"items"`
	}
	h.as(s.master).get("/api/v1/audit?limit=1&wallet="+url.QueryEscape(s.wallet)+"&action="+action, &list)
	if len(list.Items) == 0 {
		h.t.Fatalf("the audit log has no %s on wallet %s", action, s.wallet)
	}
	var report struct {
		Holds bool   `json:"holds"`
		Why   string `json:"why"`
	}
	if h.get("/api/v1/audit/verify", &report); !report.Holds {
		h.t.Errorf("the audit log does not hold: %s", report.Why)
	}
	return list.Items[0]
}

// refusal checks how a call is refused.
func (h *house) refusal(what, method, path string, in any, status int, code string) {
	h.t.Helper()
	p := h.refused(method, path, in)
	if p == nil || p.Status != status || p.Code != code {
		h.t.Errorf("%s is answered %+v, want %d %s", what, p, status, code)
	}
}

// A card is registered before there is any wallet, by its owner.
func cardBeforeAnyWallet(t *testing.T) {
	h := open(t, plan{})
	a := h.account("early-bird")
	his := h.as(a)
	first, second := his.card(a, "early-1", "한빛카드", "944601"), his.card(a, "early-2", "새벽카드", "557042")
	var cards, wallets struct {
		Items []struct {
			ID     string `json:"id"`
			Wallet string `json:"wallet"`
			State  string `json:"state"`
		} `json:"items"`
	}
	his.get("/api/v1/accounts/"+a.id+"/cards", &cards)
	if len(cards.Items) != 2 || cards.Items[0].ID != first.id || cards.Items[1].ID != second.id || cards.Items[0].Wallet != "" || cards.Items[0].State != "usable" {
		t.Errorf("cards of an account without a wallet are %+v, want %s and %s, by time added", cards.Items, first.id, second.id)
	}
	h.get("/api/v1/wallets", &wallets)
	if len(wallets.Items) != 0 {
		t.Errorf("there are wallets %+v, want none", wallets.Items)
	}
	var log struct{ Items []auditEntry }
	his.get("/api/v1/audit?action=card-registered", &log)
	if len(log.Items) != 2 || log.Items[1].Account != a.id || log.Items[1].Subject.ID != first.id || log.Items[1].After["masked"] != first.masked {
		t.Errorf("the audit log says %+v, want that he registered both cards", log.Items)
	}
	other := h.account("other")
	h.as(other).refusal("listing another's cards", "GET", "/api/v1/accounts/"+a.id+"/cards", nil, 404, "NOT_FOUND")
	h.as(other).refusal("removing another's card", "DELETE", "/api/v1/cards/"+first.id, nil, 404, "NOT_FOUND")
}

// An account has at most ten cards: of two that are added at nine one comes in, and the eleventh is
// refused.
func tenCards(t *testing.T) {
	h := open(t, plan{})
	a := h.account("collector")
	his := h.as(a)
	count := func() int {
		var cards struct{ Items []struct{} }
		his.get("/api/v1/accounts/"+a.id+"/cards", &cards)
		return len(cards.Items)
	}
	for i := range 9 {
		if _, err := his.world.RegisterCard(t.Context(), a.id, fmt.Sprintf("card-%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	// Both checkouts begin while there is room for one; then both payers agree.
	both := make([]error, 2)
	var group sync.WaitGroup
	for i := range both {
		group.Go(func() { _, both[i] = his.world.RegisterCard(t.Context(), a.id, fmt.Sprintf("last-%d", i+1)) })
	}
	group.Wait()
	if n := count(); n != 10 || (both[0] == nil) == (both[1] == nil) {
		t.Errorf("after two cards at nine there are %d (%v, %v), want 10 and one refused", n, both[0], both[1])
	}
	err := his.api.Call(t.Context(), "POST", "/api/v1/accounts/"+a.id+"/cards", map[string]any{}, nil, apiclient.IdempotencyKey(rand.Text()))
	if p, _ := err.(*apiclient.Problem); p == nil || p.Status != 422 || p.Code != "CARD_LIMIT" {
		t.Errorf("the eleventh card is answered %v, want 422 CARD_LIMIT", err)
	}
	// The card that did not come in is switched off at the gateway.
	h.until("ten cards can be charged at the gateway", func() (bool, any) {
		n := 0
		for _, c := range h.truth().KakaoPay.Cards {
			n += len(c.SIDs)
		}
		return n == 10, n
	})
	if n := count(); n != 10 {
		t.Errorf("there are %d cards, want 10", n)
	}
}

// An operator of the bot puts his card on the wallet once its master gave him the permission.
func workersRegisterCards(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	a, stranger := h.account("bot-worker"), h.account("stranger")
	s.staff(a)
	his := h.as(a)
	card := his.card(a, "worker", "새벽카드", "557042") // at his account: that is his own affair
	put := map[string]any{"card": card.id}
	his.refusal("a bot worker's card without the permission", "POST", s.cardsPath(), put, 403, "FORBIDDEN")
	his.refusal("a bot worker's list of cards without the permission", "PUT", s.cardsPath(), map[string]any{"cards": []string{card.id}}, 403, "FORBIDDEN")
	h.as(stranger).refusal("a stranger's card", "POST", s.cardsPath(), put, 404, "NOT_FOUND")
	his.refusal("a permission that he gives himself", "PUT", s.memberPath(a), map[string]any{"role": "worker"}, 403, "FORBIDDEN")
	h.as(s.master).refusal("the permission for a stranger", "PUT", s.memberPath(stranger), map[string]any{"role": "worker"}, 422, "NOT_AN_OPERATOR")

	h.as(s.master).do("PUT", s.memberPath(a), map[string]any{"role": "worker"}, nil)
	his.do("POST", s.cardsPath(), put, nil)
	if diff := cmp.Diff([]string{"payment " + s.cards[0].id, "backup_1 " + card.id}, s.places()); diff != "" {
		t.Errorf("cards differ (-want +got):\n%s", diff)
	}
	if e := s.audited("add-wallet-card"); e.Account != a.id || e.Subject.ID != s.wallet {
		t.Errorf("the audit log says %+v, want that %s put a card on %s", e, a.id, s.wallet)
	}
	if e := s.audited("put-member"); e.Account != s.master.id || e.After["role"] != "worker" || e.After["account"] != a.id {
		t.Errorf("the audit log says %+v, want that %s gave %s the permission", e, s.master.id, a.id)
	}
}

// Nobody puts a card of another on the wallet, nor takes one off that is not his; its master does
// the latter.
func onlyOnesOwnCard(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	a, his := s.worker()
	of := h.card(s.master, "spare", "노래카드", "402857")
	stranger := h.account("stranger")
	strange := h.card(stranger, "strange", "노래카드", "402857")
	before := s.places()
	for what, card := range map[string]string{"the master's card": of.id, "a stranger's card": strange.id} {
		h.as(a).refusal(what+" by a worker", "POST", s.cardsPath(), map[string]any{"card": card}, 403, "NOT_YOUR_CARD")
		h.as(a).refusal(what+" by a worker in a list", "PUT", s.cardsPath(), map[string]any{"cards": []string{his.id, s.cards[0].id, card}}, 403, "NOT_YOUR_CARD")
	}
	spare := h.card(a, "worker-spare", "새벽카드", "557042")
	h.as(s.master).refusal("a worker's card by the master", "POST", s.cardsPath(), map[string]any{"card": spare.id}, 403, "NOT_YOUR_CARD")
	h.as(a).refusal("taking the master's card off", "DELETE", s.cardsPath()+"/"+s.cards[0].id, nil, 403, "NOT_YOUR_CARD")
	h.as(a).refusal("leaving the master's card out", "PUT", s.cardsPath(), map[string]any{"cards": []string{his.id}}, 403, "NOT_YOUR_CARD")
	if diff := cmp.Diff(before, s.places()); diff != "" {
		t.Errorf("after calls that were refused the cards differ (-want +got):\n%s", diff)
	}
	h.as(s.master).do("DELETE", s.cardsPath()+"/"+his.id, nil, nil)
	if diff := cmp.Diff([]string{"payment " + s.cards[0].id}, s.places()); diff != "" {
		t.Errorf("after the master took the worker's card off the cards differ (-want +got):\n%s", diff)
	}
}

// A worker whose card comes first leaves with 300,000 KRW owed: they are owed still, his card is
// gone, and the master's pays at 00:00.
func amountDuePasses(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	a, his := s.worker()
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 50_000, "in_flight": 32}, nil)
	s.deliverFile(20_000)
	if w := s.see(); w.Balance.Accrual != 300_000 {
		t.Fatalf("after 20,000 messages the wallet owes %d KRW, want 300000", w.Balance.Accrual)
	}
	h.as(a).do("DELETE", s.memberPath(a), nil, nil)

	if w := s.see(); w.Balance.Accrual != 300_000 || w.PaymentState != "ACTIVE" {
		t.Errorf("after he left the wallet is %s and owes %d KRW, want ACTIVE and 300000", w.PaymentState, w.Balance.Accrual)
	}
	if diff := cmp.Diff([]string{"payment " + s.cards[0].id}, s.places()); diff != "" {
		t.Errorf("the cards differ (-want +got):\n%s", diff)
	}
	h.as(a).refusal("the wallet that he left", "GET", s.cardsPath(), nil, 403, "FORBIDDEN") // he works on its bot still
	e := s.audited("delete-member")
	if diff := cmp.Diff(auditEntry{
		Account: a.id, Action: "delete-member", Subject: e.Subject, Wallet: s.wallet,
		Before: map[string]any{"account": a.id, "role": "worker", "cards": []any{his.id, s.cards[0].id}},
		After:  map[string]any{"account": a.id, "role": "", "cards": []any{s.cards[0].id}},
	}, e); diff != "" {
		t.Errorf("the audit log differs (-want +got):\n%s", diff)
	}

	h.midnight()
	c := s.charged(1, "paid")
	if len(c.Attempts) != 1 || c.Attempts[0].Card != s.cards[0].id || c.Total != 330_000 {
		t.Errorf("at 00:00 %d KRW were asked of %+v, want 330000 of the master's card alone", c.Total, c.Attempts)
	}
	if n := h.paidBy(his).Payments; n != 0 || h.paidBy(s.cards[0]).Paid != 330_000 {
		t.Errorf("the card of the one who left paid %d times and the master's %d KRW, want 0 and 330000", n, h.paidBy(s.cards[0]).Paid)
	}
	h.balance()
}

// He loses the permission, or his place on the bot, and the master has no card: what is owed stays,
// the next settlement fails, and the usual path follows.
func nobodyLeftToPay(leave func(s *shop, a account)) func(*testing.T) {
	return func(t *testing.T) {
		h := open(t, plan{})
		s := h.openShop(0)
		a, his := s.worker()
		s.deliver(100)
		leave(s, a)
		if w := s.see(); len(w.Cards) != 0 || w.Balance.Accrual != 1_500 {
			t.Errorf("after he left the wallet has cards %+v and owes %d KRW, want none and 1500", w.Cards, w.Balance.Accrual)
		}
		h.midnight()
		if c := s.charged(1, "failed"); len(c.Attempts) != 0 {
			t.Errorf("without a card the charge tried %+v, want nothing", c.Attempts)
		}
		if w := s.see(); w.PaymentState != "UNPAID" || w.Balance.Due != 1_500 || h.paidBy(his).Payments != 0 {
			t.Errorf("the wallet is %s and %d KRW are due, want UNPAID and 1500; his card paid %d times", w.PaymentState, w.Balance.Due, h.paidBy(his).Payments)
		}
		h.balance()
	}
}

// permissionTaken is the master of the bot who takes the wallet permission back.
func permissionTaken(s *shop, a account) {
	s.house.t.Helper()
	s.house.as(s.master).do("DELETE", s.memberPath(a), nil, nil)
	if e := s.audited("delete-member"); e.Account != s.master.id || e.Before["account"] != a.id {
		s.house.t.Errorf("the audit log says %+v, want that %s sent %s away", e, s.master.id, a.id)
	}
}

// removedFromBot is the master of the bot who takes somebody off it.
func removedFromBot(s *shop, a account) {
	s.house.t.Helper()
	s.staff()
	e := s.audited("change-bot")
	if left := fmt.Sprint(e.After["left_the_wallet"]); e.Account != s.master.id || e.Subject.ID != s.bot || !strings.Contains(left, a.id) {
		s.house.t.Errorf("the audit log says %+v, want that %s left the wallet with the bot", e, a.id)
	}
	s.house.as(a).refusal("the wallet of a bot that he was taken off", "GET", s.cardsPath(), nil, 404, "NOT_FOUND")
}

// A charge in flight when its card's owner leaves ends on that card, the next begins on the
// master's.
func chargeInFlight(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(1)
	a, his := s.worker()
	s.behave("unknown_paid", his)
	s.inDoubt(func() { s.deliver(100) })
	h.as(a).do("DELETE", s.memberPath(a), nil, nil)
	if diff := cmp.Diff([]string{"payment " + s.cards[0].id}, s.places()); diff != "" {
		t.Errorf("the cards differ (-want +got):\n%s", diff)
	}

	h.tell("DELETE", "/sandbox/faults", nil, nil)
	h.advance(2 * time.Minute)
	last := s.charged(2, "paid") // what was used beside the first
	first := s.charges()[1]
	if len(first.Attempts) != 1 || first.Attempts[0].Card != his.id || first.State != "paid" || h.paidBy(his).Payments != 1 {
		t.Errorf("the charge in flight is %s by %+v, want paid by the card that it began with", first.State, first.Attempts)
	}
	if len(last.Attempts) != 1 || last.Attempts[0].Card != s.cards[0].id {
		t.Errorf("the charge after it is by %+v, want the master's card", last.Attempts)
	}
	h.balance()
}

// deliverFile is deliver for more people than an order holds.
func (s *shop) deliverFile(people int) {
	h := s.house
	h.t.Helper()
	var b broadcast
	h.do("POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "event": map[string]any{"name": event}}, &b, apiclient.IdempotencyKey(rand.Text()))
	h.do("PUT", "/api/v1/broadcasts/"+b.ID+"/recipients", csv(append([]string{"id"}, s.friends(people)...)...), nil)
	h.do("POST", "/api/v1/broadcasts/"+b.ID+"/seal", map[string]any{"confirm": people}, &b)
	if b = s.finish(b); b.Counts.Delivered != people {
		h.t.Fatalf("broadcast to %d friends delivered %d", people, b.Counts.Delivered)
	}
}
