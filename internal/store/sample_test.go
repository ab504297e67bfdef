package store

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

func TestSample_empty(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		want := Sample{Wallets: map[string]int64{"ACTIVE": 0, "UNPAID": 0, "AWAITING_RECONNECT": 0}, Differences: agreeing()}
		got, err := s.Sample(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Sample() error = %v (-want +got):\n%s", err, diff)
		}
	})
}

// What indexes and sums say is what counting every row says.
func TestSample_chunks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for state := range ways {
			newSubject(t, s, string(state), state)
		}
		exec(t, s, `UPDATE chunk SET doubt_at = $1 WHERE state = 'in_doubt'`, millis(t0.Add(time.Minute)))
		sampled, err := s.Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[broadcast.ChunkState]int64{
			broadcast.Planned: sampled.Planned, broadcast.Queued: sampled.Queued, broadcast.Sending: sampled.Sending,
			broadcast.Sent: sampled.Sent, broadcast.InDoubt: sampled.InDoubt, broadcast.Parked: sampled.Parked,
		}
		for state, n := range got {
			var counted int64
			if err := s.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM chunk WHERE state || '' = $1`, string(state)).Scan(&counted); err != nil {
				t.Fatal(err)
			}
			if n != counted || n == 0 {
				t.Errorf("Sample() has %d chunks %s, want %d and not 0", n, state, counted)
			}
		}
		if want := t0.Add(time.Minute); !sampled.DoubtSince.Equal(want) || sampled.DoubtHeld != 3*price {
			t.Errorf("Sample() doubt = %d KRW since %v, want %d since %v", sampled.DoubtHeld, sampled.DoubtSince, 3*price, want)
		}
	})
}

// A doubt whose money is settled stays a doubt, but its age is nobody's worry any more.
func TestSample_doubtWithoutMoney(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newSubject(t, s, "old", broadcast.InDoubt)
		if n, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm+time.Hour)); err != nil || n != 1 {
			t.Fatalf("EndDoubt() = %d, %v, want 1, nil", n, err)
		}
		got, err := s.Sample(t.Context())
		if err != nil || got.InDoubt != 1 || got.DoubtHeld != 0 || !got.DoubtSince.IsZero() {
			t.Errorf("Sample() after the term = %d in doubt, %d KRW since %v, error %v, want 1, 0 and no time", got.InDoubt, got.DoubtHeld, got.DoubtSince, err)
		}
	})
}

func TestSample_money(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, state := range map[string]string{"wal_1": "ACTIVE", "wal_2": "ACTIVE", "wal_3": "UNPAID", "wal_4": "AWAITING_RECONNECT"} {
			newWallet(t, s, id, 0)
			exec(t, s, `UPDATE wallet SET payment_state = $2 WHERE id = $1`, id, state)
		}
		for _, charge := range [][2]string{{"wal_1", "open"}, {"wal_2", "review"}, {"wal_3", "failed"}, {"wal_4", "paid"}} {
			exec(t, s, `INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at) VALUES ($1, $2, 100, 10, $3, 1, 0)`,
				"chg_"+charge[0], charge[0], charge[1])
		}
		exec(t, s, `INSERT INTO account (id, name, email, created_at) VALUES ('acc_1', 'a', 'a@b.example', 1)`)
		for _, state := range []string{"ready", "review", "failed"} {
			exec(t, s, `INSERT INTO checkout (id, kind, account_id, wallet_id, supply_krw, vat_krw, state, return_key_hash, redirect, reason, created_at, closed_at)
				VALUES ($1, 'topup', 'acc_1', 'wal_1', 1000, 100, $2, $3, '', '', 1, 0)`, "cko_"+state, state, []byte{})
		}
		for i, state := range []string{"unknown", "unknown", "calling", "done"} {
			id := string(rune('a' + i))
			exec(t, s, `INSERT INTO attempt (id, kind, subject_id, wallet_id, card_id, slot, total_krw, state, epoch, next_at, enqueued_at,
				attempts, lease_until, called_at, card_approved_at, tid, token_sealed, reason, provider_code, provider_message, created_at, closed_at)
				VALUES ($1, 'charge', $1, 'wal_1', '', 1, 110, $2, 0, 0, 0, 0, 0, $3, 0, '', $4, '', '', '', 1, 0)`,
				id, state, millis(t0.Add(time.Duration(i)*time.Hour)), []byte{})
		}
		exec(t, s, `INSERT INTO halt (name, reason, at, until) VALUES ('charge', 'a key is wrong', $1, $2)`, millis(t0), millis(t0.Add(time.Hour)))
		want := Sample{
			Wallets: map[string]int64{"ACTIVE": 2, "UNPAID": 1, "AWAITING_RECONNECT": 1},
			Unknown: 2, UnknownSince: t0, InReview: 2, HaltedUntil: t0.Add(time.Hour), Differences: agreeing(),
		}
		got, err := s.Sample(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Sample() error = %v (-want +got):\n%s", err, diff)
		}
	})
}

// A scrape comes every few seconds: tables that grow are read by their indexes.
func TestSample_readsIndexes(t *testing.T) {
	queries := []string{sampleChunks, sampleDoubt, sampleMoney, sampleChecks}
	t.Run("sqlite", func(t *testing.T) {
		s := openTest(t, sqliteAddress(t))
		for _, step := range plan(t, s, `EXPLAIN QUERY PLAN `, queries) {
			if scans(step, "SCAN ", "SEARCH ") && !strings.Contains(step, " INDEX ") {
				t.Errorf("the plan has %q, want an index", step)
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		s := openTest(t, testserver.Postgres(t))
		s.read.SetMaxOpenConns(1) // the setting below is the connection's
		exec(t, s, `SET enable_seqscan = off`)
		for _, step := range plan(t, s, `EXPLAIN `, queries) {
			if scans(step, "Seq Scan on ") {
				t.Errorf("the plan has %q, want an index", step)
			}
		}
	})
}

// scans reports whether a step of a plan reads a table that grows in one of these ways.
func scans(step string, ways ...string) bool {
	return slices.ContainsFunc(ways, func(way string) bool {
		return slices.ContainsFunc([]string{"broadcast", "chunk", "wallet", "charge", "attempt", "ledger_check"}, func(table string) bool {
			return strings.Contains(step, way+table)
		})
	})
}

// plan returns the steps in which a database runs queries.
func plan(t *testing.T, s *Store, explain string, queries []string) []string {
	t.Helper()
	var steps []string
	for _, query := range queries {
		rows, err := s.read.QueryContext(t.Context(), explain+query)
		found, err := collect(rows, err, func(row scanner) (step string, err error) {
			if s.Embedded() {
				var id, parent, unused int
				err = row.Scan(&id, &parent, &unused, &step)
			} else {
				err = row.Scan(&step)
			}
			return step, err
		})
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, found...)
	}
	if len(steps) == 0 {
		t.Fatal("the database told no plan")
	}
	return steps
}

// agreeing is the differences of books that agree.
func agreeing() map[string]wallet.KRW {
	return map[string]wallet.KRW{"balance": 0, "held": 0, "free": 0, "messages": 0, "payments": 0}
}
