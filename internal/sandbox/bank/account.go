package bank

import (
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/clerk"
)

// account is a one-time account.
type account struct {
	order, number, holder string
	amount                int64
	expiresAt             time.Time
	paidAt                time.Time
	deposits              []deposit
}

// deposit is money that somebody sent to an account.
type deposit struct {
	Amount   int64     `json:"amount_krw"`
	At       time.Time `json:"at"`
	Returned string    `json:"returned,omitempty"` // why it went back at once: amount, late or again
}

// told is an account as its owner is told.
type told struct {
	OrderID   string     `json:"order_id"`
	Bank      string     `json:"bank"`
	Number    string     `json:"number"`
	Holder    string     `json:"holder"`
	Amount    int64      `json:"amount_krw"`
	ExpiresAt time.Time  `json:"expires_at"`
	State     string     `json:"state"`
	PaidAt    *time.Time `json:"paid_at,omitempty"`
	Deposits  []deposit  `json:"deposits,omitempty"`
}

func (b *Bank) told(a *account) told {
	t := told{
		OrderID: a.order, Bank: name, Number: a.number, Holder: a.holder, Amount: a.amount, ExpiresAt: a.expiresAt,
		State: "open", PaidAt: stamp(a.paidAt), Deposits: a.deposits,
	}
	switch {
	case !a.paidAt.IsZero():
		t.State = "paid"
	case !b.options.Clock.Now().Before(a.expiresAt):
		t.State = "closed"
	}
	return t
}

// issue is PUT /v1/accounts/{order}.
func (b *Bank) issue(o clerk.Order) (any, *clerk.Refusal) {
	var order struct {
		Amount    int64     `json:"amount_krw"`
		Holder    string    `json:"holder"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := answer.Decode(o.Body, &order); err != nil {
		return nil, clerk.Bad("%s", fault.MessageOf(err))
	}
	if a, known := b.byOrder[o.ID]; known {
		if a.amount != order.Amount || a.holder != order.Holder || !a.expiresAt.Equal(order.ExpiresAt) {
			return nil, clerk.Other("this order was made with another amount, holder or deadline")
		}
		return b.told(a), nil
	}
	switch {
	case order.Amount <= 0:
		return nil, clerk.Bad("amount_krw is above 0")
	case order.Holder == "":
		return nil, clerk.Bad("holder is missing")
	case !order.ExpiresAt.After(b.options.Clock.Now()):
		return nil, clerk.Bad("expires_at is over")
	}
	a := &account{order: o.ID, number: newNumber(), holder: order.Holder, amount: order.Amount, expiresAt: order.ExpiresAt}
	b.accounts = append(b.accounts, a)
	b.byOrder[o.ID], b.byNumber[a.number] = a, a
	return b.told(a), nil
}

// lookUp is GET /v1/accounts/{order}.
func (b *Bank) lookUp(o clerk.Order) (any, *clerk.Refusal) {
	a, known := b.byOrder[o.ID]
	if !known {
		return nil, clerk.None()
	}
	return b.told(a), nil
}

// deposit is POST /sandbox/bank/{account}/deposit: somebody sends money to an account. What is not
// exactly what it takes, or comes late or again, goes back at once.
func (b *Bank) deposit(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Amount int64 `json:"amount"`
	}
	err := answer.Read(r, &order)
	if err == nil && order.Amount <= 0 {
		err = fault.Field("amount", "amount is above 0")
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a, known := b.byNumber[r.PathValue("account")]
	if !known {
		answer.Problem(w, fault.New(fault.NotFound, "there is no account with this number"))
		return
	}
	now := b.options.Clock.Now()
	d := deposit{Amount: order.Amount, At: now}
	switch {
	case !now.Before(a.expiresAt):
		d.Returned = "late"
	case order.Amount != a.amount:
		d.Returned = "amount"
	case !a.paidAt.IsZero():
		d.Returned = "again"
	default:
		a.paidAt = now
	}
	a.deposits = append(a.deposits, d)
	answer.JSON(w, http.StatusCreated, d)
}
