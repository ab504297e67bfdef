package kakaopay

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

// Merchant is how an installation is known at KakaoPay.
type Merchant struct {
	OneTimeCID      string // for top-ups; [TestCIDOnce] for tests
	OneTimeSecret   string // CID secret, empty where KakaoPay gave none
	RecurringCID    string // for cards; [TestCIDRecurring] for tests
	RecurringSecret string
}

// Gateway is KakaoPay in the words of billing. It is safe for concurrent use.
type Gateway struct {
	client   *Client
	merchant Merchant
}

var _ billing.Gateway = (*Gateway)(nil)

// NewGateway returns a gateway for one merchant.
func NewGateway(client *Client, m Merchant) *Gateway { return &Gateway{client: client, merchant: m} }

func (g *Gateway) cid(p billing.Purpose) (cid, secret string) {
	if p == billing.OneTime {
		return g.merchant.OneTimeCID, g.merchant.OneTimeSecret
	}
	return g.merchant.RecurringCID, g.merchant.RecurringSecret
}

func (g *Gateway) sid(sid string) SIDRequest {
	return SIDRequest{CID: g.merchant.RecurringCID, CIDSecret: g.merchant.RecurringSecret, SID: sid}
}

// CardStatus asks whether a card can be charged.
func (g *Gateway) CardStatus(ctx context.Context, sid string) (billing.CardStatus, error) {
	a, err := g.client.SIDStatus(ctx, g.sid(sid))
	return billing.CardStatus{Available: a.Available, Active: a.Status == SIDActive, LastApprovedAt: a.LastApprovedAt.Time}, classed(err)
}

// Deactivate switches a card off for good.
func (g *Gateway) Deactivate(ctx context.Context, sid string) error {
	_, err := g.client.SIDInactive(ctx, g.sid(sid))
	return classed(err)
}

// Charge charges a card with no payer present.
func (g *Gateway) Charge(ctx context.Context, r billing.ChargeRequest) (billing.Payment, error) {
	vat := int64(r.VAT)
	p, err := g.client.Subscription(ctx, SubscriptionRequest{
		CID: g.merchant.RecurringCID, CIDSecret: g.merchant.RecurringSecret, SID: r.SID,
		OrderID: r.OrderID, UserID: r.PayerID, ItemName: r.Item, Quantity: 1, TotalAmount: int64(r.Total), VATAmount: &vat,
	})
	return payment(p), classed(err)
}

// Ready starts a payment; a card is registered by card, not by KakaoPay money.
func (g *Gateway) Ready(ctx context.Context, r billing.ReadyRequest) (billing.Ready, error) {
	cid, secret := g.cid(r.Purpose)
	vat, method := int64(r.VAT), ""
	if r.Purpose == billing.Recurring {
		method = "CARD"
	}
	a, err := g.client.Ready(ctx, ReadyRequest{
		CID: cid, CIDSecret: secret, OrderID: r.OrderID, UserID: r.PayerID, ItemName: r.Item, Quantity: 1,
		TotalAmount: int64(r.Total), VATAmount: &vat, Method: method,
		ApprovalURL: r.ApproveURL, CancelURL: r.CancelURL, FailURL: r.FailURL,
	})
	return billing.Ready{TID: a.TID, Redirect: billing.Redirect{
		PC: a.RedirectPCURL, Mobile: a.RedirectMobileURL, App: a.RedirectAppURL,
	}}, classed(err)
}

// Approve finishes a payment.
func (g *Gateway) Approve(ctx context.Context, r billing.ApproveRequest) (billing.Payment, error) {
	cid, secret := g.cid(r.Purpose)
	total := int64(r.Total)
	p, err := g.client.Approve(ctx, ApproveRequest{
		CID: cid, CIDSecret: secret, TID: r.TID, OrderID: r.OrderID, UserID: r.PayerID, PGToken: r.Token, TotalAmount: &total,
	})
	return payment(p), classed(err)
}

// Order looks a payment up.
func (g *Gateway) Order(ctx context.Context, p billing.Purpose, tid string) (billing.Order, error) {
	cid, secret := g.cid(p)
	o, err := g.client.Order(ctx, OrderRequest{CID: cid, CIDSecret: secret, TID: tid})
	return billing.Order{Status: orderStatus(o.Status), Cancelled: wallet.KRW(o.CancelledAmount.Total), Payment: billing.Payment{
		TID: o.TID, OrderID: o.OrderID, PayerID: o.UserID, Total: wallet.KRW(o.Amount.Total), ApprovedAt: o.ApprovedAt.Time,
	}}, classed(err)
}

// Cancel gives a payment back, or a part of it.
func (g *Gateway) Cancel(ctx context.Context, r billing.CancelRequest) (wallet.KRW, error) {
	cid, secret := g.cid(r.Purpose)
	vat, left := int64(r.VAT), int64(r.Left)
	c, err := g.client.Cancel(ctx, CancelRequest{
		CID: cid, CIDSecret: secret, TID: r.TID, CancelAmount: int64(r.Amount), VATAmount: &vat, Available: &left,
	})
	return wallet.KRW(c.Cancelled.Total), classed(err)
}

func orderStatus(status string) billing.OrderStatus {
	switch status {
	case OrderPaid:
		return billing.OrderPaid
	case OrderPartCancelled:
		return billing.OrderPartly
	case OrderCancelled:
		return billing.OrderCancelled
	case OrderFailedPassword, OrderQuit, OrderFailed:
		return billing.OrderFailed
	}
	return billing.OrderOpen // all others are on the way
}

func payment(p Payment) billing.Payment {
	return billing.Payment{
		TID: p.TID, SID: p.SID, OrderID: p.OrderID, PayerID: p.UserID, Total: wallet.KRW(p.Amount.Total),
		ApprovedAt: p.ApprovedAt.Time, BIN: p.Card.BIN, Issuer: p.Card.IssuerCorp,
	}
}

// classed says what a failed call means for the money.
func classed(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	failed := &billing.GatewayError{Class: meaning(e), Err: err, Message: e.Message}
	if e.Code != 0 {
		failed.Code = strconv.Itoa(e.Code)
	}
	if e.MethodResultCode != "" || e.MethodResultMessage != "" { // the issuer's words say more than the gateway's
		failed.Code = strings.TrimSpace(failed.Code + " " + e.MethodResultCode)
		failed.Message = e.MethodResultMessage
	}
	return failed
}

func meaning(e *Error) billing.Class {
	switch e.Class {
	case NotSent:
		return billing.NotSent
	case Declined:
		return billing.CardDeclined
	case Dead:
		return billing.CardGone
	case Config:
		if e.QuotaUsedUp() {
			return billing.QuotaUsedUp
		}
		return billing.BadConfig
	case Permanent:
		return billing.BadRequest
	case Lookup, Unknown:
		return billing.MayHaveMoved
	}
	return billing.MayHaveMoved
}
