package bank

import (
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
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
func (b *Bank) transfer(r *http.Request, body []byte) (any, *problem) {
	var order struct {
		Bank   string `json:"bank"`
		Number string `json:"number"`
		Holder string `json:"holder"`
		Amount int64  `json:"amount_krw"`
		Memo   string `json:"memo"`
	}
	if err := answer.Decode(body, &order); err != nil {
		return nil, badOrder("%s", fault.MessageOf(err))
	}
	id := r.PathValue("order")
	t := &transfer{
		OrderID: id, Bank: order.Bank, Number: order.Number, Holder: order.Holder, Amount: order.Amount, Memo: order.Memo,
		State: "done", At: b.options.Clock.Now(),
	}
	if before, known := b.sent[id]; known {
		if before.Number != t.Number || before.Amount != t.Amount {
			return nil, &problem{status: http.StatusConflict, Code: "OTHER_ORDER", Detail: "this order was made with another account or amount"}
		}
		return before, nil
	}
	if order.Amount <= 0 || order.Number == "" || order.Bank == "" || order.Holder == "" {
		return nil, badOrder("bank, number, holder and amount_krw are required")
	}
	if holder, known := b.holders[order.Number]; known && holder != order.Holder {
		t.State, t.Reason = "failed", "예금주 불일치"
	}
	b.transfers = append(b.transfers, t)
	b.sent[id] = t
	return t, nil
}

// lookUpTransfer is GET /v1/transfers/{order}.
func (b *Bank) lookUpTransfer(r *http.Request, _ []byte) (any, *problem) {
	t, known := b.sent[r.PathValue("order")]
	if !known {
		return nil, noOrder()
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
