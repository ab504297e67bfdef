// Package scenario decides what a bot answers: an utterance in, an answer out. It knows blocks
// and users, and neither how a call came in nor how its answer leaves.
package scenario

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Bot (봇) is a chatbot with all that one of its sides can say.
type Bot struct {
	ID, Name     string
	SkillKeyHash []byte // SHA-256 of the key in the bot's skill URLs
	Version      int64  // of the content; 0 while the side runs none
	Failing      int64  // version that the side is to run and that cannot be had; Version is the one before. 0 for none
	Content
	Settings Settings
	Script   *Script // the content, ready to answer; nil where it is not compiled yet
}

// byName finds a block by its id, else by its name; nil when there is none.
func (b Bot) byName(named string) *Block {
	if named = plain(named); named == "" {
		return nil
	}
	if block := b.find(func(block *Block) bool { return block.ID == named }); block != nil {
		return block
	}
	return b.find(func(block *Block) bool { return plain(block.Name) == named })
}

func (b Bot) ofKind(kind Kind) *Block {
	return b.find(func(block *Block) bool { return block.Kind == kind })
}

func (b Bot) find(fits func(*Block) bool) *Block {
	for i := range b.Blocks {
		if fits(&b.Blocks[i]) {
			return &b.Blocks[i]
		}
	}
	return nil
}

// index finds what words lead to.
func (b Bot) index() *index {
	if b.Script != nil && b.Script.index != nil {
		return b.Script.index
	}
	return newIndex(b.Content)
}

// plain makes texts comparable: phones send Hangul composed or in pieces.
func plain(text string) string { return strings.TrimSpace(norm.NFC.String(text)) }
