package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// machine plays scheduler, workers, Kakao and people against one store, in any order.
type machine struct {
	t     *testing.T
	s     *Store
	now   time.Time
	turn  broadcast.Turn
	topup int

	wallets, bots []string
	broadcasts    []broadcast.ID

	sends, lookups []broadcast.Row // every task that was ever made; a queue may run each again
	prepared       []broadcast.Row // send tasks that have read their chunk and not claimed it yet
	flights        []flight        // requests whose answer is not recorded yet
	accepted       map[broadcast.ChunkID]int
}

// flight is a request that a worker made and whose answer it has yet to record.
type flight struct {
	chunk   broadcast.ChunkID
	epoch   int
	verdict broadcast.Verdict
}

func background() context.Context { return context.Background() }

// newMachine copies a migrated database and puts two wallets, three bots and five broadcasts in.
func newMachine(t *testing.T, rt *rapid.T, template string) *machine {
	dir, err := os.MkdirTemp(t.TempDir(), "machine")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "malgil.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(background(), Config{Address: "sqlite:" + path, Limits: wallet.Limits{AccrualCap: 600}, Settlement: wallet.Settlement{Threshold: 300}, Keys: testKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, s, `PRAGMA synchronous = OFF`)
	m := &machine{t: t, s: s, now: t0, accepted: make(map[broadcast.ChunkID]int)}
	for n := range 2 {
		m.wallets = append(m.wallets, newWallet(t, s, fmt.Sprintf("wal_%d", n), wallet.KRW(rapid.IntRange(0, 300).Draw(rt, "paid"))))
	}
	newGrant(t, s, m.wallets[0], "grt_0", 40, t0.AddDate(1, 0, 0), t0)
	for n, id := range m.wallets { // vanishes in the middle of things
		newGrant(t, s, id, fmt.Sprintf("grt_short_%d", n), 150, t0.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds"))*time.Second), t0)
	}
	newCard(t, s, "crd_0", newAccount(t, s, "acc_0"), m.wallets[1], 1)
	exec(t, s, `UPDATE wallet SET daily_limit_krw = 450 WHERE id = $1`, m.wallets[1])
	for n := range 3 {
		m.bots = append(m.bots, newBot(t, s, fmt.Sprintf("bot_%d", n), m.wallets[n%2]))
	}
	for n := range 5 {
		o := order(fmt.Sprintf("brd_%d", n), m.bots[n%3])
		if n == 3 {
			o.StartAt, o.ExpiresAt = t0.Add(time.Minute), t0.Add(30*time.Hour)
		}
		b := running(t, s, o, rapid.SliceOfN(rapid.IntRange(1, 4), 1, 7).Draw(rt, "people")...)
		m.broadcasts = append(m.broadcasts, b.ID)
	}
	return m
}

func (m *machine) close() {
	if err := m.s.Close(); err != nil {
		m.t.Error(err)
	}
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
	done, err := m.s.Dispatch(background(), pace, m.turn, m.now)
	ok(rt, err)
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
	_, err = m.s.SettleChunk(background(), id, row.Epoch, broadcast.Settlement{Tally: tally}, m.now)
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

func (m *machine) pay(walletID string, supply wallet.KRW) {
	m.topup++
	topUp(m.t, m.s, walletID, supply, fmt.Sprintf("cko_more_%d", m.topup), m.now)
}

// check is what holds after every step.
func (m *machine) check(rt *rapid.T) {
	for _, id := range m.wallets {
		w, err := m.s.Wallet(background(), id)
		ok(rt, err)
		if err := booksAgree(m.s, w); err != nil {
			rt.Fatal(err)
		}
		if min(w.Free, w.Paid, w.Accrual, w.Charging, w.Held, w.AccrualOld, w.Accrued) < 0 {
			rt.Fatalf("wallet has something negative: %+v", w)
		}
	}
	for _, id := range m.broadcasts {
		b, err := m.s.Broadcast(background(), id)
		ok(rt, err)
		if err := countsAgree(m.s, b); err != nil {
			rt.Fatal(err)
		}
		chunks, err := chunksOf(m.s, id)
		ok(rt, err)
		for _, c := range chunks {
			if n := m.accepted[c.ID]; n > 1 || n == 0 && c.Delivered > 0 {
				rt.Fatalf("chunk %s was accepted %d times and counts %d delivered", c.ID, n, c.Delivered)
			}
		}
	}
}

// drain lets everything go well from now on: every broadcast must come to its end.
func (m *machine) drain(rt *rapid.T) {
	for range 60 {
		m.mend()
		for _, id := range m.wallets {
			m.pay(id, 500)
		}
		for _, id := range m.broadcasts {
			_, err := m.s.Resume(background(), id, m.now)
			ok(rt, err)
		}
		m.sweep(rt)
		m.dispatch(rt)
		m.stamp(rt)
		for _, row := range m.sends {
			m.prepare(rt, row)
		}
		for _, row := range m.prepared {
			m.send(rt, row, 0)
		}
		for _, f := range m.flights {
			m.answer(rt, f)
		}
		for _, row := range m.lookups {
			m.lookUp(rt, row, true)
		}
		m.sends, m.prepared, m.flights, m.lookups = nil, nil, nil, nil
		m.now = m.now.Add(time.Minute)
	}
	m.check(rt)
	for _, id := range m.broadcasts {
		b, err := m.s.Broadcast(background(), id)
		ok(rt, err)
		if b.FinishedAt.IsZero() {
			rt.Fatalf("broadcast %s is %s, waits for %q, with %d of %d done and %d planned, an hour after the last fault",
				id, b.State, b.Wait, b.Counts.Done(), b.Counts.Audience, b.PlannedChunks)
		}
	}
}

// Whatever happens in whatever order: the books agree, everybody is counted once, nobody is in two
// accepted requests, nothing is captured that Kakao did not accept, and every broadcast ends.
func TestStorm_machine(t *testing.T) {
	template := filepath.Join(t.TempDir(), "template.db")
	s, err := Open(t.Context(), Config{Address: "sqlite:" + template, Keys: testKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, s.FirstPrice(t.Context(), price))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, rt, template)
		defer m.close()
		rt.Repeat(m.actions())
		m.drain(rt)
	})
}
