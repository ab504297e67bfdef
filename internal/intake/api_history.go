package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/statement"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

func (s *Server) addHistory() {
	const group = "Wallets"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET /api/v1/wallets/{id}/history", id: "list-history", group: group, summary: "List what happened to a wallet, newest first, with the balances after it", errors: missing}, s.listHistory)
	add(s, operation{route: "GET /api/v1/wallets/{id}/days", id: "list-days", group: group, summary: "Summarise a wallet day by day", errors: missing}, s.listDays)
	s.addStatement()
}

// Period is the input of a route about some days in Korea, both included.
type Period struct {
	From string `query:"from" maxLength:"10" doc:"First day, in Korea, as 2026-11-24"`
	To   string `query:"to" maxLength:"10" doc:"Last day, in Korea"`
}

// days returns the beginning of the first day and the end of the last; each is zero where the caller
// does not say.
func (p Period) days() (from, until time.Time, err error) {
	if p.From != "" {
		if from, err = wallet.Day("query.from", p.From); err != nil {
			return from, until, err
		}
	}
	if p.To != "" {
		if until, err = wallet.Day("query.to", p.To); err != nil {
			return from, until, err
		}
		until = clock.NextMidnight(until)
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		return from, until, fault.Field("query.to", "must not be before from")
	}
	return from, until, nil
}

type historyInput struct {
	PageByID
	Period
	Kind string `query:"kind" enum:"topup,consumption,restitution,refund,charge,expiry" doc:"Only entries of this kind; they come without balances"`
}

type historyView struct {
	Kind    wallet.HistoryKind  `json:"kind" doc:"topup (충전), consumption (소진), restitution (환급), refund (환불), charge (자동결제) or expiry (소멸)"`
	Posting wallet.PostingKind  `json:"posting" doc:"Kind of the posting behind it"`
	Ref     string              `json:"ref" doc:"What caused it: its chunk, checkout, charge, refund or grant"`
	At      time.Time           `json:"at"`
	Amount  wallet.KRW          `json:"amount_krw" doc:"Supply value that it is about"`
	VAT     wallet.KRW          `json:"vat_krw,omitempty" doc:"That moved outside with it"`
	Change  changeView          `json:"change" doc:"Of the balances; what did not change is left out"`
	After   *statement.Balances `json:"after,omitempty" doc:"Balances after it"`
}

type changeView struct {
	Free      wallet.KRW `json:"free_krw,omitempty"`
	Paid      wallet.KRW `json:"paid_krw,omitempty"`
	Refunding wallet.KRW `json:"refunding_krw,omitempty"`
	Accrual   wallet.KRW `json:"accrual_krw,omitempty"`
	Charging  wallet.KRW `json:"charging_krw,omitempty"`
}

func viewHistory(e store.HistoryEntry, balances bool) historyView {
	view := historyView{
		Kind: e.InHistory(), Posting: e.Kind, Ref: e.Ref, At: e.At, Amount: e.Amount(), VAT: max(e.VAT, -e.VAT-e.Rounding), Change: changeView(e.Change()),
	}
	if balances {
		after := statement.ViewBalances(e.After)
		view.After = &after
	}
	return view
}

// historyMark is where a page of a history ends. It carries the balances at that place, so that
// the next page need not add up everything newer.
type historyMark struct {
	store.PostingMark
	Before *wallet.Balances `json:"before,omitempty"`
	Read   int64            `json:"read,omitempty"` // when they were, in Unix milliseconds
}

// lateBy is how old a posting's time may be when it is stored, with much to spare: a call knows what
// time it is, then waits for the lock of its wallet.
const lateBy = 10 * time.Minute

// known returns the balances at the mark, where nothing can have come in before it since.
func (m historyMark) known() *wallet.Balances {
	if m.Read-m.At < lateBy.Milliseconds() {
		return nil
	}
	return m.Before
}

func (s *Server) listHistory(ctx context.Context, in *historyInput) (*body[page[historyView]], error) {
	var before historyMark
	if err := in.after(&before); err != nil {
		return nil, err
	}
	f := store.HistoryFilter{Kind: wallet.HistoryKind(in.Kind)}
	var err error
	if f.From, f.Until, err = in.days(); err != nil {
		return nil, err
	}
	now := s.config.Now().UnixMilli()
	entries, err := s.services.Read.History(ctx, in.ID, f, before.PostingMark, before.known(), in.Limit+1)
	if err != nil {
		return nil, err
	}
	balances := f.Kind == ""
	mark := func(e store.HistoryEntry) any {
		m := historyMark{PostingMark: store.Mark(e.Posting)}
		if balances {
			then := e.After.Minus(e.Change())
			m.Before, m.Read = &then, now
		}
		return m
	}
	return pageOf(in.Paged, entries, mark, func(e store.HistoryEntry) historyView { return viewHistory(e, balances) })
}

// maxDays is the most days of one summary: a year and a day.
const maxDays = 366

type daysInput struct {
	ByID
	Period
}

type daysView struct {
	From  string          `json:"from"`
	To    string          `json:"to"`
	Items []statement.Day `json:"items" nullable:"false" doc:"Oldest first; days to come are left out"`
}

// listDays summarises days; those of the last 31 days when the caller does not say which.
func (s *Server) listDays(ctx context.Context, in *daysInput) (*body[daysView], error) {
	from, until, err := in.days()
	if err != nil {
		return nil, err
	}
	now := s.config.Now()
	if tomorrow := clock.NextMidnight(now); until.IsZero() || until.After(tomorrow) {
		until = tomorrow
	}
	if from.IsZero() {
		from = until.Add(-31 * 24 * time.Hour)
	}
	if until.Sub(from) > maxDays*24*time.Hour {
		return nil, fault.Field("query.from", "must be at most %d days before to; ask for a year at a time", maxDays)
	}
	days, err := s.services.Read.Days(ctx, in.ID, from, until)
	if err != nil {
		return nil, err
	}
	view := daysView{
		From: from.In(clock.Seoul).Format(time.DateOnly), To: until.Add(-time.Second).In(clock.Seoul).Format(time.DateOnly),
		Items: make([]statement.Day, 0, len(days)),
	}
	for _, d := range days {
		view.Items = append(view.Items, statement.ViewDay(d, now))
	}
	return reply(view), nil
}
