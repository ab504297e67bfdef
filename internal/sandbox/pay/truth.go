package pay

import (
	"maps"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/sandbox/answer"
)

// Truth is what happened at KakaoPay.
type Truth struct {
	Requests     map[string]int `json:"requests"` // by call, refused ones too
	Payments     int            `json:"payments"` // approved, above 0 KRW
	PaidKRW      int64          `json:"paid_krw"`
	CancelledKRW int64          `json:"cancelled_krw"`
	Failed       int            `json:"failed"`
	Registered   int            `json:"registered"` // sids issued
	Cards        []CardTruth    `json:"cards"`
}

// Truth sums up what happened.
func (g *Gateway) Truth() Truth {
	truth := Truth{Cards: g.Cards()}
	g.mu.Lock()
	defer g.mu.Unlock()
	truth.Requests, truth.Registered = maps.Clone(g.requests), len(g.sids)
	for _, p := range g.payments {
		switch {
		case p.approved() && p.total > 0:
			truth.Payments++
			truth.PaidKRW += p.total
			truth.CancelledKRW += p.cancelled
		case p.status == statusFailed:
			truth.Failed++
		}
	}
	return truth
}

type paymentTruth struct {
	TID          string     `json:"tid"`
	OrderID      string     `json:"order_id"`
	UserID       string     `json:"user_id"`
	CID          string     `json:"cid"`
	SID          string     `json:"sid,omitempty"`
	Card         string     `json:"card,omitempty"`
	Recurring    bool       `json:"recurring"`
	Status       string     `json:"status"`
	AskedKRW     int64      `json:"asked_krw"`
	TotalKRW     int64      `json:"total_krw"`
	VATKRW       int64      `json:"vat_krw"`
	CancelledKRW int64      `json:"cancelled_krw"`
	CreatedAt    time.Time  `json:"created_at"`
	ApprovedAt   *time.Time `json:"approved_at,omitempty"`
}

func (p *payment) truth() paymentTruth {
	truth := paymentTruth{
		TID: p.tid, OrderID: p.orderID, UserID: p.userID, CID: p.cid, Recurring: p.recurring, Status: p.status,
		AskedKRW: p.asked, TotalKRW: p.total, VATKRW: p.vat, CancelledKRW: p.cancelled, CreatedAt: p.createdAt,
	}
	if p.sid != nil {
		truth.SID = p.sid.key
	}
	if p.card != nil {
		truth.Card = p.card.Name
	}
	if p.approved() {
		at := p.approvedAt
		truth.ApprovedAt = &at
	}
	return truth
}

// listPayments is GET /sandbox/truth/payments: in the order they were begun; ?order=, ?user=,
// ?card=, ?status= and ?tid= narrow it.
func (g *Gateway) listPayments(w http.ResponseWriter, r *http.Request) {
	page, err := answer.ReadPage(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	found, next := g.findPayments(r, page)
	answer.Items(w, found, next)
}

func (g *Gateway) findPayments(r *http.Request, page answer.Page) (found []paymentTruth, next int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := page.From; i < len(g.payments); i++ {
		truth := g.payments[i].truth()
		fits := true
		for name, value := range map[string]string{
			"order": truth.OrderID, "user": truth.UserID, "card": truth.Card, "status": truth.Status, "tid": truth.TID,
		} {
			if want := r.FormValue(name); want != "" && want != value {
				fits = false
			}
		}
		if !fits {
			continue
		}
		if len(found) == page.Limit {
			return found, i
		}
		found = append(found, truth)
	}
	return found, 0
}
