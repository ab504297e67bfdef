package kakao

import (
	"encoding/json"
	"fmt"
)

// Output is one bubble (말풍선): exactly one of its fields is set.
type Output struct {
	SimpleText   *SimpleText   `json:"simpleText,omitempty"`
	SimpleImage  *SimpleImage  `json:"simpleImage,omitempty"`
	TextCard     *TextCard     `json:"textCard,omitempty"`
	BasicCard    *BasicCard    `json:"basicCard,omitempty"`
	CommerceCard *CommerceCard `json:"commerceCard,omitempty"`
	ListCard     *ListCard     `json:"listCard,omitempty"`
	ItemCard     *ItemCard     `json:"itemCard,omitempty"`
	Carousel     *Carousel     `json:"carousel,omitempty"`
}

// SimpleText is plain text. The client folds what is over 500 characters.
type SimpleText struct {
	Text string `json:"text"`
}

// SimpleImage is one picture.
type SimpleImage struct {
	ImageURL string `json:"imageUrl"`
	AltText  string `json:"altText,omitempty"`
}

// Buttons are what every card ends with. Layout is "vertical", "horizontal" or "".
type Buttons struct {
	List        []Button `json:"buttons,omitempty"`
	Layout      string   `json:"buttonLayout,omitempty"`
	Forwardable bool     `json:"forwardable,omitempty"`
}

// Bottom is the buttons of the card that they are part of.
func (b *Buttons) Bottom() *Buttons { return b }

// Button does what its Action says: webLink, message, phone, block, share or operator (상담 연결).
type Button struct {
	Action      string         `json:"action"`
	Label       string         `json:"label"`
	WebLinkURL  string         `json:"webLinkUrl,omitempty"`
	MessageText string         `json:"messageText,omitempty"`
	PhoneNumber string         `json:"phoneNumber,omitempty"`
	BlockID     string         `json:"blockId,omitempty"`
	Extra       map[string]any `json:"extra,omitempty"`
}

// TextCard is a title, a description or both, with buttons.
type TextCard struct {
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Buttons
}

// BasicCard is a picture with text and buttons.
type BasicCard struct {
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Thumbnail   *Thumbnail `json:"thumbnail,omitempty"`
	Buttons
}

// CommerceCard is one article for sale. Prices are whole KRW; Price is required.
type CommerceCard struct {
	Title           string      `json:"title,omitempty"`
	Description     string      `json:"description,omitempty"`
	Price           *int64      `json:"price,omitempty"`
	Currency        string      `json:"currency,omitempty"` // "won" or ""
	Discount        int64       `json:"discount,omitempty"`
	DiscountRate    int         `json:"discountRate,omitempty"` // percent
	DiscountedPrice *int64      `json:"discountedPrice,omitempty"`
	Thumbnails      []Thumbnail `json:"thumbnails"`
	Profile         *Profile    `json:"profile,omitempty"`
	Buttons
}

// UnmarshalJSON also accepts "dicountedPrice", the spelling of Kakao's field table.
func (c *CommerceCard) UnmarshalJSON(data []byte) error {
	type plain CommerceCard
	both := struct {
		*plain
		Misspelt *int64 `json:"dicountedPrice"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(data, &both); err != nil {
		return err
	}
	if c.DiscountedPrice == nil {
		c.DiscountedPrice = both.Misspelt
	}
	return nil
}

// ListCard is a header over 1 to 5 lines.
type ListCard struct {
	Header ListHeader `json:"header"`
	Items  []ListItem `json:"items"`
	Buttons
}

// ListHeader is the first line of a list card.
type ListHeader struct {
	Title string `json:"title"`
}

// ListItem is one line of a list card. Action is "", "block" or "message".
type ListItem struct {
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	ImageURL    string         `json:"imageUrl,omitempty"`
	Link        *Link          `json:"link,omitempty"`
	Action      string         `json:"action,omitempty"`
	BlockID     string         `json:"blockId,omitempty"`
	MessageText string         `json:"messageText,omitempty"`
	Extra       map[string]any `json:"extra,omitempty"`
}

// ItemCard is a table of short names and values, such as a receipt.
type ItemCard struct {
	Thumbnail       *Thumbnail   `json:"thumbnail,omitempty"`
	Head            *ItemHead    `json:"head,omitempty"`
	Profile         *ItemProfile `json:"profile,omitempty"`
	ImageTitle      *ImageTitle  `json:"imageTitle,omitempty"`
	Items           []Item       `json:"itemList"`
	Alignment       string       `json:"itemListAlignment,omitempty"` // "left", "right" or ""
	ItemListSummary *Item        `json:"itemListSummary,omitempty"`
	Title           string       `json:"title,omitempty"`
	Description     string       `json:"description,omitempty"`
	Buttons
}

// ItemHead is the title line of an item card.
type ItemHead struct {
	Title string `json:"title"`
}

// ItemProfile is the sender line of an item card.
type ItemProfile struct {
	Title    string `json:"title"`
	ImageURL string `json:"imageUrl,omitempty"`
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
}

// ImageTitle is a title with a small picture.
type ImageTitle struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	ImageURL    string `json:"imageUrl,omitempty"`
}

// Item is one row of an item card.
type Item struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Thumbnail is the picture of a card, 2:1 unless FixedRatio asks for 1:1.
type Thumbnail struct {
	ImageURL   string `json:"imageUrl"`
	AltText    string `json:"altText,omitempty"`
	Link       *Link  `json:"link,omitempty"`
	FixedRatio bool   `json:"fixedRatio,omitempty"`
	Width      int    `json:"width,omitempty"`  // pixels; item cards only
	Height     int    `json:"height,omitempty"` // pixels; item cards only
}

// Link is where a touch leads; Web wins over both others.
type Link struct {
	PC     string `json:"pc,omitempty"`
	Mobile string `json:"mobile,omitempty"`
	Web    string `json:"web,omitempty"`
}

// Profile is the seller of a commerce card.
type Profile struct {
	Nickname string `json:"nickname"`
	ImageURL string `json:"imageUrl,omitempty"`
}

// Carousel is a row of cards of one type.
type Carousel struct {
	Type   string          `json:"type"`
	Items  []Card          `json:"items"`
	Header *CarouselHeader `json:"header,omitempty"`
}

// CarouselHeader opens a carousel of basic, commerce or item cards.
type CarouselHeader struct {
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Thumbnail   *Thumbnail `json:"thumbnail,omitempty"`
}

// Card is what a carousel holds: *TextCard, *BasicCard, *CommerceCard, *ListCard or *ItemCard.
type Card interface {
	cardType() string
	// Bottom is what the card ends with, to be looked at or changed.
	Bottom() *Buttons
}

func (*TextCard) cardType() string     { return "textCard" }
func (*BasicCard) cardType() string    { return "basicCard" }
func (*CommerceCard) cardType() string { return "commerceCard" }
func (*ListCard) cardType() string     { return "listCard" }
func (*ItemCard) cardType() string     { return "itemCard" }

// NewCard returns an empty card of a type, nil when there is none of it.
func NewCard(cardType string) Card {
	switch cardType {
	case "textCard":
		return &TextCard{}
	case "basicCard":
		return &BasicCard{}
	case "commerceCard":
		return &CommerceCard{}
	case "listCard":
		return &ListCard{}
	case "itemCard":
		return &ItemCard{}
	}
	return nil
}

// UnmarshalJSON reads the cards by the carousel's type.
func (c *Carousel) UnmarshalJSON(data []byte) error {
	type plain Carousel
	raw := struct {
		*plain
		Items []json.RawMessage `json:"items"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	c.Items = nil
	for i, item := range raw.Items {
		card := NewCard(c.Type)
		if card == nil {
			return fmt.Errorf("a carousel has no cards of type %q", c.Type)
		}
		if err := json.Unmarshal(item, card); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
		c.Items = append(c.Items, card)
	}
	return nil
}
