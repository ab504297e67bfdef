package acceptance_test

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/apiclient"
)

// event is set on a block of every bot.
const event = "restock_alert"

// What the blocks of every bot say.
const (
	greeting  = "안녕하세요, 한빛서점입니다."
	fallback  = "말씀을 이해하지 못했어요. 상담직원에게 물어보시겠어요?"
	hours     = "매일 오전 10시부터 오후 9시까지 엽니다."
	hoursName = "영업시간"
)

// shop is a customer: a wallet with its people and cards, and a bot.
type shop struct {
	house                 *house
	wallet, bot, skillURL string
	master                account
	cards                 []card // the payment card first
	restKey               string
	people                int // who have been given ids
}

type account struct {
	id, email string
}

// card is a card of a wallet, and its name in the sandbox.
type card struct {
	id, plastic, masked, issuer string
}

// plastics are what cards look like at the issuer, by slot.
var plastics = []struct{ issuer, bin string }{{"한빛카드", "944601"}, {"새벽카드", "557042"}, {"노래카드", "402857"}}

// openShop makes a shop whose wallet has so many cards and no cash.
func (h *house) openShop(cards int) *shop {
	h.t.Helper()
	n := len(h.shops) + 1
	s := &shop{house: h, bot: fmt.Sprintf("66a1f0c2d4b7e83f5a9c1d%02x", n), restKey: "rest-key-" + rand.Text()}
	s.master = h.account(fmt.Sprintf("master-%d", n))
	var made struct {
		ID string `json:"id"`
	}
	h.do("POST", "/api/v1/wallets", map[string]any{
		"name": "한빛서점", "kind": "business", "business_number": "999-81-00015", "invoice_email": "tax@hanbit.example", "master": s.master.id,
		"daily_limit_krw": 100_000_000,
	}, &made)
	s.wallet = made.ID
	for i := range cards {
		s.cards = append(s.cards, h.card(s.master, fmt.Sprintf("%s-%d", s.bot, i+1), plastics[i].issuer, plastics[i].bin))
	}
	if cards > 0 {
		s.putCards(s.cards...)
	}
	s.skillURL = h.openBot(s.bot, s.restKey, s.wallet, map[string]string{s.master.id: "master"})
	h.shops = append(h.shops, s)
	return s
}

func (h *house) account(name string) account {
	h.t.Helper()
	a := account{email: name + "@hanbit.example"}
	var made struct {
		ID string `json:"id"`
	}
	h.do("POST", "/api/v1/accounts", map[string]any{"name": name, "email": a.email}, &made)
	a.id = made.ID
	return a
}

// card makes a card at its issuer and registers it for an account.
func (h *house) card(owner account, plastic, issuer, bin string) card {
	h.t.Helper()
	h.tell("PUT", "/sandbox/cards/"+plastic, map[string]any{"issuer": issuer, "bin": bin, "personality": "ok"}, nil)
	id, err := h.world.RegisterCard(h.t.Context(), owner.id, plastic)
	if err != nil {
		h.t.Fatalf("register card %s: %v", plastic, err)
	}
	var list struct {
		Items []struct {
			ID     string `json:"id"`
			Masked string `json:"masked"`
			Issuer string `json:"issuer"`
		} `json:"items"`
	}
	h.get("/api/v1/accounts/"+owner.id+"/cards", &list)
	for _, c := range list.Items {
		if c.ID == id {
			return card{id: id, plastic: plastic, masked: c.Masked, issuer: c.Issuer}
		}
	}
	h.t.Fatalf("card %s is not among the cards of its owner: %+v", id, list.Items)
	return card{}
}

// putCards says which cards the wallet is charged on, in order.
func (s *shop) putCards(cards ...card) {
	s.house.t.Helper()
	ids := make([]string, len(cards))
	for i, c := range cards {
		ids[i] = c.id
	}
	s.house.do("PUT", "/api/v1/wallets/"+s.wallet+"/cards", map[string]any{"cards": ids}, nil)
	s.cards = cards
}

// openBot makes a bot with both channels and its blocks, here and at Kakao, and returns its skill
// URL. roles are by account.
func (h *house) openBot(id, restKey, wallet string, roles map[string]string) (skillURL string) {
	h.t.Helper()
	members := []map[string]any{}
	for account, role := range roles {
		members = append(members, map[string]any{"account": account, "role": role})
	}
	var made struct {
		SkillURL string `json:"skill_url"`
	}
	h.do("POST", "/api/v1/bots", map[string]any{"id": id, "name": "한빛서점 도우미", "rest_api_key": restKey, "wallet": wallet, "members": members}, &made)
	for _, side := range []string{"live", "development"} {
		h.do("PUT", "/api/v1/bots/"+id+"/channels/"+side, map[string]any{"name": "한빛서점"}, nil)
	}
	block := func(n int, name, kind, text string) map[string]any {
		return map[string]any{"id": fmt.Sprintf("66a1f111d4b7e83f5a9c%04x", n), "name": name, "kind": kind,
			"answer": map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}}}
	}
	alert := block(4, "재입고 알림", "normal", "기다리시던 책이 다시 들어왔어요.")
	alert["event"] = event
	h.do("POST", "/api/v1/bots/"+id+"/versions?deploy=true", map[string]any{"blocks": []any{
		block(1, "웰컴 블록", "welcome", greeting), block(2, "폴백 블록", "fallback", fallback), block(3, hoursName, "normal", hours), alert,
	}}, nil)
	h.tell("PUT", "/sandbox/bots/"+id, map[string]any{"rest_api_key": restKey, "events": []string{event}}, nil)
	return made.SkillURL
}

// member gives somebody a role on the wallet.
func (s *shop) member(a account, role string) {
	s.house.t.Helper()
	s.house.do("PUT", "/api/v1/wallets/"+s.wallet+"/members/"+a.id, map[string]any{"role": role}, nil)
}

// topUp adds paid cash of a supply value, with the test as the payer.
func (s *shop) topUp(supply int64) {
	s.house.t.Helper()
	if err := s.house.world.TopUp(s.house.t.Context(), s.wallet, supply); err != nil {
		s.house.t.Fatalf("top up %d KRW: %v", supply, err)
	}
}

// behave says how cards of the sandbox behave when they are charged.
func (s *shop) behave(personality string, cards ...card) {
	s.house.t.Helper()
	for _, c := range cards {
		change := map[string]any{"personality": personality}
		if personality == "declined" {
			change["method_result_code"], change["method_result_message"] = "8326", "한도초과"
		}
		s.house.tell("PUT", "/sandbox/cards/"+c.plastic, change, nil)
	}
}

// friends returns ids of so many people whom nobody has written to yet.
func (s *shop) friends(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		s.people++
		ids[i] = fmt.Sprintf("reader-%s-%d", s.bot[20:], s.people)
	}
	return ids
}

// order orders a broadcast to people of the live channel. It is answered 202, whatever the wallet
// can pay.
func (s *shop) order(people ...string) broadcast {
	s.house.t.Helper()
	return s.orderOn("live", people...)
}

// orderOn orders a broadcast on a channel, live or development.
func (s *shop) orderOn(channel string, people ...string) broadcast {
	s.house.t.Helper()
	recipients := make([]map[string]string, len(people))
	for i, id := range people {
		recipients[i] = map[string]string{"type": "botUserKey", "id": id}
	}
	var b broadcast
	s.house.do("POST", "/api/v1/broadcasts", map[string]any{
		"bot": s.bot, "channel": channel, "name": "재입고", "event": map[string]any{"name": event, "data": map[string]string{"title": "겨울 바다"}},
		"recipients": recipients,
	}, &b, apiclient.IdempotencyKey(rand.Text()))
	return b
}

// deliver orders a broadcast to friends of the channel and waits until all were reached.
func (s *shop) deliver(people int) broadcast {
	s.house.t.Helper()
	b := s.finish(s.order(s.friends(people)...))
	if b.Counts.Delivered != people {
		s.house.t.Fatalf("broadcast to %d friends delivered %d: %+v", people, b.Counts.Delivered, b)
	}
	return b
}

// finish waits for the end of a broadcast.
func (s *shop) finish(b broadcast) broadcast {
	s.house.t.Helper()
	s.house.until("broadcast "+b.ID+" is finished", func() (bool, any) {
		b = s.look(b)
		return b.State == "finished", b
	})
	return b
}

// waits waits until a broadcast waits for a reason.
func (s *shop) waits(b broadcast, reason string) broadcast {
	s.house.t.Helper()
	s.house.until("broadcast "+b.ID+" waits for "+reason, func() (bool, any) {
		b = s.look(b)
		return b.Wait.Reason == reason, b
	})
	return b
}

func (s *shop) look(b broadcast) (now broadcast) {
	s.house.t.Helper()
	s.house.get("/api/v1/broadcasts/"+b.ID+"?chunks=true", &now)
	return now
}

// csv is an upload of people.
func csv(lines ...string) *strings.Reader { return strings.NewReader(strings.Join(lines, "\n") + "\n") }
