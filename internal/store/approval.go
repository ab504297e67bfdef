package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// Approve lets a broadcast go that waits for a second person: see [broadcast.Broadcast.Approve].
func (s *Store) Approve(ctx context.Context, id broadcast.ID, account string, now time.Time) (broadcast.Broadcast, error) {
	return s.changeBroadcast(ctx, id, now, func(tx *sql.Tx, b *broadcast.Broadcast) error {
		issuer, err := issuerOf(ctx, tx, b.SealedBy)
		if err != nil {
			return err
		}
		if err := b.Approve(account, issuer, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE broadcast SET approved_by = $2, approved_at = $3 WHERE id = $1`, id, b.ApprovedBy, millis(b.ApprovedAt))
		if err != nil {
			return fmt.Errorf("approve broadcast %s: %w", id, err)
		}
		return nil
	})
}
