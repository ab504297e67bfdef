package billing

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Finding is what a person found out about a charge in review, in the provider's own list of
// payments.
type Finding string

// What may be found. The words are those of the API.
const (
	FoundPaid       Finding = "paid"        // the money is there and stays
	FoundNotCharged Finding = "not_charged" // nothing was taken, or it was given back
)

// Then is what follows when nothing was charged. The words are those of the API.
type Then string

// What may follow.
const (
	ThenNextCard Then = "next_card" // the cards that were not asked yet are
	ThenFail     Then = "fail"      // the charge fails as if every card had declined
)

// Decision takes a charge out of review by a person's word.
type Decision struct {
	ChargeID string
	Finding  Finding
	TID      string     // of the payment; required when paid
	Paid     wallet.KRW // what was taken in all, when paid; 0 for what was asked for
	Then     Then       // required when nothing was charged
	Reason   string     // why the person says so; required, one line
	By       string     // who says so, for people to read
	Request  Request

	At     time.Time // filled in by the service, as is the id of the next attempt
	NextID string
}

// maxReason bounds a reason, and maxTID a tid, in characters.
const (
	maxReason = 200
	maxTID    = 100
)

// check says what is wrong with a decision.
func (d Decision) check() error {
	switch {
	case d.Finding != FoundPaid && d.Finding != FoundNotCharged:
		return fault.Field("finding", "must be paid or not_charged")
	case d.Finding == FoundPaid && (d.TID == "" || len(d.TID) > maxTID || strings.ContainsFunc(d.TID, notPrintable)):
		return fault.Field("tid", "must be the tid of the payment at KakaoPay")
	case d.Finding == FoundNotCharged && d.TID != "":
		return fault.Field("tid", "has no place where nothing was charged")
	case d.Finding == FoundPaid && d.Then != "":
		return fault.Field("then", "has no place where the charge was paid")
	case d.Finding == FoundNotCharged && d.Then != ThenNextCard && d.Then != ThenFail:
		return fault.Field("then", "must be next_card or fail")
	case d.Paid < 0 || d.Finding == FoundNotCharged && d.Paid != 0:
		return fault.Field("paid_krw", "must be what was taken, with VAT; left out where nothing was charged")
	case strings.TrimSpace(d.Reason) == "":
		return fault.Field("reason", "is missing; say how it was found out")
	case utf8.RuneCountInString(d.Reason) > maxReason || strings.ContainsFunc(d.Reason, unicode.IsControl):
		return fault.Field("reason", "must be one line of at most %d characters", maxReason)
	}
	return nil
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

// Why a decision is refused.
var (
	ErrNotInReview = fault.Coded(fault.Conflict, "NOT_IN_REVIEW", "the charge is not in review (any more)")
	ErrPaidLess    = &fault.Error{Kind: fault.Invalid, Field: "paid_krw",
		Message: "is less than the charge; have KakaoPay give the payment back and decide not_charged"}
)

// Decide takes a charge out of review. Paid, it is paid like any other, and what was taken beyond
// it becomes paid cash; not charged, the next card is asked or the charge fails. It is Invalid with
// the field named, and a Conflict ([ErrNotInReview]) for a charge that is not in review. Repeated
// with the same request it changes nothing.
func (s *Service) Decide(ctx context.Context, d Decision) (Result, error) {
	if err := d.check(); err != nil {
		return Result{}, err
	}
	d.At, d.NextID = s.now(), s.ids.Next("att")
	result, err := s.store.DecideCharge(ctx, d)
	return result, wrap(err, "decide charge %s", d.ChargeID)
}
