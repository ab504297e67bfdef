// Package access decides who may do what: accounts of people, their roles, tokens and their scopes.
// It also says what the audit log keeps of what they did.
package access

import (
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// Scope bounds what a token may be used for, whatever the person behind it may do. None includes
// another. The words are stored.
type Scope string

// The scopes of tokens.
const (
	Send    Scope = "send"    // order, upload, seal, pause, resume and cancel broadcasts
	Read    Scope = "read"    // read everything that is not secret
	Billing Scope = "billing" // top up, register cards and put them on wallets, reconnect
	Admin   Scope = "admin"   // accounts, wallets, members, bots, blocks, channels, tokens
)

// Scopes lists every scope.
var Scopes = []Scope{Send, Read, Billing, Admin}

// ParseScopes checks words for scopes and returns each once, in the order of [Scopes]. An
// unknown word, and no word at all, is Invalid.
func ParseScopes(words []string) ([]Scope, error) {
	var scopes []Scope
	for _, scope := range Scopes {
		if slices.Contains(words, string(scope)) {
			scopes = append(scopes, scope)
		}
	}
	for _, word := range words {
		if !slices.Contains(Scopes, Scope(word)) {
			return nil, fault.Field("scopes", "has the unknown word %q; use %s", word, allScopes())
		}
	}
	if len(scopes) == 0 {
		return nil, fault.Field("scopes", "is empty; use one or more of %s", allScopes())
	}
	return scopes, nil
}

func allScopes() string {
	words := make([]string, len(Scopes))
	for i, scope := range Scopes {
		words[i] = string(scope)
	}
	return strings.Join(words, ", ")
}
