package bank

import (
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/clerk"
)

// transfer is money that was to be sent.
type transfer struct {
	OrderID string    `json:"order_id"`
	Bank    string    `json:"bank"`
	Number  string    `json:"number"`
	Holder  string    `json:"holder"`
	Amount  int64     `json:"amount_krw"`
	Memo    string    `json:"memo"`
	State   string    `json:"state"` // done or failed
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

// transfer is PUT /v1/transfers/{order}.
func (b *Bank) transfer(o clerk.Order) (any, *clerk.Refusal) {
	var order struct {
		Bank   string `json:"bank"`
		Number string `json:"number"`
		Holder string `json:"holder"`
		Amount int64  `json:"amount_krw"`
		Memo   string `json:"memo"`
	}
	if err := answer.Decode(o.Body, &order); err != nil {
		return nil, clerk.Bad("%s", fault.MessageOf(err))
	}
	t := &transfer{
		OrderID: o.ID, Bank: order.Bank, Number: order.Number, Holder: order.Holder, Amount: order.Amount, Memo: order.Memo,
		State: "done", At: b.options.Clock.Now(),
	}
	if before, known := b.sent[o.ID]; known {
		if before.Number != t.Number || before.Amount != t.Amount {
			return nil, clerk.Other("this order was made with another account or amount")
		}
		return before, nil
	}
	if order.Amount <= 0 || order.Number == "" || order.Bank == "" || order.Holder == "" {
		return nil, clerk.Bad("bank, number, holder and amount_krw are required")
	}
	if holder, known := b.holders[order.Number]; known && holder != order.Holder {
		t.State, t.Reason = "failed", "예금주 불일치"
	}
	b.transfers = append(b.transfers, t)
	b.sent[o.ID] = t
	return t, nil
}

// lookUpTransfer is GET /v1/transfers/{order}.
func (b *Bank) lookUpTransfer(o clerk.Order) (any, *clerk.Refusal) {
	t, known := b.sent[o.ID]
	if !known {
		return nil, clerk.None()
	}
	return t, nil
}

// putHolder is PUT /sandbox/bank/{account}/holder: who holds an account at another bank.
func (b *Bank) putHolder(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Holder string `json:"holder"`
	}
	if err := answer.Read(r, &order); err != nil {
		answer.Problem(w, err)
		return
	}
	if order.Holder == "" {
		answer.Problem(w, fault.Field("holder", "holder is a name"))
		return
	}
	b.mu.Lock()
	b.holders[r.PathValue("account")] = order.Holder
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}
