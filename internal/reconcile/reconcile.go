// Package reconcile compares the books: what was delivered with what was captured, the ledger with
// the balances, and both with the books of the card gateway and the bank. It says where they differ
// and mends what a posting can mend.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/wallet"
)

// Kind names the two books that differ. The words are shown, and label a metric.
type Kind string

// The kinds of differences.
const (
	Balance  Kind = "balance"  // a balance of the wallet's row and the sum of its legs
	Held     Kind = "held"     // what is held on the wallet's row and the holds of its chunks
	Free     Kind = "free"     // free cash on the wallet's row and what its grants have left
	Messages Kind = "messages" // delivered messages times their price and what was captured for them
	Payments Kind = "payments" // what we know of charges, top-ups and refunds, and their postings
	Provider Kind = "provider" // the books of the card gateway or the bank and our postings
	Recount  Kind = "recount"  // what Kakao says now of a chunk times its price, and what was captured for it
)

// Finding is one difference. Where want and got are equal, something else about it is wrong, which
// note says.
type Finding struct {
	WalletID string
	Day      time.Time // 00:00 in Korea of the day that it belongs to; zero for what is so now
	Kind     Kind
	Subject  string     // account of the ledger, chunk, posting as kind/ref, or attempt
	Want     wallet.KRW // by the messages, the legs, the rows or the provider; with VAT for money that moved outside
	Got      wallet.KRW // by the ledger; by the wallet's row for [Balance], [Held] and [Free]
	Note     string
	// Correctable says that a posting mends it, see [Service.Correct]. Whatever else it is that
	// differs is for a person.
	Correctable bool
}

// Difference returns what is to be posted to make the books agree.
func (f Finding) Difference() wallet.KRW { return f.Want - f.Got }

// Window is the time that messages and payments are compared in: from included, to excluded. Balances
// have none.
type Window struct{ From, To time.Time }

// Step is a part of the comparison of one wallet.
type Step int

// The steps in their order.
const (
	stepBalances Step = iota
	stepMessages
	stepPostings
	stepPayments
	stepRecount
	stepEnd
)

// Mark is a place in a comparison: the wallet that is compared, the step, and the last entry of the
// step that was compared.
type Mark struct {
	Wallet string `json:"w"`
	Step   Step   `json:"s,omitempty"`
	At     int64  `json:"t,omitempty"` // Unix milliseconds
	ID     string `json:"i,omitempty"`
}

// Payment is money that moved outside by one attempt, or did not.
type Payment struct {
	AttemptID  string
	WalletID   string
	Kind       billing.Kind // charge, top-up or refund
	Method     billing.Method
	TID        string // of the card gateway; empty for the bank, and for a charge whose answer was lost
	State      billing.State
	Total      wallet.KRW // that was asked for, with VAT
	Booked     wallet.KRW // that its postings moved, without corrections
	Refunded   wallet.KRW // that postings of refunds gave back of it
	Corrected  wallet.KRW // that corrections moved: in when positive
	Moving     bool       // a refund of it is under way
	InReview   bool       // a person is to decide about it
	Mismatched bool       // the provider took another amount than was asked for
	Source     string     // of a refund: the attempt of the payment that it gives back
	ClosedAt   time.Time
}

// Net returns what our books say that the provider has of it: for a bank what came in, since what goes
// back is a transfer of its own.
func (p Payment) Net() wallet.KRW {
	if p.Method == billing.ByBank {
		return p.Booked + p.Corrected
	}
	return p.Booked - p.Refunded + p.Corrected
}

// Store reads what is compared and writes corrections. Every method that lists reads one batch from a
// mark on and says where the next one begins; next is nil at the end.
type Store interface {
	// WalletsAfter lists wallets by id, those after an id.
	WalletsAfter(ctx context.Context, after string, limit int) ([]string, error)
	// CompareBalances compares the balances of wallets with all of their postings, holds and grants.
	CompareBalances(ctx context.Context, walletIDs []string) ([]Finding, error)
	// CompareMessages compares chunks that went out in the window and have ended.
	CompareMessages(ctx context.Context, m Mark, w Window) (found []Finding, next *Mark, err error)
	// ComparePostings finds postings of the window that nothing has caused.
	ComparePostings(ctx context.Context, m Mark, w Window) (found []Finding, next *Mark, err error)
	// PaymentsEnded lists charges, top-ups and refunds that ended in the window.
	PaymentsEnded(ctx context.Context, m Mark, w Window) (ended []Payment, next *Mark, err error)
	// Payment reads one by its attempt. It is NotFound when the wallet has none.
	Payment(ctx context.Context, walletID, attemptID string) (Payment, error)

	// SentChunks lists chunks of the window that were settled by Kakao's count.
	SentChunks(ctx context.Context, m Mark, w Window) (sent []SentChunk, next *Mark, err error)
	// SettledChunk reads one by its id. It is NotFound when the wallet has none.
	SettledChunk(ctx context.Context, walletID, chunkID string) (SentChunk, error)

	// CorrectChunk posts what makes a chunk's captures equal its delivered messages, of which Kakao says
	// something else now where recount is not nil. A repeated request gets what the first one posted.
	CorrectChunk(ctx context.Context, c Correction, recount *broadcast.Settlement) (posted *wallet.Posting, repeated bool, err error)
	// CorrectPayment posts what makes our books of a payment equal what the provider keeps of it, as
	// CorrectChunk does.
	CorrectPayment(ctx context.Context, c Correction, keeps wallet.KRW) (posted *wallet.Posting, repeated bool, err error)

	// ClaimChecks takes wallets that were not compared for an hour; another process passes over them.
	ClaimChecks(ctx context.Context, now time.Time, limit int) ([]string, error)
	// CompareRecent is [Store.CompareBalances] that trusts sums of old postings it has kept.
	CompareRecent(ctx context.Context, walletIDs []string, now time.Time) ([]Finding, error)
	// KeepCheck keeps what was found of a wallet: by kind, the sum of differences without their signs.
	KeepCheck(ctx context.Context, walletID string, found map[Kind]wallet.KRW, now time.Time) error
}

// SentChunk is a chunk that was settled by Kakao's count.
type SentChunk struct {
	ID         string
	WalletID   string
	TaskID     string // Kakao's receipt
	RestKey    string // of its bot
	People     int
	Tally      broadcast.Tally // as it was settled
	Recipients []byte          // JSON array of [broadcast.Recipient]
	Evident    int             // of whom there is evidence that they were reached
	Price      wallet.KRW
	Captured   wallet.KRW // corrections included
	SentAt     time.Time
	Day        time.Time
}

// Events is the look-up of Kakao's Event API.
type Events interface {
	Result(ctx context.Context, restKey, taskID string) (kakao.SendResult, error)
}

// Gateway is the look-up of the card gateway.
type Gateway interface {
	Order(ctx context.Context, p billing.Purpose, tid string) (billing.Order, error)
}

// Bank is the look-ups of the bank.
type Bank interface {
	Account(ctx context.Context, orderID string) (billing.BankAccount, error)
	Sent(ctx context.Context, orderID string) (billing.Sending, error)
}

// Service compares and corrects. It is safe for concurrent use.
type Service struct {
	store   Store
	gateway Gateway
	bank    Bank // nil where there is none
	events  Events
	now     func() time.Time
}

// New returns a service. bank is nil where there is none.
func New(store Store, gateway Gateway, bank Bank, events Events, now func() time.Time) *Service {
	return &Service{store: store, gateway: gateway, bank: bank, events: events, now: now}
}

// Order asks for a comparison.
type Order struct {
	Window    Window
	WalletID  string // one wallet; all when empty
	Providers bool   // ask the card gateway and the bank, too
	Recount   bool   // ask Kakao for each chunk, too
}

// Page is a part of a comparison.
type Page struct {
	Found    []Finding
	Wallets  int   // whose comparison ended in this part
	Asked    int   // look-ups that a provider or Kakao answered
	Unasked  int   // payments and chunks that could not be looked up
	Unlooked int   // of those, the ones that have no id at the provider
	Next     *Mark // nil at the end

	ends   time.Time // when no more of it is begun; zero for never
	failed int       // look-ups that were not answered
}

// full reports whether the next part is to go on.
func (p *Page) full() bool {
	return len(p.Found) >= pageFound || !p.ends.IsZero() && time.Now().After(p.ends)
}

// Bounds of one part, so that a call ends in time and an answer stays small.
const (
	pageTime    = 15 * time.Second
	pageFound   = 500
	walletBatch = 50
	askTime     = 10 * time.Second
	askFailures = 3 // look-ups that are not answered before the rest of a part does without
)

// Compare compares from a mark on, nil for the beginning, until the books are through or the part
// is full. It changes nothing.
func (s *Service) Compare(ctx context.Context, o Order, from *Mark) (Page, error) {
	page := Page{ends: time.Now().Add(pageTime)}
	if err := checkWindow(o.Window); err != nil {
		return page, err
	}
	mark, err := s.begin(ctx, o, from)
	for err == nil && mark != nil {
		if page.full() {
			page.Next = mark
			return page, nil
		}
		mark, err = s.step(ctx, o, *mark, &page)
	}
	return page, err
}

// checkWindow refuses windows that nobody means.
func checkWindow(w Window) error {
	switch {
	case !w.From.Before(w.To):
		return fault.Field("from", "must be before the day after to")
	case w.To.Sub(w.From) > 400*24*time.Hour:
		return fault.Field("from", "must be at most 400 days before to")
	}
	return nil
}

// begin returns where a comparison goes on.
func (s *Service) begin(ctx context.Context, o Order, from *Mark) (*Mark, error) {
	switch {
	case from != nil && o.WalletID != "" && from.Wallet != o.WalletID:
		return nil, fault.Field("cursor", "is of another wallet")
	case from != nil && from.Step >= stepBalances && from.Step < stepEnd:
		return from, nil
	case from != nil:
		return nil, fault.Field("cursor", "is not a cursor of this list; use the next_cursor of the page before")
	case o.WalletID != "":
		return &Mark{Wallet: o.WalletID}, nil
	}
	return s.nextWallet(ctx, o, "")
}

func (s *Service) nextWallet(ctx context.Context, o Order, after string) (*Mark, error) {
	if o.WalletID != "" && after != "" {
		return nil, nil
	}
	ids, err := s.store.WalletsAfter(ctx, after, 1)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return &Mark{Wallet: ids[0]}, nil
}

// step compares one batch and returns where to go on.
func (s *Service) step(ctx context.Context, o Order, m Mark, page *Page) (*Mark, error) {
	found, next, err := s.compare(ctx, o, m, page)
	if err != nil {
		return nil, fmt.Errorf("compare wallet %s: %w", m.Wallet, err)
	}
	page.Found = append(page.Found, found...)
	switch {
	case next != nil:
		return next, nil
	case m.Step+1 < stepEnd:
		return &Mark{Wallet: m.Wallet, Step: m.Step + 1}, nil
	}
	page.Wallets++
	return s.nextWallet(ctx, o, m.Wallet)
}

func (s *Service) compare(ctx context.Context, o Order, m Mark, page *Page) (found []Finding, next *Mark, err error) {
	switch m.Step {
	case stepMessages:
		return s.store.CompareMessages(ctx, m, o.Window)
	case stepPostings:
		return s.store.ComparePostings(ctx, m, o.Window)
	case stepPayments:
		return s.comparePayments(ctx, o, m, page)
	case stepRecount:
		return s.compareRecount(ctx, o, m, page)
	case stepBalances, stepEnd:
	}
	found, err = s.store.CompareBalances(ctx, []string{m.Wallet})
	return found, nil, err
}

// comparePayments compares payments with their postings, and with the provider when asked to.
func (s *Service) comparePayments(ctx context.Context, o Order, m Mark, page *Page) (found []Finding, next *Mark, err error) {
	ended, next, err := s.store.PaymentsEnded(ctx, m, o.Window)
	if err != nil {
		return nil, nil, err
	}
	for i, p := range ended {
		if i > 0 && page.full() {
			last := ended[i-1]
			return found, &Mark{Wallet: m.Wallet, Step: m.Step, At: last.ClosedAt.UnixMilli(), ID: last.AttemptID}, nil
		}
		if f, differs := p.compareRows(); differs {
			found = append(found, f)
		}
		if !o.Providers || p.never() {
			continue
		}
		if page.failed >= askFailures {
			page.Unasked++
			continue
		}
		f, differs, err := s.askFor(ctx, o, p)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case errors.Is(err, errLater):
		case errors.Is(err, errNoID):
			page.Unasked++
			page.Unlooked++
		case err != nil:
			page.Unasked++
			page.failed++
		default:
			page.Asked++
		}
		if differs {
			found = append(found, f)
		}
	}
	return found, next, nil
}

// never reports that nothing of it can be at the provider: it never got an id there and took nothing.
func (p Payment) never() bool {
	return p.Kind == billing.ChargeAttempt && p.TID == "" && p.State == billing.Declined && p.Net() == 0
}

// compareRows compares what we know of a payment with its postings.
func (p Payment) compareRows() (Finding, bool) {
	want := wallet.KRW(0)
	if p.State == billing.Done {
		want = p.Total
	}
	if p.InReview || p.Mismatched || p.Booked == want {
		return Finding{}, false
	}
	return p.finding(Payments, want, p.Booked, "its postings do not move what the "+string(p.Kind)+" did"), true
}

func (p Payment) finding(k Kind, want, got wallet.KRW, note string) Finding {
	return Finding{WalletID: p.WalletID, Day: clock.Midnight(p.ClosedAt), Kind: k, Subject: p.AttemptID, Want: want, Got: got, Note: note}
}
