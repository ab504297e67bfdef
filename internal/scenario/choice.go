package scenario

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/knowledge"
)

// choiceIn finds the one choice that is said: alone, or among other words; the longest, where one holds
// another. It may be said by its place, too.
func (a Ask) choiceIn(said string) (string, bool) {
	if _, instead, corrects := strings.Cut(said, "말고"); corrects {
		said = instead
	}
	if place := placeIn(fold(said)); place > 0 && place <= len(a.Choices) && !strings.ContainsAny(strings.Join(a.Choices, ""), "0123456789") {
		return a.Choices[place-1], true
	}
	words, found := fold(said), ""
	for _, choice := range a.Choices {
		folded := fold(choice)
		switch {
		case folded == "" || !strings.Contains(words, folded):
		case folded == words, found == "" || strings.Contains(folded, fold(found)):
			found = choice
			if folded == words {
				return found, true
			}
		case strings.Contains(fold(found), folded):
		default:
			return "", false
		}
	}
	return found, found != ""
}

var placeForm = regexp.MustCompile(`^(\d{1,2})(?:번째?)?$|^(첫|두|세|네|다섯|여섯|일곱|여덟|아홉|열)번째$|^([일이삼사오육칠팔구십])번$`)

// placeIn reads the place of a choice in folded words: 3번이요, 두 번째, 2. It is 0 for none.
func placeIn(said string) int {
	found := placeForm.FindStringSubmatch(politeEnds.ReplaceAllString(said, ""))
	switch {
	case found == nil:
		return 0
	case found[1] != "":
		place, _ := strconv.Atoi(found[1])
		return place
	case found[2] == "첫":
		return 1
	}
	return int(counts[found[2]] + sino(found[3]))
}

// A choice that words are like is taken from this score on, and this far before the next; where the words ask something
// themselves, or tell of trouble, from a higher one: they may be no answer at all.
const (
	choiceScore      = 60
	choiceScoreAsked = 75
	choiceLead       = 20
)

var asksOrComplains = regexp.MustCompile(`얼마|언제|어디|어느|어떻|왜|무슨|뭐|몇|안되|안돼|안됨|못|있나|있어|추천|\?`)

// alikeIn finds the choice that words are like, with how much: part of one alone, or what is understood as
// one (책이 상했어요 for 책이 상함). The score is 0 for none.
func (a Ask) alikeIn(x *index, said string) (choice string, score int) {
	base := x.choices[choicesKey(a.Choices)]
	if base == nil {
		return "", 0
	}
	words := fold(said)
	part := politeEnds.ReplaceAllString(words, "")
	for _, c := range a.Choices {
		switch whole := fold(c); {
		case strings.Contains(words, whole): // several are said
			return "", 0
		case !strings.Contains(whole, part):
		case choice != "":
			return "", 0
		default:
			choice = c
		}
	}
	if choice != "" && utf8.RuneCountInString(part) > 1 {
		return choice, 100
	}
	least := choiceScore
	if asksOrComplains.MatchString(strings.Join(strings.Fields(said), "")) {
		least = choiceScoreAsked
	}
	found := base().Match(heard(said), 2)
	if len(found) == 0 || found[0].Score < least || len(found) > 1 && found[0].Score-found[1].Score < choiceLead {
		return "", 0
	}
	return a.Choices[found[0].Item], found[0].Score
}

func choicesKey(choices []string) string { return strings.Join(choices, "\n") }

// compareChoices makes choices comparable with words, once they are asked for.
func compareChoices(choices []string) *knowledge.Base {
	items := make([]knowledge.Item, len(choices))
	for i, choice := range choices {
		items[i].Question = choice
	}
	return knowledge.New(items)
}
