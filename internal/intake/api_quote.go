package intake

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

type quoteView struct {
	People  int          `json:"people"`
	Price   wallet.KRW   `json:"price_krw"`
	Supply  wallet.KRW   `json:"supply_krw"`
	VAT     wallet.KRW   `json:"vat_krw"`
	Total   wallet.KRW   `json:"total_krw"`
	Rate    int          `json:"rate_per_second,omitempty" doc:"What the bot sends at most"`
	Seconds int          `json:"seconds,omitempty" doc:"How long sending to everybody takes at that rate, when nothing stops it"`
	Wallet  *quoteWallet `json:"wallet,omitempty"`
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
		Bot    string `json:"bot,omitempty" doc:"Bot that would speak: how long it takes"`
	}
}

// quoteAt is what so many messages cost.
func quoteAt(people int, price wallet.KRW) quoteView {
	supply := price * wallet.KRW(people)
	return quoteView{People: people, Price: price, Supply: supply, VAT: wallet.VAT(supply), Total: supply + wallet.VAT(supply)}
}

// priceNow is what a message costs that is sealed now.
func (s *Server) priceNow(ctx context.Context, now time.Time) (wallet.KRW, error) {
	prices, err := s.services.Read.Prices(ctx)
	if err != nil {
		return 0, err
	}
	price, known := prices.At(wallet.EventMessage, now)
	if !known {
		return 0, fault.New(fault.Internal, "there is no price of %s", wallet.EventMessage)
	}
	return price.KRW, nil
}

func (s *Server) quote(ctx context.Context, in *quoteInput) (*body[quoteView], error) {
	price, err := s.priceNow(ctx, s.config.Now())
	if err != nil {
		return nil, err
	}
	return s.quoteFor(ctx, in.Body.People, price, in.Body.Wallet, in.Body.Bot)
}

// quoteBroadcast quotes a broadcast for those who have no outcome yet: before it starts, for everybody.
func (s *Server) quoteBroadcast(ctx context.Context, in *ByID) (*body[quoteView], error) {
	b, err := s.services.Read.Broadcast(ctx, broadcast.ID(in.ID))
	if err != nil {
		return nil, err
	}
	price := b.Price
	if b.State == broadcast.Uploading {
		if price, err = s.priceNow(ctx, s.config.Now()); err != nil {
			return nil, err
		}
	}
	// Who sees a bot sees its broadcasts; what its wallet has is for the wallet's people.
	walletID := b.WalletID
	switch err := s.services.Gate.Permit(ctx, principalOf(ctx), access.QuoteWallet, access.Object{Kind: access.OfWallet, ID: walletID}); fault.KindOf(err) {
	case fault.NotFound, fault.Forbidden:
		walletID = ""
	default:
		if err != nil {
			return nil, err
		}
	}
	return s.quoteFor(ctx, b.Counts.Audience-b.Counts.Done(), price, walletID, b.BotID)
}

// quoteFor quotes so many messages on a wallet through a bot; an empty one is left out.
func (s *Server) quoteFor(ctx context.Context, people int, price wallet.KRW, walletID, botID string) (*body[quoteView], error) {
	now := s.config.Now()
	view := quoteAt(people, price)
	if botID != "" {
		b, err := s.services.Read.BotDetails(ctx, botID)
		if err != nil {
			return nil, err
		}
		view.Rate = b.RatePerSecond
		view.Seconds = (people + b.RatePerSecond - 1) / b.RatePerSecond
	}
	if walletID == "" {
		return reply(view), nil
	}
	w, err := s.services.Read.Wallet(ctx, walletID)
	if err != nil {
		return nil, err
	}
	f := w.Forecast(people, broadcast.MaxPeople, price, now)
	view.Wallet = &quoteWallet{
		Spendable: spendable(w, now), Enough: f.Err == nil, Reason: fault.CodeOf(f.Err),
		Missing:   max(view.Supply-max(w.Spendable(now), 0), 0), // money, whatever else the reason tells
		PeopleNow: f.People, ResumesAt: f.Until, DailyLimit: w.DailyLimit, DailyLeft: w.DailyLeft(now),
		After: quoteAfter{Free: f.After.Free, Paid: f.After.Paid, Accrual: f.After.Accrual, Spendable: spendable(f.After, now)},
	}
	return reply(view), nil
}
