package scenario

import (
	"maps"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/kakao"
)

// ExitText is what leaving a re-ask is answered with: an exit block's answer is fixed.
const ExitText = "여기까지 할게요. 궁금한 것이 있으면 언제든 다시 말씀해 주세요."

// defaultTries is how often a parameter is asked for, where its block does not say.
const defaultTries = 3

// reask (되묻기) is a question that waits for its answer.
type reask struct {
	Asking
	block *Block
	ask   Ask
}

// waiting finds the question that a user was asked, nil when none waits: its time is over, or the bot has
// it no more.
func (b Bot) waiting(state State, at time.Time) *reask {
	asking := state.Asking
	if asking == nil || !at.Before(asking.Until) {
		return nil
	}
	block := b.find(func(block *Block) bool { return block.ID == asking.BlockID })
	if block == nil {
		return nil
	}
	for _, ask := range block.Asks {
		if ask.Param == asking.Param {
			return &reask{Asking: *asking, block: block, ask: ask}
		}
	}
	return nil
}

// chosen reports whether words are one of the choices of the question, as it is written there.
func (r *reask) chosen(said string) bool {
	return r.ask.Is == IsChoice && slices.ContainsFunc(r.ask.Choices, func(choice string) bool { return fold(choice) == said })
}

// hears takes what was said for the answer to a question, or for words that leave it. It reports false
// where they lead elsewhere, and t.choice is what they lead to.
func (t *turn) hears(r *reask) bool {
	said := fold(heard(t.q.Request.Utterance))
	value, fits := r.ask.value(t.x, t.q.Request.Utterance, t.q.At)
	bent := fits && r.ask.Is == IsChoice // what a choice is said with: 취소할게요
	switch {
	case r.chosen(said): // whatever else it is a word for
	case t.x.exits[said], t.x.leaves(said) && !bent:
		t.leave(false)
		return true
	default:
		alike, score := "", 0
		if !fits && r.ask.Is == IsChoice {
			alike, score = r.ask.alikeIn(t.x, t.q.Request.Utterance)
		}
		c, leads := t.aside(r, said, fits)
		switch {
		case leads && (c.candidates == nil || c.score >= score): // compared words lead where they are most alike
			t.choice = c
			return false
		case score > 0:
			value, fits = alike, true
		case !fits && t.x.declined(heard(t.q.Request.Utterance)):
			t.leave(false)
			return true
		}
	}
	t.resume(r, value, fits)
	return true
}

// aside finds what was said while a question waits and is no answer to it: the words of another block,
// and of what does not fit, what Kakao knows a block for, or what it is like.
func (t *turn) aside(r *reask, said string, fits bool) (c choice, leads bool) {
	own, words := t.x.words[said]
	if words = words && &t.bot.Blocks[own] != r.block; fits && !words {
		return choice{}, false
	}
	if named, why := t.bot.named(t.q); named != nil && named.Kind != Fallback {
		return choice{why: why, block: named, item: -1}, true
	}
	c = t.bot.understand(t.x, t.q.Request.Utterance)
	return c, c.why != ByNothing && c.block != r.block
}

// given returns the values of a block's parameters that Kakao has: extracted from the utterance, or of a
// context.
func (block *Block) given(x *index, r kakao.SkillRequest, at time.Time) map[string]string {
	values := map[string]string{}
	var contexts []kakao.ContextValue
	if len(block.Asks) > 0 {
		contexts = r.ContextValues()
	}
	for _, ask := range block.Asks {
		detail := r.Action.DetailParams[ask.Param]
		extracted := r.Action.Params[ask.Param]
		if extracted == "" {
			extracted = detail.Value
		}
		value, fits := ask.given(x, extracted, detail.Origin, at)
		for i := 0; i < len(contexts) && !fits; i++ {
			value, fits = ask.given(x, contexts[i].Params[ask.Param], "", at)
		}
		if fits {
			values[ask.Param] = value
		}
	}
	return values
}

// missing returns the first parameter without a value, nil when all have one.
func (block *Block) missing(values map[string]string) *Ask {
	for i, ask := range block.Asks {
		if values[ask.Param] == "" {
			return &block.Asks[i]
		}
	}
	return nil
}

// begin asks for the first missing parameter of a block.
func (t *turn) begin(ask *Ask, values map[string]string) {
	t.state.Asking = &Asking{BlockID: t.block.ID, Param: ask.Param, Tries: 1, Values: values, Until: t.q.At.Add(askingTime)}
	t.question(*ask, ask.Ask)
}

// resume takes what was said for the answer to a question.
func (t *turn) resume(r *reask, value string, fits bool) {
	t.choice = choice{why: ByAsk, block: r.block, item: -1}
	tries := r.ask.Tries
	if tries == 0 {
		tries = defaultTries
	}
	switch {
	case fits:
		t.params = maps.Clone(r.Values)
		if t.params == nil {
			t.params = map[string]string{}
		}
		t.params[r.Param] = value
		if next := r.block.missing(t.params); next != nil {
			t.begin(next, t.params)
		} else {
			t.ended(r.block.ID)
		}
	case r.Tries >= tries:
		t.leave(true)
	default:
		r.Tries++
		r.Until = t.q.At.Add(askingTime)
		t.repeat(r)
	}
}

// repeat puts the question that waits.
func (t *turn) repeat(r *reask) {
	asking := r.Asking
	t.choice = choice{why: ByAsk, block: r.block, item: -1}
	t.state.Asking, t.params = &asking, r.Values
	text := r.ask.Ask
	if r.Tries > 1 && r.ask.Again != "" {
		text = r.ask.Again
	}
	t.question(r.ask, text)
}

// leave ends a question with the exit block. Where it was given up, a person is offered, if the bot offers
// one to whom it does not understand.
func (t *turn) leave(givenUp bool) {
	t.choice = choice{why: ByExit, block: t.bot.ofKind(Exit), item: -1}
	t.insist = givenUp && t.bot.Settings.HandoffAfter > 0
	t.decided(kakao.Text(ExitText))
	t.ended("")
	t.state.Ended.GivenUp = givenUp
}

// ended has it remembered what the talk came to.
func (t *turn) ended(blockID string) {
	t.state.Ended = &Ended{BlockID: blockID, Values: t.params, Until: t.q.At.Add(endedTime)}
}

// endAgain ends a talk as another run of the same utterance has; it reports false where the bot has the block no more.
func (t *turn) endAgain(ended Ended) bool {
	if ended.BlockID == "" {
		t.leave(ended.GivenUp)
		return true
	}
	block := t.bot.find(func(block *Block) bool { return block.ID == ended.BlockID })
	if block == nil {
		return false
	}
	t.choice, t.params = choice{why: ByAsk, block: block, item: -1}, ended.Values
	return true
}

// question answers with a question.
func (t *turn) question(ask Ask, text string) {
	f := t.filler()
	response := kakao.Text(f.text(text))
	t.missing = f.missing
	if ask.Is == IsChoice {
		for _, choice := range ask.Choices[:min(len(ask.Choices), quickReplies)] {
			response.Template.QuickReplies = append(response.Template.QuickReplies, sayReply(choice, choice))
		}
	}
	t.decided(response)
}
