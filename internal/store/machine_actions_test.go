package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

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
	return map[string]func(*rapid.T){
		"":          m.check,
		"dispatch":  m.dispatch,
		"dispatch2": m.dispatch,
		"prepare":   m.prepareSome, "prepare2": m.prepareSome,
		"send": m.sendSome, "send2": m.sendSome,
		"give back": m.giveSomeBack,
		"answer":    m.answerOne, "answer2": m.answerOne,
		"look up": m.lookUpSome, "look up2": m.lookUpSome,
		"stamp":  m.stamp,
		"sweep":  m.sweep,
		"pause":  orders(m.s.Pause),
		"resume": orders(m.s.Resume),
		"cancel": func(rt *rapid.T) {
			if rapid.IntRange(0, 9).Draw(rt, "cancel") == 0 {
				orders(m.s.Cancel)(rt)
			}
		},
		"worker dies": func(rt *rapid.T) {
			if len(m.flights) > 0 {
				i := rapid.IntRange(0, len(m.flights)-1).Draw(rt, "flight")
				m.flights = slices.Delete(m.flights, i, i+1)
			}
		},
		"time goes by": func(rt *rapid.T) {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
				time.Second, time.Second, 5 * time.Second, 31 * time.Second, 31 * time.Second, 11 * time.Minute, 25 * time.Hour,
			}).Draw(rt, "time"))
		},
		"three days later": func(rt *rapid.T) {
			m.now = m.now.Add(DoubtTerm)
			m.sweep(rt)
		},
		"forget tasks": func(rt *rapid.T) {
			dead := rapid.Bool().Draw(rt, "dead")
			for _, kind := range []Work{WorkChunk, WorkResult} {
				rows, err := m.s.Waiting(background(), kind, m.now, 3)
				ok(rt, err)
				ok(rt, m.s.Forget(background(), kind, rows, dead, m.now))
			}
		},
		"wallet unpaid": func(rt *rapid.T) {
			id := rapid.SampledFrom(m.wallets).Draw(rt, "wallet")
			ok(rt, m.s.inTx(background(), func(tx *sql.Tx) error {
				if _, err := m.s.lockWallet(background(), tx, id); err != nil {
					return err
				}
				if _, err := tx.Exec(`UPDATE wallet SET payment_state = 'UNPAID' WHERE id = $1`, id); err != nil {
					return err
				}
				return m.s.recallWallet(background(), tx, id, m.now)
			}))
		},
		"recall a bot": func(rt *rapid.T) {
			bot := rapid.SampledFrom(m.bots).Draw(rt, "bot")
			ok(rt, m.s.inTx(background(), func(tx *sql.Tx) error { return m.s.recallBot(background(), tx, bot, m.now) }))
		},
		"mend":   func(*rapid.T) { m.mend() },
		"top up": func(rt *rapid.T) { m.pay(rapid.SampledFrom(m.wallets).Draw(rt, "wallet"), 60) },
		"charge": func(rt *rapid.T) {
			id := m.wallets[1]
			w, err := m.s.Wallet(background(), id)
			ok(rt, err)
			if m.topup++; w.Accrual > 0 {
				ref := fmt.Sprintf("chg_%d", m.topup)
				post1(m.t, m.s, id, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.OpenCharge(w.Accrual, ref, m.now) })
				post1(m.t, m.s, id, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
					return w.PayCharge(w.Charging, wallet.VAT(w.Charging), ref, m.now)
				})
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
		_, err := m.s.GiveBack(background(), broadcast.ChunkID(row.ID), row.Epoch, delay, m.now)
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

func (m *machine) mend() {
	exec(m.t, m.s, `UPDATE bot SET paused_reason = '', paused_at = 0`)
	exec(m.t, m.s, `UPDATE wallet SET payment_state = 'ACTIVE'`)
}
