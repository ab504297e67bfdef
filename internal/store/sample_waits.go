package store

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
)

// Each repeats the condition of an index, word for word.
const (
	sampleWaits = `SELECT wait_reason, COUNT(*) FROM broadcast WHERE planned_chunks > 0 AND wait_reason <> '' GROUP BY wait_reason`

	// sampleStill counts bots and mails that stand.
	sampleStill = `SELECT
		(SELECT COUNT(DISTINCT bot_id) FROM broadcast WHERE planned_chunks > 0 AND wait_reason <> '' AND wait_reason = 'kakao'),
		(SELECT COUNT(*) FROM bot WHERE paused_reason <> '' AND paused_reason = 'config'),
		(SELECT COUNT(*) FROM bot WHERE paused_reason <> '' AND paused_reason = 'provider'),
		(SELECT COUNT(*) FROM mail WHERE state IN ('waiting', 'sending')),
		(SELECT COALESCE(MIN(created_at), 0) FROM mail WHERE state IN ('waiting', 'sending'))`

	// sampleUnpaid takes the times $1 a day ago and $2 five days ago.
	sampleUnpaid = `SELECT COUNT(*) FILTER (WHERE unpaid_since > $1),
		COUNT(*) FILTER (WHERE unpaid_since <= $1 AND unpaid_since > $2),
		COUNT(*) FILTER (WHERE unpaid_since <= $2), COALESCE(MIN(unpaid_since), 0)
		FROM wallet WHERE payment_state = 'UNPAID'`

	sampleCards = `SELECT state, COUNT(*) FROM card WHERE removed_at = 0 GROUP BY state`

	sampleRunways = `SELECT runway, COUNT(*) FROM ledger_check WHERE runway <> '' GROUP BY runway`

	sampleDead = `SELECT type, COUNT(*) FROM dead_task WHERE state = 'dead' GROUP BY type`
)

// sampleWaiting counts what stands still, and who has not paid.
func (s *Store) sampleWaiting(ctx context.Context, now time.Time, v *Sample) (err error) {
	if v.Waits, err = counted[broadcast.Wait](ctx, s, sampleWaits); err != nil {
		return fmt.Errorf("count waits of broadcasts: %w", err)
	}
	if err := s.read.QueryRowContext(ctx, sampleStill).Scan(&v.BotsStanding, &v.BotsConfig, &v.BotsProvider, &v.MailsWaiting, at(&v.MailSince)); err != nil {
		return fmt.Errorf("count bots and mails: %w", err)
	}
	var ages [3]int64
	err = s.read.QueryRowContext(ctx, sampleUnpaid, millis(now.Add(-24*time.Hour)), millis(now.Add(-5*24*time.Hour))).
		Scan(&ages[0], &ages[1], &ages[2], at(&v.UnpaidSince))
	if err != nil {
		return fmt.Errorf("count unpaid wallets: %w", err)
	}
	v.Unpaid = map[UnpaidAge]int64{}
	for i, age := range UnpaidAges {
		v.Unpaid[age] = ages[i]
	}
	if v.Cards, err = counted[billing.CardState](ctx, s, sampleCards); err != nil {
		return fmt.Errorf("count cards: %w", err)
	}
	if v.Runways, err = counted[Runway](ctx, s, sampleRunways); err != nil {
		return fmt.Errorf("count wallets by how long their cash lasts: %w", err)
	}
	if v.DeadTasks, err = counted[string](ctx, s, sampleDead); err != nil {
		return fmt.Errorf("count dead tasks: %w", err)
	}
	return nil
}

// counted reads words with how many there are of each.
func counted[W ~string](ctx context.Context, s *Store, query string) (map[W]int64, error) {
	type group struct {
		word W
		n    int64
	}
	rows, err := s.read.QueryContext(ctx, query)
	groups, err := collect(rows, err, func(row scanner) (g group, err error) {
		err = row.Scan(&g.word, &g.n)
		return g, err
	})
	all := make(map[W]int64, len(groups))
	for _, g := range groups {
		all[g.word] = g.n
	}
	return all, err
}
