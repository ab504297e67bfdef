package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// actions are what may happen next.
func (m *machine) actions() map[string]func(*rapid.T) {
	orders := func(do func(context.Context, broadcast.ID, time.Time) (broadcast.Broadcast, error)) func(*rapid.T) {
		return func(rt *rapid.T) {
			_, err := do(background(), m.broadcast(rt), m.now)
			ok(rt, err)
		}
	}
	all := map[string]func(*rapid.T){
		"a good minute": m.goodMinute,
		"dispatch":      m.dispatch,
		"prepare":       m.prepareSome,
		"send":          m.sendSome,
		"give back":     m.giveSomeBack,
		"answer":        m.answerOne,
		"look up":       m.lookUpSome,
		"stamp":         m.stamp,
		"sweep":         m.sweep,
		"pause":         orders(m.s.Pause),
		"resume":        orders(m.s.Resume),
		"cancel": func(rt *rapid.T) {
			if rapid.IntRange(0, 9).Draw(rt, "cancel") == 0 {
				orders(m.s.Cancel)(rt)
			}
		},
		"worker dies": func(rt *rapid.T) {
			if len(m.flights) > 0 && rapid.IntRange(0, 3).Draw(rt, "really") == 3 {
				i := rapid.IntRange(0, len(m.flights)-1).Draw(rt, "flight")
				m.flights = slices.Delete(m.flights, i, i+1)
			}
		},
		"time goes by": func(rt *rapid.T) {
			m.pass(rapid.SampledFrom([]time.Duration{
				time.Second, time.Second, 5 * time.Second, 31 * time.Second, 31 * time.Second, 11 * time.Minute, 25 * time.Hour,
			}).Draw(rt, "time"))
		},
		"three days later": func(rt *rapid.T) {
			if rapid.IntRange(0, 3).Draw(rt, "really") == 3 {
				m.pass(DoubtTerm)
				m.sweep(rt)
			}
		},
		"forget tasks": func(rt *rapid.T) {
			dead := rapid.Bool().Draw(rt, "dead")
			for _, kind := range []Work{WorkChunk, WorkResult} {
				rows, err := m.s.Waiting(background(), kind, m.now, 3)
				ok(rt, err)
				ok(rt, m.s.Forget(background(), kind, rows, dead, m.now))
			}
		},
		"recall a bot": func(rt *rapid.T) {
			bot := rapid.SampledFrom(m.bots).Draw(rt, "bot")
			ok(rt, m.s.inTx(background(), func(tx *sql.Tx) error { return m.s.recallBot(background(), tx, bot, m.now) }))
		},
		"mend": m.mend,
		"order": func(rt *rapid.T) {
			if len(m.broadcasts) < 50 {
				m.order(rt)
			}
		},
		"evidence": func(rt *rapid.T) {
			ids := make([]string, 0, len(m.accepted))
			for id := range m.accepted {
				ids = append(ids, string(id))
			}
			slices.Sort(ids)
			user := byte(rapid.IntRange(0, 5).Draw(rt, "user"))
			for _, id := range ids {
				exec(m.t, m.s, `INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
					id, []byte{user}, millis(m.now))
			}
		},
	}
	maps.Copy(all, m.moneyActions())
	return all
}

func (m *machine) prepareSome(rt *rapid.T) {
	if len(m.sends) > 0 {
		m.prepare(rt, m.sends[len(m.sends)-1-rapid.IntRange(0, min(len(m.sends)-1, 9)).Draw(rt, "task")])
	}
}

func (m *machine) sendSome(rt *rapid.T) {
	if len(m.prepared) > 0 {
		i := rapid.IntRange(0, len(m.prepared)-1).Draw(rt, "prepared")
		row := m.prepared[i]
		m.prepared = slices.Delete(m.prepared, i, i+1)
		m.send(rt, row, rapid.IntRange(0, len(deeds)-1).Draw(rt, "deed"))
	}
}

// giveSomeBack gives a prepared chunk back, as a worker does whose bot sends as much as it may.
func (m *machine) giveSomeBack(rt *rapid.T) {
	if len(m.prepared) > 0 {
		i := rapid.IntRange(0, len(m.prepared)-1).Draw(rt, "prepared")
		row := m.prepared[i]
		m.prepared = slices.Delete(m.prepared, i, i+1)
		delay := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(rt, "delay")
		_, err := m.s.GiveBack(background(), broadcast.ChunkID(row.ID), row.Epoch, rapid.SampledFrom([]broadcast.Wait{broadcast.WaitRate, broadcast.WaitKakao}).Draw(rt, "why"), delay, m.now)
		ok(rt, err)
	}
}

// answerOne records an answer, sometimes twice.
func (m *machine) answerOne(rt *rapid.T) {
	if len(m.flights) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.flights)-1).Draw(rt, "flight")
	m.answer(rt, m.flights[i])
	if rapid.IntRange(0, 4).Draw(rt, "again") > 0 {
		m.flights = slices.Delete(m.flights, i, i+1)
	}
}

func (m *machine) lookUpSome(rt *rapid.T) {
	if len(m.lookups) > 0 {
		row := m.lookups[len(m.lookups)-1-rapid.IntRange(0, min(len(m.lookups)-1, 9)).Draw(rt, "task")]
		m.lookUp(rt, row, rapid.IntRange(0, 3).Draw(rt, "complete") > 0)
	}
}

// mend turns on again what is off: bots that were paused, wallets that were stopped or have paid.
func (m *machine) mend(rt *rapid.T) {
	exec(m.t, m.s, `UPDATE bot SET paused_reason = '', paused_at = 0`)
	inUse := wallet.InUse
	for _, id := range m.wallets {
		may(rt, m.s.ChangeWallet(background(), id, access.WalletChange{Status: &inUse}, true, m.now))
		may(rt, m.s.Reconnect(background(), id))
	}
}
