package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/wallet/ledgertest"
)

// machine plays scheduler, workers, Kakao, the gateway and people against one store, in any order.
type machine struct {
	*purse
	t    *testing.T
	s    *Store
	now  time.Time
	turn broadcast.Turn

	wallets, bots []string
	broadcasts    []broadcast.ID

	sends, lookups []broadcast.Row // every task that was ever made; a queue may run each again
	prepared       []broadcast.Row // send tasks that have read their chunk and not claimed it yet
	flights        []flight        // requests whose answer is not recorded yet
	accepted       map[broadcast.ChunkID]int
	checked        time.Time // when all was well the last time
}

// flight is a request that a worker made and whose answer it has yet to record.
type flight struct {
	chunk   broadcast.ChunkID
	epoch   int
	verdict broadcast.Verdict
}

func background() context.Context { return context.Background() }

// newMachine puts two wallets, three bots and five broadcasts into an empty database.
func newMachine(t *testing.T, rt *rapid.T, s *Store) *machine {
	m := &machine{t: t, s: s, now: t0, accepted: make(map[broadcast.ChunkID]int)}
	m.purse = newPurse(m, rt)
	for n := range 2 {
		id := newWallet(t, s, fmt.Sprintf("wal_%d", n), 0)
		exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, $2, 'master')`, id, newAccount(t, s, "acc_"+id))
		m.wallets, m.ledgers[id] = append(m.wallets, id), ledgertest.New(machineSettlement)
		if paid := wallet.KRW(rapid.IntRange(0, 300).Draw(rt, "paid")); paid > 0 {
			m.buy(rt, id, paid)
		}
	}
	m.give(rt, m.wallets[0], wallet.FreeCash, 40, t0.AddDate(1, 0, 0))
	for _, id := range m.wallets { // vanishes in the middle of things
		m.give(rt, id, wallet.FreeCash, 150, t0.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds"))*time.Second))
	}
	for _, g := range m.gifts {
		m.use(rt, g)
	}
	for n := range 2 {
		newCard(t, s, fmt.Sprintf("crd_%d", n), "acc_"+m.wallets[1], m.wallets[1], n+1)
	}
	exec(t, s, `UPDATE wallet SET daily_limit_krw = 450 WHERE id = $1`, m.wallets[1])
	for n := range 3 {
		m.bots = append(m.bots, newBot(t, s, fmt.Sprintf("bot_%d", n), m.wallets[min(n, 1)]))
	}
	for range 5 {
		m.order(rt)
	}
	return m
}

// order lets a bot send one more broadcast; the fourth is for later and expires.
func (m *machine) order(rt *rapid.T) {
	n := len(m.broadcasts)
	o := order(fmt.Sprintf("brd_%02d", n), m.bots[n%3])
	o.StartAt, o.CreatedAt = m.now, m.now
	if n == 3 {
		o.StartAt, o.ExpiresAt = t0.Add(time.Minute), t0.Add(30*time.Hour)
	}
	people := make([]int, rapid.IntRange(1, 7).Draw(rt, "chunks"))
	for i := range people {
		people[i] = rapid.IntRange(1, 4).Draw(rt, "people")
	}
	m.broadcasts = append(m.broadcasts, running(m.t, m.s, o, people...).ID)
}

// ok fails on everything but a refusal by state.
func ok(rt *rapid.T, err error) {
	if err != nil && fault.KindOf(err) != fault.Conflict {
		rt.Fatalf("error = %v", err)
	}
}

func (m *machine) broadcast(rt *rapid.T) broadcast.ID {
	return rapid.SampledFrom(m.broadcasts).Draw(rt, "broadcast")
}

func (m *machine) dispatch(rt *rapid.T) {
	pace := broadcast.DefaultPace
	pace.MaxQueued = 6
	before := m.walletsWithFreeCashThatIsOver(rt)
	done, err := m.s.Dispatch(background(), pace, m.turn, m.now)
	ok(rt, err)
	for _, w := range before {
		after, err := m.s.Wallet(background(), w.ID)
		ok(rt, err)
		if after.Held > w.Held {
			rt.Fatalf("%s held %d and holds %d, with free cash that is to vanish among its %d", w.ID, w.Held, after.Held, w.Free)
		}
	}
	m.turn, m.sends = done.Next, append(m.sends, done.Rows...)
}

// deeds are what Kakao does with a request, and what the worker then believes.
var deeds = []struct {
	accepted bool
	verdict  broadcast.Verdict
}{
	{true, accepted("task")},
	{true, accepted("task")},
	{true, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "reset"}},
	{false, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "timeout"}},
	{false, broadcast.Verdict{Outcome: broadcast.NotSent, Reason: "busy"}},
	{false, broadcast.Verdict{Outcome: broadcast.Refused, Reason: "no such event"}},
	{false, broadcast.Verdict{Outcome: broadcast.BadConfig, Reason: "bad key"}},
}

// prepare runs a send task, perhaps not for the first time, up to its claim.
func (m *machine) prepare(rt *rapid.T, row broadcast.Row) {
	_, found, err := m.s.ChunkWork(background(), broadcast.ChunkID(row.ID), row.Epoch)
	ok(rt, err)
	if found {
		m.prepared = append(m.prepared, row)
	}
}

// send claims a prepared chunk and goes to Kakao's door with it.
func (m *machine) send(rt *rapid.T, row broadcast.Row, deed int) {
	id := broadcast.ChunkID(row.ID)
	claimed, err := m.s.ClaimChunk(background(), id, row.Epoch, m.now, m.now.Add(30*time.Second))
	ok(rt, err)
	if !claimed {
		return
	}
	if deeds[deed].accepted {
		m.accepted[id]++
	}
	m.flights = append(m.flights, flight{id, row.Epoch, deeds[deed].verdict})
}

func (m *machine) answer(rt *rapid.T, f flight) {
	_, err := m.s.RecordSend(background(), f.chunk, f.epoch, f.verdict, m.now)
	ok(rt, err)
}

// goodMinute sends what can be sent, up to the look-ups.
func (m *machine) goodMinute(rt *rapid.T) {
	m.dispatch(rt)
	for _, row := range m.sends {
		m.prepare(rt, row)
	}
	for _, row := range m.prepared {
		m.send(rt, row, 0)
	}
	for _, f := range m.flights {
		m.answer(rt, f)
	}
	m.sends, m.prepared, m.flights = nil, nil, nil
	m.pass(2 * time.Second)
	m.stamp(rt)
}

// lookUp runs a result task: complete with so many delivered, or postponed.
func (m *machine) lookUp(rt *rapid.T, row broadcast.Row, complete bool) {
	id := broadcast.ChunkID(row.ID)
	looked, found, err := m.s.SentChunk(background(), id, row.Epoch)
	ok(rt, err)
	if !found {
		return
	}
	if !complete {
		ok(rt, m.s.PostponeResult(background(), id, row.Epoch, broadcast.Postponement{NextAt: m.now.Add(5 * time.Second), Answered: true}))
		return
	}
	people := looked.Chunk.People
	delivered := rapid.IntRange(0, people).Draw(rt, "delivered")
	named := rapid.IntRange(0, people-delivered).Draw(rt, "named")
	tally := broadcast.Tally{Delivered: delivered, Failed: named, Unknown: people - delivered - named}
	_, err = m.s.SettleChunk(background(), looked.Chunk, broadcast.Settlement{Tally: tally}, m.now)
	ok(rt, err)
}

func (m *machine) stamp(rt *rapid.T) {
	sends, err := m.s.Stamp(background(), WorkChunk, m.now, 100)
	ok(rt, err)
	lookups, err := m.s.Stamp(background(), WorkResult, m.now, 100)
	ok(rt, err)
	m.sends, m.lookups = append(m.sends, sends...), append(m.lookups, lookups...)
}

func (m *machine) sweep(rt *rapid.T) {
	for _, step := range []func(context.Context, time.Time) (int, error){m.s.ExpireSending, m.s.RecallOverdue, m.s.EndDoubt} {
		_, err := step(background(), m.now)
		ok(rt, err)
	}
	_, err := m.s.RetireOver(background(), m.now)
	ok(rt, err)
	_, err = m.s.ExpireFree(background(), m.now)
	ok(rt, err)
}

// check is what holds after every step. What has ended is looked at once more at the end.
func (m *machine) check(rt *rapid.T) {
	m.checkMoney(rt)
	rows, err := m.s.read.QueryContext(background(), `SELECT `+chunkRowColumns+` FROM chunk c
		WHERE c.broadcast_id IN (SELECT id FROM broadcast WHERE finished_at = 0 OR finished_at >= $1) ORDER BY c.seq`, millis(m.checked))
	chunks, err := collect(rows, err, scanChunkRow)
	ok(rt, err)
	of := map[broadcast.ID][]chunkRow{}
	for _, c := range chunks {
		if n := m.accepted[c.ID]; n > 1 || n == 0 && c.Delivered > 0 {
			rt.Fatalf("chunk %s was accepted %d times and counts %d delivered", c.ID, n, c.Delivered)
		}
		of[c.Broadcast] = append(of[c.Broadcast], c)
	}
	rows, err = m.s.read.QueryContext(background(), `SELECT `+broadcastColumns+` FROM broadcast WHERE finished_at = 0 OR finished_at >= $1`, millis(m.checked))
	broadcasts, err := collect(rows, err, func(row scanner) (broadcast.Broadcast, error) { return scanBroadcast(row) })
	ok(rt, err)
	for _, b := range broadcasts {
		if err := countsFit(b, of[b.ID], m.revenue[b.ID]); err != nil {
			rt.Fatal(err)
		}
	}
	m.checked = m.now
}

// drain lets everything go well from now on: every broadcast and every payment must come to its end.
func (m *machine) drain(rt *rapid.T) {
	m.gateway.answer = "pays"
	for range 60 {
		m.mend(rt)
		for _, id := range m.wallets {
			m.buy(rt, id, 500)
		}
		m.till.run()
		for _, id := range m.broadcasts {
			_, err := m.s.Resume(background(), id, m.now)
			ok(rt, err)
		}
		m.sweep(rt)
		m.stamp(rt)
		m.goodMinute(rt)
		for _, row := range m.lookups {
			m.lookUp(rt, row, true)
		}
		m.lookups = nil
		m.pass(time.Minute)
		if len(texts(m.t, m.s, `SELECT id FROM broadcast WHERE finished_at = 0`)) == 0 {
			break
		}
	}
	m.settleMoney(rt)
	m.checked = time.Time{} // look at everything
	m.check(rt)
	m.replay(rt)
	for _, id := range m.broadcasts {
		b, err := m.s.Broadcast(background(), id)
		ok(rt, err)
		if b.FinishedAt.IsZero() {
			rt.Fatalf("broadcast %s is %s, waits for %q, with %d of %d done and %d planned, an hour after the last fault",
				id, b.State, b.Wait, b.Counts.Done(), b.Counts.Audience, b.PlannedChunks)
		}
	}
}
