// Package access decides who may do what: tokens and their scopes, accounts of people, and the
// people of a wallet.
package access

import (
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// Scope is a right of a token. None includes another. The words are stored.
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

// Principal is who makes a call. The zero value may do nothing.
type Principal struct {
	TokenID   string
	Name      string // of the token
	AccountID string // the person that the token stands for, or empty
	Scopes    []Scope
}

// Can reports whether the principal has a scope.
func (p Principal) Can(scope Scope) bool { return slices.Contains(p.Scopes, scope) }
