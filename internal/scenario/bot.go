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
	Version      int64  // of the content
	Content
	Settings Settings
}

// block finds a block by its id, else by its name.
func (b Bot) block(named string) (Block, bool) {
	if named = plain(named); named == "" {
		return Block{}, false
	}
	for _, block := range b.Blocks {
		if block.ID == named {
			return block, true
		}
	}
	return b.find(func(block Block) bool { return plain(block.Name) == named })
}

func (b Bot) ofKind(kind Kind) (Block, bool) {
	return b.find(func(block Block) bool { return block.Kind == kind })
}

// saidBy finds the normal block whose name is what the user said.
func (b Bot) saidBy(utterance string) (Block, bool) {
	words := plain(utterance)
	if words == "" {
		return Block{}, false
	}
	return b.find(func(block Block) bool { return block.Kind == Normal && plain(block.Name) == words })
}

func (b Bot) find(fits func(Block) bool) (Block, bool) {
	for _, block := range b.Blocks {
		if fits(block) {
			return block, true
		}
	}
	return Block{}, false
}

// plain makes texts comparable: phones send Hangul composed or in pieces.
func plain(text string) string { return strings.TrimSpace(norm.NFC.String(text)) }
