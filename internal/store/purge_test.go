package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/retention"
	"github.com/malgil/malgil/internal/scenario"
)

// saidAt records an utterance of a bot at a time in Korea, and returns when that was.
func saidAt(t testing.TB, s *Store, botID, when string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05.000", when, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	err = s.RecordUtterances(t.Context(), []scenario.Utterance{{ID: botID + " " + when, BotID: botID, Side: scenario.Live, UserHash: []byte("u"), Outcome: scenario.Direct, At: at}})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// purge is a batch of a level on a morning in Korea.
func purge(t testing.TB, botID, day string, level retention.Level, limit int) retention.Batch {
	t.Helper()
	midnight, err := time.ParseInLocation(time.DateOnly, day, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	moment := midnight.Add(4 * time.Hour).UTC()
	return retention.Batch{Bot: retention.Bot{ID: botID, Level: level}, Day: day, Before: level.Before(moment), Limit: limit, Now: moment}
}

// asked lists the times of what is left of a bot's utterances, with their ids.
func asked(t testing.TB, s *Store, botID string) []string {
	t.Helper()
	return texts(t, s, `SELECT id FROM utterance WHERE bot_id = $1 ORDER BY at`, botID)
}

func TestPurgeUtterances(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, id := range []string{"a", "b"} {
			newBot(t, s, id, "")
			exec(t, s, `UPDATE bot SET created_at = $2 WHERE id = $1`, id, millis(purge(t, id, "2026-11-20", 1, 1).Now))
			if visit, err := s.Visit(t.Context(), id, scenario.Live, []byte("u"), t0); err != nil || !visit.First {
				t.Fatal(visit, err)
			}
		}
		oldest := saidAt(t, s, "a", "2026-09-01 12:00:00.000")
		saidAt(t, s, "a", "2026-10-24 23:59:59.999")
		newest := saidAt(t, s, "a", "2026-11-20 23:59:59.999") // the last moment of what level 1 does not keep
		saidAt(t, s, "a", "2026-11-21 00:00:00.000")
		saidAt(t, s, "a", "2026-11-24 03:00:00.000")
		saidAt(t, s, "b", "2026-09-01 12:00:00.000")

		// In batches of two, the oldest first, with what is left for the next.
		take := func(b retention.Batch, removed int, done bool) {
			t.Helper()
			got, end, err := s.PurgeUtterances(t.Context(), b)
			if err != nil || got != removed || end != done {
				t.Fatalf("PurgeUtterances(%+v) = %d, %t, %v, want %d, %t", b, got, end, err, removed, done)
			}
		}
		due := func(day string, want ...string) {
			t.Helper()
			bots, err := s.PurgesDue(t.Context(), purge(t, "", day, 1, 1).Now)
			var ids []string
			for _, b := range bots {
				ids = append(ids, fmt.Sprint(b.ID, b.Level))
			}
			if fmt.Sprint(ids) != fmt.Sprint(want) || err != nil {
				t.Errorf("PurgesDue(%s) = %q, %v, want %q", day, ids, err, want)
			}
		}
		due("2026-11-24", "a4", "b4")
		exec(t, s, `UPDATE bot SET settings = '{"security_level": 1}' WHERE id = 'b'`)
		due("2026-11-24", "a4", "b1")
		exec(t, s, `UPDATE bot SET settings = '{}' WHERE id = 'b'`)
		due("2026-11-19") // neither was there
		batch := purge(t, "a", "2026-11-24", 1, 2)
		take(batch, 2, false)
		want(t, "left", asked(t, s, "a"), "a 2026-11-20 23:59:59.999", "a 2026-11-21 00:00:00.000", "a 2026-11-24 03:00:00.000")
		due("2026-11-24", "a4", "b4")
		open, err := s.Purges(t.Context(), "a", "", 10)
		if err != nil || len(open) != 1 || open[0].Removed != 2 || !open[0].EndedAt.IsZero() {
			t.Errorf("Purges() = %+v, %v, want one that has not ended", open, err)
		}
		take(batch, 1, true)
		take(batch, 0, true) // another process that is late
		due("2026-11-24", "b4")
		want(t, "left", asked(t, s, "a"), "a 2026-11-21 00:00:00.000", "a 2026-11-24 03:00:00.000")
		want(t, "the other bot's", asked(t, s, "b"), "b 2026-09-01 12:00:00.000")
		got, err := s.Purges(t.Context(), "a", "", 10)
		receipt := retention.Receipt{Day: "2026-11-24", Level: 1, Before: batch.Before, Removed: 3, Oldest: oldest.UTC(), Newest: newest.UTC(), BeganAt: batch.Now, EndedAt: batch.Now}
		if err != nil || len(got) != 1 || got[0] != receipt {
			t.Errorf("Purges() = %+v, %v, want %+v", got, err, receipt)
		}

		// The next day has a receipt of its own, also for nothing; a lower level takes more.
		take(purge(t, "b", "2026-11-24", 4, 2), 0, true)
		take(purge(t, "b", "2026-11-25", 2, 2), 1, true)
		got, err = s.Purges(t.Context(), "b", "", 10)
		if err != nil || len(got) != 2 || got[0].Day != "2026-11-25" || got[0].Removed != 1 || got[1].Removed != 0 || !got[1].Oldest.IsZero() || got[1].EndedAt.IsZero() {
			t.Errorf("Purges() = %+v, %v, want both days", got, err)
		}
		if got, err = s.Purges(t.Context(), "b", "2026-11-25", 10); err != nil || len(got) != 1 {
			t.Errorf("Purges(before) = %+v, %v, want the day before", got, err)
		}
		if _, err := s.Purges(t.Context(), "none", "", 10); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Purges(no bot) = %v, want NotFound", err)
		}
		for _, id := range []string{"a", "b"} { // whoever was seen is remembered
			if visit, err := s.Visit(t.Context(), id, scenario.Live, []byte("u"), t0.Add(time.Hour)); err != nil || visit.First {
				t.Errorf("Visit(%s) after the purge = %+v, %v, want one who is known", id, visit, err)
			}
		}
	})
}

// bounded counts what a purge removes in each transaction.
type bounded struct {
	*Store
	mu             sync.Mutex
	batches, total int
	most           int
}

func (b *bounded) PurgeUtterances(ctx context.Context, batch retention.Batch) (int, bool, error) {
	n, done, err := b.Store.PurgeUtterances(ctx, batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches, b.total, b.most = b.batches+1, b.total+n, max(b.most, n)
	return n, done, err
}

func (b *bounded) UtterancesPurged(int) {}

// 100,000 utterances go in transactions of at most a thousand, with two schedulers at once, and each is counted once.
func TestPurgeUtterances_many(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const many = 100_000
		newBot(t, s, "a", "")
		now := t0.AddDate(4, 0, 0)
		exec(t, s, `INSERT INTO utterance (id, bot_id, side, user_hash, asked, block_id, outcome, budget_left_ms, at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT 'utt_' || i, 'a', 'live', $2, '', '', 'direct', 0, CAST($3 AS BIGINT) + i FROM n`, many, []byte{}, millis(t0))
		seen := &bounded{Store: s}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := retention.New(seen, seen, func() time.Time { return now }).Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		receipts, err := s.Purges(t.Context(), "a", "", 10)
		if err != nil || len(receipts) != 1 || receipts[0].Removed != many || receipts[0].EndedAt.IsZero() || seen.total != many {
			t.Errorf("%d utterances were removed, and the receipts are %+v, %v, want %d in one", seen.total, receipts, err, many)
		}
		if seen.most != 1000 || seen.batches < many/1000 {
			t.Errorf("%d transactions removed up to %d, want at least %d of 1000", seen.batches, seen.most, many/1000)
		}
		want(t, "left", asked(t, s, "a"))
	})
}

// How long utterances are kept is a setting of the bot.
func TestPurgesDue_levels(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "a", "")
		newBot(t, s, "b", "")
		level := 2
		must(t, s.ChangeBot(t.Context(), "a", bot.SealedChange{Talking: &bot.TalkingChange{SecurityLevel: &level}}))
		due, err := s.PurgesDue(t.Context(), t0.Add(24*time.Hour))
		if err != nil || len(due) != 2 || due[0].Level != 2 || due[1].Level != 4 {
			t.Errorf("PurgesDue() = %+v, %v, want a at level 2 and b at that of a new bot", due, err)
		}
	})
}
