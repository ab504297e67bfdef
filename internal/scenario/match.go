package scenario

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/malgil/malgil/internal/knowledge"
)

const (
	matchMost      = 40 // says and questions that are looked at: one block may have many says
	candidatesMost = 5  // answers that are told of, and offered to choose from
)

// Candidate is an answer that an utterance may ask for.
type Candidate struct {
	BlockID  string           `json:"block,omitempty"`    // "" for a knowledge item
	Question string           `json:"question,omitempty"` // of the item; "" for a block
	Words    string           `json:"words,omitempty"`    // the block's example that is most alike
	Score    int              `json:"score"`              // 0 to 100
	Parts    []knowledge.Part `json:"parts,omitempty"`    // what the score is made of

	block, item int // which one of the content; item is -1 for a block
}

// candidates returns what an utterance may ask for, best first; of those that fit alike, blocks come
// first. Of two items with the same answer it has the better one.
func (b Bot) candidates(x *index, utterance string) []Candidate {
	if x.alike == nil {
		return nil
	}
	var all []Candidate
	blocks, answers := map[int]bool{}, map[knowledge.Item]bool{}
	for _, m := range x.alike.Match(utterance, matchMost) {
		c := Candidate{Score: m.Score, Parts: m.Parts, item: -1}
		if m.Item < len(x.says) {
			said := x.says[m.Item]
			if blocks[said.block] {
				continue
			}
			blocks[said.block] = true
			c.block, c.BlockID, c.Words = said.block, b.Blocks[said.block].ID, said.words
		} else {
			c.item = m.Item - len(x.says)
			item := b.Knowledge[c.item]
			same := knowledge.Item{Answer: item.Answer, ImageURL: item.ImageURL, LandingURL: item.LandingURL}
			if answers[same] {
				continue
			}
			answers[same] = true
			c.Question = item.Question
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		if a.Score != b.Score {
			return cmp.Compare(b.Score, a.Score)
		}
		return cmp.Compare(min(a.item, 0), min(b.item, 0)) // -1 is a block
	})
	return all[:min(len(all), candidatesMost)]
}

// close returns the candidates that are good enough to answer and too close to tell apart: the first
// alone when it is clear, none when none is good enough.
func (s Settings) close(candidates []Candidate) []Candidate {
	n := 0
	for n < len(candidates) && candidates[n].Score >= max(s.MinimumAccuracy, 1) &&
		(n == 0 || s.ChooseWithin > 0 && candidates[0].Score-candidates[n].Score <= s.ChooseWithin) {
		n++
	}
	return candidates[:n]
}

// matchesJSON is what is recorded of candidates: as many as there is room for.
func matchesJSON(candidates []Candidate) string {
	var kept []Candidate
	for i, c := range candidates {
		if i > 0 {
			c.Parts = nil
		}
		kept = append(kept, c)
	}
	for ; len(kept) > 0; kept = kept[:len(kept)-1] {
		if text, err := json.Marshal(kept); err == nil && len(text) <= maxMatches {
			return string(text)
		}
	}
	return ""
}
