package scenario

import (
	"cmp"
	"context"
	"slices"

	"github.com/malgil/malgil/internal/knowledge"
)

// Unanswered is words that the bot had no answer to and that ask for much the same.
type Unanswered struct {
	Words   []Heard     // those heard most come first; alikeMost at most
	Times   int         // all of them together
	Texts   int         // how many different ones there are
	Nearest []Candidate // what the bot would answer to the first of them, were it less strict; at most one
}

const alikeMost = 20 // texts of a group that are told

// GroupUnanswered puts words together that ask for much the same, and returns so many groups at most,
// those heard most first. The error is that of ctx when it ends first.
func (b Bot) GroupUnanswered(ctx context.Context, heard []Heard, most int) ([]Unanswered, error) {
	heard = slices.Clone(heard)
	slices.SortStableFunc(heard, func(a, b Heard) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Asked, b.Asked))
	})
	items := make([]knowledge.Item, len(heard))
	for i, h := range heard {
		items[i].Question = h.Asked
	}
	base := knowledge.New(items)
	placed := make([]bool, len(heard))
	var groups []Unanswered
	for i := range heard {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if placed[i] {
			continue
		}
		members := []int{i}
		for _, other := range base.Alike(i) {
			if !placed[other] {
				members = append(members, other)
			}
		}
		slices.Sort(members)
		group := Unanswered{Texts: len(members)}
		for n, member := range members {
			placed[member] = true
			group.Times += heard[member].Times
			if n < alikeMost {
				group.Words = append(group.Words, heard[member])
			}
		}
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(a, b Unanswered) int { return cmp.Compare(b.Times, a.Times) })
	groups = groups[:min(len(groups), most)]
	x := b.index()
	for i := range groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if nearest := b.candidates(x, groups[i].Words[0].Asked); len(nearest) > 0 {
			groups[i].Nearest = nearest[:1]
		}
	}
	return groups, nil
}
