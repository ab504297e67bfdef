package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// longUnpaid is the condition of an index, word for word.
const longUnpaid = `payment_state = 'UNPAID' AND long_term_at = 0 AND unpaid_since <= $1`

// asksNoCard is of a wallet whose cards are not being asked at this moment. Before they have answered
// nobody can say whether it still is unpaid.
const asksNoCard = `NOT EXISTS (SELECT 1 FROM charge c WHERE c.wallet_id = wallet.id AND c.state = 'open')`

// TellLongUnpaid tells of wallets that have been unpaid for as many days as the configuration says
// (장기 결제 실패), each once per spell, and returns how many it told of. One that is being charged is
// told of when that failed.
func (s *Store) TellLongUnpaid(ctx context.Context, now time.Time) (told int, err error) {
	since := now.Add(-s.longUnpaid)
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM wallet WHERE `+longUnpaid+` AND `+asksNoCard+` ORDER BY unpaid_since LIMIT 200`, millis(since))
	ids, err := collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return 0, fmt.Errorf("list wallets that are unpaid for long: %w", err)
	}
	for _, id := range ids {
		if err := s.inTx(ctx, func(tx *sql.Tx) error { return s.tellLongUnpaid(ctx, tx, id, since, now) }); err != nil {
			return told, fmt.Errorf("tell that wallet %s is unpaid for long: %w", id, err)
		}
		told++
	}
	return told, nil
}

func (s *Store) tellLongUnpaid(ctx context.Context, tx *sql.Tx, id string, since, now time.Time) error {
	w, err := s.lockWallet(ctx, tx, id)
	if err != nil {
		return err
	}
	mine, err := changed(tx.ExecContext(ctx, `UPDATE wallet SET long_term_at = $3 WHERE id = $2 AND `+longUnpaid+` AND `+asksNoCard, millis(since), id, millis(now)))
	if err != nil || !mine { // it has paid, it is being charged, or another process was first
		return err
	}
	var name string
	var unpaidSince, next time.Time
	err = tx.QueryRowContext(ctx, `SELECT name, unpaid_since, next_charge_at FROM wallet WHERE id = $1`, id).Scan(&name, at(&unpaidSince), at(&next))
	if err != nil {
		return err
	}
	due := w.Due(now) + w.Charging // a charge of which nobody knows whether it was paid is owed still
	return insertNotices(ctx, tx, notice.Event{
		WalletID: id, Subject: strconv.FormatInt(millis(unpaidSince), 10), At: now, Data: notice.LongTermFailure{
			WalletName: name, Due: billing.AmountOf(due, wallet.VAT(due)), Days: int(now.Sub(unpaidSince) / (24 * time.Hour)),
			Since: unpaidSince, NextTryAt: next, Path: billing.WalletPath(id),
		},
	})
}
