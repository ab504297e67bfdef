package scenario

import (
	"context"
	"fmt"
)

// Explanation is what words lead to on one side of a bot, and why.
type Explanation struct {
	BotID, Side string
	Version     int64
	Failing     int64 // see [Bot.Failing]
	Utterance   string

	Why   Why
	Block *Block // that would answer; nil for none
	Item  string // question of the knowledge item that would answer; "" for none
	Score int    // of what would answer, else of what is most like it

	Minimum      int // from which score on words are an answer's
	ChooseWithin int // scores that are this close to the best are offered to choose from; 0 never

	Candidates []Candidate // what the words were compared with, best first, each with its parts
	Among      int         // so many of them, from the first on, would be offered to choose from; 0 for none
}

// Explain tells what words would lead to that a user types, who has been here before and is asked for
// nothing. It is NotFound when there is no such bot. Nobody is remembered for it and nothing recorded.
func (s *Service) Explain(ctx context.Context, botID, side, utterance string) (Explanation, error) {
	bot, err := s.bots.Bot(ctx, botID, side)
	if err != nil {
		return Explanation{}, fmt.Errorf("load bot %s: %w", botID, err)
	}
	x, words := bot.index(), heard(utterance)
	c := bot.understand(x, words)
	explained := Explanation{
		BotID: botID, Side: side, Version: bot.Version, Failing: bot.Failing, Utterance: utterance,
		Why: c.why, Block: c.block, Score: c.score, Minimum: bot.Settings.MinimumAccuracy, ChooseWithin: bot.Settings.ChooseWithin,
		Candidates: bot.candidates(x, words), Among: len(c.among),
	}
	if c.item >= 0 {
		explained.Item = bot.Knowledge[c.item].Question
	}
	return explained, nil
}

// nearTwin is the score from which on words for one answer are much like those for another: whoever says
// them in his own way may be asked which one is meant, or gets the other.
const nearTwin = 80

// Near tells which answers of the bot, other than the item that has it, are much like a question, best
// first. A block whose own words the question is comes first, and before the item too.
func (b Bot) Near(question string) (near []Candidate) {
	x := b.index()
	if i, found := x.words[fold(question)]; found {
		return []Candidate{{BlockID: b.Blocks[i].ID, Words: question, Score: 100, block: i, item: -1}}
	}
	for _, c := range b.candidates(x, question) {
		if c.Score >= nearTwin && (c.item < 0 || fold(c.Question) != fold(question)) {
			c.Parts = nil
			near = append(near, c)
		}
	}
	return near
}

// Replay answers words again on one side of a bot; see [Bot.Replay].
func (s *Service) Replay(ctx context.Context, botID, side string, heard []Heard, minimums []int) (Replay, error) {
	bot, err := s.bots.Bot(ctx, botID, side)
	if err != nil {
		return Replay{}, fmt.Errorf("load bot %s: %w", botID, err)
	}
	return bot.Replay(ctx, heard, minimums)
}

// GroupUnanswered puts words together that a side of a bot has no answer to; see [Bot.GroupUnanswered].
func (s *Service) GroupUnanswered(ctx context.Context, botID, side string, heard []Heard, most int) ([]Unanswered, error) {
	bot, err := s.bots.Bot(ctx, botID, side)
	if err != nil {
		return nil, fmt.Errorf("load bot %s: %w", botID, err)
	}
	return bot.GroupUnanswered(ctx, heard, most)
}
