package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/wallet"
)

// fakeGateway is a card gateway that does what a test says. Unless told otherwise, cards are
// usable, were never charged, and pay.
type fakeGateway struct {
	mu       sync.Mutex
	status   map[string]billing.CardStatus // by sid
	charge   func(r billing.ChargeRequest) (billing.Payment, error)
	approve  func(r billing.ApproveRequest) (billing.Payment, error)
	order    func(tid string) (billing.Order, error)
	cancel   func(r billing.CancelRequest) (wallet.KRW, error)
	statusIs func(sid string) (billing.CardStatus, error)

	charged  []billing.ChargeRequest
	readies  []billing.ReadyRequest
	approves []billing.ApproveRequest
	cancels  []string
	off      []string
}

func (g *fakeGateway) CardStatus(_ context.Context, sid string) (billing.CardStatus, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.statusIs != nil {
		return g.statusIs(sid)
	}
	if status, set := g.status[sid]; set {
		return status, nil
	}
	return billing.CardStatus{Active: true, Available: true}, nil
}

func (g *fakeGateway) set(card string, status billing.CardStatus) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status["sid-of-"+card] = status
}

func (g *fakeGateway) Charge(_ context.Context, r billing.ChargeRequest) (billing.Payment, error) {
	g.mu.Lock()
	g.charged = append(g.charged, r)
	answer := g.charge
	g.mu.Unlock()
	if answer == nil {
		return paidFor(r), nil
	}
	return answer(r)
}

func (g *fakeGateway) calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var cards []string
	for _, r := range g.charged {
		cards = append(cards, r.SID[len("sid-of-"):])
	}
	return cards
}

func (g *fakeGateway) Ready(_ context.Context, r billing.ReadyRequest) (billing.Ready, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readies = append(g.readies, r)
	return billing.Ready{TID: "T-" + r.OrderID, Redirect: billing.Redirect{PC: "https://pay.example/" + r.OrderID}}, nil
}

func (g *fakeGateway) Approve(_ context.Context, r billing.ApproveRequest) (billing.Payment, error) {
	g.mu.Lock()
	g.approves = append(g.approves, r)
	answer := g.approve
	g.mu.Unlock()
	if answer == nil {
		return approvedFor(r), nil
	}
	return answer(r)
}

func (g *fakeGateway) Order(_ context.Context, _ billing.Purpose, tid string) (billing.Order, error) {
	return g.order(tid)
}

func (g *fakeGateway) Cancel(_ context.Context, r billing.CancelRequest) (wallet.KRW, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancels = append(g.cancels, fmt.Sprintf("%s %d", r.TID, r.Amount))
	if g.cancel != nil {
		return g.cancel(r)
	}
	return r.Amount, nil
}

func (g *fakeGateway) Deactivate(_ context.Context, sid string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.off = append(g.off, sid)
	return nil
}

func paidFor(r billing.ChargeRequest) billing.Payment {
	return billing.Payment{TID: "T-" + r.OrderID, SID: r.SID, OrderID: r.OrderID, PayerID: r.PayerID, Total: r.Total}
}

func approvedFor(r billing.ApproveRequest) billing.Payment {
	p := billing.Payment{TID: r.TID, OrderID: r.OrderID, PayerID: r.PayerID, Total: r.Total, BIN: "540912", Issuer: "신한카드"}
	if r.Purpose == billing.Recurring {
		p.SID = "sid-new-" + r.OrderID
	}
	return p
}

func failed(class billing.Class, message string) error {
	return &billing.GatewayError{Class: class, Code: "-1", Message: message}
}

// till is a billing service on a database, with a clock that a test moves.
type till struct {
	t testing.TB
	s *Store
	g *fakeGateway
	*billing.Service
	mu       sync.Mutex
	now      time.Time
	shared   *clock.Clock // in place of now, where the gateway has the time too
	outcomes []billing.Outcome
}

func newTill(t testing.TB, s *Store, change func(*billing.Settings)) *till {
	b := &till{t: t, s: s, g: &fakeGateway{status: map[string]billing.CardStatus{}}, now: t0}
	settings := billing.DefaultSettings
	settings.PublicURL = "https://malgil.example"
	if change != nil {
		change(&settings)
	}
	ids := id.New(b.clock, rand.Reader)
	b.Service = billing.New(s, b.g, testKeys(t), ids, rand.Reader, b.clock, settings)
	return b
}

func (b *till) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shared != nil {
		return b.shared.Now()
	}
	return b.now
}

func (b *till) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
	if b.shared != nil {
		if err := b.shared.MoveTo(b.shared.Now().Add(d)); err != nil {
			b.t.Error(err)
		}
	}
}

// until lets time pass up to a moment.
func (b *till) until(when time.Time) { b.pass(when.Sub(b.clock())) }

// run does what sweep and workers do, until nothing is left to do at this time.
func (b *till) run() {
	b.t.Helper()
	for range 100 {
		if _, err := b.s.ExpireCalling(b.t.Context(), b.clock()); err != nil {
			b.t.Fatal(err)
		}
		busy := b.work(WorkWallet, b.OpenDue)
		busy = b.work(WorkAttempt, b.RunAttempt) || busy
		busy = b.work(WorkInvoice, b.RunAttempt) || busy
		busy = b.work(WorkResolve, b.ResolveAttempt) || busy
		if !busy {
			return
		}
	}
	b.t.Fatal("billing does not come to rest")
}

func (b *till) work(kind Work, run func(context.Context, string, int) (billing.Result, error)) bool {
	b.t.Helper()
	rows, err := b.s.Stamp(b.t.Context(), kind, b.clock(), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, row := range rows {
		result, err := run(b.t.Context(), row.ID, row.Epoch)
		if err != nil {
			b.t.Fatalf("%s %s: %v", kind, row.ID, err)
		}
		b.note(result)
		for _, next := range result.Next {
			b.note(b.attempt(next.Row))
		}
	}
	return len(rows) > 0
}

func (b *till) note(r billing.Result) {
	b.outcomes = append(b.outcomes, r.Outcome)
}

// attempt runs an attempt and those that follow from it.
func (b *till) attempt(row billing.Row) billing.Result {
	b.t.Helper()
	result, err := b.RunAttempt(b.t.Context(), row.ID, row.Epoch)
	if err != nil {
		b.t.Fatalf("attempt %s: %v", row.ID, err)
	}
	for _, next := range result.Next {
		b.note(result)
		result = b.attempt(next.Row)
	}
	return result
}

// owing makes a wallet with an account that is its master, a bot with two channels, and cards in
// slots from 1, that owes an amount since yesterday.
func owing(t testing.TB, s *Store, walletID string, amount wallet.KRW, cards ...string) {
	t.Helper()
	newWallet(t, s, walletID, 0)
	account := newAccount(t, s, "acc_"+walletID)
	exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, $2, 'master')`, walletID, account)
	bot := newBot(t, s, "bot_"+walletID, walletID)
	for _, side := range []string{"live", "development"} {
		exec(t, s, `INSERT INTO channel (bot_id, side, name, state) VALUES ($1, $2, '한빛서점', 'connected')`, bot, side)
	}
	for i, card := range cards {
		newCard(t, s, card, account, walletID, i+1)
	}
	if amount > 0 {
		accrue(t, s, walletID, amount, t0.Add(-24*time.Hour))
	}
}

// accrue captures messages that no cash covers.
func accrue(t testing.TB, s *Store, walletID string, amount wallet.KRW, when time.Time) {
	t.Helper()
	ref := fmt.Sprintf("use-%d-%d", when.UnixMilli(), amount)
	post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return w.Capture(0, amount, nil, ref, when)
	})
}

// texts reads one column of a query, in order.
func texts(t testing.TB, s *Store, query string, args ...any) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), query, args...)
	all, err := collect(rows, err, func(row scanner) (text string, err error) {
		err = row.Scan(&text)
		return text, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// attempts tells the attempts of a wallet as "card state reason".
func (b *till) attempts(walletID string) []string {
	b.t.Helper()
	return texts(b.t, b.s, `SELECT card_id || ' ' || state || ' ' || reason FROM attempt WHERE wallet_id = $1 ORDER BY id`, walletID)
}

func (b *till) charges(walletID string) []string {
	b.t.Helper()
	return texts(b.t, b.s, `SELECT state FROM charge WHERE wallet_id = $1 ORDER BY id`, walletID)
}

func (b *till) mails(walletID string) []string {
	b.t.Helper()
	return texts(b.t, b.s, `SELECT mail_case FROM mail WHERE wallet_id = $1 ORDER BY created_at, mail_case`, walletID)
}

func (b *till) channels(walletID string) []string {
	b.t.Helper()
	return texts(b.t, b.s, `SELECT state FROM channel WHERE bot_id = $1 ORDER BY side`, "bot_"+walletID)
}

func (b *till) nextCharge(walletID string) (when time.Time) {
	b.t.Helper()
	if err := b.s.read.QueryRowContext(b.t.Context(), `SELECT next_charge_at FROM wallet WHERE id = $1`, walletID).Scan(at(&when)); err != nil {
		b.t.Fatal(err)
	}
	return when
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}
