package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/webhook"
)

// tell puts news into the line of a webhook, a millisecond apart: subjects from, from+1 and so on.
func tell(t testing.TB, s *Store, hookID string, from, n int) {
	t.Helper()
	err := s.inTx(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			news := webhook.News{Event: webhook.Finished, Subject: fmt.Sprint(from + i), At: t0.Add(time.Duration(from+i) * time.Millisecond)}
			if _, err := insertDelivery(t.Context(), tx, hookID, news); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inLine names rows as "whk_1 0": the webhook and the subject, in order.
func inLine(t testing.TB, s *Store, rows []broadcast.Row) []string {
	t.Helper()
	var names []string
	for _, r := range rows {
		names = append(names, texts(t, s, `SELECT webhook_id || ' ' || subject_id FROM webhook_delivery WHERE id = $1`, r.ID)...)
	}
	slices.Sort(names)
	return names
}

// named is the row of a name.
func named(t testing.TB, s *Store, rows []broadcast.Row, name string) broadcast.Row {
	t.Helper()
	for _, r := range rows {
		if inLine(t, s, []broadcast.Row{r})[0] == name {
			return r
		}
	}
	t.Fatalf("%s is not among %q", name, inLine(t, s, rows))
	return broadcast.Row{}
}

// end makes a try of one of the deliveries that have tasks, and records what came of it.
func end(t testing.TB, s *Store, rows []broadcast.Row, name string, now time.Time, result webhook.Result) {
	t.Helper()
	r := named(t, s, rows, name)
	if _, ok, err := s.ClaimDelivery(t.Context(), r.ID, r.Epoch, now, now.Add(time.Minute)); !ok || err != nil {
		t.Fatalf("ClaimDelivery() = %v, %v", ok, err)
	}
	if err := s.RecordDelivery(t.Context(), r.ID, r.Epoch, now, result); err != nil {
		t.Fatal(err)
	}
}

// A webhook with a long line gets some tasks at a time; another does not wait for it. What ends makes room for the
// next at once.
func TestStamp_webhooksInTurn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		newHook(t, s, "whk_2", botID)
		tell(t, s, "whk_1", 0, 20)
		tell(t, s, "whk_2", 1000, 1)
		now := t0.Add(time.Minute)
		stamp := func(what string, wanted ...string) []broadcast.Row {
			t.Helper()
			rows, err := s.Stamp(t.Context(), WorkWebhook, now, 100)
			if err != nil {
				t.Fatal(err)
			}
			want(t, what, inLine(t, s, rows), wanted...)
			return rows
		}
		next := func(what string, wanted ...string) {
			t.Helper()
			rows, err := s.StampNext(t.Context(), botID, now)
			if err != nil {
				t.Fatal(err)
			}
			want(t, what, inLine(t, s, rows), wanted...)
		}
		rows := stamp("at first", "whk_1 0", "whk_1 1", "whk_1 2", "whk_1 3", "whk_2 1000")
		stamp("while they are under way")
		next("while they are under way")
		end(t, s, rows, "whk_1 0", now, webhook.Result{State: webhook.Delivered, Attempts: 1, Status: 200})
		end(t, s, rows, "whk_1 1", now, webhook.Result{State: webhook.Waiting, Attempts: 1, NextAt: now.Add(time.Hour)})
		next("after two ended", "whk_1 4", "whk_1 5")
		next("once more")
		stamp("after that")
	})
}

// Receivers of one bot, silent as they may be, have few deliveries at a time; a webhook with none under way comes before
// one that has a line.
func TestStamp_fewOfOneBot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		_, otherBot := shop(t, s, "2", 0)
		for i := range 3 {
			newHook(t, s, fmt.Sprintf("whk_%d", i), botID)
			tell(t, s, fmt.Sprintf("whk_%d", i), 100*i, 6)
		}
		newHook(t, s, "whk_other", otherBot)
		tell(t, s, "whk_other", 1000, 1)
		now := t0.Add(time.Minute)
		rows, err := s.Stamp(t.Context(), WorkWebhook, now, 100)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "of two bots", inLine(t, s, rows), "whk_0 0", "whk_0 1", "whk_0 2", "whk_1 100", "whk_1 101", "whk_1 102",
			"whk_2 200", "whk_2 201", "whk_other 1000")
		// Another webhook joins, with news younger than what all the others have waiting.
		newHook(t, s, "whk_late", botID)
		tell(t, s, "whk_late", 5000, 1)
		end(t, s, rows, "whk_2 200", now, webhook.Result{State: webhook.Delivered, Attempts: 1})
		next, err := s.StampNext(t.Context(), botID, now)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "next", inLine(t, s, next), "whk_late 5000")
	})
}

// A line of a hundred thousand is never read through, not even to find that there is no room for more: each look is for
// one webhook, and in the order of its line.
func TestStamp_longLine(t *testing.T) {
	queries := []string{
		strings.NewReplacer("$1", "1", "$2", "500").Replace(pickOfAll),
		strings.NewReplacer("$1", "1", "$2", "8", "$3", "'bot'").Replace(pickOfBot),
	}
	check := func(t *testing.T, s *Store, explain, look, under string, never ...string) {
		steps := plan(t, s, explain, queries)
		count := func(text string) (n int) {
			for _, step := range steps {
				if strings.Contains(step, text) {
					n++
				}
			}
			return n
		}
		if count(look) < webhook.PerHook*len(queries) || count(under) < len(queries) {
			t.Errorf("the plan is\n%s\nwant %d of %s and %d of %s", strings.Join(steps, "\n"), webhook.PerHook*len(queries), look, len(queries), under)
		}
		for _, word := range never {
			if count(word) > 0 {
				t.Errorf("the plan is\n%s\nwant no %s", strings.Join(steps, "\n"), word)
			}
		}
	}
	fill := func(s *Store) *Store {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		exec(t, s, `INSERT INTO webhook_delivery (id, webhook_id, event, subject_id, body, state, epoch, next_at, enqueued_at, attempts, lease_until, status, error, created_at, done_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
			SELECT 'whd_' || i, 'whk_1', 'ping', CAST(i AS TEXT), '{}', 'waiting', 0, i, 0, 0, 0, 0, '', i, 0 FROM n`)
		exec(t, s, `ANALYZE`)
		return s
	}
	t.Run("sqlite", func(t *testing.T) {
		check(t, fill(openTest(t, sqliteAddress(t))), `EXPLAIN QUERY PLAN `, "webhook_delivery_line (webhook_id=? AND enqueued_at=? AND next_at<?)",
			"webhook_delivery_line (webhook_id=? AND enqueued_at>?)", "SCAN o", "SCAN webhook_delivery")
	})
	t.Run("postgres", func(t *testing.T) {
		check(t, fill(openTest(t, testserver.Postgres(t))), `EXPLAIN `, ".id) AND (enqueued_at = 0) AND (next_at <= 1))",
			"(webhook_id = h.id) AND (enqueued_at > 0)", "Seq Scan on webhook_delivery")
	})
}

// A line has an end: what is beyond it is given up, the oldest news first, and nobody has to guess how much.
func TestDropDeliveries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		newHook(t, s, "whk_2", botID)
		tell(t, s, "whk_1", 0, 8)
		tell(t, s, "whk_2", 100, 5)
		now := t0.Add(time.Minute)
		rows, err := s.Stamp(t.Context(), WorkWebhook, now, 100)
		if err != nil {
			t.Fatal(err)
		}
		sent := named(t, s, rows, "whk_1 0")
		if _, ok, err := s.ClaimDelivery(t.Context(), sent.ID, sent.Epoch, now, now.Add(time.Minute)); !ok || err != nil {
			t.Fatalf("ClaimDelivery() = %v, %v", ok, err)
		}
		end(t, s, rows, "whk_1 1", now, webhook.Result{State: webhook.Waiting, Attempts: 1, NextAt: now.Add(time.Hour)}) // old news, tried last

		for n, wanted := range []int{3, 0} {
			dropped, err := s.DropDeliveries(t.Context(), 5, now)
			if err != nil || dropped["whk_1"] != wanted || dropped["whk_2"] != 0 {
				t.Errorf("DropDeliveries() for the %d. time = %v, %v, want %d of whk_1", n+1, dropped, err, wanted)
			}
		}
		want(t, "the line", texts(t, s, `SELECT subject_id || ' ' || state || ' ' || error FROM webhook_delivery WHERE webhook_id = 'whk_1' ORDER BY subject_id`),
			"0 sending ", "1 failed too many others waited: the oldest was dropped", "2 failed too many others waited: the oldest was dropped",
			"3 failed too many others waited: the oldest was dropped", "4 waiting ", "5 waiting ", "6 waiting ", "7 waiting ")
		for id, n := range map[string]int{"whk_1": 3, "whk_2": 0} {
			if h, err := s.Hook(t.Context(), id); err != nil || h.Dropped != n || h.DroppedAt.Equal(now) != (n > 0) {
				t.Errorf("Hook(%s) says %d dropped at %s, %v, want %d", id, h.Dropped, h.DroppedAt, err, n)
			}
		}
		dropped := named(t, s, rows, "whk_1 2")
		if _, ok, err := s.ClaimDelivery(t.Context(), dropped.ID, dropped.Epoch, now, now); ok || err != nil {
			t.Errorf("ClaimDelivery() of one that was dropped = %v, %v, want none", ok, err)
		}
		if err := s.DeleteHook(t.Context(), "whk_1", now); err != nil {
			t.Fatal(err)
		}
		if n, err := s.drop(t.Context(), "whk_1", 1, now); n != 0 || err != nil {
			t.Errorf("drop() of a deleted webhook = %d, %v, want 0", n, err)
		}
	})
}
