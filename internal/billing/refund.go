package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// MaxRefundLines bounds how many payments one refund gives back.
const MaxRefundLines = 100

// Why a refund is refused; see also [wallet.Wallet.Refundable].
var (
	ErrRefundTooMuch   = fault.Coded(fault.Refused, "REFUND_TOO_MUCH", "that is more than may be refunded; ask for less")
	ErrNothingToRefund = fault.Coded(fault.Refused, "NOTHING_TO_REFUND", "the wallet has no unused paid cash")
	ErrRefundLines     = fault.Coded(fault.Refused, "REFUND_TOO_MANY_TOPUPS", "that would give back more than %d top-ups at once; ask for less, then for the rest", MaxRefundLines)
	ErrRefundAccount   = fault.Coded(fault.Refused, "REFUND_ACCOUNT_MISSING", "a top-up was paid by bank transfer; set the refund account of the wallet first")
)

// RefundState is where a refund stands. The names are stored.
type RefundState string

// The states of a refund.
const (
	RefundOpen   RefundState = "open"
	RefundReview RefundState = "review" // a person must look; look-ups go on
	RefundDone   RefundState = "done"
	RefundPartly RefundState = "partly" // a part went back, the rest is paid cash again
	RefundFailed RefundState = "failed" // nothing went back
)

// LineState is where a line of a refund stands. The names are stored.
type LineState string

// The states of a line.
const (
	LineOpen   LineState = "open"
	LineDone   LineState = "done"
	LineFailed LineState = "failed"
)

// Refund gives unused paid cash back (환불), newest top-up first, each by the way it was paid.
type Refund struct {
	ID       string
	WalletID string
	Supply   wallet.KRW
	VAT      wallet.KRW // that goes back with it
	State    RefundState
	To       OneTimeAccount // where transfers go, its number masked; empty without one
	OpenedAt time.Time
	ClosedAt time.Time
	Lines    []RefundLine
}

// RefundLine is what goes back by one payment.
type RefundLine struct {
	ID       string
	TopUp    string // ref of the top-up's posting: a checkout, or an attempt of a charge that came late
	Method   Method
	Supply   wallet.KRW
	VAT      wallet.KRW
	State    LineState
	Reason   string
	PaidAt   time.Time // of the top-up
	ClosedAt time.Time
}

// WayBack tells in a mail how a payment went back.
func WayBack(m Method, to OneTimeAccount) string {
	if m == ByBank {
		return "계좌 이체 " + to.Bank + " " + to.Number
	}
	return "카카오페이 결제 취소"
}

// RefundOrder asks for a refund.
type RefundOrder struct {
	WalletID string
	Supply   wallet.KRW // 0 is everything that may be refunded
	Request  Request
}

// RefundOpening is a refund to be opened.
type RefundOpening struct {
	RefundOrder
	ID      string
	At      time.Time
	HasBank bool // transfers can be made
	NewID   func(prefix string) string
}

// RefundPayment is the payment that a line gives back.
type RefundPayment struct {
	Method   Method
	Purpose  Purpose
	TID      string
	Returned wallet.KRW // what went back of it before by refunds and, as corrections say, without us; with VAT
	To       OneTimeAccount
	Sealed   []byte // the number of To, sealed for table refund_account
	WalletID string
}

// RefundStore keeps refunds. Each method that moves one is one transaction that also writes the
// postings and mails that follow from it.
type RefundStore interface {
	// PlanRefund says what a refund would give back, and refuses it as OpenRefund does.
	PlanRefund(ctx context.Context, o RefundOpening) (Refund, error)
	// OpenRefund takes the money aside and prepares an attempt for every line, or returns the
	// refund that the same request opened before.
	OpenRefund(ctx context.Context, o RefundOpening) (Refund, []Follow, error)
	// Refund reads a refund. It is NotFound when there is none.
	Refund(ctx context.Context, id string) (Refund, error)
	// RefundPayment reads what a line gives back.
	RefundPayment(ctx context.Context, lineID string) (RefundPayment, error)
	// LineRefunded ends a line whose money went back. Reported twice it changes nothing.
	LineRefunded(ctx context.Context, r Report) (Result, error)
	// LineReturned ends a line whose money did not go back: it is paid cash again.
	LineReturned(ctx context.Context, r Report) (Result, error)
	// LineMismatch puts a refund in review: money moved, but not what was asked for.
	LineMismatch(ctx context.Context, r Report) (Result, error)
	// SettleRefund ends the open lines of a refund in review as a person says: their money went
	// back, or is paid cash again. It is a Conflict when the refund is not in review, unless the same
	// request settled it before.
	SettleRefund(ctx context.Context, walletID, id string, wentBack bool, now time.Time, r Request) (Refund, error)
	// PutRefundAccount keeps where transfers go.
	PutRefundAccount(ctx context.Context, walletID string, a SealedAccount, now time.Time) error
	// RefundAccount reads it, masked. It is NotFound when there is none.
	RefundAccount(ctx context.Context, walletID string) (OneTimeAccount, error)
	// WalletNames reads who a wallet belongs to.
	WalletNames(ctx context.Context, walletID string) (WalletNames, error)
	// PutRepresentative keeps the name of the representative of a business.
	PutRepresentative(ctx context.Context, walletID, name string) error
}

func (s *Service) opening(o RefundOrder) RefundOpening {
	return RefundOpening{RefundOrder: o, ID: s.ids.Next("rfd"), At: s.now(), HasBank: s.bank != nil, NewID: s.ids.Next}
}

// QuoteRefund says what a refund would give back, by which payments, and does nothing.
func (s *Service) QuoteRefund(ctx context.Context, walletID string, supply wallet.KRW) (Refund, error) {
	refund, err := s.store.PlanRefund(ctx, s.opening(RefundOrder{WalletID: walletID, Supply: supply}))
	return refund, wrap(err, "plan a refund of wallet %s", walletID)
}

// OpenRefund begins a refund of unused paid cash: the money is taken aside at once, and every line
// becomes an attempt of its own. Repeated with the same key it returns the same refund. It is
// Refused with a code of [wallet.Wallet.Refundable] or of this package.
func (s *Service) OpenRefund(ctx context.Context, o RefundOrder) (Refund, []Follow, error) {
	refund, next, err := s.store.OpenRefund(ctx, s.opening(o))
	return refund, next, wrap(err, "open a refund of wallet %s", o.WalletID)
}

// Refund returns a refund of a wallet. It is NotFound when there is none.
func (s *Service) Refund(ctx context.Context, walletID, id string) (Refund, error) {
	refund, err := s.store.Refund(ctx, id)
	if err == nil && refund.WalletID != walletID {
		return Refund{}, fault.New(fault.NotFound, "there is no refund %q of this wallet", id)
	}
	return refund, wrap(err, "read refund")
}

// SettleRefund ends a refund in review: a person has looked at the gateway or the bank and says
// whether the money of its open lines went back. Repeated with the same key it returns the refund as
// it stands. It is a Conflict when it is not in review.
func (s *Service) SettleRefund(ctx context.Context, walletID, id string, wentBack bool, r Request) (Refund, error) {
	if _, err := s.Refund(ctx, walletID, id); err != nil {
		return Refund{}, err
	}
	refund, err := s.store.SettleRefund(ctx, walletID, id, wentBack, s.now(), r)
	return refund, wrap(err, "settle refund %s", id)
}

const (
	// refundTries is how long a refund that the provider does not make is asked for again.
	refundTries = 24 * time.Hour
	// refundMemo is what the receiver of a transfer reads.
	refundMemo = "캐시 환불"
)

// refundLine gives one payment back, or a part of it.
func (s *Service) refundLine(ctx context.Context, a Attempt) (Result, error) {
	p, err := s.store.RefundPayment(ctx, a.SubjectID)
	if err != nil {
		return Result{}, wrap(err, "read what attempt %s gives back", a.ID)
	}
	if p.Method == ByBank {
		return s.sendBack(ctx, a, p)
	}
	order, err := s.order(ctx, p)
	if err != nil {
		return s.postponeRefund(ctx, a, asGateway(err))
	}
	left, result, err := s.compare(ctx, a, p, order)
	if err != nil || result.Outcome != "" {
		return result, err
	}
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	given, err := s.gateway.Cancel(callCtx, CancelRequest{Purpose: p.Purpose, TID: p.TID, Amount: a.Total, VAT: a.VAT, Left: left})
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err == nil {
			return s.givenBack(ctx, a, given)
		}
		e := asGateway(err)
		switch e.Class {
		case NotSent, BadConfig, QuotaUsedUp:
			return s.postponeRefund(ctx, a, e)
		case BadRequest, CardDeclined, CardGone:
			// An earlier call of this attempt may have done it: a refusal counts when the payment agrees.
			if order, err := s.order(ctx, p); err == nil && order.Cancelled == p.Returned {
				return s.store.LineReturned(ctx, s.failure(a, ReasonRefused, e))
			}
		case MayHaveMoved:
		}
		return s.doubt(ctx, a, e)
	})
}

func (s *Service) order(ctx context.Context, p RefundPayment) (Order, error) {
	ctx, cancel := s.asked(ctx)
	defer cancel()
	return s.gateway.Order(ctx, p.Purpose, p.TID)
}

// compare tells from a payment whether a line of it has gone back. When it has not, the result is
// empty and left is what is left of the payment.
func (s *Service) compare(ctx context.Context, a Attempt, p RefundPayment, order Order) (left wallet.KRW, result Result, err error) {
	r := s.fenced(a)
	switch {
	case order.Cancelled == p.Returned+a.Total:
		result, err = s.store.LineRefunded(ctx, r)
	case order.Cancelled != p.Returned, order.Payment.TID != p.TID, order.Status != OrderPaid && order.Status != OrderPartly:
		r.Reason, r.Message = ReasonMismatch, "the provider has given back another amount than our refunds"
		result, err = s.store.LineMismatch(ctx, r)
	default:
		left = order.Payment.Total - order.Cancelled
	}
	return left, result, err
}

// givenBack checks how much the provider says it gave.
func (s *Service) givenBack(ctx context.Context, a Attempt, given wallet.KRW) (Result, error) {
	r := s.report(a)
	if given != a.Total {
		r.Reason, r.Message = ReasonMismatch, "the provider gave another amount back"
		return s.store.LineMismatch(ctx, r)
	}
	return s.store.LineRefunded(ctx, r)
}

// doubt leaves an attempt to look-ups.
func (s *Service) doubt(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	r := s.failure(a, "", e)
	r.NextAt = s.now().Add(backoff(0))
	return s.store.DoubtAttempt(ctx, r)
}

// postponeRefund leaves a line for later that certainly did not go back in this run.
func (s *Service) postponeRefund(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	if e.Class == BadConfig || e.Class == QuotaUsedUp {
		return s.postpone(ctx, a, haltFor(e.Class, e, s.now()).Until, ReasonConfig)
	}
	return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
}

// resolveRefund finds out whether a line went back whose outcome is unknown. One that did not is
// asked for again, for a day.
func (s *Service) resolveRefund(ctx context.Context, a Attempt) (Result, error) {
	p, err := s.store.RefundPayment(ctx, a.SubjectID)
	if err != nil {
		return Result{}, wrap(err, "read what attempt %s gives back", a.ID)
	}
	if p.Method == ByBank {
		return s.resolveSending(ctx, a)
	}
	order, err := s.order(ctx, p)
	if err != nil {
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	if _, result, err := s.compare(ctx, a, p, order); err != nil || result.Outcome != "" {
		return result, err
	}
	return s.askAgain(ctx, a)
}

// askAgain goes on with a line that a look-up says has not gone back. A call may take so long to
// arrive; only then it is asked for again, and what the request says of the payment, or its order
// id, keeps the two from both being done.
func (s *Service) askAgain(ctx context.Context, a Attempt) (Result, error) {
	now := s.now()
	if lost := a.CalledAt.Add(lostAfter); now.Before(lost) {
		return s.later(ctx, a, true, lost)
	}
	age := now.Sub(a.CreatedAt)
	if age < refundTries {
		return s.postpone(ctx, a, now.Add(min(age/4, time.Hour)), "")
	}
	r := s.fenced(a)
	r.Reason = ReasonRefused
	return s.store.LineReturned(ctx, r)
}

// sendBack transfers a line to the wallet's refund account.
func (s *Service) sendBack(ctx context.Context, a Attempt, p RefundPayment) (Result, error) {
	if s.bank == nil {
		return s.postpone(ctx, a, s.now().Add(configPause), ReasonConfig)
	}
	number, err := s.sealer.Open(p.Sealed, tableRefundAccount, p.WalletID)
	if err != nil {
		return Result{}, wrap(err, "open the refund account of attempt %s", a.ID)
	}
	p.To.Number = string(number)
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	sending, err := s.bank.Send(callCtx, SendOrder{OrderID: a.ID, To: p.To, Total: a.Total, Memo: refundMemo})
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err == nil {
			return s.sendingAnswered(ctx, a, s.report(a), sending)
		}
		e := asGateway(err)
		switch e.Class {
		case NotSent, BadConfig, QuotaUsedUp:
			return s.postponeRefund(ctx, a, e)
		case BadRequest, CardDeclined, CardGone:
			if s.neverSent(ctx, a.ID) { // nor by an earlier call of this attempt
				return s.store.LineReturned(ctx, s.failure(a, ReasonRefused, e))
			}
		case MayHaveMoved:
		}
		return s.doubt(ctx, a, e)
	})
}

func (s *Service) neverSent(ctx context.Context, orderID string) bool {
	ctx, cancel := s.asked(ctx)
	defer cancel()
	_, err := s.bank.Sent(ctx, orderID)
	return isNoOrder(err)
}

// sendingAnswered goes on with what the bank says of a transfer.
func (s *Service) sendingAnswered(ctx context.Context, a Attempt, r Report, sending Sending) (Result, error) {
	if sending.OrderID != a.ID || sending.Total != a.Total {
		r.Reason, r.Message = ReasonMismatch, "the bank's transfer is of another order or amount"
		return s.store.LineMismatch(ctx, r)
	}
	switch sending.State {
	case SendingDone:
		return s.store.LineRefunded(ctx, r)
	case SendingFailed:
		r.Reason, r.Message = ReasonDeclined, sending.Reason
		return s.store.LineReturned(ctx, r)
	case SendingPending:
	}
	if a.State == Unknown {
		return s.later(ctx, a, true, time.Time{})
	}
	r.NextAt = s.now().Add(backoff(0))
	return s.store.DoubtAttempt(ctx, r)
}

// resolveSending looks a transfer up.
func (s *Service) resolveSending(ctx context.Context, a Attempt) (Result, error) {
	if s.bank == nil {
		return s.later(ctx, a, false, time.Time{})
	}
	askCtx, cancel := s.asked(ctx)
	sending, err := s.bank.Sent(askCtx, a.ID)
	cancel()
	switch {
	case isNoOrder(err):
		return s.askAgain(ctx, a)
	case err != nil:
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	return s.sendingAnswered(ctx, a, s.fenced(a), sending)
}
