package wallet

import (
	"fmt"
	"time"
)

// The kinds of postings of cash that the platform gives (캐시 지급).
const (
	GrantExpired PostingKind = "grant_expired" // free cash vanished at the end of its last day (소멸)
	PaidGranted  PostingKind = "paid_granted"  // the platform gave paid cash (유상캐시 지급)
)

// ExpireGrant takes back what is left of started free cash whose time is over. What is held may
// need it, so at most free − held vanishes now and the rest as holds end. It reports false when
// there is nothing to take.
func (w Wallet) ExpireGrant(g Grant, now time.Time) (Wallet, Posting, bool) {
	amount := min(g.Remaining, w.Free-w.Held)
	if amount <= 0 || now.Before(g.ExpiresAt) {
		return w, Posting{}, false
	}
	w.Free -= amount
	return w, Posting{
		Kind: GrantExpired, Ref: fmt.Sprintf("%s/%d", g.ID, g.Remaining-amount), At: w.open(now), // the part of it that goes with this posting
		Free: -amount, Promotion: amount, Grants: []GrantUse{{GrantID: g.ID, Amount: amount}},
	}, true
}

// GivePaid adds paid cash that the platform gives. Like a top-up it pays the accrual first; no
// money and no VAT move outside.
func (w Wallet) GivePaid(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	owed := min(amount, w.Accrual)
	p := Posting{Kind: PaidGranted, Ref: ref, At: w.open(now), Accrual: owed, Paid: amount - owed, Promotion: -amount}
	w = w.payAccrual(owed)
	w.Paid += p.Paid
	return w.paidUp(now), p
}
