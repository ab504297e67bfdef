package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/billing"
)

// AccountOpened keeps the one-time account of a top-up by bank transfer; from now on the attempt's
// runs look for the money. The answer of the call itself counts whatever the sweep did meanwhile.
func (s *Store) AccountOpened(ctx context.Context, r billing.Report, a billing.OneTimeAccount) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Issued}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var checkout string
		err := tx.QueryRowContext(ctx, `UPDATE attempt SET state = 'prepared', epoch = epoch + 1, next_at = $3, enqueued_at = 0,
			attempts = 0, lease_until = 0, called_at = 0
			WHERE id = $1 AND state IN ('calling', 'unknown') AND (epoch = $2 OR $4 = 0) RETURNING wallet_id, subject_id`,
			r.ID, r.Epoch, millis(r.NextAt), asInt(r.Fenced)).Scan(&result.WalletID, &checkout)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE checkout SET account_bank = $2, account_number = $3, account_holder = $4 WHERE id = $1`,
			checkout, a.Bank, a.Number, a.Holder)
		if err != nil {
			return fmt.Errorf("keep the account of checkout %s: %w", checkout, err)
		}
		return nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		return billing.Result{Outcome: billing.Skipped}, nil
	}
	return result, err
}
