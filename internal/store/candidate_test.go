package store

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
)

// copies of a row get a number behind each of these columns.
func insertCopies(t *testing.T, s *Store, table, columns, where string, n int, numbered ...string) {
	t.Helper()
	selected := strings.Split(columns, ",")
	for i, column := range selected {
		column = strings.TrimSpace(column)
		for _, name := range numbered {
			if column == name {
				column += ` || '-' || i`
			}
		}
		selected[i] = column
	}
	exec(t, s, `INSERT INTO `+table+` (`+columns+`) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT `+strings.Join(selected, ", ")+` FROM `+table+`, n WHERE `+where, n)
}

const (
	walletCopy = `id, name, kind, business_number, invoice_email, status, payment_state, unpaid_since, free_krw, paid_krw,
		accrual_krw, charging_krw, held_krw, daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw, next_charge_at,
		charge_epoch, charge_enqueued_at, created_at`
	botCopy = `id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight, paused_reason, paused_at,
		version, created_at`
	chunkCopy = `broadcast_id, upload_epoch, wallet_id, bot_id, id, seq, people, recipients, state, epoch, next_at,
		enqueued_at, attempts, dead, lease_until, send_by, hold_krw, task_id, sent_at, doubt_at, unconfirmed, delivered,
		failed, unknown, skipped, result, error`
)

// Whatever stands before it and does not move, a broadcast comes to its turn.
func TestDispatch_everyTurnComes(t *testing.T) {
	const crowd = 700
	tests := map[string]struct {
		standing func(t *testing.T, s *Store)
		most     int // dispatches until the newest broadcast moves
	}{
		// The wallets turn out to be empty, and are then passed over.
		"empty wallets": {func(t *testing.T, s *Store) {
			_, poor := shop(t, s, "poor", 0)
			running(t, s, order("brd_a", poor), 1)
			insertCopies(t, s, "wallet", walletCopy, "id = 'wal_poor'", crowd, "id")
			insertCopies(t, s, "bot", botCopy, "id = 'bot_poor'", crowd, "id", "wallet_id")
			insertCopies(t, s, "broadcast", broadcastColumns, "id = 'brd_a'", crowd, "id", "wallet_id", "bot_id")
			insertCopies(t, s, "chunk", chunkCopy, "broadcast_id = 'brd_a'", crowd, "id", "broadcast_id", "wallet_id", "bot_id")
		}, 3},
		"many broadcasts of one empty wallet": {func(t *testing.T, s *Store) {
			_, poor := shop(t, s, "one", 0)
			running(t, s, order("brd_a", poor), 1)
			insertCopies(t, s, "broadcast", broadcastColumns, "id = 'brd_a'", crowd, "id")
			insertCopies(t, s, "chunk", chunkCopy, "broadcast_id = 'brd_a'", crowd, "id", "broadcast_id")
		}, 1},
		// They have money and wait for nothing but the end of a delay after a try.
		"wallets whose chunks are delayed": {func(t *testing.T, s *Store) {
			_, slow := shop(t, s, "slow", 1000)
			running(t, s, order("brd_a", slow), 1)
			exec(t, s, `UPDATE chunk SET next_at = $1`, millis(never))
			insertCopies(t, s, "wallet", walletCopy, "id = 'wal_slow'", crowd, "id")
			insertCopies(t, s, "bot", botCopy, "id = 'bot_slow'", crowd, "id", "wallet_id")
			insertCopies(t, s, "broadcast", broadcastColumns, "id = 'brd_a'", crowd, "id", "wallet_id", "bot_id")
			insertCopies(t, s, "chunk", chunkCopy, "broadcast_id = 'brd_a'", crowd, "id", "broadcast_id", "wallet_id", "bot_id")
		}, crowd/maxInTurn + 2},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_rich", 1000)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for _, table := range []string{"chunk", "broadcast", "channel", "bot"} {
					exec(t, s, `DELETE FROM `+table)
				}
				tt.standing(t, s)
				rich := newBot(t, s, "bot_rich", "wal_rich")
				late := order("brd_z", rich)
				late.StartAt = t0.Add(time.Minute)
				running(t, s, late, 1)
				var turn broadcast.Turn
				for n := 1; ; n++ {
					done, err := s.Dispatch(t.Context(), broadcast.DefaultPace, turn, t0.Add(time.Hour))
					if err != nil {
						t.Fatal(err)
					}
					if len(done.Rows) == 1 && done.Rows[0].ID == "brd_z-000001" {
						return
					}
					if len(done.Rows) > 0 || n == tt.most {
						t.Fatalf("after %d dispatches the last queued %v, want the one chunk of the wallet that can pay within %d", n, done.Rows, tt.most)
					}
					turn = done.Next
				}
			})
		}
	})
}

// Everything that waits is looked at once in a round: who gets money moves within one.
func TestDispatch_looksAtAllInTurn(t *testing.T) {
	const crowd = 250
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, poor := shop(t, s, "poor", 0)
		running(t, s, order("brd_a", poor), 1)
		insertCopies(t, s, "broadcast", broadcastColumns, "id = 'brd_a'", crowd-1, "id")
		exec(t, s, `UPDATE broadcast SET wait_reason = 'funds'`)
		looked := map[broadcast.ID]int{}
		var after broadcast.ID
		for range 5 {
			tx, err := s.write.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			list, next, err := candidates(t.Context(), tx, after, t0)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err != nil || len(list) != maxInTurn {
				t.Fatalf("candidates(after %q) = %d broadcasts, %v, want %d", after, len(list), err, maxInTurn)
			}
			for _, c := range list {
				looked[c.Broadcast]++
			}
			after = next
		}
		if len(looked) != crowd {
			t.Errorf("5 times %d of %d broadcasts are %d different ones, want all", maxInTurn, crowd, len(looked))
		}
		for id, times := range looked {
			if times != 2 {
				t.Errorf("%s was looked at %d times in two rounds, want 2", id, times)
			}
		}
	})
}

// Five times a second, by every scheduler, however many broadcasts wait or have ended.
func TestCandidates_readIndexes(t *testing.T) {
	var queries []string
	for _, query := range []string{candidatesMoving, candidatesAfter, candidatesUpTo} {
		queries = append(queries, strings.NewReplacer("$1", "1", "b.id > $2", "b.id > 'a'", "b.id <= $2", "b.id <= 'a'", "$2", "400", "$3", "100").Replace(query))
	}
	for _, query := range []string{plannedInOrder, plannedCanary} {
		queries = append(queries, strings.NewReplacer("$1", "'brd_1'", "$2", "1", "$3", "5", "$4", "7").Replace(query))
	}
	want := []string{"broadcast_moving", "broadcast_in_turn", "broadcast_in_turn", "chunk_planned", "seq<"}
	t.Run("sqlite", func(t *testing.T) {
		s := openTest(t, sqliteAddress(t))
		for i, query := range queries {
			if steps := strings.Join(plan(t, s, `EXPLAIN QUERY PLAN `, []string{query}), "\n"); !strings.Contains(strings.ReplaceAll(steps, " ", ""), want[i]) {
				t.Errorf("the plan of %s is\n%s\nwant %s in it", query, steps, want[i])
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		s := openTest(t, testserver.Postgres(t))
		s.read.SetMaxOpenConns(1) // the settings below are the connection's
		for _, setting := range []string{"enable_seqscan", "enable_bitmapscan"} {
			exec(t, s, `SET `+setting+` = off`)
		}
		for i, query := range queries {
			if steps := strings.Join(plan(t, s, `EXPLAIN `, []string{query}), "\n"); !strings.Contains(strings.ReplaceAll(steps, " ", ""), want[i]) {
				t.Errorf("the plan of %s is\n%s\nwant %s in it", query, steps, want[i])
			}
		}
	})
}
