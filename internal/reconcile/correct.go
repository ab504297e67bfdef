package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Why nothing is corrected.
var (
	// ErrChanged tells that books differ by something else than the caller saw.
	ErrChanged = fault.Coded(fault.Conflict, "DIFFERENCE_CHANGED", "the difference is not what it was; reconcile again and correct what is found then")
	// ErrBroken refuses to post to a wallet whose balances are not those of its postings: what is
	// missing in the ledger may be in the balance.
	ErrBroken = fault.Coded(fault.Refused, "LEDGER_BROKEN", "the balances of this wallet are not the sums of its postings; mend that first, see docs/operations.md")
	// ErrNotCorrectable refuses what no posting mends.
	ErrNotCorrectable = fault.Coded(fault.Refused, "NOT_CORRECTABLE", "no posting mends this difference")
)

// Correction is a difference that somebody has seen and wants to be mended.
type Correction struct {
	WalletID   string
	Kind       Kind
	Subject    string     // chunk or attempt
	Difference wallet.KRW // as it was found
	At         time.Time  // set by [Service.Correct]
	Request    billing.Request
}

// Correct posts what makes the books agree, in the amount that the caller saw, and returns the
// posting. Where they agree already it posts nothing and returns nil: correcting twice, or two people
// at once, corrects once, and a repeated request returns what the first one posted. It fails with [ErrChanged], [ErrBroken] or [ErrNotCorrectable].
func (s *Service) Correct(ctx context.Context, c Correction) (*wallet.Posting, error) {
	c.At = s.now()
	var posted *wallet.Posting
	var err error
	switch c.Kind {
	case Messages:
		posted, _, err = s.store.CorrectChunk(ctx, c, nil)
	case Recount:
		posted, err = s.correctRecount(ctx, c)
	case Provider:
		posted, err = s.correctPayment(ctx, c)
	case Balance, Held, Free, Payments:
		return nil, ErrNotCorrectable
	default:
		return nil, fault.Field("kind", "must be messages, recount or provider")
	}
	return posted, err
}

func (s *Service) correctPayment(ctx context.Context, c Correction) (*wallet.Posting, error) {
	p, err := s.store.Payment(ctx, c.WalletID, c.Subject)
	switch {
	case err != nil:
		return nil, err
	case p.InReview || p.Moving || p.Kind == billing.RefundAttempt:
		return nil, ErrNotCorrectable
	}
	keeps, _, err := s.keeps(ctx, p)
	switch {
	case errors.Is(err, errUnsure):
		return nil, ErrNotCorrectable
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "the provider cannot be asked about it; try again")
	}
	posted, _, err := s.store.CorrectPayment(ctx, c, keeps)
	return posted, err
}
