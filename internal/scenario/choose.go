package scenario

import (
	"strings"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
)

// Why is the rule by which an answer was chosen. The words are stored.
type Why string

// The rules, in their order.
const (
	ByURL       Why = "skill_url"       // the skill URL stands for the block
	ByKakao     Why = "kakao"           // Kakao names the block: it matched it, or a button leads there
	ByAsk       Why = "asked"           // a parameter was asked for
	ByExit      Why = "exit"            // words were said that leave it, or none that fit; or where nothing was asked, words that end the talk
	ByEntry     Why = "first_entry"     // the welcome
	ByWords     Why = "words"           // a block's own words were said
	ByLikeness  Why = "likeness"        // words like a block's
	ByKnowledge Why = "knowledge"       // a knowledge item
	ByTheirs    Why = "kakao_knowledge" // an item of Kakao's own knowledge base, where nothing of the bot is meant
	ByChoice    Why = "choice"          // several answers fit alike; the user is asked which one
	ByNothing   Why = "nothing"         // the fallback

	// The fallback too, whatever the words were.
	ByUnknownBlock Why = "unknown_block" // a button leads to a block that the bot does not have
	ByUnknownUser  Why = "unknown_user"  // the block asks, and nothing can be remembered of who speaks
)

// Whys lists every rule.
var Whys = []Why{ByURL, ByKakao, ByAsk, ByExit, ByEntry, ByWords, ByLikeness, ByKnowledge, ByTheirs, ByChoice, ByNothing, ByUnknownBlock, ByUnknownUser}

// choice is what is to answer: a block, an item, or one of several that the user chooses.
type choice struct {
	why        Why
	block      *Block          // nil for none
	item       int             // -1 for none
	theirs     *knowledge.Item // of Kakao's own knowledge base; nil for none
	among      []Candidate
	score      int
	candidates []Candidate // what words were compared with
	ends       bool        // the words end the talk where nothing is said of them
	welcome    *Block      // shown above the answer; nil for none
}

// choose finds what answers, apart from a re-ask: with the block that the skill URL stands for, with the
// one that Kakao names (its own fallback aside, for Kakao not understanding is when ours begins), with
// the welcome block on a first entry, above what the words lead to where that is ready, with what the words lead
// to, here or in Kakao's own knowledge base (지식+), else with the fallback.
func (b Bot) choose(x *index, q Question, first bool) choice {
	if block, why := b.named(q); block != nil {
		return choice{why: why, block: block, item: -1}
	}
	if first {
		if block := b.ofKind(Welcome); block != nil {
			return b.greet(x, q, block)
		}
	}
	if b.touchedBlock(q.Request) { // of a block that is not here; its label says nothing to match
		return choice{why: ByUnknownBlock, block: b.ofKind(Fallback), item: -1}
	}
	return b.follow(x, q)
}

// follow finds what words lead to, here or at Kakao.
func (b Bot) follow(x *index, q Question) choice {
	c := b.understand(x, q.Request.Utterance)
	if c.why == ByNothing {
		if theirs := kakaoItem(q.Request); theirs != nil {
			c.why, c.block, c.theirs = ByTheirs, nil, theirs
		}
	}
	return c
}

// greet welcomes a user who comes with a question that has its answer with both: nobody asks twice because he was
// welcomed.
func (b Bot) greet(x *index, q Question, welcome *Block) choice {
	alone := choice{why: ByEntry, block: welcome, item: -1}
	if b.touchedBlock(q.Request) || !welcome.ready() || len(welcome.Context) > 0 {
		return alone
	}
	c := b.follow(x, q)
	if c.item < 0 && c.theirs == nil && (c.block == nil || c.block.Kind != Normal || !c.block.ready()) {
		return alone
	}
	c.welcome = welcome
	return c
}

// ready reports whether all that a block does is to show its bubbles.
func (b *Block) ready() bool {
	return b.Answer != nil && b.Webhook == nil && b.Data == nil && b.Delay == 0 && len(b.Asks) == 0
}

// kakaoItem is the best item that Kakao's own knowledge base matched and whose answer can be shown; nil for none.
func kakaoItem(r kakao.SkillRequest) *knowledge.Item {
	for _, k := range r.Intent.Knowledge {
		item := knowledge.Item{Question: k.Question, Answer: k.Answer, ImageURL: k.ImageURL, LandingURL: k.LandingURL}
		if plain(k.Answer) != "" && len(kakao.Lint(itemAnswer(item))) == 0 {
			return &item
		}
	}
	return nil
}

// named finds the block that a call names: the one that the skill URL stands for, else Kakao's.
func (b Bot) named(q Question) (*Block, Why) {
	if block := b.byName(q.Block); block != nil {
		return block, ByURL
	}
	for _, name := range []string{q.Request.Block.ID, q.Request.Block.Name} {
		if block := b.byName(name); block != nil && (block.Kind != Fallback || b.touchedBlock(q.Request)) {
			return block, ByKakao
		}
	}
	return nil, ""
}

// understand finds what words lead to. A block's own words always lead to it; else what fits best, and where
// nothing does, words that leave end the talk.
func (b Bot) understand(x *index, utterance string) choice {
	utterance = heard(utterance)
	if i, found := x.words[fold(utterance)]; found {
		return choice{why: ByWords, block: &b.Blocks[i], item: -1, score: 100}
	}
	if i, found := x.question(utterance); found {
		return choice{why: ByKnowledge, item: i, score: 100}
	}
	return b.pick(b.candidates(x, utterance), x.ends(fold(utterance)))
}

// pick finds what candidates lead to; ends is that the words end the talk where no candidate is good enough.
func (b Bot) pick(candidates []Candidate, ends bool) choice {
	close := b.Settings.close(candidates)
	c := choice{item: -1, candidates: candidates, ends: ends}
	if len(candidates) > 0 {
		c.score = candidates[0].Score
	}
	switch {
	case len(close) > 1:
		c.why, c.among = ByChoice, close
	case len(close) == 0 && ends:
		c.why, c.block = ByExit, b.ofKind(Exit)
	case len(close) == 0:
		c.why, c.block = ByNothing, b.ofKind(Fallback)
	case close[0].item >= 0:
		c.why, c.item = ByKnowledge, close[0].item
	default:
		c.why, c.block = ByLikeness, &b.Blocks[close[0].block]
	}
	return c
}

// touchedBlock reports whether a button or quick reply was touched that leads to a block. Older payloads
// do not say what was touched: then a button's extra is a sign of one, and Kakao's fallback of words that
// a button said.
func (b Bot) touchedBlock(r kakao.SkillRequest) bool {
	if trigger := r.Flow.Trigger; trigger != "" {
		return strings.HasSuffix(trigger, "_BLOCK")
	}
	if r.Typed() || r.Block == (kakao.Named{}) {
		return false
	}
	for _, name := range []string{r.Block.ID, r.Block.Name} {
		if block := b.byName(name); block != nil {
			return block.Kind != Fallback
		}
	}
	return true
}
