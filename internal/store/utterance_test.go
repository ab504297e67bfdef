package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/scenario"
)

func said(id string, outcome scenario.Outcome) scenario.Utterance {
	return scenario.Utterance{
		ID: id, BotID: "b1", Side: scenario.Live, UserHash: []byte{1, 2}, UserKey: "u1", Asked: "배송 조회 🙂", BlockID: "k1",
		Item: "배송은 얼마나 걸리나요", Why: scenario.ByKnowledge, Score: 87, Matches: `[{"question":"배송은 얼마나 걸리나요","score":87}]`, Offered: true,
		Outcome: outcome, BudgetLeft: 1234 * time.Millisecond, At: t0,
	}
}

func TestRecordUtterances(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		if err := s.RecordUtterances(t.Context(), nil); err != nil {
			t.Errorf("RecordUtterances(none) = %v, want nil", err)
		}
		var all []scenario.Utterance
		for i := range 500 {
			all = append(all, said(fmt.Sprintf("utt_%03d", i), scenario.Direct))
		}
		nobody := said("utt_nobody", scenario.Late)
		nobody.UserHash, nobody.BudgetLeft = nil, -5*time.Millisecond
		all = append(all, nobody)
		if err := s.RecordUtterances(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		again := []scenario.Utterance{said("utt_000", scenario.Inline), said("utt_new", scenario.Callback), said("utt_new", scenario.Late)}
		if err := s.RecordUtterances(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		rows, err := s.read.QueryContext(t.Context(), `SELECT outcome, CAST(COUNT(*) AS BIGINT), CAST(SUM(budget_left_ms) AS BIGINT) FROM utterance
			WHERE bot_id = 'b1' AND at = $1 GROUP BY outcome ORDER BY outcome`, millis(t0))
		type count struct {
			Outcome string
			N, Left int
		}
		got, err := collect(rows, err, func(row scanner) (c count, err error) {
			err = row.Scan(&c.Outcome, &c.N, &c.Left)
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []count{{"callback", 1, 1234}, {"direct", 500, 617_000}, {"late", 1, -5}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("utterances by outcome (-want +got):\n%s", diff)
		}
		kept := scenario.Utterance{At: t0}
		var left, offered int64
		err = s.read.QueryRowContext(t.Context(), `SELECT id, bot_id, side, user_hash, user_key, asked, block_id, item, chosen_by, score, matches, offered,
			outcome, budget_left_ms FROM utterance WHERE id = 'utt_042'`).Scan(&kept.ID, &kept.BotID, &kept.Side, &kept.UserHash, &kept.UserKey,
			&kept.Asked, &kept.BlockID, &kept.Item, &kept.Why, &kept.Score, &kept.Matches, &offered, &kept.Outcome, &left)
		if err != nil {
			t.Fatal(err)
		}
		kept.Offered, kept.BudgetLeft = offered == 1, time.Duration(left)*time.Millisecond
		if diff := cmp.Diff(said("utt_042", scenario.Direct), kept); diff != "" {
			t.Errorf("utterance (-want +got):\n%s", diff)
		}
	})
}

func TestRecordEvidence(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 100_000)
		newBot(t, s, "b1", "wal_1")
		newBot(t, s, "b2", "wal_1")
		b := order("brd_1", "b1")
		b.WalletID = "wal_1"
		create(t, s, b)
		upload(t, s, "brd_1", 2)
		evidence := func(bot, chunk, user string) scenario.Evidence {
			return scenario.Evidence{BotID: bot, ChunkID: chunk, UserHash: []byte(user), At: t0}
		}
		for _, e := range []scenario.Evidence{
			evidence("b1", "brd_1-000001", "u1"),
			evidence("b1", "brd_1-000001", "u1"), // the same again
			evidence("b1", "brd_1-000001", "u2"),
			evidence("b2", "brd_1-000001", "u3"), // another bot's word
			evidence("b1", "brd_9-000001", "u1"), // no such chunk
		} {
			if err := s.RecordEvidence(t.Context(), e); err != nil {
				t.Errorf("RecordEvidence(%+v) = %v, want nil", e, err)
			}
		}
		var n, people int
		if err := s.read.QueryRowContext(t.Context(), `SELECT COUNT(*), COUNT(DISTINCT user_hash) FROM chunk_evidence
			WHERE chunk_id = 'brd_1-000001'`).Scan(&n, &people); err != nil {
			t.Fatal(err)
		}
		var all int
		if err := s.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM chunk_evidence`).Scan(&all); err != nil {
			t.Fatal(err)
		}
		if n != 2 || people != 2 || all != 2 {
			t.Errorf("evidence = %d rows of %d people, %d in all, want 2, 2, 2", n, people, all)
		}
	})
}

// Bots that are spoken to come the latest first; those that nobody speaks to any more, and those without a bot, not at all.
func TestSpokenTo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, name := range []string{"1", "2", "3", "4"} {
			shop(t, s, name, 0)
		}
		for i, spoken := range []struct {
			bot string
			ago time.Duration
		}{{"bot_1", 3 * time.Hour}, {"bot_1", 48 * time.Hour}, {"bot_2", time.Hour}, {"bot_2", 5 * time.Hour}, {"bot_3", 25 * time.Hour}, {"bot_gone", 0}} {
			u := said(fmt.Sprint("utt_", i), scenario.Direct)
			u.BotID, u.At = spoken.bot, t0.Add(-spoken.ago)
			must(t, s.RecordUtterances(t.Context(), []scenario.Utterance{u}))
		}
		for limit, want := range map[int][]string{10: {"bot_2", "bot_1"}, 1: {"bot_2"}} {
			got, err := s.SpokenTo(t.Context(), t0.Add(-24*time.Hour), limit)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("SpokenTo(limit %d) = %v (-want +got):\n%s", limit, err, diff)
			}
		}
	})
}
