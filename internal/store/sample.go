package store

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/invoice"
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
	// Tax invoices that are not issued, without those in whose place an amended one stands. A negative one
	// is made by hand, outside: it counts as failed until its legal date, and not from then on.
	InvoicesWaiting, InvoicesFailed int64
	// InvoiceDeadline is the legal date of the invoice that is due first among those of which the tax office
	// has none, zero when there is none; InvoicesLate are those whose date is over. An amended invoice has
	// no such date.
	InvoiceDeadline time.Time
	InvoicesLate    int64
	// MonthsUnclosed are business wallets with a month that could have been closed for an hour and is not.
	MonthsUnclosed   int64
	RefusedAddresses int64 // addresses of mail at which nobody is
	// TimesMissed and TimesFailed are times of schedules at which nothing was sent, as far as that was found in
	// the last 24 hours.
	TimesMissed, TimesFailed int64
	WebhooksWaiting          int64 // deliveries that are not made yet

	// Waits are broadcasts with planned chunks that wait, by the reason; a reason that none has is not there.
	Waits                    map[broadcast.Wait]int64
	BotsStanding             int64 // bots whose broadcasts wait for Kakao
	BotsConfig, BotsProvider int64 // paused bots, by why
	// Unpaid are unpaid wallets by age, UnpaidSince since when the first of them is.
	Unpaid      map[UnpaidAge]int64
	UnpaidSince time.Time
	// Runways are wallets without a card that have used cash in the last seven days, by how long what they
	// have lasts at that pace.
	Runways      map[Runway]int64
	Cards        map[billing.CardState]int64 // that were not removed, by state; a state that none is in is not there
	MailsWaiting int64                       // that are not sent yet
	MailSince    time.Time                   // when the oldest of them was written, zero for none
	DeadTasks    map[string]int64            // tasks that wait for a person, by type; a type that has none is not there
}

// UnpaidAge is for how long a wallet has been unpaid.
type UnpaidAge string

// UnpaidAges are all of them: up to a day, up to five days (5일 이상 장기 결제 실패), and longer.
var UnpaidAges = []UnpaidAge{"under_1d", "under_5d", "over_5d"}

// Runway is for how many days a wallet has cash.
type Runway string

// Runways are all of them.
var Runways = []Runway{"under_1", "under_3", "under_7", "over_7"}

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

// unissued is the condition of an index, word for word; rows are few but for the first days of a month.
const unissued = `i.state <> 'issued'`

// sampleInvoices takes the time $1 and the end $2 of the months that should be closed.
const sampleInvoices = `SELECT
	(SELECT COUNT(*) FROM invoice i WHERE ` + unissued + ` AND i.state = 'waiting'),
	(SELECT COUNT(*) FROM invoice i WHERE ` + unissued + ` AND i.state = 'failed' AND ` + wanted + `
		AND NOT EXISTS (SELECT 1 FROM invoice a WHERE a.wallet_id = i.wallet_id AND a.month = i.month AND a.revision > i.revision)),
	(SELECT COALESCE(MIN(i.deadline), 0) FROM invoice i WHERE ` + unissued + ` AND ` + missing + `),
	(SELECT COUNT(*) FROM invoice i WHERE ` + unissued + ` AND ` + missing + ` AND i.deadline <= $1),
	(SELECT COUNT(*) FROM wallet WHERE kind = 'business' AND deleted_at = 0 AND invoiced_to < $2),
	(SELECT COUNT(*) FROM refused_address),
	(SELECT COUNT(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending'))`

const (
	wanted  = `i.code NOT IN ('SETTLED', 'NO_CARRIER')`                // no person has let it be, and it is to be issued here
	missing = `i.amends = '' AND i.approval_number = '' AND ` + wanted // at the tax office
)

// lostRun is the condition of an index, word for word.
const lostRun = `state IN ('missed', 'failed')`

const sampleTimes = `SELECT CAST(COALESCE(SUM(times) FILTER (WHERE state = 'missed'), 0) AS BIGINT), CAST(COALESCE(SUM(times) FILTER (WHERE state = 'failed'), 0) AS BIGINT)
	FROM schedule_run WHERE ` + lostRun + ` AND changed_at > $1`

// closeGrace is how long a month may stay open after it could be closed: many wallets take their time.
const closeGrace = time.Hour

// Sample counts what stands in the database at a time. It reads indexes only where rows may be many.
func (s *Store) Sample(ctx context.Context, now time.Time) (Sample, error) {
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
	err = s.read.QueryRowContext(ctx, sampleInvoices, millis(now), millis(invoice.Over(now.Add(-closeGrace)))).
		Scan(&v.InvoicesWaiting, &v.InvoicesFailed, at(&v.InvoiceDeadline), &v.InvoicesLate, &v.MonthsUnclosed, &v.RefusedAddresses, &v.WebhooksWaiting)
	if err != nil {
		return Sample{}, fmt.Errorf("count invoices: %w", err)
	}
	if err := s.read.QueryRowContext(ctx, sampleTimes, millis(now.Add(-24*time.Hour))).Scan(&v.TimesMissed, &v.TimesFailed); err != nil {
		return Sample{}, fmt.Errorf("count times of schedules: %w", err)
	}
	if err := s.sampleWaiting(ctx, now, &v); err != nil {
		return Sample{}, err
	}
	v.Wallets = map[string]int64{"ACTIVE": active, "UNPAID": unpaid, "AWAITING_RECONNECT": awaiting}
	return v, nil
}
