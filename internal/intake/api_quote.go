package intake

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

type quoteView struct {
	People int          `json:"people"`
	Price  wallet.KRW   `json:"price_krw"`
	Supply wallet.KRW   `json:"supply_krw"`
	VAT    wallet.KRW   `json:"vat_krw"`
	Total  wallet.KRW   `json:"total_krw"`
	Wallet *quoteWallet `json:"wallet,omitempty"`
}

type quoteWallet struct {
	Spendable  wallet.KRW `json:"spendable_krw"`
	Enough     bool       `json:"enough"`
	Missing    wallet.KRW `json:"missing_krw,omitempty"`
	Reason     string     `json:"reason,omitempty" doc:"Code of the refusal"`
	PeopleNow  int        `json:"people_now" doc:"Who would be sent to at once; people go by the hundred"`
	ResumesAt  time.Time  `json:"resumes_at,omitzero" doc:"When the rest goes on by itself: 00:00 in Korea, where only the daily limit stops it"`
	DailyLimit wallet.KRW `json:"daily_limit_krw,omitempty"`
	DailyLeft  wallet.KRW `json:"daily_left_krw,omitempty" doc:"What cards may still owe today"`
	After      quoteAfter `json:"after" doc:"The wallet when everybody of people_now got the message"`
}

type quoteAfter struct {
	Free      wallet.KRW `json:"free_krw"`
	Paid      wallet.KRW `json:"paid_krw"`
	Accrual   wallet.KRW `json:"accrual_krw"`
	Spendable wallet.KRW `json:"spendable_krw"`
}

type quoteInput struct {
	Body struct {
		People int    `json:"people" minimum:"1" maximum:"10000000"`
		Wallet string `json:"wallet,omitempty"`
	}
}

// quoteAt is what so many messages cost.
func quoteAt(people int, price wallet.KRW) quoteView {
	supply := price * wallet.KRW(people)
	return quoteView{People: people, Price: price, Supply: supply, VAT: wallet.VAT(supply), Total: supply + wallet.VAT(supply)}
}

func (s *Server) quote(ctx context.Context, in *quoteInput) (*body[quoteView], error) {
	now := s.config.Now()
	prices, err := s.services.Read.Prices(ctx)
	if err != nil {
		return nil, err
	}
	price, known := prices.At(wallet.EventMessage, now)
	if !known {
		return nil, fault.New(fault.Internal, "there is no price of %s", wallet.EventMessage)
	}
	view := quoteAt(in.Body.People, price.KRW)
	if in.Body.Wallet == "" {
		return reply(view), nil
	}
	w, err := s.services.Read.Wallet(ctx, in.Body.Wallet)
	if err != nil {
		return nil, err
	}
	f := w.Forecast(in.Body.People, broadcast.MaxPeople, price.KRW, now)
	view.Wallet = &quoteWallet{
		Spendable: spendable(w, now), Enough: f.Err == nil, Reason: fault.CodeOf(f.Err),
		Missing:   max(view.Supply-max(w.Spendable(now), 0), 0), // money, whatever else the reason tells
		PeopleNow: f.People, ResumesAt: f.Until, DailyLimit: w.DailyLimit, DailyLeft: w.DailyLeft(now),
		After: quoteAfter{Free: f.After.Free, Paid: f.After.Paid, Accrual: f.After.Accrual, Spendable: spendable(f.After, now)},
	}
	return reply(view), nil
}
