package kakao

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// MaxOutputs is how many bubbles an answer has at most.
const MaxOutputs = 3

// limits are Kakao's, in UTF-16 units after NFC, lines, pieces and bytes. Source: "응답 타입별
// JSON 포맷" of the skill guide; those marked observed are not in it. Where the guide differs
// for a card inside a carousel, the second number is that of the carousel.
var limits = struct {
	outputs, quickReplies, quickReplyLabel               int
	bubbleBytes                                          int
	simpleText, altText                                  int
	textCardTitle, textCard, textCardInCarousel          int
	basicTitle, basicDescription                         int
	basicLinesInCarousel                                 int
	commerceTitle, commerceDescription, thumbnails       int
	listItems, listItemsInCarousel                       int
	items, itemsInCarousel                               int
	itemTitle, itemLines, itemProfile                    int
	summaryTitle, summaryDescription                     int
	itemCard, itemCardInCarousel, itemCardLines          int
	carousel, listCarousel                               int
	headerTitleLines, headerDescriptionLines             int
	buttonsVertical, buttonsHorizontal, label, labelHalf int
	buttonsInRoom, mentions                              int
}{
	outputs: MaxOutputs, quickReplies: 10, quickReplyLabel: 14, // label: observed
	bubbleBytes: 30_000, // "30 KB", read as the smaller of its two meanings
	simpleText:  1000, altText: 50,
	textCardTitle: 50, textCard: 400, textCardInCarousel: 128,
	basicTitle: 50, basicDescription: 230,
	basicLinesInCarousel: 2,
	commerceTitle:        30, commerceDescription: 40, thumbnails: 1,
	listItems: 5, listItemsInCarousel: 4,
	items: 10, itemsInCarousel: 5,
	itemTitle: 6, itemLines: 2, itemProfile: 15,
	summaryTitle: 6, summaryDescription: 14,
	itemCard: 200, itemCardInCarousel: 100, itemCardLines: 12,
	carousel: 10, listCarousel: 5,
	headerTitleLines: 2, headerDescriptionLines: 3,
	buttonsVertical: 3, buttonsHorizontal: 2, label: 14, labelHalf: 8,
	buttonsInRoom: 5, mentions: 15, // "그룹 챗봇 스킬 서버 개발 Quick Start 가이드"
}

// Problem is one broken limit: where, as a path such as "template.outputs[0].simpleText.text",
// and what to change. Messages quote no content.
type Problem struct{ Path, Message string }

func (p Problem) String() string { return p.Path + " " + p.Message }

// Lint returns every way in which Kakao would refuse an answer to a channel chatbot, or not
// show it; none means that it may leave. It changes nothing.
func Lint(r SkillResponse) []Problem { return linter{}.response(r) }

// LintTemplate is [Lint] for a template alone, as a block keeps it.
func LintTemplate(t Template) []Problem { return linter{}.template(t) }

// LintRoom is [Lint] for an answer of a group chatbot to its room (그룹 채팅방).
func LintRoom(r SkillResponse) []Problem { return linter{room: true}.response(r) }

// LintRoomTemplate is [LintRoom] for a template alone.
func LintRoomTemplate(t Template) []Problem { return linter{room: true}.template(t) }

func (l linter) response(r SkillResponse) []Problem {
	if r.Version != version {
		l.add("version", "must be %q", version)
	}
	switch {
	case r.UseCallback && r.Template != nil:
		l.add("template", "is ignored when useCallback is true; leave it out")
	case r.Template != nil:
		l.problems = append(l.problems, linter{room: l.room}.template(*r.Template)...)
	case !r.UseCallback && len(r.Data) == 0: // an empty one is not written
		l.add("template", "is required")
	}
	if r.Context != nil {
		for i, value := range r.Context.Values {
			path := fmt.Sprintf("context.values[%d]", i)
			l.required(path+".name", value.Name)
			l.check(value.LifeSpan >= 0, path+".lifeSpan", "must not be negative")
			l.check(value.TTL >= 0, path+".ttl", "must not be negative")
		}
	}
	switch mentioned := r.Extra["mentions"].(type) {
	case map[string]any:
		l.count("extra.mentions", len(mentioned), 0, limits.mentions)
	case []any:
		l.count("extra.mentions", len(mentioned), 0, limits.mentions)
	}
	return l.problems
}

func (l linter) template(t Template) []Problem {
	l.count("template.outputs", len(t.Outputs), 1, limits.outputs)
	for i, output := range t.Outputs {
		path := fmt.Sprintf("template.outputs[%d]", i)
		l.output(path, output)
		if body, err := compact(output); err != nil {
			l.add(path, "cannot be written as JSON")
		} else if len(body) > limits.bubbleBytes {
			l.add(path, "is %d bytes as JSON, at most %d are shown", len(body), limits.bubbleBytes)
		}
	}
	if l.room && len(t.QuickReplies) > 0 {
		l.add("template.quickReplies", notInRoom)
	}
	l.count("template.quickReplies", len(t.QuickReplies), 0, limits.quickReplies)
	for i, reply := range t.QuickReplies {
		path := fmt.Sprintf("template.quickReplies[%d]", i)
		l.required(path+".label", reply.Label)
		l.length(path+".label", reply.Label, limits.quickReplyLabel)
		switch reply.Action {
		case "message":
		case "block":
			l.required(path+".blockId", reply.BlockID)
		default:
			l.add(path+".action", "must be message or block")
		}
	}
	return l.problems
}

// notInRoom is what is said of what a group room does not show.
const notInRoom = "is not shown in a group room; use cards with buttons"

type linter struct {
	room     bool // the answer goes to a group room
	problems []Problem
}

func (l *linter) add(path, format string, args ...any) {
	l.problems = append(l.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (l *linter) check(ok bool, path, message string) {
	if !ok {
		l.add(path, "%s", message)
	}
}

func (l *linter) required(path, text string) {
	l.check(strings.TrimSpace(text) != "", path, "is required")
}

func (l *linter) length(path, text string, limit int) {
	if n := Units(text); n > limit {
		l.add(path, "is %d characters, at most %d are allowed", n, limit)
	}
}

func (l *linter) lines(path, text string, limit int) {
	if n := lines(text); n > limit {
		l.add(path, "is %d lines, at most %d are allowed", n, limit)
	}
}

// lines counts the lines that the text itself breaks into; where a phone wraps is not known.
func lines(text string) int {
	if text == "" {
		return 0
	}
	return strings.Count(text, "\n") + 1
}

func (l *linter) count(path string, n, least, most int) {
	if n < least || n > most {
		l.add(path, "has %d entries, want %d to %d", n, least, most)
	}
}

func (l *linter) oneOf(path, word string, words ...string) {
	l.check(slices.Contains(words, word), path, "must be one of: "+strings.TrimLeft(strings.Join(words, " "), " "))
}

// web checks an address that Kakao fetches or opens.
func (l *linter) web(path, address string) {
	u, err := url.Parse(address)
	l.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "",
		path, "must be an http or https address")
}

func (l *linter) output(path string, o Output) {
	set := 0
	if o.SimpleText != nil {
		set++
		l.required(path+".simpleText.text", o.SimpleText.Text)
		l.length(path+".simpleText.text", o.SimpleText.Text, limits.simpleText)
	}
	if o.SimpleImage != nil {
		set++
		l.web(path+".simpleImage.imageUrl", o.SimpleImage.ImageURL)
		l.length(path+".simpleImage.altText", o.SimpleImage.AltText, limits.altText)
	}
	for _, card := range o.Cards() {
		set++
		if card.cardType() == "commerceCard" && l.room {
			l.add(path+".commerceCard", notInRoom)
		}
		l.card(path+"."+card.cardType(), card, false)
	}
	if o.Carousel != nil {
		set++
		if l.room {
			l.add(path+".carousel", notInRoom)
		}
		l.carousel(path+".carousel", *o.Carousel)
	}
	if set != 1 {
		l.add(path, "has %d components, want 1", set)
	}
}

// Cards are the cards that a bubble is, apart from those of a carousel; a bubble that Kakao shows is one at most.
func (o Output) Cards() (all []Card) {
	if o.TextCard != nil {
		all = append(all, o.TextCard)
	}
	if o.BasicCard != nil {
		all = append(all, o.BasicCard)
	}
	if o.CommerceCard != nil {
		all = append(all, o.CommerceCard)
	}
	if o.ListCard != nil {
		all = append(all, o.ListCard)
	}
	if o.ItemCard != nil {
		all = append(all, o.ItemCard)
	}
	return all
}

func (l *linter) carousel(path string, c Carousel) {
	if NewCard(c.Type) == nil {
		l.add(path+".type", "must be textCard, basicCard, commerceCard, listCard or itemCard")
	}
	most := limits.carousel
	if c.Type == "listCard" {
		most = limits.listCarousel
	}
	l.count(path+".items", len(c.Items), 1, most)
	var ratio string
	for i, card := range c.Items {
		item := fmt.Sprintf("%s.items[%d]", path, i)
		if card == nil || card.cardType() != c.Type {
			l.add(item, "must be of the carousel's type %s", c.Type)
			continue
		}
		l.card(item, card, true)
		this := ratioOf(card)
		if ratio == "" {
			ratio = this
		}
		l.check(this == "" || this == ratio, item+".thumbnail", "must have the ratio of the other pictures")
	}
	if c.Header == nil {
		return
	}
	if c.Type == "textCard" || c.Type == "listCard" {
		l.add(path+".header", "is not allowed for %s", c.Type)
	}
	l.lines(path+".header.title", c.Header.Title, limits.headerTitleLines)
	l.lines(path+".header.description", c.Header.Description, limits.headerDescriptionLines)
	if c.Header.Thumbnail != nil {
		l.thumbnail(path+".header.thumbnail", *c.Header.Thumbnail)
	}
}
