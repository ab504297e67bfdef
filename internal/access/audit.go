package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Entry is one line of the audit log: who did what to what, when and why. Entries are numbered
// from 1 without gaps and chained: each has a hash over that of the one before and its own content,
// so that a changed, removed or inserted line is found by [Chain].
type Entry struct {
	Seq       int64
	At        time.Time
	TokenID   string // of the caller; empty at the terminal of the machine and in a payer's browser
	AccountID string // the person whom the token stands for, or empty
	Action    string
	Subject   Object
	WalletID  string // the wallet that it concerns, or empty
	Reason    string
	Before    string // JSON of the subject, as far as it changed; empty for nothing
	After     string // likewise
	Hash      [sha256.Size]byte
}

// Seal returns the hash of an entry that follows one with another hash: SHA-256 over that hash and
// the entry as a JSON array of its number, its time in Unix milliseconds and its texts, in the order
// of the fields. The hash before the first entry is all zero.
func (e Entry) Seal(before [sha256.Size]byte) [sha256.Size]byte {
	content, err := json.Marshal([]any{
		e.Seq, e.At.UnixMilli(), e.TokenID, e.AccountID, e.Action, e.Subject.Kind, e.Subject.ID, e.WalletID, e.Reason, e.Before, e.After,
	})
	if err != nil {
		panic(fmt.Sprintf("numbers and texts encode to JSON: %v", err))
	}
	return sha256.Sum256(append(before[:], content...))
}

// AuditReport is what a walk along the chain found.
type AuditReport struct {
	Entries int64  // that hold
	Head    string // hash of the last of them in hex; keep it elsewhere, and no one can rewrite what is before it
	Broken  int64  // number of the first that does not hold; 0 when all do
	Why     string // what is wrong with it
}

// Chain walks along the audit log. The zero value stands before the first entry.
type Chain struct {
	seq  int64
	hash [sha256.Size]byte
}

// Next goes on to the next entry. When that does not hold, ok is false and the report says why.
func (c *Chain) Next(e Entry) (broken AuditReport, ok bool) {
	switch {
	case e.Seq != c.seq+1:
		return c.report(c.seq+1, "it is missing"), false
	case e.Seal(c.hash) != e.Hash:
		return c.report(e.Seq, "it, or what was before it, is not what was written"), false
	}
	c.seq, c.hash = e.Seq, e.Hash
	return AuditReport{}, true
}

// End reports what the walk found, when the log is known to have so many entries and such a last
// hash.
func (c *Chain) End(seq int64, hash [sha256.Size]byte) AuditReport {
	switch {
	case c.seq < seq:
		return c.report(c.seq+1, "it is missing, with all that came after it")
	case c.hash != hash:
		return c.report(max(c.seq, 1), "the log is known to end with another hash")
	}
	return c.report(0, "")
}

func (c *Chain) report(broken int64, why string) AuditReport {
	return AuditReport{Entries: c.seq, Head: hex.EncodeToString(c.hash[:]), Broken: broken, Why: why}
}
