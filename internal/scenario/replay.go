package scenario

import (
	"cmp"
	"context"
	"slices"
)

// Heard is what people said to a bot, alike to the letter.
type Heard struct {
	Asked string
	Times int
}

// Replay is how words that were heard would be answered with other minimum accuracies.
type Replay struct {
	Utterances int // how many there are, each as often as it was heard
	Minimum    int // the bot's own, which the steps are compared with
	Steps      []ReplayStep
}

// ReplayStep is the replay at one minimum accuracy. Its numbers add up to all utterances.
type ReplayStep struct {
	Minimum    int
	Answered   int // by a block or an item
	Choices    int // with several to choose from
	Unanswered int // by the fallback
	// Changed is how many are answered otherwise than at the bot's own minimum, and Changes are those
	// heard most, changesMost of them.
	Changed int
	Changes []ReplayChange
}

// ReplayChange is words that are answered otherwise.
type ReplayChange struct {
	Heard
	Score       int
	Before, Now Led // at the bot's own minimum, and at the step's
}

// Led is what words lead to.
type Led struct {
	Why  Why
	Name string // of the block, or question of the item; "" for a choice, and where there is no fallback
}

const changesMost = 20

// Replay answers words again at each of the minimum accuracies, as if no more was known than what was
// said: no entry, no question that was asked before. The error is that of ctx when it ends first.
func (b Bot) Replay(ctx context.Context, heard []Heard, minimums []int) (Replay, error) {
	r := Replay{Minimum: b.Settings.MinimumAccuracy}
	for _, minimum := range minimums {
		r.Steps = append(r.Steps, ReplayStep{Minimum: minimum})
	}
	x := b.index()
	for _, h := range heard {
		if err := ctx.Err(); err != nil {
			return Replay{}, err
		}
		r.Utterances += h.Times
		said := b.understand(x, h.Asked)
		before := b.led(said)
		for i := range r.Steps {
			step := &r.Steps[i]
			now := b.led(b.at(step.Minimum, said))
			switch now.Why {
			case ByChoice:
				step.Choices += h.Times
			case ByNothing:
				step.Unanswered += h.Times
			default:
				step.Answered += h.Times
			}
			if now != before {
				step.Changed += h.Times
				step.Changes = append(step.Changes, ReplayChange{Heard: h, Score: said.score, Before: before, Now: now})
			}
		}
	}
	for i := range r.Steps {
		changes := r.Steps[i].Changes
		slices.SortStableFunc(changes, func(a, b ReplayChange) int {
			return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Asked, b.Asked))
		})
		r.Steps[i].Changes = slices.Clip(changes[:min(len(changes), changesMost)])
	}
	return r, nil
}

// at returns what words lead to that were understood before, at another minimum accuracy.
func (b Bot) at(minimum int, said choice) choice {
	if said.candidates == nil { // nothing was compared: a minimum says nothing of them
		return said
	}
	b.Settings.MinimumAccuracy = minimum
	return b.pick(said.candidates, said.ends)
}

func (b Bot) led(c choice) Led {
	switch {
	case c.item >= 0:
		return Led{Why: c.why, Name: b.Knowledge[c.item].Question}
	case c.block != nil:
		return Led{Why: c.why, Name: c.block.Name}
	}
	return Led{Why: c.why}
}
