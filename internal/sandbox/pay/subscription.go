package pay

import (
	"net/http"

	"github.com/malgil/malgil/internal/sandbox/trouble"
)

type subscriptionRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret"`
	SID       string `json:"sid"`
	OrderID   string `json:"partner_order_id"`
	UserID    string `json:"partner_user_id"`
	ItemName  string `json:"item_name"`
	ItemCode  string `json:"item_code"`
	Quantity  int    `json:"quantity"`
	Total     *int64 `json:"total_amount"`
	TaxFree   *int64 `json:"tax_free_amount"`
	VAT       *int64 `json:"vat_amount"`
}

func (r subscriptionRequest) about() (cid, sid, tid string) { return r.CID, r.SID, "" }

// subscription charges a card by its sid. A failed charge leaves a payment behind, as a merchant
// sees it in KakaoPay's own console; only a paid order id is a duplicate.
func (g *Gateway) subscription(_ *http.Request, r subscriptionRequest, hit trouble.Fault) outcome {
	s, none := g.find(r.CID, r.SID)
	switch {
	case r.CID != cidRecurring:
		return refuse(-731, "the cid is not for recurring payments!")
	case none != nil:
		return *none
	case !s.active():
		return refuse(-751, "inactive sid!")
	case s.userID != r.UserID:
		return refuse(-753, "partner_user_id is not that of the sid!")
	case badText(r.OrderID, 100), badText(r.ItemName, 100), r.Quantity < 1:
		return refuse(-726, "order info is wrong!")
	case r.Total == nil || r.TaxFree == nil || *r.Total <= 0 || *r.TaxFree < 0 || *r.TaxFree > *r.Total:
		return refuse(-722, "amount info is wrong!")
	case r.VAT != nil && (*r.VAT < 0 || *r.VAT > *r.Total-*r.TaxFree):
		return refuse(-722, "vat amount is wrong!")
	case g.byOrder[r.OrderID] != nil:
		return refuse(-785, "duplicate payment request!")
	}
	now := g.options.Clock.Now()
	a := split(*r.Total, *r.TaxFree, r.VAT)
	p := &payment{
		tid: newKey("T"), cid: r.CID, orderID: r.OrderID, userID: r.UserID, itemName: r.ItemName, quantity: r.Quantity,
		asked: a.Total, total: a.Total, taxFree: a.TaxFree, vat: a.VAT, status: statusFailed, card: s.card, sid: s, recurring: true, createdAt: now,
	}
	g.payments = append(g.payments, p)
	g.byTID[p.tid] = p
	paid, moves, instead := s.card.judge(a.Total, -782, hit)
	if moves {
		p.pay(paid, now)
		s.lastApprovedAt = now
		g.byOrder[p.orderID] = p
	}
	if instead != nil {
		return *instead
	}
	return outcome{answer: p.answer()}
}
