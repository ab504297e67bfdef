package access_test

import (
	"context"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/access"
)

// A transaction, as the store runs it.
func transact(ctx context.Context, commits bool, work func(d *access.Deed)) (access.Entry, bool) {
	d := access.DeedOf(ctx)
	undo := d.Begin()
	work(d)
	e, any := d.Entry()
	switch {
	case !commits:
		undo()
	case any:
		d.Written()
	}
	return e, any && commits
}

func TestDeed(t *testing.T) {
	wallet, bot := access.Object{Kind: access.OfWallet, ID: "wal_1"}, access.Object{Kind: access.OfBot, ID: "bot_1"}
	begin := func() context.Context {
		return access.WithDeed(t.Context(), access.Deed{Action: "a", TokenID: "tok_1"}, wallet)
	}
	nothing := func(*access.Deed) {}
	tells := func(d *access.Deed) { d.Did(bot, map[string]any{"x": 1}, nil) }
	voids := func(d *access.Deed) { d.Nothing() }

	ctx := begin()
	if e, ok := transact(ctx, true, nothing); !ok || e.Subject != wallet || e.Action != "a" || e.TokenID != "tok_1" {
		t.Errorf("the first transaction writes %+v, %v, want the subject that was known", e, ok)
	}
	if e, ok := transact(ctx, true, nothing); ok {
		t.Errorf("the second, which tells nothing, writes %+v, want nothing", e)
	}
	if e, ok := transact(ctx, true, tells); !ok || e.Subject != bot || e.Before != `{"x":1}` || e.After != "" {
		t.Errorf("a later one that tells more writes %+v, %v, want what it tells", e, ok)
	}
	if _, ok := transact(ctx, true, nothing); ok {
		t.Error("what was told once is written again")
	}

	ctx = begin()
	if _, ok := transact(ctx, true, voids); ok {
		t.Error("a transaction without effect writes something")
	}
	if e, ok := transact(ctx, false, tells); ok {
		t.Errorf("one that failed wrote %+v", e)
	}
	if e, ok := transact(ctx, true, nothing); !ok || e.Subject != wallet || e.Before != "" {
		t.Errorf("after one without effect and one that failed, %+v, %v is written, want the deed as it was known", e, ok)
	}

	if access.DeedOf(t.Context()) != nil {
		t.Error("a context without a deed has one")
	}
	transact(t.Context(), true, func(d *access.Deed) { d.Did(bot, nil, nil); d.Nothing(); d.About(bot); d.OnWallet("wal_1") })
}

func TestParseReason(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string
		refused    bool
	}{
		"none":         {},
		"trimmed":      {text: " 휴가 대체 ", want: "휴가 대체"},
		"the longest":  {text: strings.Repeat("가", 200), want: strings.Repeat("가", 200)},
		"too long":     {text: strings.Repeat("가", 201), refused: true},
		"two lines":    {text: "a\nb", refused: true},
		"not of text":  {text: "a\xff", refused: true},
		"an end of it": {text: "a\x00", refused: true},
	} {
		got, err := access.ParseReason(tt.text)
		if got != tt.want || (err != nil) != tt.refused {
			t.Errorf("%s: ParseReason(%.20q) = %q, %v, want %q, refused %v", name, tt.text, got, err, tt.want, tt.refused)
		}
	}
}

func TestChain(t *testing.T) {
	var entries []access.Entry
	var last [32]byte
	for i := range 3 {
		e := access.Entry{Seq: int64(i + 1), At: noon, Action: "a"}
		e.Hash = e.Seal(last)
		entries, last = append(entries, e), e.Hash
	}
	walk := func(entries []access.Entry, seq int64, end [32]byte) access.AuditReport {
		var c access.Chain
		for _, e := range entries {
			if broken, ok := c.Next(e); !ok {
				return broken
			}
		}
		return c.End(seq, end)
	}
	if r := walk(entries, 3, last); r.Broken != 0 || r.Entries != 3 {
		t.Errorf("a whole chain = %+v, want three that hold", r)
	}
	if r := walk(nil, 0, [32]byte{}); r.Broken != 0 || r.Entries != 0 {
		t.Errorf("an empty chain = %+v, want none that is broken", r)
	}
	if r := walk(entries[:2], 3, last); r.Broken != 3 || r.Entries != 2 {
		t.Errorf("without its end = %+v, want the third missing", r)
	}
	if r := walk(entries[1:], 3, last); r.Broken != 1 {
		t.Errorf("without its beginning = %+v, want the first missing", r)
	}
	// Fields do not run into each other: what moves from one to the next is another content.
	one, other := access.Entry{Seq: 1, Action: "ab", Reason: "c"}, access.Entry{Seq: 1, Action: "a", Reason: "bc"}
	if one.Seal(last) == other.Seal(last) {
		t.Error("two contents have one hash")
	}
}
