package wallet

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// GiftKind says what the platform gives. The words are stored.
type GiftKind string

// The kinds of cash that the platform gives (캐시 지급).
const (
	FreeCash GiftKind = "free" // 무상캐시: counts once somebody presses use, vanishes at its expiry
	PaidCash GiftKind = "paid" // 유상캐시: counts at once and for ever
)

// Gift is cash that the platform gave to a wallet.
type Gift struct {
	ID        string
	WalletID  string
	Kind      GiftKind
	Amount    KRW
	Reason    string
	CreatedAt time.Time

	// Of free cash.
	ExpiresAt time.Time // end of its last day: 24:00 in Korea
	StartedAt time.Time // when somebody pressed use (사용하기); zero before
	Remaining KRW       // neither used nor vanished
	Expired   KRW       // vanished unused
}

// GiftState is where a gift stands.
type GiftState string

// The states of a gift.
const (
	GiftWaiting GiftState = "waiting" // nobody has pressed use
	GiftStarted GiftState = "started" // it counts
	GiftUsedUp  GiftState = "used_up"
	GiftExpired GiftState = "expired" // what was left of it vanished; a part may stay for messages on their way
	GiftGiven   GiftState = "given"   // paid cash
)

// State returns where a gift stands.
func (g Gift) State(now time.Time) GiftState {
	over := !now.Before(g.ExpiresAt)
	switch {
	case g.Kind == PaidCash:
		return GiftGiven
	case g.Remaining == 0 && g.Expired == 0:
		return GiftUsedUp
	case over:
		return GiftExpired
	case g.StartedAt.IsZero():
		return GiftWaiting
	}
	return GiftStarted
}

// CheckUse tells why free cash may not be started, or nil.
func (g Gift) CheckUse(now time.Time) error {
	switch g.State(now) {
	case GiftWaiting:
		return nil
	case GiftGiven:
		return fault.Coded(fault.Conflict, "GRANT_COUNTS", "this is paid cash; it counts already")
	case GiftExpired:
		return fault.Coded(fault.Conflict, "GRANT_EXPIRED", "the free cash has expired; it cannot be used any more")
	case GiftStarted, GiftUsedUp:
	}
	return fault.Coded(fault.Conflict, "GRANT_STARTED", "the free cash was started before; that cannot be undone")
}

// Request carries what makes a call repeatable: the same scope and key with the same body gets
// the first answer, another body is refused. The zero value is a call that may not be repeated.
type Request struct {
	Scope    string // who calls, such as a token's id
	Key      string // the caller's Idempotency-Key
	BodyHash []byte
}

// GiftStore keeps gifts and does in one transaction what they do to a wallet.
type GiftStore interface {
	// Give stores a gift and tells the wallet's people. Paid cash is posted at once. A repeated
	// request returns the gift that the first one made.
	Give(ctx context.Context, g Gift, r Request) (given Gift, repeated bool, err error)
	// StartGift makes free cash count. A repeated request returns the gift and changes nothing.
	StartGift(ctx context.Context, walletID, id string, now time.Time, r Request) (started Gift, repeated bool, err error)
}

// NewGift asks for cash to be given.
type NewGift struct {
	WalletID  string
	Kind      GiftKind // FreeCash when empty
	Amount    KRW
	ExpiresOn string // last day of free cash, as 2027-01-31: it vanishes at 24:00 in Korea
	Reason    string // shown to the wallet's people
}

// maxGift bounds one gift.
const maxGift KRW = 100_000_000

const (
	maxGiftReason = 200 // characters
	maxGiftYears  = 10
)

// Giver gives cash to wallets. It is safe for concurrent use.
type Giver struct {
	store GiftStore
	now   func() time.Time
	newID func(prefix string) string
}

// NewGiver returns a giver of cash.
func NewGiver(store GiftStore, now func() time.Time, newID func(prefix string) string) *Giver {
	return &Giver{store: store, now: now, newID: newID}
}

// Give gives cash to a wallet.
func (g *Giver) Give(ctx context.Context, n NewGift, r Request) (Gift, error) {
	now := g.now()
	gift := Gift{ID: g.newID("grt"), WalletID: n.WalletID, Kind: n.Kind, Amount: n.Amount, Reason: strings.TrimSpace(n.Reason), CreatedAt: now}
	if gift.Kind == "" {
		gift.Kind = FreeCash
	}
	switch {
	case gift.Kind != FreeCash && gift.Kind != PaidCash:
		return Gift{}, fault.Field("kind", "must be free or paid")
	case n.Amount < 1 || n.Amount > maxGift:
		return Gift{}, fault.Field("amount_krw", "must be 1 to %d", maxGift)
	case gift.Reason == "":
		return Gift{}, fault.Field("reason", "is missing; the wallet's people read why they get it")
	case utf8.RuneCountInString(gift.Reason) > maxGiftReason || !utf8.ValidString(gift.Reason) || strings.ContainsFunc(gift.Reason, unicode.IsControl):
		return Gift{}, fault.Field("reason", "must be one line of at most %d characters", maxGiftReason)
	case gift.Kind == PaidCash && n.ExpiresOn != "":
		return Gift{}, fault.Field("expires_on", "belongs to free cash; paid cash does not expire")
	}
	if gift.Kind == FreeCash {
		last, err := Day("expires_on", n.ExpiresOn)
		if err != nil {
			return Gift{}, err
		}
		gift.ExpiresAt, gift.Remaining = last.Add(24*time.Hour), n.Amount
		if !gift.ExpiresAt.After(now) || gift.ExpiresAt.After(now.AddDate(maxGiftYears, 0, 0)) {
			return Gift{}, fault.Field("expires_on", "must be today or a day in the next %d years", maxGiftYears)
		}
	}
	given, _, err := g.store.Give(ctx, gift, r)
	if err != nil {
		return Gift{}, fmt.Errorf("give cash to wallet %s: %w", n.WalletID, err)
	}
	return given, nil
}

// Use makes free cash count (사용하기). It cannot be undone. It is a Conflict when the cash was
// started before or has expired.
func (g *Giver) Use(ctx context.Context, walletID, id string, r Request) (Gift, error) {
	started, _, err := g.store.StartGift(ctx, walletID, id, g.now(), r)
	if err != nil {
		return Gift{}, fmt.Errorf("use free cash %s: %w", id, err)
	}
	return started, nil
}
