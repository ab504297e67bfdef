package scenario

import (
	"slices"

	"github.com/malgil/malgil/internal/kakao"
)

// Spot is where a person to talk to is offered (상담직원 연결).
type Spot string

// The spots: the three that Kakao documents, and an answer that offers one after several in a row that were
// none: the fallback, or a question that is given up.
const (
	AtWelcome       Spot = "welcome"
	AtFallback      Spot = "fallback"
	AtNormal        Spot = "normal"
	AfterFallbacks  Spot = "after_fallbacks"
	handoffAction        = "operator"
	handoffLabel         = "상담직원 연결"
	handoffQuestion      = "상담이 필요하세요?"
)

// Spots lists every spot.
var Spots = []Spot{AtWelcome, AtFallback, AtNormal, AfterFallbacks}

// offered says where an answer of a block offers a person; after is whether answers in a row that were none
// made it.
func offered(block *Block, after bool) Spot {
	switch {
	case after:
		return AfterFallbacks
	case block != nil && block.Kind == Welcome:
		return AtWelcome
	case block == nil || block.Kind == Fallback:
		return AtFallback
	}
	return AtNormal
}

// offersPerson reports whether an answer has a button to a person.
func offersPerson(t *kakao.Template) bool {
	if t == nil {
		return false
	}
	for _, output := range t.Outputs {
		cards := output.Cards()
		if output.Carousel != nil {
			cards = output.Carousel.Items
		}
		for _, card := range cards {
			if slices.ContainsFunc(card.Bottom().List, func(b kakao.Button) bool { return b.Action == handoffAction }) {
				return true
			}
		}
	}
	return false
}

// withPerson returns an answer with a button to a person: as it is where it has one, else on its last card
// with room for one, else on a card of its own. Room is where the answer is still good; it is false,
// with the answer as it is, where there is none. The answer that was given is not changed.
func withPerson(t kakao.Template, good func(kakao.Template) bool) (with kakao.Template, fits bool) {
	if offersPerson(&t) {
		return t, true
	}
	button := kakao.Button{Action: handoffAction, Label: handoffLabel}
	for i := len(t.Outputs) - 1; i >= 0; i-- {
		if len(t.Outputs[i].Cards()) == 0 {
			continue
		}
		with = mapTexts(t, "", func(_, text string) string { return text })
		for _, card := range with.Outputs[i].Cards() {
			buttons := card.Bottom()
			buttons.List = append(buttons.List, button)
		}
		if good(with) {
			return with, true
		}
	}
	with = t
	with.Outputs = append(slices.Clip(with.Outputs), kakao.Output{TextCard: &kakao.TextCard{
		Title: handoffQuestion, Buttons: kakao.Buttons{List: []kakao.Button{button}},
	}})
	if good(with) {
		return with, true
	}
	return t, false
}
