package pay

import (
	"crypto/rand"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// payment is one tid.
type payment struct {
	tid, aid, cid, orderID, userID, itemName string
	quantity                                 int
	asked                                    int64 // KRW that the merchant asked for
	total, taxFree, vat                      int64 // KRW as paid; differs from asked on request only
	status                                   string
	card                                     *card
	sid                                      *sid
	recurring                                bool // charged by sid
	pgToken                                  string
	approvalURL, cancelURL, failURL          string
	createdAt, approvedAt, cancelledAt       time.Time
	cancelled                                int64 // KRW
	actions                                  []action
}

type action struct {
	aid, kind string
	amount    int64
	at        time.Time
}

// The states of a payment, in KakaoPay's words.
const (
	statusReady     = "READY"
	statusOpen      = "OPEN_PAYMENT"
	statusAuth      = "AUTH_PASSWORD"
	statusPaid      = "SUCCESS_PAYMENT"
	statusPart      = "PART_CANCEL_PAYMENT"
	statusCancelled = "CANCEL_PAYMENT"
	statusBadAuth   = "FAIL_AUTH_PASSWORD"
	statusQuit      = "QUIT_PAYMENT"
	statusFailed    = "FAIL_PAYMENT"
)

func (p *payment) approved() bool { return !p.approvedAt.IsZero() }

// amount is what a sum is made of, as KakaoPay writes it.
type amount struct {
	Total        int64 `json:"total"`
	TaxFree      int64 `json:"tax_free"`
	VAT          int64 `json:"vat"`
	Point        int64 `json:"point"`
	Discount     int64 `json:"discount"`
	GreenDeposit int64 `json:"green_deposit"`
}

func split(total, taxFree int64, vat *int64) amount {
	a := amount{Total: total, TaxFree: taxFree, VAT: (total - taxFree + 5) / 11}
	if vat != nil {
		a.VAT = *vat
	}
	return a
}

type readyRequest struct {
	CID                 string `json:"cid"`
	CIDSecret           string `json:"cid_secret"`
	OrderID             string `json:"partner_order_id"`
	UserID              string `json:"partner_user_id"`
	ItemName            string `json:"item_name"`
	ItemCode            string `json:"item_code"`
	Quantity            int    `json:"quantity"`
	Total               *int64 `json:"total_amount"`
	TaxFree             *int64 `json:"tax_free_amount"`
	VAT                 *int64 `json:"vat_amount"`
	GreenDeposit        *int64 `json:"green_deposit"`
	ApprovalURL         string `json:"approval_url"`
	CancelURL           string `json:"cancel_url"`
	FailURL             string `json:"fail_url"`
	AvailableCards      any    `json:"available_cards"`
	Method              string `json:"payment_method_type"`
	InstallMonth        int    `json:"install_month"`
	UseShareInstallment string `json:"use_share_installment"`
	CustomJSON          any    `json:"custom_json"`
	RedirectSchemeURL   string `json:"redirect_scheme_url"`
}

func (r readyRequest) about() (cid, sid, tid string) { return r.CID, "", "" }

// text checks a required text; it says the error code's words or nothing.
func badText(text string, longest int) bool {
	return text == "" || utf8.RuneCountInString(text) > longest
}

func (r readyRequest) check() *outcome {
	wrong := func(code int, message string) *outcome { o := refuse(code, message); return &o }
	switch {
	case badText(r.OrderID, 100), badText(r.UserID, 100), badText(r.ItemName, 100), r.Quantity < 1:
		return wrong(-726, "order info is wrong!")
	case badText(r.ApprovalURL, 255), badText(r.CancelURL, 255), badText(r.FailURL, 255):
		return wrong(-726, "redirect url is wrong!")
	case r.Total == nil || r.TaxFree == nil || *r.Total < 0 || *r.TaxFree < 0 || *r.TaxFree > *r.Total:
		return wrong(-722, "amount info is wrong!")
	case r.VAT != nil && (*r.VAT < 0 || *r.VAT > *r.Total-*r.TaxFree):
		return wrong(-722, "vat amount is wrong!")
	case *r.Total == 0 && r.CID != cidRecurring:
		return wrong(-722, "only a registration costs nothing!")
	}
	return nil
}

func (g *Gateway) ready(r *http.Request, body readyRequest, _ trouble.Fault) outcome {
	if wrong := body.check(); wrong != nil {
		return *wrong
	}
	a := split(*body.Total, *body.TaxFree, body.VAT)
	p := &payment{
		tid: newKey("T"), cid: body.CID, orderID: body.OrderID, userID: body.UserID, itemName: body.ItemName, quantity: body.Quantity,
		asked: a.Total, total: a.Total, taxFree: a.TaxFree, vat: a.VAT, status: statusReady, createdAt: g.options.Clock.Now(),
		approvalURL: body.ApprovalURL, cancelURL: body.CancelURL, failURL: body.FailURL,
	}
	g.payments = append(g.payments, p)
	g.byTID[p.tid] = p
	base := g.options.PublicURL
	if base == "" {
		base = "http://" + r.Host
	}
	page := base + "/sandbox/pay/" + p.tid
	return outcome{answer: map[string]any{
		"tid": p.tid, "next_redirect_app_url": page, "next_redirect_mobile_url": page, "next_redirect_pc_url": page,
		"android_app_scheme": "", "ios_app_scheme": "", "created_at": stamp(p.createdAt), "tms_result": false,
	}}
}

type approveRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret"`
	TID       string `json:"tid"`
	OrderID   string `json:"partner_order_id"`
	UserID    string `json:"partner_user_id"`
	PGToken   string `json:"pg_token"`
	Payload   string `json:"payload"`
	Total     *int64 `json:"total_amount"`
}

func (r approveRequest) about() (cid, sid, tid string) { return r.CID, "", r.TID }

func (g *Gateway) approve(_ *http.Request, r approveRequest, hit trouble.Fault) outcome {
	p := g.byTID[r.TID]
	now := g.options.Clock.Now()
	switch {
	case p == nil || p.recurring || p.cid != r.CID:
		return refuse(-721, "no such tid!")
	case p.approved():
		return refuse(-702, "already paid!")
	case p.orderID != r.OrderID:
		return refuse(-706, "partner_order_id is not that of ready!")
	case p.userID != r.UserID:
		return refuse(-707, "partner_user_id is not that of ready!")
	case now.Sub(p.createdAt) > readyLife:
		return refuse(-723, "expired!")
	case p.status == statusReady || p.status == statusOpen:
		return refuse(-701, "not authenticated by the user!")
	case p.status != statusAuth:
		return refuse(-783, "not approvable!")
	case p.pgToken != r.PGToken:
		return refuse(-708, "pg_token is wrong!")
	case r.Total != nil && *r.Total != p.asked:
		return refuse(-722, "total_amount is not that of ready!")
	}
	paid, moves, instead := p.card.judge(p.asked, -780, hit)
	if !moves {
		p.status = statusFailed
		return *instead
	}
	if p.asked == 0 {
		paid = 0
	}
	p.pay(paid, now)
	if p.cid == cidRecurring {
		p.sid = &sid{
			key: newKey("S"), cid: p.cid, userID: p.userID, itemName: p.itemName, card: p.card, createdAt: now, lastApprovedAt: now,
		}
		g.sids[p.sid.key] = p.sid
	}
	if instead != nil {
		return *instead
	}
	return outcome{answer: p.answer()}
}

// pay makes a payment true.
func (p *payment) pay(paid int64, now time.Time) {
	kind := "PAYMENT"
	if paid == 0 {
		kind = "ISSUED_SID"
	}
	p.aid, p.total, p.status, p.approvedAt = newKey("A"), paid, statusPaid, now
	p.actions = append(p.actions, action{p.aid, kind, paid, now})
}

// answer is that of approve and subscription.
func (p *payment) answer() map[string]any {
	told := map[string]any{
		"aid": p.aid, "tid": p.tid, "cid": p.cid, "partner_order_id": p.orderID, "partner_user_id": p.userID,
		"payment_method_type": "CARD", "item_name": p.itemName, "item_code": "", "quantity": p.quantity,
		"amount": amount{Total: p.total, TaxFree: p.taxFree, VAT: p.vat}, "card_info": p.card.info(),
		"created_at": stamp(p.createdAt), "approved_at": stamp(p.approvedAt), "payload": "",
	}
	if p.sid != nil {
		told["sid"] = p.sid.key
	}
	return told
}

func (c *card) info() map[string]string {
	return map[string]string{
		"kakaopay_purchase_corp": c.Issuer, "kakaopay_purchase_corp_code": "90", "kakaopay_issuer_corp": c.Issuer,
		"kakaopay_issuer_corp_code": "90", "bin": c.BIN, "card_type": "신용", "install_month": "00",
		"approved_id": rand.Text()[:8], "card_mid": "100000000", "interest_free_install": "N",
		"installment_type": "CARD_INSTALLMENT", "card_item_code": "SANDBOX",
	}
}
