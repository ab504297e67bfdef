package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// Reconciler compares the books; [reconcile.Service] does.
type Reconciler interface {
	Compare(ctx context.Context, o reconcile.Order, from *reconcile.Mark) (reconcile.Page, error)
	Correct(ctx context.Context, c reconcile.Correction) (*wallet.Posting, error)
}

// differenceView is one difference.
type differenceView struct {
	Wallet      string         `json:"wallet"`
	Day         string         `json:"day,omitempty" doc:"In Korea; absent for what is so now"`
	Kind        reconcile.Kind `json:"kind" doc:"balance, held, free, messages, payments, provider or recount"`
	Subject     string         `json:"subject" doc:"Account of the ledger, chunk, posting as kind/ref, or attempt"`
	Want        wallet.KRW     `json:"want_krw" doc:"By the messages, the legs, our records or the provider"`
	Got         wallet.KRW     `json:"got_krw" doc:"By the ledger; by the wallet's balance for balance, held and free"`
	Difference  wallet.KRW     `json:"difference_krw"`
	Note        string         `json:"note"`
	Correctable bool           `json:"correctable" doc:"A correction mends it"`
}

func viewDifference(f reconcile.Finding) differenceView {
	v := differenceView{Wallet: f.WalletID, Kind: f.Kind, Subject: f.Subject, Want: f.Want, Got: f.Got, Difference: f.Difference(),
		Note: f.Note, Correctable: f.Correctable}
	if !f.Day.IsZero() {
		v.Day = f.Day.In(clock.Seoul).Format(time.DateOnly)
	}
	return v
}

// comparedView is a part of a comparison.
type comparedView struct {
	Items   []differenceView `json:"items" nullable:"false"`
	Wallets int              `json:"wallets" doc:"Whose comparison ended in this part"`
	Asked   int              `json:"asked" doc:"Payments and chunks that were looked up at the card gateway, the bank and Kakao"`
	Unasked int              `json:"unasked" doc:"Payments and chunks that could not be looked up"`
	NoID    int              `json:"no_id" doc:"Of those, charges whose answer was lost, so that they have no id there"`
	Next    string           `json:"next_cursor,omitempty" doc:"Ask for the next part with it; absent at the end"`
}

func (s *Server) addReconcile() {
	const group = "Books"
	add(s, operation{route: "GET /api/v1/reconciliation", id: "reconcile", group: group, summary: "Compare messages, ledger, balances and the providers' books; list where they differ", errors: []int{http.StatusNotFound}}, s.reconcile)
	add(s, operation{route: "POST /api/v1/wallets/{id}/corrections", id: "correct-books", group: group, summary: "Post what makes the books agree", errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}}, s.correct)
}

type reconcileInput struct {
	From      string `query:"from" maxLength:"10" doc:"First day in Korea, as 2026-11-23; a week ago, when left out"`
	To        string `query:"to" maxLength:"10" doc:"Last day; today, when left out"`
	Wallet    string `query:"wallet" maxLength:"64" doc:"One wallet; all, when left out"`
	Providers bool   `query:"providers" default:"true" doc:"Look payments up at the card gateway and the bank, too"`
	Recount   bool   `query:"recount" doc:"Ask Kakao for the count of every chunk, too: one look-up each"`
	Cursor    string `query:"cursor" maxLength:"512" doc:"next_cursor of the part before"`
}

// defaultDays is how far back a comparison goes, today included.
const defaultDays = 7

// window reads the days of a comparison.
func (in *reconcileInput) window(now time.Time) (w reconcile.Window, err error) {
	w.To = clock.NextMidnight(now)
	if in.To != "" {
		if w.To, err = wallet.Day("query.to", in.To); err != nil {
			return w, err
		}
		w.To = w.To.Add(24 * time.Hour)
	}
	w.From = w.To.Add(-defaultDays * 24 * time.Hour)
	if in.From != "" {
		w.From, err = wallet.Day("query.from", in.From)
	}
	return w, err
}

func (s *Server) reconcile(ctx context.Context, in *reconcileInput) (*body[comparedView], error) {
	window, err := in.window(s.config.Now())
	if err != nil {
		return nil, err
	}
	var from *reconcile.Mark
	if in.Cursor != "" {
		from = &reconcile.Mark{}
		if err := (Paged{Cursor: in.Cursor}).after(from); err != nil {
			return nil, err
		}
	}
	if in.Wallet != "" {
		if _, err := s.services.Read.Wallet(ctx, in.Wallet); err != nil {
			return nil, err
		}
	}
	page, err := s.services.Books.Compare(ctx, reconcile.Order{Window: window, WalletID: in.Wallet, Providers: in.Providers, Recount: in.Recount}, from)
	if err != nil {
		return nil, err
	}
	view := comparedView{Items: []differenceView{}, Wallets: page.Wallets, Asked: page.Asked, Unasked: page.Unasked, NoID: page.Unlooked}
	for _, f := range page.Found {
		view.Items = append(view.Items, viewDifference(f))
	}
	if page.Next != nil {
		if view.Next, err = cursorOf(page.Next); err != nil {
			return nil, err
		}
	}
	return reply(view), nil
}

type correctInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Kind       string     `json:"kind" enum:"messages,recount,provider" doc:"As the difference says"`
		Subject    string     `json:"subject" maxLength:"128" doc:"As the difference says"`
		Difference wallet.KRW `json:"difference_krw" doc:"As the difference says; where it is another by now, nothing is posted"`
	}
}

type correctedView struct {
	Corrected bool         `json:"corrected" doc:"false where the books agreed already"`
	Posting   *postingView `json:"posting,omitempty"`
}

func (s *Server) correct(ctx context.Context, in *correctInput) (*body[correctedView], error) {
	r, err := in.request(ctx, "correct "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	posted, err := s.services.Books.Correct(ctx, reconcile.Correction{
		WalletID: in.ID, Kind: reconcile.Kind(in.Body.Kind), Subject: in.Body.Subject, Difference: in.Body.Difference, Request: billing.Request(r),
	})
	if err != nil {
		return nil, err
	}
	view := correctedView{Corrected: posted != nil}
	if posted != nil {
		p := viewPosting(*posted)
		view.Posting = &p
	}
	return reply(view), nil
}
