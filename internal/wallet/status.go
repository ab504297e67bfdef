package wallet

import (
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// Deleted is the last status of a wallet: it is kept with its ledger, and nothing moves any more.
const Deleted Status = "deleted"

// Why the status of a wallet does not allow something.
var (
	ErrSuspended = fault.Coded(fault.Refused, "WALLET_SUSPENDED", "the wallet is suspended (정지); the platform has to end that first")
	ErrDeleted   = fault.Coded(fault.Conflict, "WALLET_DELETED", "the wallet was deleted; use another")
)

// CheckTopUp tells why no cash may come into the wallet, or nil (충전). Money that has moved
// outside already is taken all the same.
func (w Wallet) CheckTopUp() error {
	switch w.Status {
	case Suspended:
		return ErrSuspended
	case Deleted:
		return ErrDeleted
	case InUse, Stopped:
	}
	return nil
}

// SetStatus turns the wallet on or off. Its people stop it and start it again; only the platform
// suspends it and ends that. What is owed stays due whatever the status.
func (w Wallet) SetStatus(to Status, platform bool) (Wallet, error) {
	switch {
	case to != InUse && to != Stopped && to != Suspended:
		return w, fault.Field("status", "must be in_use, stopped or suspended")
	case w.Status == Deleted:
		return w, ErrDeleted
	case w.Status == to:
		return w, nil
	case !platform && (to == Suspended || w.Status == Suspended):
		return w, fault.New(fault.Forbidden, "only the platform suspends a wallet and ends that")
	}
	w.Status = to
	return w, nil
}

// Ties are what keeps a wallet from being deleted beside what its own row says.
type Ties struct {
	Broadcasts int       // not finished or cancelled yet
	Payments   int       // charges, top-ups, transfers and refunds under way
	Uninvoiced time.Time // first use that a tax invoice has yet to tell; zero for none
	Paid       KRW       // what top-ups brought in as paid cash and refunds did not give back yet
}

// Delete ends the wallet for good. It is a Conflict that names everything that is in the way:
// the wallet has to be stopped, without paid cash that could be refunded, owe nothing, hold nothing,
// have nothing under way and no month without its tax invoice (월렛 삭제 조건). Free cash that is left
// is lost, and paid cash that was given.
func (w Wallet) Delete(t Ties) (Wallet, error) {
	var parts []fault.Part
	in := func(way bool, field, format string, args ...any) {
		if way {
			parts = append(parts, fault.Part{Field: "wallet." + field, Message: fmt.Sprintf(format, args...)})
		}
	}
	in(w.Status == InUse, "status", "is in_use; stop the wallet first")
	in(w.Status == Suspended, "status", "is suspended; the platform has to end that first")
	in(min(w.Paid, t.Paid) > 0, "paid_krw", "is %d KRW that can be refunded; ask for that first", min(w.Paid, t.Paid))
	in(w.Refunding > 0, "refunding_krw", "is %d KRW; wait for the end of the refund", w.Refunding)
	in(w.Accrual+w.Charging > 0, "accrual_krw", "and what is being charged are %d KRW; pay them first", w.Accrual+w.Charging)
	in(w.Held > 0, "held_krw", "is %d KRW, for messages on their way; wait for their results", w.Held)
	in(t.Broadcasts > 0, "broadcasts", "not finished: %d; cancel them or let them end", t.Broadcasts)
	in(t.Payments > 0, "payments", "under way: %d; wait for their end", t.Payments)
	in(!t.Uninvoiced.IsZero(), "invoices", "of %s still to come; wait for it", t.Uninvoiced.In(clock.Seoul).Format("January 2006"))
	switch {
	case w.Status == Deleted:
		return w, nil
	case len(parts) > 0:
		return w, &fault.Error{Kind: fault.Conflict, Code: "WALLET_NOT_DELETABLE", Message: "the wallet cannot be deleted yet", Parts: parts}
	}
	w.Status = Deleted
	return w, nil
}
