// Package sandbox stands in for everything outside: Kakao, KakaoPay, a bank, a carrier of tax invoices, the skill server of a business
// and the mailbox. Each keeps
// its own truth of what happened to it and can be told to misbehave; nothing here knows the
// rules that are under test. docs/api.md describes its addresses.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/bank"
	"github.com/malgil/malgil/internal/sandbox/inbox"
	"github.com/malgil/malgil/internal/sandbox/pay"
	"github.com/malgil/malgil/internal/sandbox/shop"
	"github.com/malgil/malgil/internal/sandbox/talk"
	"github.com/malgil/malgil/internal/sandbox/tax"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Options are what a sandbox needs.
type Options struct {
	Clock *clock.Clock // required; the one clock of the program where they share a process

	// MoveClock moves the time of everything that shares the clock and returns when all that
	// falls due is done. A Conflict means backward. Nil moves Clock alone.
	MoveClock func(ctx context.Context, to time.Time) error

	HTTPAddress string // to listen on; empty is a free port of 127.0.0.1
	SMTPAddress string // to listen on; empty is a free port of 127.0.0.1
	// AllowRemote lets it listen on, and call, addresses that are not loopback: whoever reaches a
	// sandbox can do everything with it.
	AllowRemote bool
	PublicURL   string // where payers and callbacks reach it; empty is the caller's view

	KakaoPaySecret string        // empty takes every secret key
	BankSecret     string        // empty takes every secret
	TaxSecret      string        // empty takes every secret
	Cards          []pay.Card    // that payers choose from; none is a set of five
	ResultDelay    time.Duration // how long results of sends are not complete
}

// Sandbox is a set of stand-ins. It is safe for concurrent use.
type Sandbox struct {
	Kakao  *talk.Kakao
	Pay    *pay.Gateway
	Bank   *bank.Bank
	Tax    *tax.Carrier
	Inbox  *inbox.Inbox
	Faults *trouble.Book

	options Options
	mux     *http.ServeMux

	server *http.Server // nil unless it listens
	http   net.Listener
	smtp   net.Listener
	stop   context.CancelFunc // cuts stalled answers
	forget func() bool        // the context of Start need not close it any more
}

// New returns a sandbox that listens nowhere: mount it as a handler, or use [Start]. Close it
// when done.
func New(o Options) *Sandbox {
	allowed := make(map[string][]trouble.Kind)
	maps.Copy(allowed, talk.Faults)
	maps.Copy(allowed, pay.Faults)
	maps.Copy(allowed, bank.Faults)
	maps.Copy(allowed, tax.Faults)
	maps.Copy(allowed, inbox.Faults)
	maps.Copy(allowed, shop.Faults)
	faults := trouble.NewBook(allowed)
	if o.MoveClock == nil {
		o.MoveClock = func(_ context.Context, to time.Time) error { return o.Clock.MoveTo(to) }
	}
	s := &Sandbox{options: o, Faults: faults, mux: http.NewServeMux()}
	s.Kakao = talk.New(talk.Options{
		Clock: o.Clock, Faults: faults, PublicURL: o.PublicURL, MayCall: s.mayCall, ResultDelay: o.ResultDelay,
	})
	s.Pay = pay.New(pay.Options{Clock: o.Clock, Faults: faults, SecretKey: o.KakaoPaySecret, PublicURL: o.PublicURL, Cards: o.Cards})
	s.Bank = bank.New(bank.Options{Clock: o.Clock, Faults: faults, Secret: o.BankSecret})
	s.Tax = tax.New(tax.Options{Clock: o.Clock, Faults: faults, Secret: o.TaxSecret})
	s.Inbox = inbox.New(o.Clock, faults)
	s.Kakao.Routes(s.mux)
	s.Pay.Routes(s.mux)
	s.Bank.Routes(s.mux)
	s.Tax.Routes(s.mux)
	s.Inbox.Routes(s.mux)
	shop.New(o.Clock, faults).Routes(s.mux)
	s.routes()
	return s
}

// ServeHTTP serves every address of the sandbox.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// mayCall says why an address may not be called, or nothing.
func (s *Sandbox) mayCall(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return errors.New("is not an http address")
	}
	if !s.options.AllowRemote && !isLoopback(u.Hostname()) {
		return errors.New("is not on this machine")
	}
	return nil
}

// checkListen says why an address may not be listened on, or nothing.
func (o Options) checkListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: want host:port", address)
	}
	if !o.AllowRemote && !isLoopback(host) {
		return fmt.Errorf("listen address %q is open to others: the sandbox listens on loopback unless remote is allowed", address)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
