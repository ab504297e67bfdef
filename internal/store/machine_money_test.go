package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/wallet/ledgertest"
)

// machineSettlement is that of the wallets of a machine: they owe little.
var machineSettlement = wallet.Settlement{Threshold: 90}

// purse is the money side of a [machine]: a billing service at a gateway of moods, and the ledgers of
// the wallets as their postings tell them.
type purse struct {
	till    *till
	gateway *provider
	n       int // of what needs a number
	gifts   []wallet.Gift
	ledgers map[string]*ledgertest.Ledger
	seen    map[string]bool // postings
	last    time.Time       // of the newest of them
	revenue map[broadcast.ID]wallet.KRW
}

func newPurse(m *machine, rt *rapid.T) *purse {
	b := newTill(m.t, m.s, func(c *billing.Settings) { c.Declines, c.TopUpMin, c.Slice = 0, 1, 100 })
	p := &purse{
		till: b, gateway: newProvider(b), ledgers: map[string]*ledgertest.Ledger{}, seen: map[string]bool{},
		revenue: map[broadcast.ID]wallet.KRW{},
	}
	p.gateway.skew = time.Duration(rapid.IntRange(-5, 5).Draw(rt, "skew")) * time.Second
	return p
}

// pass lets time go by, everywhere.
func (m *machine) pass(d time.Duration) {
	m.now = m.now.Add(d)
	m.till.pass(d)
}

func (m *machine) wallet(rt *rapid.T) string {
	return rapid.SampledFrom(m.wallets).Draw(rt, "wallet")
}

// cashWallet picks a wallet that gets cash: seldom the one with cards, which is to owe something.
func (m *machine) cashWallet(rt *rapid.T) string {
	if rapid.IntRange(0, 7).Draw(rt, "with cards") == 7 {
		return m.wallets[1]
	}
	return m.wallets[0]
}

// may fails on everything but a refusal.
func may(rt *rapid.T, err error) bool {
	if kind := fault.KindOf(err); err != nil && kind != fault.Refused && kind != fault.Unavailable {
		ok(rt, err)
	}
	return err == nil
}

// give gives cash; some of what is free ends in the middle of things.
func (m *machine) give(rt *rapid.T, walletID string, kind wallet.GiftKind, amount wallet.KRW, end time.Time) {
	m.purse.n++
	g := wallet.Gift{ID: fmt.Sprintf("grt_%03d", m.purse.n), WalletID: walletID, Kind: kind, Amount: amount, Reason: "보상", CreatedAt: m.now}
	if kind == wallet.FreeCash {
		g.ExpiresAt, g.Remaining = end, amount
	}
	if _, _, err := m.s.Give(background(), g, wallet.Request{}); !may(rt, err) || kind == wallet.PaidCash {
		return
	}
	m.gifts = append(m.gifts, g)
	m.ledgers[walletID].Gift(g.ID, amount, end)
}

func (m *machine) use(rt *rapid.T, g wallet.Gift) {
	_, _, err := m.s.StartGift(background(), g.WalletID, g.ID, m.now, wallet.Request{})
	may(rt, err)
}

// buy tops a wallet up; the gateway's mood decides what comes of it.
func (m *machine) buy(rt *rapid.T, walletID string, supply wallet.KRW) {
	m.purse.n++
	c, err := m.till.StartTopUp(background(), billing.TopUpOrder{AccountID: "acc_" + walletID, WalletID: walletID, Supply: supply})
	if !may(rt, err) || rapid.IntRange(0, 9).Draw(rt, "payer goes") == 9 {
		return
	}
	for range rapid.IntRange(1, 2).Draw(rt, "returns") { // a payer who reloads the page
		_, _, err = m.till.Return(background(), c.ID, m.till.keyOf(c), "pg-token")
		ok(rt, err)
	}
}

// late is the answer of a call that was given up: the card paid after all.
func (m *machine) late(rt *rapid.T) {
	declined := texts(m.t, m.s, `SELECT id FROM attempt WHERE kind = 'charge' AND state = 'declined' ORDER BY id`)
	if len(declined) == 0 {
		return
	}
	id := rapid.SampledFrom(declined).Draw(rt, "attempt")
	a, err := m.s.Attempt(background(), id, m.now)
	ok(rt, err)
	m.gateway.taken += a.Total
	m.gateway.payments["T-"+id] = billing.Order{Status: billing.OrderPaid, Payment: billing.Payment{TID: "T-" + id, OrderID: id, Total: a.Total}}
	for n := range 2 {
		result, err := m.s.ChargePaid(background(), billing.Report{ID: id, TID: "T-" + id, At: m.now})
		ok(rt, err)
		if want := []billing.Outcome{billing.Late, billing.Skipped}[n]; result.Outcome != want {
			rt.Fatalf("payment no. %d of %s that was given up is %s, want %s", n+1, id, result.Outcome, want)
		}
	}
}

// giveBack asks for a refund; its lines go as the gateway's mood is.
func (m *machine) refund(rt *rapid.T, walletID string) {
	supply := wallet.KRW(rapid.IntRange(0, 100).Draw(rt, "refund")) // 0 is everything
	_, next, err := m.till.OpenRefund(background(), billing.RefundOrder{WalletID: walletID, Supply: supply})
	if !may(rt, err) {
		return
	}
	if rapid.IntRange(0, 2).Draw(rt, "refused") == 2 { // of few refunds some have to fail
		defer func(mood string) { m.gateway.answer = mood }(m.gateway.answer)
		m.gateway.answer = "refuses"
	}
	for _, f := range next {
		m.till.attempt(f.Row)
	}
}

// settleReviews ends refunds in review as the gateway's own list has them.
func (m *machine) settleReviews(rt *rapid.T) {
	for _, line := range texts(m.t, m.s, `SELECT r.wallet_id || ' ' || r.id || ' ' || p.tid || ' ' || l.id FROM refund r JOIN refund_line l ON l.refund_id = r.id
		JOIN attempt p ON p.subject_id = l.topup_ref AND p.kind = 'topup' WHERE r.state = 'review' AND l.state = 'open' ORDER BY l.id`) {
		part := strings.Fields(line)
		rt.Fatalf("refund %s of %s is in review: no mood of the gateway asks for a person; attempts %q", part[1], part[0], m.till.attempts(part[0]))
	}
}

// moneyActions are what people, the gateway and the sweep do to money.
func (m *machine) moneyActions() map[string]func(*rapid.T) {
	change := func(c access.WalletChange) func(*rapid.T) {
		return func(rt *rapid.T) { may(rt, m.s.ChangeWallet(background(), m.wallet(rt), c, true, m.now)) }
	}
	status := func(s wallet.Status) func(*rapid.T) { return change(access.WalletChange{Status: &s}) }
	off := func(s wallet.Status) func(*rapid.T) {
		return func(rt *rapid.T) {
			if rapid.IntRange(0, 3).Draw(rt, "really") == 3 {
				status(s)(rt)
			}
		}
	}
	limit := func(krw wallet.KRW) func(*rapid.T) { return change(access.WalletChange{DailyLimit: &krw}) }
	return map[string]func(*rapid.T){
		"top up": func(rt *rapid.T) { m.buy(rt, m.cashWallet(rt), wallet.KRW(rapid.IntRange(1, 200).Draw(rt, "supply"))) },
		"give free cash": func(rt *rapid.T) {
			end := m.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds")) * time.Second)
			if rapid.Bool().Draw(rt, "midnight") {
				end = clock.NextMidnight(m.now)
			}
			m.give(rt, m.cashWallet(rt), wallet.FreeCash, wallet.KRW(rapid.IntRange(1, 150).Draw(rt, "free")), end)
		},
		"use free cash": func(rt *rapid.T) {
			if len(m.gifts) > 0 {
				m.use(rt, m.gifts[len(m.gifts)-1-rapid.IntRange(0, min(len(m.gifts)-1, 5)).Draw(rt, "gift")])
			}
		},
		"give paid cash": func(rt *rapid.T) {
			m.give(rt, m.cashWallet(rt), wallet.PaidCash, wallet.KRW(rapid.IntRange(1, 40).Draw(rt, "paid")), time.Time{})
		},
		"gateway": func(rt *rapid.T) {
			m.gateway.answer = rapid.SampledFrom([]string{"pays", "pays", "pays", "pays, answer lost", "pays, every other answer lost", "request lost",
				"not sent", "broken access", "refuses", "declines", "declines", "silent", "dormant"}).Draw(rt, "mood")
		},
		"bill":            func(*rapid.T) { m.till.run() },
		"refund":          func(rt *rapid.T) { m.refund(rt, m.wallet(rt)) },
		"reconnect":       func(rt *rapid.T) { may(rt, m.s.Reconnect(background(), m.wallet(rt))) },
		"stop":            off(wallet.Stopped),
		"suspend":         off(wallet.Suspended),
		"in use":          status(wallet.InUse),
		"low daily limit": limit(100), "daily limit": limit(450),
		"price": func(rt *rapid.T) {
			p := wallet.Price{Item: wallet.EventMessage, KRW: wallet.KRW(rapid.IntRange(0, 20).Draw(rt, "price")), ValidFrom: clock.NextMidnight(m.now)}
			ok(rt, m.s.PutPrice(background(), p))
		},
		"look up many": m.lookUpMany,
		"late":         m.late,
		"reconcile":    m.reconcile,
	}
}

// reconcile corrects what late evidence says of messages that were not captured.
func (m *machine) reconcile(rt *rapid.T) { m.correct(rt, m.wallet(rt)) }

func (m *machine) correct(rt *rapid.T, walletID string) {
	found, _, err := m.s.CompareMessages(background(), reconcile.Mark{Wallet: walletID}, reconcile.Window{To: m.now})
	ok(rt, err)
	for _, f := range found {
		for n := range 2 {
			posted, _, err := m.s.CorrectChunk(background(), reconcile.Correction{WalletID: walletID, Kind: f.Kind, Subject: f.Subject, Difference: f.Difference(), At: m.now}, nil)
			ok(rt, err)
			if (posted != nil) != (n == 0) {
				rt.Fatalf("correction no. %d of %+v = %+v, want one posting", n+1, f, posted)
			}
		}
	}
}

// lookUpMany settles chunks of one wallet together, as result workers do that wait for one
// another; some of the tasks are run twice.
func (m *machine) lookUpMany(rt *rapid.T) {
	byWallet := map[string][]*settling{}
	for _, row := range m.lookups[max(0, len(m.lookups)-8):] {
		looked, found, err := m.s.SentChunk(background(), broadcast.ChunkID(row.ID), row.Epoch)
		ok(rt, err)
		if !found {
			continue
		}
		c := looked.Chunk
		delivered := rapid.IntRange(0, c.People).Draw(rt, "delivered")
		one := &settling{chunk: c, now: m.now,
			Settlement: broadcast.Settlement{Tally: broadcast.Tally{Delivered: delivered, Failed: c.People - delivered}}}
		byWallet[c.WalletID] = append(byWallet[c.WalletID], one)
	}
	for _, walletID := range slices.Sorted(maps.Keys(byWallet)) {
		all := byWallet[walletID]
		again := *all[0]
		ok(rt, m.s.settleAll(background(), walletID, append(all, &again)))
		for _, one := range all {
			if !one.ok {
				rt.Fatalf("chunk %s was sent and is not settled", one.chunk.ID)
			}
		}
		if again.ok {
			rt.Fatalf("chunk %s was settled twice", again.chunk.ID)
		}
	}
}
