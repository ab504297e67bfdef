package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// checkEvery is how often each wallet is compared.
const checkEvery = time.Hour

// newChecks bounds how many wallets get their row of ledger_check at a time.
const newChecks = 1000

const uncheckedWallet = `NOT EXISTS (SELECT 1 FROM ledger_check k WHERE k.wallet_id = w.id)`

// ClaimChecks takes wallets whose comparison is due, the longest due first, and puts their next one
// off: another process takes others, and one that dies with them has them compared an hour later.
func (s *Store) ClaimChecks(ctx context.Context, now time.Time, limit int) (claimed []string, err error) {
	var fresh, due bool // a look beside the writer, so that an idle system writes nothing
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM wallet w WHERE `+uncheckedWallet+`), EXISTS (SELECT 1 FROM ledger_check WHERE next_at <= $1)`,
		millis(now)).Scan(&fresh, &due)
	if err != nil {
		return nil, fmt.Errorf("look for wallets to compare: %w", err)
	}
	if !fresh && !due {
		return nil, nil
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if fresh {
			_, err := tx.ExecContext(ctx, `INSERT INTO ledger_check (wallet_id, next_at, checked_at, base_at, base_free, base_paid, base_refunding,
				base_accrual, base_charging, balance_krw, held_krw, free_krw, messages_krw, payments_krw)
				SELECT w.id, CAST($1 AS BIGINT), CAST($1 AS BIGINT), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM wallet w WHERE `+uncheckedWallet+` ORDER BY w.id LIMIT $2
				ON CONFLICT DO NOTHING`, millis(now), newChecks)
			if err != nil {
				return fmt.Errorf("begin to compare new wallets: %w", err)
			}
		}
		rows, err := tx.QueryContext(ctx, `WITH picked AS MATERIALIZED (SELECT wallet_id FROM ledger_check WHERE next_at <= $1 ORDER BY next_at, wallet_id LIMIT $2`+s.dialect.share+`)
			UPDATE ledger_check SET next_at = $3 WHERE wallet_id IN (SELECT wallet_id FROM picked) RETURNING wallet_id`,
			millis(now), limit, millis(now.Add(checkEvery)))
		claimed, err = collect(rows, err, scanText)
		return err
	})
	slices.Sort(claimed)
	return claimed, err
}

// advanceBases sums up postings that are older than yesterday, of wallets whose sums end before that.
// A posting's time is that of its transaction, which has long ended then.
func (s *Store) advanceBases(ctx context.Context, walletIDs []string, now time.Time) error {
	base := millis(clock.Midnight(now).Add(-24 * time.Hour))
	list, args := numbered(walletIDs)
	n := len(args) + 1
	rows, err := s.read.QueryContext(ctx, fmt.Sprintf(`SELECT wallet_id, base_at FROM ledger_check WHERE wallet_id IN (%s) AND base_at < $%d`, list, n), append(args, base)...)
	type old struct {
		id string
		at int64
	}
	behind, err := collect(rows, err, func(row scanner) (o old, err error) {
		err = row.Scan(&o.id, &o.at)
		return o, err
	})
	if err != nil {
		return fmt.Errorf("look for old sums: %w", err)
	}
	for _, o := range behind {
		var sums [5]int64
		err := s.snapshot(ctx, compareTime, func(q querier) error {
			return q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(free), 0) AS BIGINT), CAST(COALESCE(SUM(paid), 0) AS BIGINT),
				CAST(COALESCE(SUM(refunding), 0) AS BIGINT), CAST(COALESCE(SUM(accrual), 0) AS BIGINT), CAST(COALESCE(SUM(charging), 0) AS BIGINT)
				FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3`, o.id, o.at, base).Scan(&sums[0], &sums[1], &sums[2], &sums[3], &sums[4])
		})
		if err != nil {
			return fmt.Errorf("sum old postings of %s: %w", o.id, err)
		}
		_, err = s.write.ExecContext(ctx, `UPDATE ledger_check SET base_at = $3, base_free = base_free + $4, base_paid = base_paid + $5,
			base_refunding = base_refunding + $6, base_accrual = base_accrual + $7, base_charging = base_charging + $8
			WHERE wallet_id = $1 AND base_at = $2`, o.id, o.at, base, sums[0], sums[1], sums[2], sums[3], sums[4])
		if err != nil {
			return fmt.Errorf("keep the sums of old postings of %s: %w", o.id, err)
		}
	}
	return nil
}

// KeepCheck keeps what was found of a wallet, and then for how long it has cash.
func (s *Store) KeepCheck(ctx context.Context, walletID string, found map[reconcile.Kind]wallet.KRW, now time.Time) error {
	_, err := s.write.ExecContext(ctx, `UPDATE ledger_check SET checked_at = $2, balance_krw = $3, held_krw = $4, free_krw = $5,
		messages_krw = $6, payments_krw = $7 WHERE wallet_id = $1`, walletID, millis(now),
		found[reconcile.Balance], found[reconcile.Held], found[reconcile.Free], found[reconcile.Messages], found[reconcile.Payments])
	if err != nil {
		return fmt.Errorf("keep what was found of wallet %s: %w", walletID, err)
	}
	runway, err := s.runway(ctx, walletID, now)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `UPDATE ledger_check SET runway = $2 WHERE wallet_id = $1 AND runway <> $2`, walletID, runway)
	if err != nil {
		return fmt.Errorf("keep how long the cash of wallet %s lasts: %w", walletID, err)
	}
	return nil
}

// runwayOver is the time whose use says how fast a wallet's cash goes.
const runwayOver = 7 * 24 * time.Hour

// runway tells for how long a wallet has cash when it is used as in the last seven days; "" for one with a
// card, which is charged then, and for one that used none.
func (s *Store) runway(ctx context.Context, walletID string, now time.Time) (Runway, error) {
	var cash, used wallet.KRW
	err := s.snapshot(ctx, compareTime, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT w.free_krw + w.paid_krw - w.held_krw, CAST(COALESCE((
			SELECT -SUM(p.free + p.paid) FROM posting p WHERE p.wallet_id = w.id AND p.at > $2 AND p.kind = 'capture'), 0) AS BIGINT)
		FROM wallet w WHERE w.id = $1 AND w.deleted_at = 0 AND NOT EXISTS (SELECT 1 FROM wallet_card c WHERE c.wallet_id = w.id)`,
			walletID, millis(now.Add(-runwayOver))).Scan(&cash, &used)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look how long the cash of wallet %s lasts: %w", walletID, err)
	}
	return runwayOf(cash, used), nil
}

// runwayOf divides cash by a seventh of what was used in seven days.
func runwayOf(cash, used wallet.KRW) Runway {
	switch {
	case used <= 0:
		return ""
	case 7*cash < used:
		return Runways[0]
	case 7*cash < 3*used:
		return Runways[1]
	case 7*cash < 7*used:
		return Runways[2]
	}
	return Runways[3]
}
