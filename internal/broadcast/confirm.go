package broadcast

import (
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Checks is what an installation asks of people before a broadcast goes. The zero value asks nothing.
type Checks struct {
	// ConfirmAbove is the audience above which who seals a broadcast says how many people it has, so that
	// somebody has read it, and who has as many sent to again likewise; 0 for never.
	ConfirmAbove int
	// ApproveAbove is the cost, VAT apart, above which a second person approves it; 0 for never.
	ApproveAbove wallet.KRW
}

// Sealing is what somebody says who seals a broadcast.
type Sealing struct {
	People int    // how many people it has; 0 for nothing. What seals by itself says how many it counted
	By     string // who ordered it: his account, or his token where it stands for nobody
}

// confirm is a Conflict when a broadcast is bigger than goes without a word and its people were not said,
// and whenever another number was.
func (c Checks) confirm(b Broadcast, said int) error {
	if c.goes(b.Counts.Audience, said) {
		return nil
	}
	return unconfirmed("must be %d, the people of broadcast %s: read what goes out, and give the number", b.Counts.Audience, b.ID)
}

// ConfirmOrder is a Conflict when an order comes with so many recipients that somebody says how many, and did not, or
// said another number.
func (c Checks) ConfirmOrder(people, said int) error {
	if c.goes(people, said) {
		return nil
	}
	return unconfirmed("must be %d, the people of this order: read what goes out, and give the number", people)
}

// ConfirmAgain is a Conflict when so many people are to be sent to again that somebody says how many, and did not, or
// said another number.
func (c Checks) ConfirmAgain(people, said int) error {
	if c.goes(people, said) {
		return nil
	}
	return unconfirmed("must be %d, the people who are sent to again: who got the message after all gets it twice, so ask Kakao first, and give the number", people)
}

// goes reports whether so many people go with what was said of their number.
func (c Checks) goes(people, said int) bool {
	return said == people || said == 0 && (c.ConfirmAbove == 0 || people <= c.ConfirmAbove)
}

func unconfirmed(format string, args ...any) error {
	wrong := fault.Coded(fault.Conflict, "CONFIRMATION_NEEDED", format, args...)
	wrong.Field = "confirm"
	return wrong
}

// Sealed returns a broadcast as it is sealed at a price. It is a Conflict when nobody was uploaded, or another number has to be said.
func (c Checks) Sealed(b Broadcast, price wallet.KRW, o Sealing, now time.Time) (Broadcast, error) {
	if b.Counts.Audience == 0 {
		return b, fault.Coded(fault.Conflict, codeNobody, "broadcast %s has no recipients; upload them first", b.ID)
	}
	if err := c.confirm(b, o.People); err != nil {
		return b, err
	}
	b.Price, b.SealedBy = price, o.By
	return c.held(b.Seal(now)), nil
}
