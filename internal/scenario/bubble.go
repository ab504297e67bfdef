package scenario

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
)

// Texts of the bubbles that are made here.
const (
	ChooseText = "어느 쪽이 궁금하세요?"
	moreLabel  = "자세히 보기"
	moreTitle  = "더 알아보기"
)

// What Kakao shows of the components that are made here (see [kakao.Lint]), in UTF-16 units.
const (
	quickReplies   = 10
	labelUnits     = 14
	altUnits       = 50
	textCardUnits  = 400
	basicCardUnits = 230
)

// itemAnswer is a knowledge item's answer: text, and a card where it has a picture or says where more is.
func itemAnswer(item knowledge.Item) kakao.SkillResponse {
	text := strings.TrimSpace(norm.NFC.String(item.Answer))
	var buttons kakao.Buttons
	if item.LandingURL != "" {
		buttons.List = []kakao.Button{{Action: "webLink", Label: moreLabel, WebLinkURL: item.LandingURL}}
	}
	card, fits := kakao.Output{}, false
	switch {
	case item.ImageURL != "":
		fits = kakao.Units(text) <= basicCardUnits
		card.BasicCard = &kakao.BasicCard{Buttons: buttons, Thumbnail: &kakao.Thumbnail{ImageURL: item.ImageURL, AltText: short(item.Question, altUnits)}}
		if fits {
			card.BasicCard.Description = text
		}
	case item.LandingURL != "":
		fits = kakao.Units(text) <= textCardUnits
		card.TextCard = &kakao.TextCard{Title: moreTitle, Buttons: buttons}
		if fits {
			card.TextCard.Title, card.TextCard.Description = "", text
		}
	default:
		return kakao.Text(text)
	}
	if fits {
		return kakao.Respond(card)
	}
	return kakao.Respond(append(kakao.Text(text).Template.Outputs, card)...)
}

// chooseAmong asks which of several answers is meant. Each quick reply says what leads to its answer
// alone.
func (b Bot) chooseAmong(among []Candidate) kakao.SkillResponse {
	var replies []kakao.QuickReply
	seen := map[string]bool{}
	distinct := true
	for _, c := range among {
		words := c.Question
		if c.item < 0 {
			if words = b.Blocks[c.block].Name; fold(words) == "" {
				words = c.Words
			}
		}
		reply := sayReply(words, words)
		distinct = distinct && !seen[reply.Label]
		seen[reply.Label] = true
		replies = append(replies, reply)
	}
	text := ChooseText
	if !distinct { // cut to one length, they say the same: then the text has them whole
		for i, reply := range replies {
			text += fmt.Sprintf("\n%d. %s", i+1, reply.MessageText)
			replies[i].Label = short(fmt.Sprintf("%d. %s", i+1, reply.MessageText), labelUnits)
		}
	}
	response := kakao.Text(text)
	response.Template.QuickReplies = replies
	return response
}

// sayReply is a quick reply that says words.
func sayReply(label, words string) kakao.QuickReply {
	return kakao.QuickReply{Label: short(label, labelUnits), Action: "message", MessageText: words}
}

// short cuts a text to so many units, at a space where there is one in its second half.
func short(text string, most int) string {
	text = strings.Join(strings.Fields(norm.NFC.String(text)), " ")
	if kakao.Units(text) <= most {
		return text
	}
	n, space, end := 0, 0, 0
	for i, r := range text {
		if n+utf16.RuneLen(r) > most-1 { // one for the dots
			break
		}
		n += utf16.RuneLen(r)
		end = i + len(string(r))
		if rest := text[end:]; strings.HasPrefix(rest, " ") && n >= most/2 {
			space = end
		}
	}
	if space > 0 {
		end = space
	}
	return strings.TrimRightFunc(text[:end], unicode.IsSpace) + "…"
}
