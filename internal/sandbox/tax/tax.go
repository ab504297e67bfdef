// Package tax stands in for a carrier of tax invoices and the tax office behind it: one invoice for an
// order, however often it is handed over, refused where a business is closed, suspended or not one.
// Shapes are written here once more, so that a client's mistake cannot hide in a shared type.
package tax

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/clerk"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// The kinds of faults that only this wire has.
const (
	Pending     trouble.Kind = "pending"      // taken; the tax office answers a minute of the clock later
	WrongAmount trouble.Kind = "wrong_amount" // issued over 10 KRW more than was asked for
)

// Faults are the faults of each target of this package.
var Faults = map[string][]trouble.Kind{
	"tax.issue":  append([]trouble.Kind{Pending, WrongAmount}, trouble.Common...),
	"tax.lookup": trouble.Common,
}

// pendingFor is how long the tax office takes where it does not answer at once.
const pendingFor = time.Minute

// Options are what the stand-in needs.
type Options struct {
	Clock  *clock.Clock
	Faults *trouble.Book
	Secret string // empty takes every secret
}

// Carrier is the stand-in. It is safe for concurrent use.
type Carrier struct {
	options Options
	clerk   *clerk.Clerk

	mu         sync.Mutex
	orders     []*invoice
	byOrder    map[string]*invoice
	serial     int
	businesses map[string]string // closed and suspended ones by number
}

// New returns a carrier without invoices.
func New(o Options) *Carrier {
	c := &Carrier{options: o, byOrder: make(map[string]*invoice), businesses: make(map[string]string)}
	c.clerk = &clerk.Clerk{Name: "tax", Secret: o.Secret, Faults: o.Faults, Truth: &c.mu}
	return c
}

// Routes adds the carrier's addresses and those of its admin to a mux.
func (c *Carrier) Routes(mux *http.ServeMux) {
	mux.HandleFunc("PUT /v1/invoices/{order}", c.clerk.Handle("issue", c.issue))
	mux.HandleFunc("GET /v1/invoices/{order}", c.clerk.Handle("lookup", c.lookUp))

	mux.HandleFunc("PUT /sandbox/tax/businesses/{number}", c.putBusiness)
	mux.HandleFunc("GET /sandbox/tax/invoices", c.list)
}

// The states of a business, as the tax office has them.
const (
	open      = "open"
	closed    = "closed"    // 폐업
	suspended = "suspended" // 휴업
)

// putBusiness is PUT /sandbox/tax/businesses/{number}: whether a business still is one.
func (c *Carrier) putBusiness(w http.ResponseWriter, r *http.Request) {
	var order struct {
		State string `json:"state"`
	}
	err := answer.Read(r, &order)
	if err == nil && order.State != open && order.State != closed && order.State != suspended {
		err = fault.Field("state", "state is open, closed or suspended")
	}
	number := strings.ReplaceAll(r.PathValue("number"), "-", "")
	if err == nil && !isBusinessNumber(number) {
		err = fault.Field("number", "is no business registration number: ten digits, the last of which checks the others")
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	c.mu.Lock()
	c.businesses[number] = order.State
	c.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// isBusinessNumber reports whether a text is a business registration number: nine digits, and one
// that checks them.
func isBusinessNumber(text string) bool {
	const weights = "137137135"
	if len(text) != 10 {
		return false
	}
	sum := 0
	for i := range 10 {
		digit := int(text[i]) - '0'
		if digit < 0 || digit > 9 {
			return false
		}
		if i < 9 {
			sum += digit * int(weights[i]-'0')
		}
		if i == 8 {
			sum += digit * 5 / 10
		}
	}
	return (sum+int(text[9]-'0'))%10 == 0
}

// issuer stands in each approval number for who issued.
const issuer = "41000001"

// approve gives the next invoice its approval number (승인번호): the day, the issuer, a serial number.
func (c *Carrier) approve(at time.Time) string {
	c.serial++
	return at.In(clock.Seoul).Format("20060102") + issuer + fmt.Sprintf("%08d", c.serial)
}
