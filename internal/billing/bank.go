package billing

import (
	"context"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Bank opens one-time accounts (가상계좌) and sends money back. Our order id is its key: for one
// order it opens one account and makes one transfer, however often it is asked. Its errors are as
// those of a [Gateway]; the look-ups also answer [ErrNoOrder].
type Bank interface {
	// OpenAccount opens the account of an order, or returns the one that is there.
	OpenAccount(ctx context.Context, o AccountOrder) (BankAccount, error)
	// Account looks the account of an order up.
	Account(ctx context.Context, orderID string) (BankAccount, error)
	// Send transfers money, or returns the transfer of the order that is there.
	Send(ctx context.Context, o SendOrder) (Sending, error)
	// Sent looks the transfer of an order up.
	Sent(ctx context.Context, orderID string) (Sending, error)
}

// ErrNoOrder is the answer of a look-up for an order that never reached the bank or the carrier.
var ErrNoOrder = errors.New("the provider knows no such order")

func isNoOrder(err error) bool { return errors.Is(err, ErrNoOrder) }

// ErrNoBank refuses what needs a bank where none is set up.
var ErrNoBank = fault.Coded(fault.Refused, "BANK_NOT_CONFIGURED", "bank transfer is not set up here; set MALGIL_BANK_URL and MALGIL_BANK_SECRET, or pay by card")

// OneTimeAccount is where a payer transfers the money of one top-up to.
type OneTimeAccount struct {
	Bank   string `json:"bank"`
	Number string `json:"number"`
	Holder string `json:"holder"`
}

// AccountOrder asks for a one-time account that takes one transfer of exactly one amount.
type AccountOrder struct {
	OrderID  string
	Total    wallet.KRW
	Holder   string // as payers read it
	Deadline time.Time
}

// AccountState is what the bank says of a one-time account.
type AccountState string

// The states of a one-time account.
const (
	AccountOpen   AccountState = "open"   // the money has not arrived
	AccountPaid   AccountState = "paid"   // it has; nothing more is taken
	AccountClosed AccountState = "closed" // its deadline passed without it; what comes is returned
)

// BankAccount is a one-time account as the bank has it.
type BankAccount struct {
	OneTimeAccount
	OrderID string
	Total   wallet.KRW
	State   AccountState
	PaidAt  time.Time
}

// SendOrder asks for a transfer to somebody's account.
type SendOrder struct {
	OrderID string
	To      OneTimeAccount // its holder is checked by the bank
	Total   wallet.KRW
	Memo    string // what the receiver reads
}

// SendingState is what the bank says of a transfer.
type SendingState string

// The states of a transfer.
const (
	SendingDone    SendingState = "done"
	SendingPending SendingState = "pending" // accepted; its outcome is not known yet
	SendingFailed  SendingState = "failed"  // nothing moved and nothing will
)

// Sending is a transfer as the bank has it.
type Sending struct {
	OrderID string
	Total   wallet.KRW
	State   SendingState
	Reason  string // why it failed, in the bank's words
	At      time.Time
}

// BankStore keeps what top-ups by bank transfer need beside a [CheckoutStore].
type BankStore interface {
	// AccountOpened keeps the account that a transfer goes to, and looks for the money from NextAt
	// on. Reported twice it changes nothing.
	AccountOpened(ctx context.Context, r Report, a OneTimeAccount) (Result, error)
}

// startTransfer begins a top-up by bank transfer: the bank opens a one-time account that takes
// exactly the checkout's total until its deadline. When the bank does not answer in time the
// checkout is returned without an account, which follows by itself.
func (s *Service) startTransfer(ctx context.Context, c Checkout, r Request) (Checkout, error) {
	if s.bank == nil {
		return Checkout{}, ErrNoBank
	}
	c.ID, c.AttemptID, c.State, c.CreatedAt = s.ids.Next("cko"), s.ids.Next("att"), CheckoutReady, s.now()
	c.Deadline = c.CreatedAt.Add(s.settings.TransferTime)
	c, err := s.store.CreateCheckout(ctx, c, r)
	if err != nil {
		return Checkout{}, wrap(err, "create checkout")
	}
	if c.State != CheckoutReady || c.Transfer.Number != "" {
		return c, nil
	}
	a, err := s.store.Attempt(ctx, c.AttemptID, s.now())
	if err != nil {
		return Checkout{}, wrap(err, "read attempt %s", c.AttemptID)
	}
	if _, err := s.RunAttempt(ctx, a.ID, a.Epoch); err != nil {
		return Checkout{}, err
	}
	c, err = s.store.Checkout(ctx, c.ID)
	return c, wrap(err, "read checkout %s", c.ID)
}

// runTransfer opens the account of a top-up, or looks for the money on it.
func (s *Service) runTransfer(ctx context.Context, a Attempt) (Result, error) {
	switch {
	case s.bank == nil:
		return s.postpone(ctx, a, s.now().Add(configPause), ReasonConfig)
	case a.Issued:
		return s.lookForTransfer(ctx, a)
	case !s.now().Before(a.Deadline):
		r := s.report(a)
		r.Reason = ReasonExpired
		return s.store.CheckoutFailed(ctx, r, "")
	}
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	account, err := s.bank.OpenAccount(callCtx, AccountOrder{OrderID: a.ID, Total: a.Total, Holder: s.settings.Payee, Deadline: a.Deadline})
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err == nil {
			return s.accountAnswered(ctx, a, s.report(a), account)
		}
		switch e := asGateway(err); e.Class {
		case NotSent:
			return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
		case BadConfig, QuotaUsedUp:
			return s.store.CheckoutFailed(ctx, s.failure(a, ReasonConfig, e), "")
		case BadRequest, CardDeclined, CardGone:
			return s.store.CheckoutFailed(ctx, s.failure(a, ReasonRefused, e), "")
		case MayHaveMoved:
		}
		r := s.failure(a, "", asGateway(err))
		r.NextAt = s.now().Add(backoff(0))
		return s.store.DoubtAttempt(ctx, r)
	})
}

// accountAnswered keeps the account that the bank opened.
func (s *Service) accountAnswered(ctx context.Context, a Attempt, r Report, account BankAccount) (Result, error) {
	if what := otherAccount(a, account); what != "" {
		r.Reason, r.Message = ReasonMismatch, what
		return s.store.CheckoutMismatch(ctx, r)
	}
	r.NextAt = r.At.Add(lookPause(a, r.At))
	return s.store.AccountOpened(ctx, r, account.OneTimeAccount)
}

// otherAccount says what of an account differs from what was asked for, or nothing.
func otherAccount(a Attempt, account BankAccount) string {
	switch {
	case account.OrderID != a.ID:
		return "the bank's answer is of another order"
	case account.Total != a.Total:
		return "the bank's account takes another amount"
	case account.Number == "" || account.Bank == "":
		return "the bank's answer names no account"
	}
	return ""
}

// lookForTransfer asks the bank whether the money has come. Only the bank says that an account is
// closed: our clock may run ahead of it.
func (s *Service) lookForTransfer(ctx context.Context, a Attempt) (Result, error) {
	askCtx, cancel := s.asked(ctx)
	account, err := s.bank.Account(askCtx, a.ID)
	cancel()
	now := s.now()
	r := s.fenced(a)
	switch {
	case isNoOrder(err) && now.After(a.Deadline.Add(reviewAfter)):
		r.Reason, r.Message = ReasonMismatch, "the bank does not know the account that it opened"
		return s.store.CheckoutMismatch(ctx, r)
	case err != nil:
		return s.postpone(ctx, a, now.Add(lookAgain), "")
	}
	if what := otherAccount(a, account); what != "" {
		r.Reason, r.Message = ReasonMismatch, what
		return s.store.CheckoutMismatch(ctx, r)
	}
	switch account.State {
	case AccountPaid:
		r.PaidAt, r.Method = account.PaidAt, "무통장입금 "+account.Bank
		return s.store.TopUpPaid(ctx, r)
	case AccountClosed:
		r.Reason = ReasonExpired
		return s.store.CheckoutFailed(ctx, r, "")
	case AccountOpen:
	}
	return s.postpone(ctx, a, now.Add(lookPause(a, now)), "")
}

// lookPause returns how long to wait for a transfer before the next look: a tenth of the time that
// has passed, so that a fresh one shows within a minute and an old one costs little, and never
// past the deadline.
func lookPause(a Attempt, now time.Time) time.Duration {
	pause := min(max(now.Sub(a.CreatedAt)/10, time.Minute), 10*time.Minute)
	if left := a.Deadline.Sub(now); left > 0 {
		pause = min(pause, left)
	}
	return pause
}

// resolveAccount finds out whether the bank opened an account whose answer was lost. One that it
// does not know is asked for again: the order is its key.
func (s *Service) resolveAccount(ctx context.Context, a Attempt) (Result, error) {
	if s.bank == nil {
		return s.later(ctx, a, false, time.Time{})
	}
	askCtx, cancel := s.asked(ctx)
	account, err := s.bank.Account(askCtx, a.ID)
	cancel()
	switch {
	case isNoOrder(err):
		return s.postpone(ctx, a, s.now(), "")
	case err != nil:
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	return s.accountAnswered(ctx, a, s.fenced(a), account)
}
