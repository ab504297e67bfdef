package pay

import (
	"net/http"

	"github.com/malgil/malgil/internal/sandbox/trouble"
)

type orderRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret"`
	TID       string `json:"tid"`
}

func (r orderRequest) about() (cid, sid, tid string) { return r.CID, "", r.TID }

func (g *Gateway) order(_ *http.Request, r orderRequest, _ trouble.Fault) outcome {
	p := g.byTID[r.TID]
	if p == nil || p.cid != r.CID {
		return refuse(-721, "no such tid!")
	}
	told := p.state()
	actions := []map[string]any{}
	for _, a := range p.actions {
		actions = append(actions, map[string]any{
			"aid": a.aid, "payment_action_type": a.kind, "payment_method_type": "CARD", "amount": a.amount, "point_amount": 0,
			"discount_amount": 0, "green_deposit": 0, "approved_at": stamp(a.at), "payload": "",
		})
	}
	told["payment_action_details"] = actions
	return outcome{answer: told}
}

// state is what order and cancel tell of a payment.
func (p *payment) state() map[string]any {
	told := map[string]any{
		"tid": p.tid, "cid": p.cid, "status": p.status, "partner_order_id": p.orderID, "partner_user_id": p.userID,
		"payment_method_type": "CARD", "item_name": p.itemName, "item_code": "", "quantity": p.quantity,
		"amount":                  amount{Total: p.total, TaxFree: p.taxFree, VAT: p.vat},
		"canceled_amount":         amount{Total: p.cancelled, VAT: p.cancelled / 11},
		"cancel_available_amount": amount{},
		"created_at":              stamp(p.createdAt), "approved_at": stamp(p.approvedAt), "canceled_at": stamp(p.cancelledAt),
	}
	if p.approved() {
		left := p.total - p.cancelled
		told["cancel_available_amount"] = amount{Total: left, TaxFree: min(p.taxFree, left), VAT: (left + 5) / 11}
	}
	return told
}

type cancelRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret"`
	TID       string `json:"tid"`
	Amount    *int64 `json:"cancel_amount"`
	TaxFree   *int64 `json:"cancel_tax_free_amount"`
	VAT       *int64 `json:"cancel_vat_amount"`
	Available *int64 `json:"cancel_available_amount"`
	Payload   string `json:"payload"`
}

func (r cancelRequest) about() (cid, sid, tid string) { return r.CID, "", r.TID }

func (g *Gateway) cancel(_ *http.Request, r cancelRequest, _ trouble.Fault) outcome {
	p := g.byTID[r.TID]
	switch {
	case p == nil || p.cid != r.CID:
		return refuse(-721, "no such tid!")
	case p.status != statusPaid && p.status != statusPart, p.total == 0:
		return refuse(-784, "not cancellable!")
	case r.Amount == nil || r.TaxFree == nil || *r.Amount <= 0 || *r.TaxFree < 0 || *r.TaxFree > *r.Amount:
		return refuse(-724, "amount is wrong!")
	case *r.Amount > p.total:
		return refuse(-711, "more than was approved!")
	case *r.Amount > p.total-p.cancelled:
		return refuse(-710, "more than can be cancelled!")
	case r.Available != nil && *r.Available != p.total-p.cancelled:
		return refuse(-710, "cancel_available_amount is not what can be cancelled!")
	}
	now := g.options.Clock.Now()
	p.cancelled += *r.Amount
	p.cancelledAt = now
	p.status = statusPart
	if p.cancelled == p.total {
		p.status = statusCancelled
	}
	a := action{newKey("A"), "CANCEL", *r.Amount, now}
	p.actions = append(p.actions, a)
	told := p.state()
	told["aid"] = a.aid
	told["approved_cancel_amount"] = split(*r.Amount, *r.TaxFree, r.VAT)
	return outcome{answer: told}
}
