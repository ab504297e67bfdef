package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/wallet/ledgertest"
)

// readPostings replays what was posted since the last time, in the order in which it was.
func (m *machine) readPostings(rt *rapid.T) {
	for _, one := range m.posted(rt, m.last) {
		p := one.Posting
		if m.seen[one.key()] {
			continue
		}
		m.seen[one.key()], m.last = true, p.At
		if err := m.ledgers[one.walletID].Add(p); err != nil {
			rt.Fatal(err)
		}
		if p.Kind == wallet.Capture || p.Kind == wallet.Correction {
			id := strings.TrimPrefix(p.Ref, wallet.CorrectsCapture+"/")
			m.revenue[broadcast.ID(id[:strings.LastIndex(id, "-")])] += p.Revenue
		}
	}
}

// posted is a posting with its wallet.
type posted struct {
	wallet.Posting
	walletID string
}

func (p posted) key() string { return p.walletID + " " + string(p.Kind) + " " + p.Ref }

// posted lists postings since a time as they were inserted: PostgreSQL numbers transactions in the
// order in which they first write, which is theirs while one follows another.
func (m *machine) posted(rt *rapid.T, since time.Time) []posted {
	inserted := `rowid`
	if !m.s.Embedded() {
		inserted = `CAST(CAST(xmin AS TEXT) AS BIGINT), ctid`
	}
	rows, err := m.s.read.QueryContext(background(), `SELECT `+postingColumns+`, wallet_id FROM posting WHERE at >= $1 ORDER BY `+inserted, millis(since))
	all, err := collect(rows, err, func(row scanner) (p posted, err error) {
		p.Posting, err = scanPosting(scanAlso{row, &p.walletID})
		return p, err
	})
	ok(rt, err)
	if !since.IsZero() && !slices.ContainsFunc(all, func(p posted) bool { return !m.seen[p.key()] }) {
		return nil // nothing is new, as after most steps
	}
	rows, err = m.s.read.QueryContext(background(), `SELECT u.kind || ' ' || u.ref, u.grant_id, u.amount_krw FROM grant_use u
		JOIN posting p ON p.wallet_id = u.wallet_id AND p.kind = u.kind AND p.ref = u.ref JOIN free_grant g ON g.id = u.grant_id
		WHERE p.at >= $1 ORDER BY g.expires_at, g.id`, millis(since))
	uses := map[string][]wallet.GrantUse{}
	_, err = collect(rows, err, func(row scanner) (u wallet.GrantUse, err error) {
		var of string
		err = row.Scan(&of, &u.GrantID, &u.Amount)
		uses[of] = append(uses[of], u)
		return u, err
	})
	ok(rt, err)
	for i, p := range all {
		all[i].Grants = uses[string(p.Kind)+" "+p.Ref]
	}
	return all
}

// scanAlso scans one column more than it is asked for.
type scanAlso struct {
	scanner
	more any
}

func (s scanAlso) Scan(dest ...any) error { return s.scanner.Scan(append(dest, s.more)...) }

// checkMoney is what holds of wallets and their postings after every step.
func (m *machine) checkMoney(rt *rapid.T) {
	m.readPostings(rt)
	held := map[string]wallet.KRW{}
	rows, err := m.s.read.QueryContext(background(), `SELECT `+walletColumns+`, CAST(COALESCE((SELECT SUM(hold_krw) FROM chunk
		WHERE wallet_id = wallet.id AND state IN ('queued', 'sending', 'sent', 'in_doubt')), 0) AS BIGINT) FROM wallet`)
	wallets, err := collect(rows, err, func(row scanner) (wallet.Wallet, error) {
		var krw wallet.KRW
		w, err := m.s.scanWallet(scanAlso{row, &krw})
		held[w.ID] = krw
		return w, err
	})
	ok(rt, err)
	left := m.sums(rt, `SELECT id, remaining_krw FROM free_grant WHERE started_at > 0`)
	expected := map[string]wallet.KRW{}
	for _, w := range wallets {
		if err := m.ledgers[w.ID].Check(w, m.now); err != nil {
			rt.Fatalf("%s: %v", w.ID, err)
		}
		if w.Held != held[w.ID] {
			rt.Fatalf("%s holds %d, its chunks %d", w.ID, w.Held, held[w.ID])
		}
		maps.Copy(expected, m.ledgers[w.ID].Remaining())
	}
	if !maps.Equal(left, expected) {
		rt.Fatalf("gifts have %v left, by the postings %v", left, expected)
	}
}

// walletsWithFreeCashThatIsOver lists wallets of which some has to vanish: nothing may be held meanwhile.
func (m *machine) walletsWithFreeCashThatIsOver(rt *rapid.T) (over []wallet.Wallet) {
	m.readPostings(rt) // some of it may have vanished within this step
	for _, id := range m.wallets {
		left := m.ledgers[id].Remaining()
		if !slices.ContainsFunc(m.gifts, func(g wallet.Gift) bool { return g.WalletID == id && left[g.ID] > 0 && !m.now.Before(g.ExpiresAt) }) {
			continue
		}
		w, err := m.s.Wallet(background(), id)
		ok(rt, err)
		if w.Free > w.Held {
			over = append(over, w)
		}
	}
	return over
}

// sums reads an amount by id.
func (m *machine) sums(rt *rapid.T, query string) map[string]wallet.KRW {
	sums := map[string]wallet.KRW{}
	rows, err := m.s.read.QueryContext(background(), query)
	_, err = collect(rows, err, func(row scanner) (struct{}, error) {
		var id string
		var krw wallet.KRW
		err := row.Scan(&id, &krw)
		sums[id] = krw
		return struct{}{}, err
	})
	ok(rt, err)
	return sums
}

// replay reads all postings again and makes the wallets of them.
func (m *machine) replay(rt *rapid.T) {
	again := map[string]*ledgertest.Ledger{}
	for _, id := range m.wallets {
		again[id] = ledgertest.New(machineSettlement)
	}
	for _, g := range m.gifts {
		again[g.WalletID].Gift(g.ID, g.Amount, g.ExpiresAt)
	}
	for _, p := range m.posted(rt, time.Time{}) {
		if err := again[p.walletID].Add(p.Posting); err != nil {
			rt.Fatalf("replay: %v", err)
		}
	}
	var moved wallet.KRW
	differs, err := m.s.CompareBalances(background(), m.wallets)
	ok(rt, err)
	for _, id := range m.wallets {
		for _, compare := range []func(context.Context, reconcile.Mark, reconcile.Window) ([]reconcile.Finding, *reconcile.Mark, error){m.s.CompareMessages, m.s.ComparePostings} {
			more, _, err := compare(background(), reconcile.Mark{Wallet: id}, reconcile.Window{To: m.now})
			ok(rt, err)
			differs = append(differs, more...)
		}
		w, err := m.s.Wallet(background(), id)
		ok(rt, err)
		if err := errors.Join(again[id].Check(w, m.now), booksAgree(m.s, w)); err != nil {
			rt.Fatalf("replay of %s: %v", id, err)
		}
		moved -= again[id].Legs.Clearing
	}
	if len(differs) > 0 {
		rt.Fatalf("a comparison of messages, postings and balances finds %+v", differs)
	}
	if m.gateway.taken != moved {
		rt.Fatalf("%d came in by the ledger, the gateway took %d; attempts %q", moved, m.gateway.taken, texts(m.t, m.s, `SELECT kind || ' ' || state || ' ' || reason FROM attempt`))
	}
}

// settleMoney lets the gateway answer until no payment is under way.
func (m *machine) settleMoney(rt *rapid.T) {
	m.gateway.answer = "pays"
	for range 60 {
		m.till.run()
		if len(texts(m.t, m.s, `SELECT id FROM attempt WHERE state IN ('prepared', 'calling', 'unknown')`)) == 0 {
			break
		}
		m.pass(time.Hour)
	}
	m.settleReviews(rt)
	for _, id := range m.wallets {
		m.correct(rt, id)
	}
	want(m.t, "payments under way after two days with a gateway that answers", texts(m.t, m.s, `SELECT kind || ' ' || state FROM attempt WHERE state IN ('prepared', 'calling', 'unknown')`))
	m.checkMoney(rt)
}
