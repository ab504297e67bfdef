package access

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Deed is one thing that somebody does to people, rights, wallets, cards, bots, tokens, money or
// broadcasts. It travels in the context of a call to the transaction of its effect, and is written
// into the audit log there: the first transaction that commits with it writes it, and so does any
// later one that tells more with [Deed.Did]. It is not safe for concurrent use.
type Deed struct {
	TokenID   string // of the caller; empty at the terminal of the machine and in a payer's browser
	AccountID string // the person whom the token stands for, or empty
	Action    string // as in "put-member"
	Reason    string // as the caller gave it, or empty
	At        time.Time

	note deedNote
	done bool // written before, and nothing told since
}

// deedNote is what the transaction of the effect tells of a deed.
type deedNote struct {
	subject       Object
	walletID      string // whose wallet it concerns, or empty
	before, after string // JSON, or empty
	told, nothing bool
}

type deedKey struct{}

// WithDeed returns a context in which a deed is done to a subject, unless its transaction tells
// another.
func WithDeed(ctx context.Context, d Deed, subject Object) context.Context {
	d.note.subject = subject
	return context.WithValue(ctx, deedKey{}, &d)
}

// DeedOf returns the deed of a context, nil where none is done. The methods of a deed take nil.
func DeedOf(ctx context.Context) *Deed {
	d, _ := ctx.Value(deedKey{}).(*Deed)
	return d
}

// About tells that the deed is done to another subject than was known before.
func (d *Deed) About(subject Object) {
	if d != nil {
		d.note.subject = subject
	}
}

// Did tells what the subject was before and is after, as what encodes to JSON; nil for nothing.
// Neither may hold a secret.
func (d *Deed) Did(subject Object, before, after any) {
	if d == nil {
		return
	}
	d.note = deedNote{subject: subject, before: plain(before), after: plain(after), told: true, walletID: d.note.walletID}
}

// OnWallet tells which wallet the deed concerns, where the subject does not.
func (d *Deed) OnWallet(id string) {
	if d != nil {
		d.note.walletID = id
	}
}

// Nothing tells that the transaction had no effect: things stood that way, or the call was
// repeated.
func (d *Deed) Nothing() {
	if d != nil {
		d.note.nothing = true
	}
}

// plain encodes what is told of a subject. What cannot be encoded is a mistake of ours that must
// not undo the deed.
func plain(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return `"not shown"`
	}
	return string(text)
}

// Begin is called when a transaction begins and returns what takes back what the transaction told,
// for when it fails.
func (d *Deed) Begin() (undo func()) {
	if d == nil {
		return func() {}
	}
	before := *d
	d.note.told, d.note.nothing = false, false
	return func() { *d = before }
}

// Entry returns what the transaction that is about to commit writes, and whether it writes anything.
func (d *Deed) Entry() (Entry, bool) {
	if d == nil || d.note.nothing || (d.done && !d.note.told) {
		return Entry{}, false
	}
	return Entry{
		At: d.At, TokenID: d.TokenID, AccountID: d.AccountID, Action: d.Action, Reason: d.Reason,
		Subject: d.note.subject, WalletID: d.note.walletID, Before: d.note.before, After: d.note.after,
	}, true
}

// Written is called when a transaction has committed what [Deed.Entry] returned.
func (d *Deed) Written() { d.done = true }

// maxReason bounds a reason, in characters.
const maxReason = 200

// ParseReason checks why somebody says that he does something: one line.
func ParseReason(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text):
		return "", fmt.Errorf("is not UTF-8")
	case utf8.RuneCountInString(text) > maxReason:
		return "", fmt.Errorf("must be at most %d characters", maxReason)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("must be one line")
	}
	return text, nil
}
