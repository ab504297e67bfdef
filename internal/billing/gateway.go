package billing

import (
	"context"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// Gateway is the card gateway. Its calls end when ctx does. Its errors have a [Class]; an error
// without one means that the call may have worked.
type Gateway interface {
	// CardStatus asks whether a card can be charged, without charging it.
	CardStatus(ctx context.Context, sid string) (CardStatus, error)
	// Charge takes money from a card without its owner being there. It is made once for an
	// order id; the provider has no look-up for one whose answer was lost.
	Charge(ctx context.Context, r ChargeRequest) (Payment, error)
	// Ready starts a payment that the payer finishes in a browser.
	Ready(ctx context.Context, r ReadyRequest) (Ready, error)
	// Approve finishes it. Made twice for one tid, it pays once.
	Approve(ctx context.Context, r ApproveRequest) (Payment, error)
	// Order looks a payment up.
	Order(ctx context.Context, p Purpose, tid string) (Order, error)
	// Cancel gives a payment back, or a part of it, and returns how much it gave. It is refused
	// when what is left of the payment is not what the request says, so that the same part is not
	// given back twice.
	Cancel(ctx context.Context, r CancelRequest) (wallet.KRW, error)
	// Deactivate makes a card unusable for us.
	Deactivate(ctx context.Context, sid string) error
}

// Purpose chooses the merchant code (CID).
type Purpose string

// The two merchant codes of an installation.
const (
	OneTime   Purpose = "one_time"  // top-ups
	Recurring Purpose = "recurring" // cards
)

// CardStatus is what the provider says of a card.
type CardStatus struct {
	Available      bool      // it can be charged
	Active         bool      // it was not switched off; active and not available is dormant (휴면)
	LastApprovedAt time.Time // last approved payment, whole seconds; zero for never
}

// State returns what the status means for us.
func (s CardStatus) State() CardState {
	switch {
	case !s.Active:
		return CardDead
	case !s.Available:
		return CardDormant
	}
	return CardUsable
}

// ChargeRequest is one charge on one card.
type ChargeRequest struct {
	SID     string
	OrderID string // id of the attempt
	PayerID string // as when the card was registered
	Item    string // what the payer reads on the receipt
	Total   wallet.KRW
	VAT     wallet.KRW // part of Total
}

// ReadyRequest starts a payment or a registration.
type ReadyRequest struct {
	Purpose    Purpose
	OrderID    string
	PayerID    string
	Item       string
	Total      wallet.KRW
	VAT        wallet.KRW
	ApproveURL string // where the payer comes back; pg_token is added
	CancelURL  string
	FailURL    string
}

// Ready is a payment that waits for its payer.
type Ready struct {
	TID      string
	Redirect Redirect
}

// Redirect is where the payer's browser goes next, by device.
type Redirect struct {
	PC     string `json:"pc"`
	Mobile string `json:"mobile"`
	App    string `json:"app"`
}

// ApproveRequest finishes a payment.
type ApproveRequest struct {
	Purpose Purpose
	TID     string
	OrderID string
	PayerID string
	Token   string // pg_token
	Total   wallet.KRW
}

// CancelRequest gives a payment back, or a part of it.
type CancelRequest struct {
	Purpose Purpose
	TID     string
	Amount  wallet.KRW // with VAT
	VAT     wallet.KRW // part of Amount
	Left    wallet.KRW // of the payment before the call, with VAT
}

// Payment is an approved payment.
type Payment struct {
	TID        string
	SID        string // of a registration or charge
	OrderID    string
	PayerID    string
	Total      wallet.KRW
	ApprovedAt time.Time // whole seconds; zero when the provider did not say
	BIN        string    // first six digits of the card; empty when paid without one
	Issuer     string    // name of the card company ("신한카드"), or empty
}

// OrderStatus is what a look-up says of a payment.
type OrderStatus string

// What a look-up may say.
const (
	OrderOpen      OrderStatus = "open"   // the payer has not finished, or nobody approved
	OrderPaid      OrderStatus = "paid"   // approved
	OrderFailed    OrderStatus = "failed" // certainly not approved, and never will be
	OrderCancelled OrderStatus = "cancelled"
	OrderPartly    OrderStatus = "partly" // cancelled in part
)

// Order is a payment looked up.
type Order struct {
	Status    OrderStatus
	Payment   Payment    // SID is empty: a look-up does not tell it
	Cancelled wallet.KRW // what was given back so far
}

// Class says what a failed call means for the money.
type Class int

const (
	// MayHaveMoved is the default: a timeout, a cut connection, an answer that is not understood,
	// or one that says to look the payment up.
	MayHaveMoved Class = iota
	// NotSent means that the call did not reach the provider.
	NotSent
	// CardDeclined means that this card does not pay this charge.
	CardDeclined
	// CardGone means that the card is gone or switched off.
	CardGone
	// BadConfig means that the provider does not accept our access; it says nothing of a card.
	BadConfig
	// QuotaUsedUp means that the provider takes no more calls today; it says nothing of a card.
	QuotaUsedUp
	// BadRequest means that the provider will never take this request; nothing moved.
	BadRequest
)

// GatewayError is a failed call.
type GatewayError struct {
	Class   Class
	Code    string // the provider's code, or empty
	Message string // the provider's words, such as the issuer's reason
	Err     error  // the cause, for the log
}

func (e *GatewayError) Error() string {
	text := e.Message
	if e.Code != "" {
		text = e.Code + " " + text
	}
	if e.Err != nil {
		if text != "" {
			text += ": "
		}
		text += e.Err.Error()
	}
	return text
}

func (e *GatewayError) Unwrap() error { return e.Err }

// asGateway returns the gateway's error in a chain; an error of another kind may have moved money.
func asGateway(err error) *GatewayError {
	var e *GatewayError
	if errors.As(err, &e) {
		return e
	}
	return &GatewayError{Class: MayHaveMoved, Err: err}
}
