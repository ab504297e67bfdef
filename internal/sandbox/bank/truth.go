package bank

import (
	"net/http"

	"github.com/malgil/malgil/internal/sandbox/clerk"
)

// Truth is what happened at the bank.
type Truth struct {
	Requests map[string]int `json:"requests"` // by call, refused ones too
	Accounts int            `json:"accounts"`
	Paid     int            `json:"paid"` // accounts whose money arrived
	PaidKRW  int64          `json:"paid_krw"`
	// ReturnedKRW came in with a wrong amount, late or again, and went back at once.
	ReturnedKRW int64 `json:"returned_krw"`
	Transfers   int   `json:"transfers"` // that were made
	SentKRW     int64 `json:"sent_krw"`
}

// Truth sums up what happened.
func (b *Bank) Truth() Truth {
	b.mu.Lock()
	defer b.mu.Unlock()
	truth := Truth{Requests: b.clerk.Requests(), Accounts: len(b.accounts)}
	for _, a := range b.accounts {
		for _, d := range a.deposits {
			if d.Returned != "" {
				truth.ReturnedKRW += d.Amount
				continue
			}
			truth.Paid++
			truth.PaidKRW += d.Amount
		}
	}
	for _, t := range b.transfers {
		if t.State == "done" {
			truth.Transfers++
			truth.SentKRW += t.Amount
		}
	}
	return truth
}

// listAccounts is GET /sandbox/truth/bank/accounts: in the order they were opened.
func (b *Bank) listAccounts(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	all := make([]told, len(b.accounts))
	for i, a := range b.accounts {
		all[i] = b.told(a)
	}
	b.mu.Unlock()
	clerk.List(w, r, all)
}

// listTransfers is GET /sandbox/truth/bank/transfers: in the order they were asked for.
func (b *Bank) listTransfers(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	all := make([]transfer, len(b.transfers))
	for i, t := range b.transfers {
		all[i] = *t
	}
	b.mu.Unlock()
	clerk.List(w, r, all)
}
