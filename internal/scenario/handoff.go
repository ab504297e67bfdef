package scenario

import (
	"slices"

	"github.com/malgil/malgil/internal/kakao"
)

const (
	operatorLabel = "상담직원 연결"
	operatorText  = "상담직원과 직접 이야기하실 수 있어요."
)

// WithOperator returns a copy of an answer that ends in a button to a person (상담직원 연결): the answer
// itself where it has one already, else with one more button in its last bubble, else with one more
// bubble. It is false, with the answer as it is, when Kakao would show neither.
func WithOperator(t kakao.Template) (with kakao.Template, fits bool) {
	t = mapTexts(t, "", func(_, text string) string { return text })
	if offered(t) {
		return t, true
	}
	problems := len(lintFilled("", t))
	if n := len(t.Outputs); n > 0 {
		with = mapTexts(t, "", func(_, text string) string { return text })
		if buttons := buttonsOf(card(with.Outputs[n-1])); buttons != nil {
			buttons.List = append(buttons.List, operator)
			if len(lintFilled("", with)) <= problems {
				return with, true
			}
		}
	}
	with = t
	with.Outputs = append(with.Outputs, kakao.Output{TextCard: &kakao.TextCard{
		Description: operatorText, Buttons: kakao.Buttons{List: []kakao.Button{operator}},
	}})
	if len(lintFilled("", with)) <= problems {
		return with, true
	}
	return t, false
}

var operator = kakao.Button{Action: "operator", Label: operatorLabel}

// offered reports whether an answer has a button to a person.
func offered(t kakao.Template) bool {
	for _, output := range t.Outputs {
		cards := []kakao.Card{card(output)}
		if output.Carousel != nil {
			cards = output.Carousel.Items
		}
		for _, c := range cards {
			if buttons := buttonsOf(c); buttons != nil && slices.ContainsFunc(buttons.List, func(b kakao.Button) bool { return b.Action == operator.Action }) {
				return true
			}
		}
	}
	return false
}

// card returns the card that a bubble is, nil when it is none.
func card(o kakao.Output) kakao.Card {
	switch {
	case o.TextCard != nil:
		return o.TextCard
	case o.BasicCard != nil:
		return o.BasicCard
	case o.CommerceCard != nil:
		return o.CommerceCard
	case o.ListCard != nil:
		return o.ListCard
	case o.ItemCard != nil:
		return o.ItemCard
	}
	return nil
}

func buttonsOf(card kakao.Card) *kakao.Buttons {
	switch c := card.(type) {
	case *kakao.TextCard:
		return &c.Buttons
	case *kakao.BasicCard:
		return &c.Buttons
	case *kakao.CommerceCard:
		return &c.Buttons
	case *kakao.ListCard:
		return &c.Buttons
	case *kakao.ItemCard:
		return &c.Buttons
	}
	return nil
}
