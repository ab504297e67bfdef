package wallet

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// Item is something that has a price. The words are stored.
type Item string

// EventMessage is one Event API message that is delivered, on either channel. Nothing else costs
// anything: chat is free.
const EventMessage Item = "event_message"

// MaxPrice is the highest price that is taken for meant.
const MaxPrice KRW = 10_000

// Price is what one of an item costs, without VAT, from a moment on until the next price of the
// item begins.
type Price struct {
	Item      Item
	KRW       KRW
	ValidFrom time.Time // 00:00 in Korea of a day; zero for the first price
}

// Prices is a price list: the prices of an item in the order in which they begin.
type Prices []Price

// At returns the price of an item at a moment. It reports false when there is none.
func (all Prices) At(item Item, now time.Time) (p Price, known bool) {
	for _, next := range all {
		if next.Item == item && !next.ValidFrom.After(now) {
			p, known = next, true
		}
	}
	return p, known
}

// PriceStore keeps the price list.
type PriceStore interface {
	// PutPrice stores a price, in place of one that begins at the same time.
	PutPrice(ctx context.Context, p Price) error
}

// PriceSetter changes the price list. It is safe for concurrent use.
type PriceSetter struct {
	store PriceStore
	now   func() time.Time
}

// NewPriceSetter returns a setter of prices.
func NewPriceSetter(store PriceStore, now func() time.Time) *PriceSetter {
	return &PriceSetter{store: store, now: now}
}

// Set makes a price valid from 00:00 in Korea of a day that is still to come, written 2027-01-01.
// What is sealed before then keeps its price. Set again it replaces what was set for the day.
func (s *PriceSetter) Set(ctx context.Context, item Item, price KRW, validFrom string) (Price, error) {
	now := s.now()
	day, err := Day("valid_from", validFrom)
	switch {
	case err != nil:
		return Price{}, err
	case item != EventMessage:
		return Price{}, fault.Field("item", "must be %s; nothing else has a price", EventMessage)
	case price < 0 || price > MaxPrice:
		return Price{}, fault.Field("price_krw", "must be 0 to %d", MaxPrice)
	case !day.After(now):
		return Price{}, fault.Field("valid_from", "must be a day after today; what was valid stays as it was")
	}
	p := Price{Item: item, KRW: price, ValidFrom: day}
	if err := s.store.PutPrice(ctx, p); err != nil {
		return Price{}, fmt.Errorf("put a price: %w", err)
	}
	return p, nil
}

// Day returns 00:00 in Korea of a day that is written 2027-01-01.
func Day(field, text string) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, text, clock.Seoul)
	if err != nil || day.Year() < 2000 {
		return time.Time{}, fault.Field(field, "must be a day such as 2027-01-31")
	}
	return day.UTC(), nil
}
