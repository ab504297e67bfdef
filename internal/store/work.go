package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// Work names a kind of rows that wait for a task.
type Work string

// The kinds of work that rows stand behind.
const (
	WorkChunk   Work = "chunk"   // queued chunks: one request each
	WorkResult  Work = "result"  // sent chunks: one look-up each
	WorkWallet  Work = "wallet"  // wallets that owe something due: a charge is opened
	WorkAttempt Work = "attempt" // prepared attempts to move money: one call each
	WorkInvoice Work = "invoice" // prepared attempts to issue an invoice: one call each
	WorkResolve Work = "resolve" // attempts whose outcome is unknown: one look-up each
	WorkMail    Work = "mail"
	WorkWebhook Work = "webhook" // deliveries to webhooks: one request each
)

// workTable says where a kind of work is found. A row waits while waiting holds; its time has
// come when due holds too, $1 being the time now. enqueued is 0 while the row has no task.
type workTable struct {
	table, waiting, due    string
	epoch, enqueued, order string
	pick                   string                              // in place of due and order: those that may get a task, $2 at most
	more                   func(s *Store, now time.Time) []any // arguments of due from $3 on
	dead                   string                              // column that counts tasks found dead, or empty
	trace                  string                              // what a row belongs to; its column "trace" when empty
	atMost                 int                                 // rows that have a task at a time; 0 for any number
}

// chunkTrace is what a chunk belongs to: what ordered its broadcast.
const chunkTrace = `(SELECT trace FROM broadcast WHERE id = chunk.broadcast_id)`

// SQLite uses a partial index only where its condition stands word for word in the query, so
// conditions repeat that of their index.
var workTables = map[Work]workTable{
	WorkChunk: {table: "chunk", waiting: `state = 'queued'`, due: `send_by > $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at", dead: "dead", trace: chunkTrace},
	WorkResult: {table: "chunk", waiting: `state = 'sent'`, due: `next_at <= $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at", atMost: 2000, trace: chunkTrace},
	WorkAttempt: {table: "attempt", waiting: `state IN ('prepared', 'calling', 'unknown') AND state = 'prepared' AND kind <> 'invoice'`, due: `next_at <= $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at"},
	WorkInvoice: {table: "attempt", waiting: `state IN ('prepared', 'calling', 'unknown') AND state = 'prepared' AND kind = 'invoice'`, due: `next_at <= $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at"},
	WorkResolve: {table: "attempt", waiting: `state IN ('prepared', 'calling', 'unknown') AND state = 'unknown'`, due: `next_at <= $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at"},
	WorkMail: {table: "mail", waiting: `state IN ('waiting', 'sending') AND state = 'waiting'`, due: `next_at <= $1`,
		epoch: "epoch", enqueued: "enqueued_at", order: "next_at"},
	WorkWebhook: {table: "webhook_delivery", waiting: `state IN ('waiting', 'sending') AND state = 'waiting'`,
		epoch: "epoch", enqueued: "enqueued_at", pick: pickOfAll, trace: `''`},
	WorkWallet: {table: "wallet",
		waiting: `accrual_krw > 0 AND NOT EXISTS (SELECT 1 FROM charge c WHERE c.wallet_id = wallet.id AND c.state IN ('open', 'review'))`,
		due: `next_charge_at <= $1 AND (accrual_krw >= $3 OR (accrual_day < $4 OR accrual_old_krw > 0) AND (place < $5 OR payment_state = 'UNPAID'))
			AND NOT EXISTS (SELECT 1 FROM halt WHERE until > $1)`,
		epoch: "charge_epoch", enqueued: "charge_enqueued_at", order: "next_charge_at",
		more: func(s *Store, now time.Time) []any {
			return []any{s.settlement.AtOnce(), millis(s.settlement.Moment(now)), s.settlement.Reached(now)}
		}},
}

// Stamp marks rows whose time has come and that have no task, raises their epochs and returns
// them: at most limit, those that have waited longest. The caller enqueues a task for each; a row
// whose task is lost is found again with [Store.Waiting].
func (s *Store) Stamp(ctx context.Context, kind Work, now time.Time, limit int) ([]broadcast.Row, error) {
	t := workTables[kind]
	if t.atMost > 0 {
		room, err := s.room(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("count %s work: %w", kind, err)
		}
		limit = min(limit, room)
	}
	if limit <= 0 {
		return nil, nil
	}
	args := []any{millis(now), limit}
	if t.more != nil {
		args = append(args, t.more(s, now)...)
	}
	pick := t.pick
	if pick == "" {
		pick = `SELECT id FROM ` + t.table + ` WHERE ` + t.waiting + ` AND ` + t.enqueued + ` = 0 AND ` + t.due +
			` ORDER BY ` + t.order + `, id LIMIT $2`
	}
	waits, err := s.anyPicked(ctx, pick, args)
	if err != nil {
		return nil, fmt.Errorf("look for %s work: %w", kind, err)
	}
	if !waits {
		return nil, nil
	}
	stamped, err := s.stampPicked(ctx, s.write, t, pick, args)
	if err != nil {
		return nil, fmt.Errorf("stamp %s work: %w", kind, err)
	}
	return stamped, nil
}

// anyPicked looks beside the writer, so that an idle system writes nothing.
func (s *Store) anyPicked(ctx context.Context, pick string, args []any) (waits bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (`+pick+`)`, args...).Scan(&waits)
	return waits, err
}

func (s *Store) stampPicked(ctx context.Context, q querier, t workTable, pick string, args []any) ([]broadcast.Row, error) {
	// Picked once: a plan that ran the inner query again would pass over what it has just locked.
	rows, err := q.QueryContext(ctx, `WITH picked AS MATERIALIZED (`+pick+s.dialect.share+`)
		UPDATE `+t.table+` SET `+t.enqueued+` = $1, `+t.epoch+` = `+t.epoch+` + 1
		WHERE id IN (SELECT id FROM picked) RETURNING id, `+t.epoch+`, `+cmp.Or(t.trace, "trace"), args...)
	return collect(rows, err, scanRow)
}

// room returns how many more rows may have a task: what is counted is bounded by the same number.
func (s *Store) room(ctx context.Context, t workTable) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.table+` WHERE `+t.waiting+` AND `+t.enqueued+` > 0`).Scan(&n)
	return t.atMost - n, err
}

// Waiting lists rows that got a task before a time and still wait, the oldest first. Their
// tasks may be on their way, or lost.
func (s *Store) Waiting(ctx context.Context, kind Work, before time.Time, limit int) ([]broadcast.Row, error) {
	t := workTables[kind]
	rows, err := s.read.QueryContext(ctx, `SELECT id, `+t.epoch+`, '' FROM `+t.table+` WHERE `+t.waiting+` AND `+
		t.enqueued+` > 0 AND `+t.enqueued+` <= $1 ORDER BY `+t.enqueued+` LIMIT $2`, millis(before), limit)
	waiting, err := collect(rows, err, scanRow)
	if err != nil {
		return nil, fmt.Errorf("list waiting %s work: %w", kind, err)
	}
	return waiting, nil
}

// Touch notes that the tasks of rows were seen alive, so that they are looked at last next time.
func (s *Store) Touch(ctx context.Context, kind Work, rows []broadcast.Row, now time.Time) error {
	t := workTables[kind]
	return s.eachRow(ctx, rows, `UPDATE `+t.table+` SET `+t.enqueued+` = $3 WHERE id = $1 AND `+t.epoch+` = $2 AND `+t.waiting, millis(now))
}

// Forget notes that the tasks of rows are gone; [Store.Stamp] gives them new ones. dead counts
// them as found dead: a queued chunk whose tasks were found dead three times is parked.
func (s *Store) Forget(ctx context.Context, kind Work, rows []broadcast.Row, dead bool, now time.Time) error {
	t := workTables[kind]
	set := t.enqueued + ` = $3`
	if dead && t.dead != "" {
		set += `, ` + t.dead + ` = ` + t.dead + ` + 1`
	}
	if err := s.eachRow(ctx, rows, `UPDATE `+t.table+` SET `+set+` WHERE id = $1 AND `+t.epoch+` = $2 AND `+t.waiting, int64(0)); err != nil {
		return err
	}
	if dead && kind == WorkChunk {
		return s.parkDead(ctx, rows, now)
	}
	return nil
}

// eachRow runs a statement for each row in one transaction: $1 is the id, $2 the epoch.
func (s *Store) eachRow(ctx context.Context, rows []broadcast.Row, statement string, value int64) error {
	if len(rows) == 0 {
		return nil
	}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b broadcast.Row) int { return cmp.Compare(a.ID, b.ID) }) // the order in which rows are locked
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, r := range rows {
			if _, err := tx.ExecContext(ctx, statement, r.ID, r.Epoch, value); err != nil {
				return fmt.Errorf("note the task of %s: %w", r.ID, err)
			}
		}
		return nil
	})
}

// Busy reports whether work is under way that a jump of the clock must not cut off: a charge that is due
// and not opened yet, or open with a card to be asked, an invoice to be handed over, a mail to be
// sent, a webhook to be told.
// An outcome that is unknown does not count; it may stay so for hours.
func (s *Store) Busy(ctx context.Context, now time.Time) (busy bool, err error) {
	t := workTables[WorkWallet]
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempt WHERE state IN ('prepared', 'calling', 'unknown')
			AND kind IN ('charge', 'invoice') AND (state = 'calling' OR (state = 'prepared' AND next_at <= $1)))
		OR EXISTS (SELECT 1 FROM mail WHERE state IN ('waiting', 'sending') AND (state = 'sending' OR next_at <= $1))
		OR EXISTS (SELECT 1 FROM webhook_delivery WHERE state IN ('waiting', 'sending') AND (state = 'sending' OR next_at <= $1))
		OR EXISTS (SELECT 1 FROM wallet WHERE `+t.waiting+` AND `+strings.NewReplacer("$3", "$2", "$4", "$3", "$5", "$4").Replace(t.due)+`)`,
		append([]any{millis(now)}, t.more(s, now)...)...).Scan(&busy)
	return busy, err
}
