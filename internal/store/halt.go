package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

// halt stops charging for everyone.
func halt(ctx context.Context, tx *sql.Tx, name string, h billing.Halt, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO halt (name, reason, at, until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, at = excluded.at, until = excluded.until`,
		name, h.Reason, millis(now), millis(h.Until))
	if err != nil {
		return fmt.Errorf("halt charging: %w", err)
	}
	return nil
}

// haltCharge ends a charge that no card is to blame for: its amount is owed again, the wallet
// stays as it is, and it is asked for after a time.
func (s *Store) haltCharge(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, now, retryAt time.Time) error {
	w, posting := w.FailCharge(c.supply, c.id, now)
	if err := s.endCharge(ctx, tx, w, posting, c, billing.ChargeHalted, now); err != nil {
		return err
	}
	return chargeNext(ctx, tx, w.ID, retryAt)
}

// lastDeclines counts declines among the last attempts that were called, since a time. The daily
// try of a wallet that was unpaid before is expected to be declined and says nothing.
const lastDeclines = `SELECT COUNT(*) FROM (SELECT a.reason FROM attempt a
	WHERE a.kind = 'charge' AND a.called_at > 0 AND a.closed_at > 0 AND a.closed_at > $1
		AND NOT EXISTS (SELECT 1 FROM wallet w WHERE w.id = a.wallet_id AND w.payment_state = 'UNPAID' AND w.unpaid_since < a.created_at)
	ORDER BY a.closed_at DESC, a.id DESC LIMIT $2) last WHERE reason IN ('declined', 'dead')`

// haltInStorm halts charging when the decline that a report tells is one too many, and returns
// until when nobody is charged; the zero time when charging goes on. Declines are counted one after
// another: two at the same time would not see each other, and a storm be missed.
func (s *Store) haltInStorm(ctx context.Context, tx *sql.Tx, r billing.Report, guard billing.StormGuard) (began bool, halted time.Time, err error) {
	declined := r.Reason == billing.ReasonDeclined || r.Reason == billing.ReasonDead
	if declined && guard.Declines > 0 {
		if err := s.alone(ctx, tx, declineLock); err != nil {
			return false, halted, err
		}
	}
	var storm time.Time
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(until), 0), COALESCE(MAX(until) FILTER (WHERE name = $1), 0) FROM halt`, haltStorm).
		Scan(at(&halted), at(&storm))
	if err != nil {
		return false, halted, fmt.Errorf("read halts: %w", err)
	}
	if halted.After(r.At) || !declined || guard.Declines == 0 {
		return false, halted, nil
	}
	since := r.At.Add(-billing.StormWindow)
	if storm.After(since) {
		since = storm // what made the last storm does not make another
	}
	var declines int
	if err := tx.QueryRowContext(ctx, lastDeclines, millis(since), guard.Attempts).Scan(&declines); err != nil {
		return false, halted, fmt.Errorf("count declines: %w", err)
	}
	if declines < guard.Declines {
		return false, halted, nil
	}
	h := billing.Halt{Reason: fmt.Sprintf("%d of the last %d attempts were declined", declines, guard.Attempts), Until: r.At.Add(guard.Pause)}
	return true, h.Until, halt(ctx, tx, haltStorm, h, r.At)
}
