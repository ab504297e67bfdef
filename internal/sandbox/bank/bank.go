// Package bank stands in for a bank: one-time accounts that take one exact amount until their
// deadline, and transfers. It keeps its own truth of what arrived, what was returned and what was
// sent; shapes are written here once more, so that a client's mistake cannot hide in a shared type.
package bank

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/clerk"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Faults are the faults of each target of this package.
var Faults = map[string][]trouble.Kind{
	"bank.issue":           trouble.Common,
	"bank.lookup":          trouble.Common,
	"bank.transfer":        trouble.Common,
	"bank.transfer_lookup": trouble.Common,
}

// name is what the stand-in's accounts are shown as.
const name = "모래은행"

// Options are what the stand-in needs.
type Options struct {
	Clock  *clock.Clock
	Faults *trouble.Book
	Secret string // empty takes every secret
}

// Bank is the stand-in. It is safe for concurrent use.
type Bank struct {
	options Options
	clerk   *clerk.Clerk

	mu        sync.Mutex
	accounts  []*account
	byOrder   map[string]*account
	byNumber  map[string]*account
	transfers []*transfer
	sent      map[string]*transfer // by order
	holders   map[string]string    // of accounts elsewhere, by number; one that is not there is anybody's
}

// New returns a bank without accounts.
func New(o Options) *Bank {
	b := &Bank{
		options: o, byOrder: make(map[string]*account), byNumber: make(map[string]*account),
		sent: make(map[string]*transfer), holders: make(map[string]string),
	}
	b.clerk = &clerk.Clerk{Name: "bank", Secret: o.Secret, Faults: o.Faults, Truth: &b.mu}
	return b
}

// Routes adds the bank's addresses and those of its admin to a mux.
func (b *Bank) Routes(mux *http.ServeMux) {
	mux.HandleFunc("PUT /v1/accounts/{order}", b.clerk.Handle("issue", b.issue))
	mux.HandleFunc("GET /v1/accounts/{order}", b.clerk.Handle("lookup", b.lookUp))
	mux.HandleFunc("PUT /v1/transfers/{order}", b.clerk.Handle("transfer", b.transfer))
	mux.HandleFunc("GET /v1/transfers/{order}", b.clerk.Handle("transfer_lookup", b.lookUpTransfer))

	mux.HandleFunc("POST /sandbox/bank/{account}/deposit", b.deposit)
	mux.HandleFunc("PUT /sandbox/bank/{account}/holder", b.putHolder)
	mux.HandleFunc("GET /sandbox/truth/bank/accounts", b.listAccounts)
	mux.HandleFunc("GET /sandbox/truth/bank/transfers", b.listTransfers)
}

// newNumber returns the number of an account.
func newNumber() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e11))
	if err != nil {
		panic(err) // the system gives no randomness
	}
	return fmt.Sprintf("790%011d", n)
}

// stamp is a time, or nothing.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
