package billing

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// What the payer reads at the provider.
const (
	ItemTopUp = "월렛 캐시 충전"
	ItemCard  = "자동결제 카드 등록"
)

// CheckoutKind says what the payer does. The names are stored.
type CheckoutKind string

// The kinds of checkouts.
const (
	CheckoutTopUp CheckoutKind = "topup"
	CheckoutCard  CheckoutKind = "card"
)

// Method is how a top-up is paid. The names are stored.
type Method string

// The methods of a top-up.
const (
	ByCard Method = "card" // the payer approves in a browser at the card gateway
	ByBank Method = "bank" // 무통장입금: a transfer to a one-time account
)

// CheckoutState is where a checkout stands. The names are stored.
type CheckoutState string

// The states of a checkout.
const (
	CheckoutReady     CheckoutState = "ready"     // the payer is at the provider, or a transfer is waited for
	CheckoutApproving CheckoutState = "approving" // the payer is back; the outcome is not known yet
	CheckoutDone      CheckoutState = "done"
	CheckoutFailed    CheckoutState = "failed"
	CheckoutCancelled CheckoutState = "cancelled" // by the payer, or not finished in time
	CheckoutReview    CheckoutState = "review"    // a person must look
)

// Checkout is a payment that its payer approves in a browser or transfers: a top-up, or the
// registration of a card.
type Checkout struct {
	ID        string
	Kind      CheckoutKind
	Method    Method
	AccountID string
	WalletID  string // empty for a card
	Supply    wallet.KRW
	VAT       wallet.KRW
	State     CheckoutState
	Reason    string   // why it ended without money
	KeyHash   []byte   // SHA-256 of the key in the payer's way back
	Redirect  Redirect // where the payer goes; empty once it ended
	AttemptID string
	TID       string         // of the attempt
	CardID    string         // of a registration that is done
	Transfer  OneTimeAccount // by bank: where the money goes; empty until the bank has opened it
	Deadline  time.Time      // by bank: when that account closes
	CreatedAt time.Time
	ClosedAt  time.Time
}

// ExpiresAt returns until when the payer may pay.
func (c Checkout) ExpiresAt() time.Time {
	if c.Method == ByBank {
		return c.Deadline
	}
	return c.CreatedAt.Add(CheckoutLife)
}

// Request identifies a caller's request, so that a repeated one finds the first one's answer.
type Request struct {
	Scope    string // who calls, such as a token's id
	Key      string // the caller's Idempotency-Key
	BodyHash []byte
}

// CheckoutStore keeps checkouts. Each method is one transaction that also writes the postings
// and mails that follow from it.
type CheckoutStore interface {
	// CreateCheckout stores a checkout with its attempt, or returns the one that the same request
	// made before. A card is refused when the account is full, a top-up when the wallet is
	// suspended, and one by bank when the wallet is personal.
	CreateCheckout(ctx context.Context, c Checkout, r Request) (Checkout, error)
	// Checkout reads a checkout. It is NotFound when there is none.
	Checkout(ctx context.Context, id string) (Checkout, error)
	// ReadyCheckout keeps what the provider answered. ok is false when it was kept before.
	ReadyCheckout(ctx context.Context, id, tid string, keyHash []byte, r Redirect) (ok bool, err error)
	// ReturnCheckout keeps the payer's sealed token and makes the attempt due at once under the
	// epoch returned. ok is false when the payer was back before, or the checkout has ended.
	ReturnCheckout(ctx context.Context, id string, token []byte, now time.Time) (epoch int, ok bool, err error)
	// CloseReady ends a checkout that its payer has not finished. ok is false when he has.
	CloseReady(ctx context.Context, id string, state CheckoutState, reason string, now time.Time) (ok bool, err error)
	// TopUpPaid posts the money of a top-up, approved or transferred.
	TopUpPaid(ctx context.Context, r Report) (Result, error)
	// CardApproved keeps a registered card; what the registration cost is given back by an
	// attempt of its own under cancelID. With the account full meanwhile the card is not kept and
	// the result's reason is [ReasonFull].
	CardApproved(ctx context.Context, r Report, c Card, cancelID string) (Result, error)
	// CheckoutMismatch puts a checkout in review: money moved, but not what was asked for.
	CheckoutMismatch(ctx context.Context, r Report) (Result, error)
	// CheckoutFailed ends a checkout whose attempt took nothing that is kept. With a cancelID
	// the payer paid for a card whose key was lost, and gets the money back.
	CheckoutFailed(ctx context.Context, r Report, cancelID string) (Result, error)
	// DecideCheckout takes a checkout out of review; see [Service.DecideCheckout].
	DecideCheckout(ctx context.Context, d CheckoutDecision) error
	// CancelEnded ends the attempt that gives a registration's cost back.
	CancelEnded(ctx context.Context, r Report, state State) (Result, error)
}

// TopUpOrder asks for a top-up (충전).
type TopUpOrder struct {
	AccountID string // who pays
	WalletID  string
	Supply    wallet.KRW // without VAT, which is added
	Method    Method     // empty is by card
	Request   Request
}

// StartTopUp begins a top-up. By card, the payer goes to the checkout's Redirect and comes back to
// [Service.Return]. By bank he transfers its total to the account that the checkout names; see
// [Service.startTransfer]. Repeated with the same key it returns the same checkout. It is Invalid below
// the least amount, Refused for a suspended wallet, and Unavailable when the provider cannot be
// asked; then the same request may be repeated.
func (s *Service) StartTopUp(ctx context.Context, o TopUpOrder) (Checkout, error) {
	if o.Supply < s.settings.TopUpMin || o.Supply > s.settings.TopUpMax {
		return Checkout{}, fault.Field("amount_krw", "must be %d to %d won", s.settings.TopUpMin, s.settings.TopUpMax)
	}
	c := Checkout{Kind: CheckoutTopUp, Method: ByCard, AccountID: o.AccountID, WalletID: o.WalletID, Supply: o.Supply, VAT: wallet.VAT(o.Supply)}
	if o.Method == ByBank {
		c.Method = ByBank
		return s.startTransfer(ctx, c, o.Request)
	}
	return s.start(ctx, c, o.Request, ItemTopUp)
}

// StartCard begins the registration of a card for an account. It fails with [ErrAccountFull]
// when the account has [MaxAccountCards] cards; else as [Service.StartTopUp].
func (s *Service) StartCard(ctx context.Context, accountID string, r Request) (Checkout, error) {
	vat := wallet.VATOfTotal(s.settings.CardAmount)
	return s.start(ctx, Checkout{
		Kind: CheckoutCard, Method: ByCard, AccountID: accountID, Supply: s.settings.CardAmount - vat, VAT: vat,
	}, r, ItemCard)
}

func (s *Service) start(ctx context.Context, c Checkout, r Request, item string) (Checkout, error) {
	c.ID, c.AttemptID, c.State, c.CreatedAt = s.ids.Next("cko"), s.ids.Next("att"), CheckoutReady, s.now()
	c, err := s.store.CreateCheckout(ctx, c, r)
	if err != nil {
		return Checkout{}, wrap(err, "create checkout")
	}
	if c.TID != "" || c.State != CheckoutReady {
		return c, nil
	}
	key := make([]byte, 32)
	if _, err := io.ReadFull(s.random, key); err != nil {
		return Checkout{}, fmt.Errorf("draw the key of checkout %s: %w", c.ID, err)
	}
	text := base64.RawURLEncoding.EncodeToString(key)
	back := s.settings.PublicURL + "/pay/" + url.PathEscape(c.ID) + "/" + text
	askCtx, cancel := s.asked(ctx)
	ready, err := s.gateway.Ready(askCtx, ReadyRequest{
		Purpose: purposeOf(c.Kind), OrderID: c.AttemptID, PayerID: c.AccountID, Item: item,
		Total: c.Supply + c.VAT, VAT: c.VAT,
		ApproveURL: back, CancelURL: back + "/cancel", FailURL: back + "/fail",
	})
	cancel()
	if err != nil {
		return Checkout{}, fault.Wrap(fault.Unavailable, err, "the card gateway did not start the payment; try again")
	}
	if _, err := s.store.ReadyCheckout(ctx, c.ID, ready.TID, hashOf(text), ready.Redirect); err != nil {
		return Checkout{}, wrap(err, "keep checkout %s", c.ID)
	}
	return s.store.Checkout(ctx, c.ID)
}

func purposeOf(k CheckoutKind) Purpose {
	if k == CheckoutTopUp {
		return OneTime
	}
	return Recurring
}

func hashOf(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// Checkout returns a checkout. It is NotFound when there is none.
func (s *Service) Checkout(ctx context.Context, id string) (Checkout, error) {
	c, err := s.store.Checkout(ctx, id)
	return c, wrap(err, "read checkout")
}

// opened returns the checkout that a key opens; with a wrong key it is NotFound.
func (s *Service) opened(ctx context.Context, id, key string) (Checkout, error) {
	c, err := s.store.Checkout(ctx, id)
	if err != nil {
		return Checkout{}, wrap(err, "read checkout")
	}
	if subtle.ConstantTimeCompare(c.KeyHash, hashOf(key)) != 1 {
		return Checkout{}, fault.New(fault.NotFound, "there is no checkout %q", id)
	}
	return c, nil
}

// Return takes the payer back who has agreed at the provider, approves the payment and returns
// the checkout as it stands then: done, failed, or approving while the outcome is not known.
// Called again it returns the checkout and does nothing. With a wrong key it is NotFound.
func (s *Service) Return(ctx context.Context, id, key, pgToken string) (Checkout, Result, error) {
	c, err := s.opened(ctx, id, key)
	if err != nil {
		return Checkout{}, Result{}, err
	}
	if c.State != CheckoutReady {
		return c, Result{Outcome: Skipped, WalletID: c.WalletID}, nil
	}
	if pgToken == "" || len(pgToken) > 200 {
		return Checkout{}, Result{}, fault.Field("pg_token", "must be the token that KakaoPay adds")
	}
	sealed, err := s.sealer.Seal([]byte(pgToken), tableAttempt, c.AttemptID)
	if err != nil {
		return Checkout{}, Result{}, wrap(err, "seal the token of checkout %s", id)
	}
	epoch, ok, err := s.store.ReturnCheckout(ctx, id, sealed, s.now())
	if err != nil {
		return Checkout{}, Result{}, wrap(err, "return to checkout %s", id)
	}
	result := Result{Outcome: Skipped, WalletID: c.WalletID}
	if ok {
		if result, err = s.RunAttempt(ctx, c.AttemptID, epoch); err != nil {
			return Checkout{}, result, err
		}
	}
	c, err = s.store.Checkout(ctx, id)
	return c, result, wrap(err, "read checkout %s", id)
}

// TurnBack takes the payer back who has not agreed: he cancelled, or the provider failed him. It
// returns the checkout as it stands then; one that has been paid stays so.
func (s *Service) TurnBack(ctx context.Context, id, key string, failed bool) (Checkout, error) {
	c, err := s.opened(ctx, id, key)
	if err != nil || c.State != CheckoutReady {
		return c, err
	}
	state := CheckoutCancelled
	if failed {
		state = CheckoutFailed
	}
	if _, err := s.store.CloseReady(ctx, id, state, ReasonPayer, s.now()); err != nil {
		return Checkout{}, wrap(err, "close checkout %s", id)
	}
	return s.store.Checkout(ctx, id)
}
