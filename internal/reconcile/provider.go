package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

var (
	errNoID   = errors.New("it has no id at the provider")
	errNoBank = errors.New("the bank is not set up")
	errLater  = errors.New("it is compared elsewhere, or when it has ended")
	errUnsure = errors.New("the provider does not say what became of it")
)

// askFor compares a payment with the provider's books. A refund by card is compared by the payment
// that it gives back, unless that is in the window itself.
func (s *Service) askFor(ctx context.Context, o Order, p Payment) (f Finding, differs bool, err error) {
	if p.Kind == billing.RefundAttempt && p.Method != billing.ByBank {
		if p, err = s.store.Payment(ctx, p.WalletID, p.Source); err != nil {
			return f, false, err
		}
		if !p.ClosedAt.Before(o.Window.From) && p.ClosedAt.Before(o.Window.To) {
			return f, false, errLater
		}
	}
	if p.Moving {
		return f, false, errLater
	}
	keeps, note, err := s.keeps(ctx, p)
	unsure := errors.Is(err, errUnsure)
	if err != nil && !unsure || err == nil && keeps == p.Net() {
		return f, false, err
	}
	f = p.finding(Provider, keeps, p.Net(), note)
	switch {
	case unsure:
		f.Note += "; ask there"
	case p.InReview:
		f.Note += "; it is in review: decide there"
	case p.Kind == billing.RefundAttempt:
		f.Note += "; look at the bank"
	default:
		f.Correctable = true
	}
	return f, true, nil
}

// keeps asks what the provider has of a payment: what it took less what it gave back. It is errUnsure
// for one that moved something here and is neither paid nor failed there.
func (s *Service) keeps(ctx context.Context, p Payment) (krw wallet.KRW, note string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	switch {
	case p.Method == billing.ByBank && s.bank == nil:
		return 0, "", errNoBank
	case p.Kind == billing.RefundAttempt:
		return s.sentBack(ctx, p)
	case p.Method == billing.ByBank:
		return s.received(ctx, p)
	case p.TID == "":
		return 0, "", errNoID
	}
	purpose := billing.OneTime
	if p.Kind == billing.ChargeAttempt {
		purpose = billing.Recurring
	}
	order, err := s.gateway.Order(ctx, purpose, p.TID)
	if err != nil {
		return 0, "", fmt.Errorf("look up %s: %w", p.AttemptID, err)
	}
	if order.Payment.OrderID != p.AttemptID || order.Payment.TID != p.TID {
		return 0, "", fault.New(fault.Internal, "the look-up of %s answers for another payment", p.AttemptID)
	}
	note = "the gateway has it as " + string(order.Status)
	switch order.Status {
	case billing.OrderPaid, billing.OrderPartly, billing.OrderCancelled:
		if order.Cancelled > 0 {
			note += fmt.Sprintf(", %d KRW given back", order.Cancelled)
		}
		return order.Payment.Total - order.Cancelled, note, nil
	case billing.OrderOpen:
		if p.Net() != 0 {
			return 0, note, errUnsure
		}
	case billing.OrderFailed:
	}
	return 0, note, nil
}

// received asks the bank what came in on a one-time account. It is errUnsure where the bank does not
// have what came in here: money that has arrived does not leave by itself.
func (s *Service) received(ctx context.Context, p Payment) (krw wallet.KRW, note string, err error) {
	account, err := s.bank.Account(ctx, p.AttemptID)
	switch {
	case errors.Is(err, billing.ErrNoOrder):
		note = "the bank does not know it"
	case err != nil:
		return 0, "", fmt.Errorf("look up %s: %w", p.AttemptID, err)
	case account.State == billing.AccountPaid:
		return account.Total, "the bank has it as paid", nil
	default:
		note = "the bank has it as " + string(account.State)
	}
	if p.Net() != 0 {
		return 0, note, errUnsure
	}
	return 0, note, nil
}

// sentBack asks the bank what a transfer to the payer moved.
func (s *Service) sentBack(ctx context.Context, p Payment) (wallet.KRW, string, error) {
	sent, err := s.bank.Sent(ctx, p.AttemptID)
	switch {
	case errors.Is(err, billing.ErrNoOrder):
		return 0, "the bank does not know it", nil
	case err != nil:
		return 0, "", fmt.Errorf("look up %s: %w", p.AttemptID, err)
	case sent.State == billing.SendingDone:
		return sent.Total, "the bank has it as done", nil
	}
	return 0, "the bank has it as " + string(sent.State), nil
}
