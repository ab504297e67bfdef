package kakao

import (
	"slices"
	"strings"

	tag "golang.org/x/text/language"
	"golang.org/x/text/message"
)

// pickText stands over quick replies that became buttons.
const pickText = "아래에서 골라 주세요."

// InRoom returns a template as a group room (그룹 채팅방) can show it, which knows no quick replies, carousels and
// commerce cards: these become buttons of a card, the carousel's first cards, and basic cards with the price
// in their text. What is more than an answer has room for is left out, from the end. The template that was
// given is not changed.
func InRoom(t Template) Template {
	var room Template
	for _, output := range t.Outputs {
		switch {
		case output.CommerceCard != nil:
			room.Outputs = append(room.Outputs, Output{BasicCard: output.CommerceCard.basic()})
		case output.Carousel != nil:
			for _, card := range output.Carousel.Items {
				room.Outputs = append(room.Outputs, alone(card))
			}
		default:
			room.Outputs = append(room.Outputs, output)
		}
	}
	room.Outputs = room.Outputs[:min(len(room.Outputs), max(len(t.Outputs), limits.outputs))]
	for some := range slices.Chunk(t.QuickReplies, limits.buttonsInRoom) {
		if len(room.Outputs) >= limits.outputs {
			break
		}
		card := &TextCard{Description: pickText, Buttons: Buttons{Layout: "vertical"}}
		for _, q := range some {
			card.List = append(card.List, Button{Action: q.Action, Label: q.Label, MessageText: q.MessageText, BlockID: q.BlockID, Extra: q.Extra})
		}
		room.Outputs = append(room.Outputs, Output{TextCard: card})
	}
	return room
}

// alone is a card of a carousel as a bubble of its own.
func alone(card Card) (o Output) {
	switch c := card.(type) {
	case *TextCard:
		o.TextCard = c
	case *BasicCard:
		o.BasicCard = c
	case *CommerceCard:
		o.BasicCard = c.basic()
	case *ListCard:
		o.ListCard = c
	case *ItemCard:
		o.ItemCard = c
	}
	return o
}

// basic is the article as a basic card that says its price.
func (c *CommerceCard) basic() *BasicCard {
	var lines []string
	if c.Description != "" {
		lines = append(lines, c.Description)
	}
	if c.Price != nil {
		won := message.NewPrinter(tag.Korean)
		costs := *c.Price - c.Discount
		if c.DiscountedPrice != nil {
			costs = *c.DiscountedPrice
		}
		costs = max(costs, 0)
		price := won.Sprintf("%d원", costs)
		if costs != *c.Price {
			price += won.Sprintf(" (정가 %d원)", *c.Price)
		}
		lines = append(lines, price)
	}
	card := &BasicCard{Title: c.Title, Description: strings.Join(lines, "\n"), Buttons: c.Buttons}
	if len(c.Thumbnails) > 0 {
		card.Thumbnail = &c.Thumbnails[0]
	}
	return card
}
