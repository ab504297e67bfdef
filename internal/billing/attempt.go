package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// Attempt is one attempt to move money or a document outside, with what its call needs to know.
type Attempt struct {
	ID        string // also the order id at the provider
	Kind      Kind
	SubjectID string // charge, checkout, line of a refund or invoice
	WalletID  string // empty for a card registration
	State     State
	Epoch     int
	NextAt    time.Time
	CreatedAt time.Time
	Total     wallet.KRW
	VAT       wallet.KRW // part of Total
	Method    Method     // of a top-up
	Issued    bool       // of a top-up by bank: its account is open
	Deadline  time.Time  // of a top-up by bank
	PayerID   string     // partner_user_id
	TID       string     // empty when the provider has not told it
	Token     []byte     // pg_token of a checkout, sealed for table attempt; empty until the payer is back

	CardID         string
	Slot           int    // of the card on its wallet when the attempt was made
	SealedSID      []byte // sealed for table card
	CardState      CardState
	OnWallet       bool      // the card still sits on the wallet
	Declines       int       // of the card, in the last [DeclineWindow]
	CardPaidAt     time.Time // when the last payment of the card that we know of was recorded
	CardApprovedAt time.Time // the card's last approval before the call, by the provider's clock

	CalledAt    time.Time
	Tries       int       // fruitless tries while prepared, answered look-ups while unknown
	InReview    bool      // a person has been asked to look already
	HaltedUntil time.Time // nobody is charged before then
	CardsLeft   int       // how many more cards the account of a registration may have
}

// purpose returns the merchant code that the attempt's payment belongs to.
func (a Attempt) purpose() Purpose {
	if a.Kind == TopUpAttempt {
		return OneTime
	}
	return Recurring
}

// Claim takes a prepared attempt for one worker.
type Claim struct {
	ID             string
	Epoch          int
	At, LeaseUntil time.Time
	CardApprovedAt time.Time
}

// Report is what is known of an attempt after a run, as it is written down. A fenced report
// counts for the epoch only; the answer of the call itself counts whatever the sweep did
// meanwhile.
type Report struct {
	ID     string
	Epoch  int
	Fenced bool
	At     time.Time

	TID     string    // of the payment, or the approval number of an invoice
	PaidAt  time.Time // when the provider took the money, or issued the invoice
	Method  string    // how it was paid, for the mail of a top-up
	Reason  string
	Code    string // the provider's code and words
	Message string

	NextAt   time.Time // when to go on, for what is postponed or unknown
	Answered bool      // a look-up was answered and it still is not known
	Review   bool      // a person must look
}

// AttemptStore moves attempts of every kind.
type AttemptStore interface {
	// Attempt reads an attempt. It is NotFound when there is none.
	Attempt(ctx context.Context, id string, now time.Time) (Attempt, error)
	// ClaimAttempt moves an attempt of this epoch from prepared to calling and raises the epoch, so
	// that another run of the same task changes nothing any more; when its time has come. A charge must be open still, its card on the wallet, and nothing halted. ok is false
	// when it may not be called (any more).
	ClaimAttempt(ctx context.Context, c Claim) (ok bool, err error)
	// PostponeAttempt returns an attempt of this epoch to prepared until NextAt: certainly
	// nothing happened outside.
	PostponeAttempt(ctx context.Context, r Report) (Result, error)
	// DoubtAttempt makes an attempt of this epoch unknown until NextAt, and with Review asks a
	// person to look at its charge, checkout or refund.
	DoubtAttempt(ctx context.Context, r Report) (Result, error)
}

// RunAttempt makes the call of a prepared attempt, at most once at a time, and records what came
// of it: for a charge one card is asked, and when it declines the next card is the next attempt.
//
// It leaves alone an attempt that another run has taken, that is done or not yet due, or that is
// of another epoch. An error means that nothing was called or that the outcome could not be
// written; the sweep then finds the row.
func (s *Service) RunAttempt(ctx context.Context, id string, epoch int) (Result, error) {
	now := s.now()
	a, err := s.store.Attempt(ctx, id, now)
	if err != nil {
		return Result{}, wrap(err, "read attempt %s", id)
	}
	if a.State != Prepared || a.Epoch != epoch || now.Before(a.NextAt) {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, nil
	}
	result := Result{Outcome: Skipped}
	switch a.Kind {
	case ChargeAttempt:
		result, err = s.chargeCard(ctx, a)
	case TopUpAttempt, CardAttempt:
		if a.Method == ByBank {
			result, err = s.runTransfer(ctx, a)
		} else {
			result, err = s.approve(ctx, a)
		}
	case CancelAttempt:
		result, err = s.giveBack(ctx, a)
	case RefundAttempt:
		result, err = s.refundLine(ctx, a)
	case InvoiceAttempt:
		result, err = s.issueInvoice(ctx, a)
	}
	return result.about(a), err
}

// claim takes the attempt, which then is of the next epoch, and returns when its lease ends.
func (s *Service) claim(ctx context.Context, a *Attempt, cardApprovedAt time.Time) (lease time.Time, ok bool, err error) {
	now := s.now()
	lease = now.Add(s.settings.Lease)
	ok, err = s.store.ClaimAttempt(ctx, Claim{ID: a.ID, Epoch: a.Epoch, At: now, LeaseUntil: lease, CardApprovedAt: cardApprovedAt})
	if ok {
		a.State, a.Epoch = Calling, a.Epoch+1
	}
	return lease, ok, wrap(err, "claim attempt %s", a.ID)
}

// called returns the context of a call that was claimed: it is finished even while shutting
// down, within the limit of one call.
func (s *Service) called(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.settings.CallLimit)
}

// asked returns the context of a call that moves nothing.
func (s *Service) asked(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.settings.CallLimit)
}

func (s *Service) report(a Attempt) Report {
	return Report{ID: a.ID, Epoch: a.Epoch, At: s.now(), TID: a.TID}
}

func (s *Service) failure(a Attempt, reason string, e *GatewayError) Report {
	r := s.report(a)
	r.Reason, r.Code, r.Message = reason, e.Code, e.Message
	return r
}

// postpone leaves an attempt that was not called for later.
func (s *Service) postpone(ctx context.Context, a Attempt, until time.Time, reason string) (Result, error) {
	r := s.report(a)
	r.NextAt, r.Reason = until, reason
	result, err := s.store.PostponeAttempt(ctx, r)
	return result, wrap(err, "postpone attempt %s", a.ID)
}

// configPause is how long nobody is charged after the provider did not accept our access.
const configPause = 10 * time.Minute

// Halt stops charging for everyone.
type Halt struct {
	Reason string
	Until  time.Time
}

func haltFor(class Class, e *GatewayError, now time.Time) Halt {
	h := Halt{Reason: "the card gateway answers " + e.Code + " " + e.Message, Until: now.Add(configPause)}
	if class == QuotaUsedUp {
		h.Until = clock.NextMidnight(now) // the daily quota begins again then
	}
	return h
}
