package kakao

import (
	"fmt"
	"slices"
	"strings"
)

// card checks one card, alone or in a carousel.
func (l *linter) card(path string, card Card, inCarousel bool) {
	switch c := card.(type) {
	case *TextCard:
		l.textCard(path, c, inCarousel)
	case *BasicCard:
		l.basicCard(path, c, inCarousel)
	case *CommerceCard:
		l.commerceCard(path, c)
	case *ListCard:
		l.listCard(path, c, inCarousel)
	case *ItemCard:
		l.itemCard(path, c, inCarousel)
	}
}

func (l *linter) textCard(path string, c *TextCard, inCarousel bool) {
	l.check(c.Title != "" || c.Description != "", path, "needs a title or a description")
	l.length(path+".title", c.Title, limits.textCardTitle)
	if inCarousel {
		l.length(path+".description", c.Description, limits.textCardInCarousel)
	} else {
		l.length(path, c.Title+c.Description, limits.textCard)
	}
	l.buttons(path, c.Buttons, false)
}

func (l *linter) basicCard(path string, c *BasicCard, inCarousel bool) {
	l.length(path+".title", c.Title, limits.basicTitle)
	l.length(path+".description", c.Description, limits.basicDescription)
	if inCarousel {
		l.lines(path+".title", c.Title, limits.basicLinesInCarousel)
		l.lines(path+".description", c.Description, limits.basicLinesInCarousel)
	}
	if c.Thumbnail == nil {
		l.add(path+".thumbnail", "is required")
		l.buttons(path, c.Buttons, false)
		return
	}
	l.thumbnail(path+".thumbnail", *c.Thumbnail)
	l.buttons(path, c.Buttons, c.Thumbnail.FixedRatio)
}

func (l *linter) commerceCard(path string, c *CommerceCard) {
	l.length(path+".title", c.Title, limits.commerceTitle)
	l.length(path+".description", c.Description, limits.commerceDescription)
	l.check(c.Price != nil, path+".price", "is required")
	l.check(c.Price == nil || *c.Price >= 0, path+".price", "must not be negative")
	l.oneOf(path+".currency", c.Currency, "", "won")
	l.check(c.Discount >= 0, path+".discount", "must not be negative")
	l.check(c.DiscountRate >= 0 && c.DiscountRate <= 100, path+".discountRate", "must be 0 to 100 percent")
	l.check(c.DiscountRate == 0 || c.DiscountedPrice != nil, path+".discountedPrice", "is required beside discountRate")
	l.check(c.DiscountedPrice == nil || *c.DiscountedPrice >= 0, path+".discountedPrice", "must not be negative")
	l.count(path+".thumbnails", len(c.Thumbnails), 1, limits.thumbnails)
	fixed := false
	for i, thumbnail := range c.Thumbnails {
		l.thumbnail(fmt.Sprintf("%s.thumbnails[%d]", path, i), thumbnail)
		fixed = fixed || thumbnail.FixedRatio
	}
	if c.Profile != nil {
		l.required(path+".profile.nickname", c.Profile.Nickname)
		l.optionalWeb(path+".profile.imageUrl", c.Profile.ImageURL)
	}
	l.buttons(path, c.Buttons, fixed)
}

func (l *linter) listCard(path string, c *ListCard, inCarousel bool) {
	l.required(path+".header.title", c.Header.Title)
	most := limits.listItems
	if inCarousel {
		most = limits.listItemsInCarousel
	}
	l.count(path+".items", len(c.Items), 1, most)
	for i, item := range c.Items {
		at := fmt.Sprintf("%s.items[%d]", path, i)
		l.required(at+".title", item.Title)
		l.optionalWeb(at+".imageUrl", item.ImageURL)
		l.oneOf(at+".action", item.Action, "", "block", "message")
		l.check(item.Action != "block" || item.BlockID != "", at+".blockId", "is required for action block")
	}
	l.buttons(path, c.Buttons, false)
}

func (l *linter) itemCard(path string, c *ItemCard, inCarousel bool) {
	mostItems, mostText := limits.items, limits.itemCard
	if inCarousel {
		mostItems, mostText = limits.itemsInCarousel, limits.itemCardInCarousel
	}
	l.check(c.Head == nil || c.Profile == nil, path, "has head and profile, only one of them is allowed")
	if c.Head != nil {
		l.required(path+".head.title", c.Head.Title)
	}
	if c.Profile != nil {
		l.required(path+".profile.title", c.Profile.Title)
		l.length(path+".profile.title", c.Profile.Title, limits.itemProfile)
		l.optionalWeb(path+".profile.imageUrl", c.Profile.ImageURL)
	}
	if c.ImageTitle != nil {
		l.required(path+".imageTitle.title", c.ImageTitle.Title)
		l.optionalWeb(path+".imageTitle.imageUrl", c.ImageTitle.ImageURL)
	}
	l.count(path+".itemList", len(c.Items), 1, mostItems)
	for i, item := range c.Items {
		at := fmt.Sprintf("%s.itemList[%d]", path, i)
		l.required(at+".title", item.Title)
		l.length(at+".title", item.Title, limits.itemTitle)
		l.lines(at+".description", item.Description, limits.itemLines)
	}
	l.oneOf(path+".itemListAlignment", c.Alignment, "", "left", "right")
	if sum := c.ItemListSummary; sum != nil {
		l.required(path+".itemListSummary.title", sum.Title)
		l.length(path+".itemListSummary.title", sum.Title, limits.summaryTitle)
		l.length(path+".itemListSummary.description", sum.Description, limits.summaryDescription)
	}
	l.check(c.Description == "" || c.Title != "", path+".title", "is required beside a description")
	l.length(path, c.Title+c.Description, mostText)
	if n := lines(c.Title) + lines(c.Description); n > limits.itemCardLines {
		l.add(path, "has %d lines of title and description, at most %d are allowed", n, limits.itemCardLines)
	}
	if c.Thumbnail != nil {
		l.thumbnail(path+".thumbnail", *c.Thumbnail)
		ratio := ratioOf(c)
		l.check(ratio == "" || ratio == "2:1" || (ratio == "1:1" && !inCarousel),
			path+".thumbnail", "must be 2:1, or 1:1 outside a carousel")
	}
	l.buttons(path, c.Buttons, false)
}

func (l *linter) thumbnail(path string, t Thumbnail) {
	l.web(path+".imageUrl", t.ImageURL)
	l.length(path+".altText", t.AltText, limits.altText)
}

func (l *linter) optionalWeb(path, address string) {
	if address != "" {
		l.web(path, address)
	}
}

// buttons checks the buttons of a card. A layout that is not given is horizontal where the
// card's picture has a fixed ratio.
func (l *linter) buttons(path string, b Buttons, fixedRatio bool) {
	l.oneOf(path+".buttonLayout", b.Layout, "", "vertical", "horizontal")
	horizontal := b.Layout == "horizontal" || (b.Layout == "" && fixedRatio)
	most, label := limits.buttonsVertical, limits.label
	if l.room {
		most = limits.buttonsInRoom
	}
	if horizontal {
		most = limits.buttonsHorizontal
		if len(b.List) > 1 {
			label = limits.labelHalf // two sit side by side
		}
	}
	l.count(path+".buttons", len(b.List), 0, most)
	for i, button := range b.List {
		at := fmt.Sprintf("%s.buttons[%d]", path, i)
		l.required(at+".label", button.Label)
		l.length(at+".label", button.Label, label)
		switch button.Action {
		case "webLink":
			l.web(at+".webLinkUrl", button.WebLinkURL)
		case "phone":
			l.check(strings.TrimSpace(button.PhoneNumber) != "", at+".phoneNumber", "is required for action phone")
		case "block":
			l.check(button.BlockID != "", at+".blockId", "is required for action block")
		case "message", "share", "operator":
		default:
			l.action(at+".action", button.Action)
		}
	}
}

// action refuses what a button cannot do; a few things it can do in a group room alone.
func (l *linter) action(path, action string) {
	switch {
	case !slices.Contains(roomActions, action):
		l.add(path, "must be webLink, message, phone, block, share or operator")
	case !l.room:
		l.add(path, "is for group rooms; must be webLink, message, phone, block, share or operator")
	}
}

// roomActions are what buttons of group chatbots do besides.
var roomActions = []string{"guide", "invite", "inviteMember", "mention", "settings"}

// ratioOf returns the ratio of a card's picture, "" where the card says nothing about it.
func ratioOf(card Card) string {
	of := func(t Thumbnail) string {
		if t.FixedRatio {
			return "1:1"
		}
		return "2:1"
	}
	switch c := card.(type) {
	case *BasicCard:
		if c.Thumbnail != nil {
			return of(*c.Thumbnail)
		}
	case *CommerceCard:
		if len(c.Thumbnails) > 0 {
			return of(c.Thumbnails[0])
		}
	case *ItemCard:
		t := c.Thumbnail
		switch {
		case t == nil || t.Width <= 0 || t.Height <= 0:
			return ""
		case t.Width == t.Height:
			return "1:1"
		case t.Width == 2*t.Height:
			return "2:1"
		}
		return fmt.Sprintf("%d:%d", t.Width, t.Height)
	}
	return ""
}
