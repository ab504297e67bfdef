package broadcast

import (
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Checks is what an installation asks of people before a broadcast goes. The zero value asks nothing.
type Checks struct {
	// ConfirmAbove is the audience above which who seals a broadcast says how many people it has, so that
	// somebody has read it; 0 for never.
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
	people := b.Counts.Audience
	if said == people || said == 0 && (c.ConfirmAbove == 0 || people <= c.ConfirmAbove) {
		return nil
	}
	wrong := fault.Coded(fault.Conflict, "CONFIRMATION_NEEDED", "must be %d, the people of broadcast %s: read what goes out, and give the number", people, b.ID)
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
