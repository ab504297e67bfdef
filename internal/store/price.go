package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/wallet"
)

// Prices reads the price list, what was, is and will be valid.
func (s *Store) Prices(ctx context.Context) (wallet.Prices, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT item, price_krw, valid_from FROM price ORDER BY item, valid_from`)
	return collect(rows, err, func(row scanner) (p wallet.Price, err error) {
		err = row.Scan(&p.Item, &p.KRW, at(&p.ValidFrom))
		return p, err
	})
}

// FirstPrice stores what a message costs in an installation that has no price yet.
func (s *Store) FirstPrice(ctx context.Context, price wallet.KRW) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO price (item, price_krw, valid_from) VALUES ($1, $2, 0) ON CONFLICT (item, valid_from) DO NOTHING`,
		wallet.EventMessage, price)
	if err != nil {
		return fmt.Errorf("store the first price: %w", err)
	}
	return nil
}

// PutPrice stores a price, in place of one for the same moment.
func (s *Store) PutPrice(ctx context.Context, p wallet.Price) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO price (item, price_krw, valid_from) VALUES ($1, $2, $3)
			ON CONFLICT (item, valid_from) DO UPDATE SET price_krw = excluded.price_krw`, p.Item, p.KRW, millis(p.ValidFrom))
		if err != nil {
			return fmt.Errorf("store a price: %w", err)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.Platform}, nil, map[string]any{"item": p.Item, "price_krw": p.KRW, "valid_from": p.ValidFrom})
		return nil
	})
}

// priceOf returns what a message costs at a time.
func priceOf(ctx context.Context, tx *sql.Tx, now time.Time) (price wallet.KRW, err error) {
	err = tx.QueryRowContext(ctx, `SELECT price_krw FROM price WHERE item = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1`,
		wallet.EventMessage, millis(now)).Scan(&price)
	if err != nil {
		return 0, fmt.Errorf("look up the price of a message: %w", err)
	}
	return price, nil
}
