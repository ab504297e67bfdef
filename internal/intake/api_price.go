package intake

import (
	"context"
	"net/http"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

type priceView struct {
	Item       string     `json:"item" doc:"event_message: each that is delivered, on both channels; chat: free"`
	Price      wallet.KRW `json:"price_krw" doc:"Without VAT"`
	VATPercent int        `json:"vat_percent"`
}

type quoteView struct {
	People int          `json:"people"`
	Price  wallet.KRW   `json:"price_krw"`
	Supply wallet.KRW   `json:"supply_krw"`
	VAT    wallet.KRW   `json:"vat_krw"`
	Total  wallet.KRW   `json:"total_krw"`
	Wallet *quoteWallet `json:"wallet,omitempty"`
}

type quoteWallet struct {
	Spendable wallet.KRW `json:"spendable_krw"`
	Enough    bool       `json:"enough"`
	Missing   wallet.KRW `json:"missing_krw,omitempty"`
	Reason    string     `json:"reason,omitempty" doc:"Code of the refusal"`
}

const vatPercent = 10 // 부가가치세법 제30조

func (s *Server) addPrices() {
	const group = "Prices"
	add(s, operation{route: "GET /api/v1/prices", id: "list-prices", group: group, summary: "List what things cost"}, s.listPrices)
	add(s, operation{route: "POST /api/v1/quote", id: "quote", group: group, summary: "Say what a broadcast would cost, and whether a wallet can pay it", errors: []int{http.StatusNotFound}}, s.quote)
}

func (s *Server) listPrices(context.Context, *none) (*body[page[priceView]], error) {
	return reply(page[priceView]{Items: []priceView{
		{Item: "event_message", Price: s.config.Price, VATPercent: vatPercent},
		{Item: "chat", Price: 0, VATPercent: vatPercent},
	}}), nil
}

type quoteInput struct {
	Body struct {
		People int    `json:"people" minimum:"1" maximum:"10000000"`
		Wallet string `json:"wallet,omitempty"`
	}
}

func (s *Server) quote(ctx context.Context, in *quoteInput) (*body[quoteView], error) {
	supply := s.config.Price * wallet.KRW(in.Body.People)
	view := quoteView{People: in.Body.People, Price: s.config.Price, Supply: supply, VAT: wallet.VAT(supply), Total: supply + wallet.VAT(supply)}
	if in.Body.Wallet == "" {
		return reply(view), nil
	}
	w, err := s.services.Read.Wallet(ctx, in.Body.Wallet)
	if err != nil {
		return nil, err
	}
	now := s.config.Now()
	refused := w.Check()
	if refused == nil {
		_, refused = w.Hold(supply, now)
	}
	spendable := max(w.Spendable(now), 0)
	view.Wallet = &quoteWallet{
		Spendable: spendable, Enough: refused == nil, Reason: fault.CodeOf(refused), Missing: max(supply-spendable, 0),
	}
	return reply(view), nil
}
