package store

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// Sample is what stands in the database at one moment, for metrics.
type Sample struct {
	// Chunks that have not ended, by state.
	Planned, Queued, Sending, Sent, InDoubt, Parked int64
	// DoubtSince is since when the oldest doubt that still holds money exists, zero for none;
	// DoubtHeld is all the money so held.
	DoubtSince time.Time
	DoubtHeld  wallet.KRW
	// Wallets by payment state; every state is there.
	Wallets map[string]int64
	// Unknown attempts are those whose outcome is not known, UnknownSince the call of the oldest.
	Unknown      int64
	UnknownSince time.Time
	InReview     int64     // charges, refunds and checkouts
	HaltedUntil  time.Time // the gateway does not accept our access: nobody is charged before; zero when that was never so
	StormUntil   time.Time // the same, for too many declines
	// Differences are what the hourly comparison found, by kind; every kind that it compares is there.
	// CheckedSince is when the wallet was compared that waits longest, zero when none was yet.
	Differences  map[string]wallet.KRW
	CheckedSince time.Time
}

// sampleChunks counts by partial indexes, and planned chunks by the sums that broadcasts keep, so
// that it is cheap however many chunks have ended.
const sampleChunks = `SELECT
	(SELECT CAST(COALESCE(SUM(planned_chunks), 0) AS BIGINT) FROM broadcast WHERE planned_chunks > 0),
	(SELECT COUNT(*) FROM chunk WHERE state = 'queued'),
	(SELECT COUNT(*) FROM chunk WHERE state = 'sending'),
	(SELECT COUNT(*) FROM chunk WHERE state = 'sent'),
	(SELECT COUNT(*) FROM chunk WHERE state = 'parked')`

const sampleDoubt = `SELECT COUNT(*), COALESCE(MIN(doubt_at) FILTER (WHERE hold_krw > 0), 0), CAST(COALESCE(SUM(hold_krw), 0) AS BIGINT)
	FROM chunk WHERE state = 'in_doubt'`

// openAttempt is the condition of an index, word for word: SQLite does not see that one state is
// one of several.
const openAttempt = `state IN ('prepared', 'calling', 'unknown')`

const sampleMoney = `SELECT
	(SELECT COUNT(*) FROM wallet WHERE payment_state = 'ACTIVE'),
	(SELECT COUNT(*) FROM wallet WHERE payment_state = 'UNPAID'),
	(SELECT COUNT(*) FROM wallet WHERE payment_state = 'AWAITING_RECONNECT'),
	(SELECT COUNT(*) FROM charge WHERE state IN ('open', 'review') AND state = 'review') +
	(SELECT COUNT(*) FROM refund WHERE state IN ('open', 'review') AND state = 'review') +
	(SELECT COUNT(*) FROM checkout WHERE state = 'review'),
	(SELECT COUNT(*) FROM attempt WHERE ` + openAttempt + ` AND state = 'unknown'),
	(SELECT COALESCE(MIN(called_at), 0) FROM attempt WHERE ` + openAttempt + ` AND state = 'unknown'),
	(SELECT COALESCE(MAX(until), 0) FROM halt WHERE name <> '` + haltStorm + `'),
	(SELECT COALESCE(MAX(until), 0) FROM halt WHERE name = '` + haltStorm + `')`

// sampleChecks reads the few wallets whose books differ, by an index whose condition it repeats.
const sampleChecks = `SELECT CAST(COALESCE(SUM(balance_krw), 0) AS BIGINT), CAST(COALESCE(SUM(held_krw), 0) AS BIGINT),
	CAST(COALESCE(SUM(free_krw), 0) AS BIGINT), CAST(COALESCE(SUM(messages_krw), 0) AS BIGINT), CAST(COALESCE(SUM(payments_krw), 0) AS BIGINT),
	(SELECT COALESCE(MIN(checked_at), 0) FROM ledger_check)
	FROM ledger_check WHERE balance_krw + held_krw + free_krw + messages_krw + payments_krw > 0`

// Sample counts what stands in the database. It reads indexes only where rows may be many.
func (s *Store) Sample(ctx context.Context) (Sample, error) {
	var v Sample
	if err := s.read.QueryRowContext(ctx, sampleChunks).Scan(&v.Planned, &v.Queued, &v.Sending, &v.Sent, &v.Parked); err != nil {
		return Sample{}, fmt.Errorf("count chunks: %w", err)
	}
	if err := s.read.QueryRowContext(ctx, sampleDoubt).Scan(&v.InDoubt, at(&v.DoubtSince), &v.DoubtHeld); err != nil {
		return Sample{}, fmt.Errorf("count doubts: %w", err)
	}
	var active, unpaid, awaiting int64
	err := s.read.QueryRowContext(ctx, sampleMoney).Scan(&active, &unpaid, &awaiting, &v.InReview, &v.Unknown, at(&v.UnknownSince), at(&v.HaltedUntil), at(&v.StormUntil))
	if err != nil {
		return Sample{}, fmt.Errorf("count wallets and attempts: %w", err)
	}
	var d [5]wallet.KRW
	if err := s.read.QueryRowContext(ctx, sampleChecks).Scan(&d[0], &d[1], &d[2], &d[3], &d[4], at(&v.CheckedSince)); err != nil {
		return Sample{}, fmt.Errorf("sum differences: %w", err)
	}
	v.Differences = map[string]wallet.KRW{}
	for i, kind := range []reconcile.Kind{reconcile.Balance, reconcile.Held, reconcile.Free, reconcile.Messages, reconcile.Payments} {
		v.Differences[string(kind)] = d[i]
	}
	v.Wallets = map[string]int64{"ACTIVE": active, "UNPAID": unpaid, "AWAITING_RECONNECT": awaiting}
	return v, nil
}
