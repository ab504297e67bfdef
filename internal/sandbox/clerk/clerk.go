// Package clerk answers the calls of a provider to whom our order ids are keys, such as a bank: it asks
// for the secret, plays faults, counts, and refuses in the words that they share.
package clerk

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Clerk answers for one provider. It is safe for concurrent use.
type Clerk struct {
	Name   string // in front of the calls, as in the targets of faults
	Secret string // empty takes every secret
	Faults *trouble.Book
	Truth  sync.Locker // held while an order is worked on

	mu       sync.Mutex
	requests map[string]int
}

// Order is a call that is let through.
type Order struct {
	ID   string // of the path
	Body []byte
	Hit  trouble.Fault // what is to go wrong, where the kinds that all calls have leave it to the work
}

// Refusal is an answer that is no success, in the provider's words.
type Refusal struct {
	status int
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Bad refuses an order that will never be taken.
func Bad(format string, args ...any) *Refusal {
	return &Refusal{http.StatusBadRequest, "BAD_ORDER", fmt.Sprintf(format, args...)}
}

// Other refuses an order whose id was used with another body.
func Other(detail string) *Refusal {
	return &Refusal{http.StatusConflict, "OTHER_ORDER", detail}
}

// None refuses a look-up of an order that never arrived.
func None() *Refusal {
	return &Refusal{http.StatusNotFound, "NO_ORDER", "there is no such order"}
}

// Handle returns the handler of a call; a fault of the target Name.call hits it. What the work returns does
// not change afterwards.
func (c *Clerk) Handle(call string, work func(o Order) (any, *Refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := answer.Body(r)
		if err != nil {
			return // the client has left
		}
		c.count(call)
		hit := c.Faults.Take(c.Name+"."+call, trouble.Subject{})
		hit.Before(r)
		switch hit.Kind {
		case trouble.Refuse:
			refuse(w, Bad("refused on request"))
			return
		case trouble.Throttle:
			w.Header().Set("Retry-After", hit.RetryAfter())
			refuse(w, &Refusal{http.StatusTooManyRequests, "TOO_MANY", "too many requests"})
			return
		case trouble.ErrorBefore:
			http.Error(w, "internal server error", http.StatusInternalServerError)
			return
		}
		secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if hit.Kind == trouble.Unauthorized || !ok || secret == "" || c.Secret != "" && secret != c.Secret {
			refuse(w, &Refusal{http.StatusUnauthorized, "WRONG_SECRET", "the secret is wrong"})
			return
		}
		c.Truth.Lock()
		told, wrong := work(Order{r.PathValue("order"), body, hit})
		c.Truth.Unlock()
		switch {
		case hit.After(w, r):
		case wrong != nil:
			refuse(w, wrong)
		default:
			answer.JSON(w, http.StatusOK, told)
		}
	}
}

func refuse(w http.ResponseWriter, r *Refusal) { answer.JSON(w, r.status, r) }

func (c *Clerk) count(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests == nil {
		c.requests = make(map[string]int)
	}
	c.requests[call]++
}

// Requests returns how often each call was made, refused ones too.
func (c *Clerk) Requests() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests == nil {
		return map[string]int{}
	}
	return maps.Clone(c.requests)
}

// List answers with a page of a list.
func List[T any](w http.ResponseWriter, r *http.Request, all []T) {
	page, err := answer.ReadPage(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	from := min(page.From, len(all))
	to, next := min(from+page.Limit, len(all)), 0
	if to < len(all) {
		next = to
	}
	answer.Items(w, all[from:to], next)
}
