// Package bank stands in for a bank: one-time accounts that take one exact amount until their
// deadline, and transfers. It keeps its own truth of what arrived, what was returned and what was
// sent; shapes are written here once more, so that a client's mistake cannot hide in a shared type.
package bank

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/answer"
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

	mu        sync.Mutex
	requests  map[string]int // by call
	accounts  []*account
	byOrder   map[string]*account
	byNumber  map[string]*account
	transfers []*transfer
	sent      map[string]*transfer // by order
	holders   map[string]string    // of accounts elsewhere, by number; one that is not there is anybody's
}

// New returns a bank without accounts.
func New(o Options) *Bank {
	return &Bank{
		options: o, requests: make(map[string]int), byOrder: make(map[string]*account), byNumber: make(map[string]*account),
		sent: make(map[string]*transfer), holders: make(map[string]string),
	}
}

// Routes adds the bank's addresses and those of its admin to a mux.
func (b *Bank) Routes(mux *http.ServeMux) {
	mux.HandleFunc("PUT /v1/accounts/{order}", b.call("issue", b.issue))
	mux.HandleFunc("GET /v1/accounts/{order}", b.call("lookup", b.lookUp))
	mux.HandleFunc("PUT /v1/transfers/{order}", b.call("transfer", b.transfer))
	mux.HandleFunc("GET /v1/transfers/{order}", b.call("transfer_lookup", b.lookUpTransfer))

	mux.HandleFunc("POST /sandbox/bank/{account}/deposit", b.deposit)
	mux.HandleFunc("PUT /sandbox/bank/{account}/holder", b.putHolder)
	mux.HandleFunc("GET /sandbox/truth/bank/accounts", b.listAccounts)
	mux.HandleFunc("GET /sandbox/truth/bank/transfers", b.listTransfers)
}

// problem is a refusal in the bank's words.
type problem struct {
	status int
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// call wraps the work of one call: secret and faults. The work runs under the lock.
func (b *Bank) call(name string, work func(r *http.Request, body []byte) (any, *problem)) http.HandlerFunc {
	refuse := func(w http.ResponseWriter, status int, code, detail string) {
		answer.JSON(w, status, problem{Code: code, Detail: detail})
	}
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := answer.Body(r)
		if err != nil {
			return // the client has left
		}
		hit := b.options.Faults.Take("bank."+name, trouble.Subject{})
		b.mu.Lock()
		b.requests[name]++
		b.mu.Unlock()
		hit.Before(r)
		switch hit.Kind {
		case trouble.Refuse:
			refuse(w, http.StatusBadRequest, "BAD_ORDER", "refused on request")
			return
		case trouble.Throttle:
			w.Header().Set("Retry-After", hit.RetryAfter())
			refuse(w, http.StatusTooManyRequests, "TOO_MANY", "too many requests")
			return
		case trouble.ErrorBefore:
			http.Error(w, "internal server error", http.StatusInternalServerError)
			return
		}
		secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if hit.Kind == trouble.Unauthorized || !ok || secret == "" || b.options.Secret != "" && secret != b.options.Secret {
			refuse(w, http.StatusUnauthorized, "WRONG_SECRET", "the secret is wrong")
			return
		}
		b.mu.Lock()
		told, wrong := work(r, body)
		b.mu.Unlock()
		switch {
		case hit.After(w, r):
		case wrong != nil:
			refuse(w, wrong.status, wrong.Code, wrong.Detail)
		default:
			answer.JSON(w, http.StatusOK, told)
		}
	}
}

func badOrder(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, Code: "BAD_ORDER", Detail: fmt.Sprintf(format, args...)}
}

func noOrder() *problem {
	return &problem{status: http.StatusNotFound, Code: "NO_ORDER", Detail: "there is no such order"}
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
