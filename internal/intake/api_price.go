package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Pricer changes the price list.
type Pricer interface {
	Set(ctx context.Context, item wallet.Item, price wallet.KRW, validFrom string) (wallet.Price, error)
}

type priceView struct {
	Item       string      `json:"item" doc:"event_message: each that is delivered, on both channels; chat: free"`
	Price      wallet.KRW  `json:"price_krw" doc:"What is valid now, without VAT"`
	VATPercent int         `json:"vat_percent"`
	List       []datedView `json:"list,omitempty" doc:"Every price that was, is or will be valid, in order"`
}

type datedView struct {
	Price     wallet.KRW `json:"price_krw"`
	ValidFrom string     `json:"valid_from,omitempty" doc:"A day in Korea, from 00:00 on; absent for the first price"`
	State     string     `json:"state" doc:"past, valid or coming"`
}

const vatPercent = 10 // 부가가치세법 제30조

func (s *Server) addPrices() {
	const group = "Prices"
	add(s, operation{route: "GET /api/v1/prices", id: "list-prices", group: group, summary: "List what things cost, now and from a day on"}, s.listPrices)
	add(s, operation{route: "POST /api/v1/prices", id: "set-price", group: group, summary: "Set a price from a day on", status: http.StatusCreated}, s.setPrice)
	add(s, operation{route: "POST /api/v1/quote", id: "quote", group: group, summary: "Say what a broadcast would cost, and what it would do to a wallet", errors: []int{http.StatusNotFound}}, s.quote)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/quote", id: "quote-broadcast", group: "Broadcasts", summary: "Say what a broadcast costs, what it does to its wallet, and how long it takes", errors: []int{http.StatusNotFound}}, s.quoteBroadcast)
}

func (s *Server) listPrices(ctx context.Context, _ *none) (*body[page[priceView]], error) {
	prices, err := s.services.Read.Prices(ctx)
	if err != nil {
		return nil, err
	}
	message, err := s.viewPrice(prices, wallet.EventMessage)
	if err != nil {
		return nil, err
	}
	return reply(page[priceView]{Items: []priceView{message, {Item: "chat", Price: 0, VATPercent: vatPercent}}}), nil
}

// viewPrice shows the prices of an item.
func (s *Server) viewPrice(prices wallet.Prices, item wallet.Item) (priceView, error) {
	valid, known := prices.At(item, s.config.Now())
	if !known {
		return priceView{}, fault.New(fault.Internal, "there is no price of %s", item)
	}
	view := priceView{Item: string(item), Price: valid.KRW, VATPercent: vatPercent}
	for _, p := range prices {
		if p.Item != item {
			continue
		}
		dated := datedView{Price: p.KRW, State: "past"}
		switch {
		case p == valid:
			dated.State = "valid"
		case p.ValidFrom.After(valid.ValidFrom):
			dated.State = "coming"
		}
		if !p.ValidFrom.IsZero() {
			dated.ValidFrom = p.ValidFrom.In(clock.Seoul).Format(time.DateOnly)
		}
		view.List = append(view.List, dated)
	}
	return view, nil
}

type setPriceInput struct {
	Body struct {
		Item      string     `json:"item" enum:"event_message"`
		Price     wallet.KRW `json:"price_krw" minimum:"0" doc:"Without VAT"`
		ValidFrom string     `json:"valid_from" doc:"A day in Korea that is still to come, as 2027-01-01; from 00:00 on"`
	}
}

func (s *Server) setPrice(ctx context.Context, in *setPriceInput) (*body[priceView], error) {
	item := wallet.Item(in.Body.Item)
	if _, err := s.services.Prices.Set(ctx, item, in.Body.Price, in.Body.ValidFrom); err != nil {
		return nil, err
	}
	prices, err := s.services.Read.Prices(ctx)
	if err != nil {
		return nil, err
	}
	view, err := s.viewPrice(prices, item)
	if err != nil {
		return nil, err
	}
	return reply(view), nil
}
