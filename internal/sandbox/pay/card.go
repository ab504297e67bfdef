package pay

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Personality is how a card behaves when it is charged.
type Personality string

// The personalities of cards.
const (
	OK            Personality = "ok"
	Declined      Personality = "declined"       // the issuer says no
	Dead          Personality = "dead"           // its sids are inactive
	UnknownPaid   Personality = "unknown_paid"   // it pays and answers with an internal error
	UnknownUnpaid Personality = "unknown_unpaid" // it does not pay and answers with an internal error
	OtherAmount   Personality = "wrong_amount"   // it pays 10 KRW more than was asked for
)

var personalities = []Personality{OK, Declined, Dead, UnknownPaid, UnknownUnpaid, OtherAmount}

// extraKRW is by how much a wrong amount is wrong.
const extraKRW = 10

// Card is a card as a payer sees it and as it behaves.
type Card struct {
	Name                string      `json:"name"`
	Issuer              string      `json:"issuer"`
	BIN                 string      `json:"bin"` // first six digits
	Personality         Personality `json:"personality"`
	MethodResultCode    string      `json:"method_result_code,omitempty"`    // of declined
	MethodResultMessage string      `json:"method_result_message,omitempty"` // of declined
	Dormant             bool        `json:"dormant"`                         // 휴면: it fails until it is revived
}

type card struct{ Card }

// sid is a key with which a card is charged while its owner is away.
type sid struct {
	key, cid, userID, itemName string
	card                       *card
	createdAt                  time.Time
	lastApprovedAt             time.Time
	inactivatedAt              time.Time
}

func (s *sid) active() bool { return s.inactivatedAt.IsZero() && s.card.Personality != Dead }

// cards completes the cards of the options; without any there are five, one of each main kind.
func cards(given []Card) []Card {
	if len(given) == 0 {
		given = []Card{
			{Name: "hanbit", Issuer: "한빛카드", BIN: "944601"},
			{Name: "saebyeok", Issuer: "새벽카드", BIN: "557042"},
			{Name: "norae", Issuer: "노래카드", BIN: "402857"},
			{Name: "declined", Issuer: "거절카드", BIN: "510733", Personality: Declined},
			{Name: "dormant", Issuer: "휴면카드", BIN: "376292", Dormant: true},
		}
	}
	for i := range given {
		given[i] = complete(given[i])
	}
	return given
}

func complete(c Card) Card {
	fill := func(into *string, value string) {
		if *into == "" {
			*into = value
		}
	}
	fill(&c.Issuer, c.Name+"카드")
	fill(&c.BIN, "999000")
	if c.Personality == "" {
		c.Personality = OK
	}
	if c.Personality == Declined {
		fill(&c.MethodResultCode, "8326")
		fill(&c.MethodResultMessage, "한도초과")
	}
	return c
}

// cardNamed returns a card, a new one that pays when there is none; the caller holds the lock.
func (g *Gateway) cardNamed(name string) *card {
	for _, c := range g.cards {
		if c.Name == name {
			return c
		}
	}
	c := &card{Card: complete(Card{Name: name})}
	g.cards = append(g.cards, c)
	return c
}

// cardOf names the card that a call is about, or nothing.
func (g *Gateway) cardOf(key, tid string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sids[key]; s != nil {
		return s.card.Name
	}
	if p := g.byTID[tid]; p != nil && p.card != nil {
		return p.card.Name
	}
	return ""
}

// judge says what a card does when it is charged: whether money moves, how much, and what is
// answered instead of the payment.
func (c *card) judge(total int64, declineCode int, hit trouble.Fault) (paid int64, moves bool, instead *outcome) {
	decline := func(code, message string) *outcome {
		words := map[int]string{-780: "approval failure!", -782: "subscription payment failure!"}
		return &outcome{err: &payError{Code: declineCode, Message: words[declineCode], Extras: &issuerExtras{code, message}}}
	}
	switch {
	case c.Dormant:
		return 0, false, decline("6666", "휴면 카드")
	case c.Personality == Declined:
		return 0, false, decline(c.MethodResultCode, c.MethodResultMessage)
	case c.Personality == Dead:
		return 0, false, decline("9999", "사용할 수 없는 카드")
	case c.Personality == UnknownUnpaid:
		return 0, false, &outcome{lost: true}
	case c.Personality == UnknownPaid:
		return total, true, &outcome{lost: true}
	case c.Personality == OtherAmount, hit.Kind == WrongAmount:
		return total + extraKRW, true, nil
	}
	return total, true, nil
}

type sidRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret"`
	SID       string `json:"sid"`
}

func (r sidRequest) about() (cid, sid, tid string) { return r.CID, r.SID, "" }

func (s *sid) answer() map[string]any {
	status := "ACTIVE"
	if !s.active() {
		status = "INACTIVE"
	}
	return map[string]any{
		"available": s.active() && !s.card.Dormant, "cid": s.cid, "sid": s.key, "status": status, "payment_method_type": "CARD",
		"item_name": s.itemName, "created_at": stamp(s.createdAt), "last_approved_at": stamp(s.lastApprovedAt),
		"inactivated_at": stamp(s.inactivatedAt), "use_point_status": nil,
	}
}

// find returns the sid of a call, or why there is none; the caller holds the lock.
func (g *Gateway) find(cid, key string) (*sid, *outcome) {
	s := g.sids[key]
	if s == nil || s.cid != cid {
		none := refuse(-750, "no such sid!")
		return nil, &none
	}
	return s, nil
}

func (g *Gateway) sidStatus(_ *http.Request, r sidRequest, _ trouble.Fault) outcome {
	s, none := g.find(r.CID, r.SID)
	if none != nil {
		return *none
	}
	return outcome{answer: s.answer()}
}

func (g *Gateway) sidInactive(_ *http.Request, r sidRequest, _ trouble.Fault) outcome {
	s, none := g.find(r.CID, r.SID)
	switch {
	case none != nil:
		return *none
	case !s.inactivatedAt.IsZero():
		return refuse(-751, "inactive sid!")
	}
	s.inactivatedAt = g.options.Clock.Now()
	told := s.answer()
	for _, name := range []string{"available", "payment_method_type", "item_name", "use_point_status"} {
		delete(told, name)
	}
	return outcome{answer: told}
}

// CardTruth is a card with what became of it.
type CardTruth struct {
	Card
	SIDs     []string `json:"sids"` // active ones
	Payments int      `json:"payments"`
	PaidKRW  int64    `json:"paid_krw"`
}

// Cards returns every card.
func (g *Gateway) Cards() []CardTruth {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]CardTruth, len(g.cards))
	for i, c := range g.cards {
		all[i] = CardTruth{Card: c.Card, SIDs: []string{}}
		for key, s := range g.sids {
			if s.card == c && s.active() {
				all[i].SIDs = append(all[i].SIDs, key)
			}
		}
		slices.Sort(all[i].SIDs)
		for _, p := range g.payments {
			if p.card == c && p.approved() && p.total > 0 {
				all[i].Payments++
				all[i].PaidKRW += p.total
			}
		}
	}
	return all
}

func (g *Gateway) listCards(w http.ResponseWriter, _ *http.Request) { answer.Items(w, g.Cards(), 0) }

// putCard is PUT /sandbox/cards/{card}: it makes a card, or changes what is named of one.
func (g *Gateway) putCard(w http.ResponseWriter, r *http.Request) {
	body, err := answer.Body(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	changed, err := g.changeCard(strings.TrimSpace(r.PathValue("card")), body)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	answer.JSON(w, http.StatusOK, changed)
}

func (g *Gateway) changeCard(name string, body []byte) (Card, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := Card{Name: name}
	at := slices.IndexFunc(g.cards, func(c *card) bool { return c.Name == name })
	if at >= 0 {
		changed = g.cards[at].Card
	}
	if err := answer.Decode(body, &changed); err != nil {
		return Card{}, err
	}
	switch {
	case changed.Name != name:
		return Card{}, fault.Field("name", "a card keeps its name")
	case changed.Personality != "" && !slices.Contains(personalities, changed.Personality):
		return Card{}, fault.Field("personality", "personality is one of %v", personalities)
	}
	c := g.cardNamed(name)
	c.Card = complete(changed)
	return c.Card, nil
}

// setDormant is POST /sandbox/cards/{card}/dormant and /revive.
func (g *Gateway) setDormant(dormant bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		at := slices.IndexFunc(g.cards, func(c *card) bool { return c.Name == r.PathValue("card") })
		var changed Card
		if at >= 0 {
			g.cards[at].Dormant = dormant
			changed = g.cards[at].Card
		}
		g.mu.Unlock()
		if at < 0 {
			answer.Problem(w, fault.New(fault.NotFound, "there is no card of this name"))
			return
		}
		answer.JSON(w, http.StatusOK, changed)
	}
}
