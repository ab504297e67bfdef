// Package billing moves money and documents outside: it charges cards for what wallets owe, takes
// top-ups by card and by bank transfer, gives unused cash back, registers cards and issues tax invoices.
// Everything that leaves the house is one attempt, a row that is committed before the call; the rows
// decide, and an outcome that is not known is never guessed.
//
//	charge:  due ─► card 1 ─declined─► card 2 ─declined─► card 3 ─declined─► wallet UNPAID
//	           └─ any card: paid ─► done     any card: unknown ─► resolve first, no other card
package billing

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/wallet"
)

// Kind says what an attempt does outside. The names are stored.
type Kind string

// The kinds of attempts.
const (
	ChargeAttempt Kind = "charge" // one charge on one card
	TopUpAttempt  Kind = "topup"  // approve a top-up (충전)
	CardAttempt   Kind = "card"   // approve the registration of a card
	CancelAttempt Kind = "cancel" // give back what a registration cost
	RefundAttempt Kind = "refund" // give one payment back, or a part of it (환불)
	// InvoiceAttempt hands one tax invoice to the carrier (세금계산서 발행).
	InvoiceAttempt Kind = "invoice"
)

// State is where an attempt stands. The names are stored.
type State string

// The states of an attempt.
const (
	Prepared State = "prepared" // committed; the call has not been made
	Calling  State = "calling"  // one worker makes the call until its lease ends
	Done     State = "done"
	Declined State = "declined" // certainly nothing moved
	Unknown  State = "unknown"  // nobody knows yet; look-ups find out
)

// ChargeState is where a charge stands. The names are stored.
type ChargeState string

// The states of a charge.
const (
	ChargeOpen   ChargeState = "open"
	ChargeReview ChargeState = "review" // a person must look: wrong amount, or nobody could find out for a day
	ChargePaid   ChargeState = "paid"
	ChargeFailed ChargeState = "failed" // no card paid; its amount is owed again
	ChargeHalted ChargeState = "halted" // our own access is broken; its amount is owed again, no card is at fault
)

// The reasons why an attempt is declined. The names are stored.
const (
	ReasonDormant  = "dormant"  // 휴면: its owner may revive it
	ReasonDead     = "dead"     // gone or switched off at the provider
	ReasonDeclined = "declined" // the issuer said no
	ReasonLost     = "lost"     // the call never arrived, as the look-up shows
	ReasonLimit    = "limit"    // declined too often lately to be asked again
	ReasonDetached = "detached" // taken off the wallet before it was asked
	ReasonStorm    = "storm"    // too many cards decline at once to believe it
	ReasonConfig   = "config"   // the provider does not accept our access
	ReasonRefused  = "refused"  // the provider does not accept the request as it is
	ReasonMismatch = "mismatch" // paid, but not what was asked for
	ReasonLate     = "late"     // paid after it had been given up
	ReasonExpired  = "expired"  // the payer did not finish in time
	ReasonFull     = "full"     // no more cards fit on the account
	ReasonPayer    = "payer"    // the payer turned back
	ReasonSettled  = "settled"  // a person said what became of it
)

// Row points at a row that needs a task.
type Row struct {
	ID    string
	Epoch int
}

// Task says which task a row needs.
type Task string

// The tasks that billing asks for.
const (
	TaskChargeWallet Task = "charge_wallet"
	TaskAttempt      Task = "attempt"
	TaskResolve      Task = "resolve"
	TaskInvoice      Task = "invoice"
)

// Follow is a row that can be worked on at once; whoever called enqueues it, and the sweep
// finds it if nobody does.
type Follow struct {
	Task Task
	Row  Row
}

// Outcome says in one word what one run did.
type Outcome string

// The outcomes of a run.
const (
	Skipped    Outcome = "skipped"    // nothing to do: done already, not yet due, or another run has it
	Opened     Outcome = "opened"     // a charge was opened
	Postponed  Outcome = "postponed"  // nothing happened outside; later again
	Paid       Outcome = "paid"       // money came in
	Late       Outcome = "late"       // money came in that nothing waited for any more; it is paid cash
	NextCard   Outcome = "next_card"  // declined; the next card is asked
	AllFailed  Outcome = "failed"     // declined, and no card is left: the wallet is unpaid
	Halted     Outcome = "halted"     // our access is broken: nobody is charged for a while
	Refused    Outcome = "refused"    // the provider does not accept the request; a person must look
	Review     Outcome = "review"     // a person must look at the charge or checkout
	InDoubt    Outcome = "unknown"    // the outcome is not known; look-ups follow
	Registered Outcome = "registered" // a card was added
	Cancelled  Outcome = "cancelled"  // a registration's cost was given back
	Closed     Outcome = "closed"     // a checkout ended without money
	Issued     Outcome = "issued"     // the bank opened a one-time account; a transfer is waited for
	Refunded   Outcome = "refunded"   // money went back
	Returned   Outcome = "returned"   // money did not go back; it is paid cash again
	Invoiced   Outcome = "invoiced"   // a tax invoice is issued
	Unissued   Outcome = "unissued"   // it was refused or given up: people are told
)

// Outcomes lists every outcome, for metrics that start at 0.
var Outcomes = []Outcome{Skipped, Opened, Postponed, Paid, Late, NextCard, AllFailed, Halted, Refused, Review,
	InDoubt, Registered, Cancelled, Closed, Issued, Refunded, Returned, Invoiced, Unissued}

// Alerts reports whether a person should hear of an outcome now.
func (o Outcome) Alerts() bool {
	switch o {
	case Late, Halted, Refused, Review:
		return true
	case Skipped, Opened, Postponed, Paid, NextCard, AllFailed, InDoubt, Registered, Cancelled, Closed, Issued, Refunded, Returned, Invoiced, Unissued:
		return false
	}
	return false
}

// Result is what one run did and what follows from it.
type Result struct {
	Outcome  Outcome
	WalletID string
	Reason   string // why, in a stored word; for the log
	Next     []Follow

	Kind Kind // of the attempt; empty when a charge was opened
	Slot int  // of the card that was asked, 0 without one
}

// about says which attempt a result is of.
func (r Result) about(a Attempt) Result {
	r.Kind, r.Slot = a.Kind, a.Slot
	return r
}

// Settings are the numbers that an operator may change.
type Settings struct {
	PublicURL  string     // where payers' browsers reach this installation, without a slash at the end
	Slice      wallet.KRW // most supply value of one charge
	CardAmount wallet.KRW // total of a card registration; above 0 it is cancelled at once
	TopUpMin   wallet.KRW // least supply value of a top-up
	TopUpMax   wallet.KRW
	Lease      time.Duration // how long an attempt may be calling
	CallLimit  time.Duration // one call to the provider; it gives up by itself after 11 s
	Declines   int           // declined attempts of a card in 30 days, after which it is not asked
	Storm      StormGuard

	Payee        string        // holder of the accounts that transfers go to, as payers read it
	TransferTime time.Duration // how long a transfer may take before its account closes
}

// DefaultSettings are those of a new installation; only PublicURL has no default.
var DefaultSettings = Settings{
	Slice:     500_000, // 50만원 (Kakao help centre)
	TopUpMin:  1_000,
	TopUpMax:  100_000_000,
	Lease:     30 * time.Second,
	CallLimit: 15 * time.Second,
	Declines:  15,
	Storm:     StormGuard{Attempts: 30, Declines: 20, Pause: 10 * time.Minute},

	Payee:        "(주)카카오", // Kakao help centre, 무통장입금
	TransferTime: 7 * 24 * time.Hour,
}

// StormGuard stops charging for everyone when issuers decline one card after another: then it is
// more likely them than the cards, and nobody is to become unpaid for it.
type StormGuard struct {
	Attempts int           // how many of the last attempts, of the last [StormWindow], it looks at
	Declines int           // how many declines among them are a storm; 0 for no guard
	Pause    time.Duration // how long nobody is charged
}

const (
	// StormWindow is how far back attempts say something about now.
	StormWindow = time.Hour
	// DeclineWindow is how far back declined attempts of a card count.
	DeclineWindow = 30 * 24 * time.Hour
	// CheckoutLife is how long a payer has: KakaoPay keeps a tid for 15 minutes.
	CheckoutLife = 15 * time.Minute
	// CheckoutEnd is when a checkout that nobody came back to ends; later than its life, so that
	// no payer at the provider is cut off.
	CheckoutEnd = CheckoutLife + 5*time.Minute
	// MaxAccountCards is how many cards one account may register (Kakao help centre).
	MaxAccountCards = 10
	// MaxWalletCards is the payment card and its two backups (결제 카드, 예비카드).
	MaxWalletCards = 3
)

// Sealer keeps secrets of rows unreadable.
type Sealer interface {
	Seal(plain []byte, table, id string) ([]byte, error)
	Open(sealed []byte, table, id string) ([]byte, error)
}

// Identifiers makes ids of rows.
type Identifiers interface{ Next(prefix string) string }

// Store keeps charges, attempts, cards and checkouts.
type Store interface {
	ChargeStore
	AttemptStore
	CardStore
	CheckoutStore
	BankStore
	RefundStore
	InvoiceStore
}

// Service does the work of billing. It is safe for concurrent use.
type Service struct {
	store    Store
	gateway  Gateway
	bank     Bank    // nil where bank transfer is not set up
	carrier  Carrier // nil where no tax invoices are issued
	supplier invoice.Party
	sealer   Sealer
	ids      Identifiers
	random   io.Reader
	now      func() time.Time
	settings Settings
}

// New returns a service. Pass [crypto/rand.Reader] as random outside tests.
func New(store Store, gateway Gateway, sealer Sealer, ids Identifiers, random io.Reader, now func() time.Time, settings Settings) *Service {
	return &Service{store: store, gateway: gateway, sealer: sealer, ids: ids, random: random, now: now, settings: settings}
}

// WithBank switches bank transfer on. It is called before the service is used.
func (s *Service) WithBank(b Bank) *Service {
	s.bank = b
	return s
}

// record writes an outcome down, again and again until the lease ends, also while shutting down:
// the call was made, and only the row can tell what it did.
func (s *Service) record(ctx context.Context, a Attempt, lease time.Time, write func(ctx context.Context) (Result, error)) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(lease.Sub(s.now()), time.Second))
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		result, err := write(ctx)
		if err == nil {
			return result, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return Result{}, fault.Wrap(fault.InDoubt, err, "record the outcome of attempt %s", a.ID)
		}
	}
}

// backoff returns how long to wait after a number of look-ups or fruitless tries.
func backoff(tries int) time.Duration {
	return min(5*time.Second<<min(tries, 10), time.Hour)
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
