// Package pay stands in for KakaoPay: its seven calls, the payer at his browser, and cards that
// behave as told. It keeps its own truth of what was paid; shapes and rules are written here once
// more, from KakaoPay's texts, so that a client's mistake cannot hide in a shared type.
package pay

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Merchant codes that are known: one payment, and recurring payments.
const (
	cidOnce      = "TC0ONETIME"
	cidRecurring = "TCSUBSCRIP"
)

// readyLife is how long a payer has.
const readyLife = 15 * time.Minute

// Kinds of faults that only KakaoPay has.
const (
	// Decline answers with an error code: "code", or that with which the call declines.
	Decline trouble.Kind = "decline"
	// WrongAmount acts for, and answers with, 10 KRW more than was asked for.
	WrongAmount trouble.Kind = "wrong_amount"
)

// Faults are the faults of each target of this package.
var Faults = faults()

func faults() map[string][]trouble.Kind {
	all := make(map[string][]trouble.Kind)
	for _, call := range []string{"ready", "approve", "subscription", "order", "cancel", "sid_status", "sid_inactive"} {
		all["kakaopay."+call] = append([]trouble.Kind{Decline}, trouble.Common...)
	}
	all["kakaopay.subscription"] = append(all["kakaopay.subscription"], WrongAmount)
	return all
}

// Options are what the stand-in needs.
type Options struct {
	Clock     *clock.Clock
	Faults    *trouble.Book
	SecretKey string // empty takes every key
	PublicURL string // where payers' browsers reach it, without a slash at the end; empty is the caller's view
	Cards     []Card // shown to payers; none is a set of five
}

// Gateway is the stand-in. It is safe for concurrent use.
type Gateway struct {
	options Options

	mu       sync.Mutex
	requests map[string]int // by call
	cards    []*card
	sids     map[string]*sid
	payments []*payment
	byTID    map[string]*payment
	byOrder  map[string]*payment // recurring charges that were paid, by order id
}

// New returns a stand-in without payments.
func New(o Options) *Gateway {
	g := &Gateway{
		options: o, requests: make(map[string]int), sids: make(map[string]*sid),
		byTID: make(map[string]*payment), byOrder: make(map[string]*payment),
	}
	for _, c := range cards(o.Cards) {
		g.cards = append(g.cards, &card{Card: c})
	}
	return g
}

// Routes adds KakaoPay's addresses, the payer's page and those of its admin to a mux.
func (g *Gateway) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /online/v1/payment/ready", call(g, "ready", g.ready))
	mux.HandleFunc("POST /online/v1/payment/approve", call(g, "approve", g.approve))
	mux.HandleFunc("POST /online/v1/payment/subscription", call(g, "subscription", g.subscription))
	mux.HandleFunc("POST /online/v1/payment/order", call(g, "order", g.order))
	mux.HandleFunc("POST /online/v1/payment/cancel", call(g, "cancel", g.cancel))
	mux.HandleFunc("POST /online/v1/payment/manage/subscription/status", call(g, "sid_status", g.sidStatus))
	mux.HandleFunc("POST /online/v1/payment/manage/subscription/inactive", call(g, "sid_inactive", g.sidInactive))

	mux.HandleFunc("GET /sandbox/pay/{tid}", g.showPage)
	mux.HandleFunc("POST /sandbox/pay/{tid}", g.actAsPayer)
	mux.HandleFunc("GET /sandbox/cards", g.listCards)
	mux.HandleFunc("PUT /sandbox/cards/{card}", g.putCard)
	mux.HandleFunc("POST /sandbox/cards/{card}/dormant", g.setDormant(true))
	mux.HandleFunc("POST /sandbox/cards/{card}/revive", g.setDormant(false))
	mux.HandleFunc("GET /sandbox/truth/payments", g.listPayments)
}

// outcome is what a call came to: an answer or an error code, and whether the answer gets lost.
type outcome struct {
	answer any
	err    *payError
	lost   bool // status 500 whatever happened
}

// payError is an error as KakaoPay says it.
type payError struct {
	Code    int           `json:"error_code"`
	Message string        `json:"error_message"`
	Extras  *issuerExtras `json:"extras,omitempty"`
}

type issuerExtras struct {
	Code    string `json:"method_result_code"`
	Message string `json:"method_result_message"`
}

func refuse(code int, message string) outcome {
	return outcome{err: &payError{Code: code, Message: message}}
}

// request is what every body of a call can say of itself.
type request interface{ about() (cid, sid, tid string) }

// call wraps the work of one call: key, body, merchant code and faults. The work runs under the
// lock, with the fault that hits the call; the zero Fault is none.
func call[R request](g *Gateway, name string, work func(r *http.Request, body R, hit trouble.Fault) outcome) http.HandlerFunc {
	target := "kakaopay." + name
	return func(w http.ResponseWriter, r *http.Request) {
		var body R
		raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return // the client has left
		}
		err = answer.Decode(raw, &body)
		cid, sid, tid := body.about()
		hit := g.options.Faults.Take(target, trouble.Subject{Card: g.cardOf(sid, tid)})
		g.mu.Lock()
		g.requests[name]++
		g.mu.Unlock()
		hit.Before(r)
		if refusedByFault(w, name, hit) {
			return
		}
		switch {
		case !g.authorized(r):
			writeError(w, http.StatusUnauthorized, &payError{Code: -401, Message: "secret key is wrong!"})
			return
		case err != nil:
			writeError(w, http.StatusBadRequest, &payError{Code: -726, Message: err.Error()})
			return
		case cid != cidOnce && cid != cidRecurring:
			writeError(w, http.StatusBadRequest, &payError{Code: -731, Message: "invalid cid!"})
			return
		}
		g.mu.Lock()
		got := work(r, body, hit)
		g.mu.Unlock()
		if hit.After(w, r) {
			return
		}
		switch {
		case got.lost:
			writeError(w, http.StatusInternalServerError, &payError{Code: -500, Message: "internal server error!"})
		case got.err != nil:
			writeError(w, http.StatusBadRequest, got.err)
		default:
			answer.JSON(w, http.StatusOK, got.answer)
		}
	}
}

func (g *Gateway) authorized(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "SECRET_KEY ")
	return ok && key != "" && (g.options.SecretKey == "" || key == g.options.SecretKey)
}

// refusedByFault plays the faults that refuse a call in KakaoPay's words.
func refusedByFault(w http.ResponseWriter, name string, hit trouble.Fault) bool {
	switch hit.Kind {
	case trouble.Refuse:
		writeError(w, http.StatusBadRequest, &payError{Code: -726, Message: "order info is wrong!"})
	case trouble.Unauthorized:
		writeError(w, http.StatusUnauthorized, &payError{Code: -401, Message: "secret key is wrong!"})
	case trouble.Throttle:
		w.Header().Set("Retry-After", hit.RetryAfter())
		writeError(w, http.StatusTooManyRequests, &payError{Code: -429, Message: "quota exceeded!"})
	case trouble.ErrorBefore:
		writeError(w, http.StatusInternalServerError, &payError{Code: -500, Message: "internal server error!"})
	case Decline:
		declined := map[string]int{"subscription": -782, "cancel": -781}
		e := &payError{Code: cmp.Or(hit.Code, declined[name], -780), Message: "declined on request"}
		if e.Code == -780 || e.Code == -782 {
			e.Extras = &issuerExtras{Code: cmp.Or(hit.MethodResultCode, "8326"), Message: "한도초과"}
		}
		writeError(w, http.StatusBadRequest, e)
	default:
		return false
	}
	return true
}

func writeError(w http.ResponseWriter, status int, e *payError) { answer.JSON(w, status, e) }

// newKey returns an identifier of KakaoPay: a letter and 19 more characters.
func newKey(letter string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return letter + strings.ToUpper(hex.EncodeToString(b[:]))[:19]
}

// stamp writes a time as KakaoPay does: KST without a zone, null for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(clock.Seoul).Format("2006-01-02T15:04:05")
}
