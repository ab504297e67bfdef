package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

const accountColumns = `id, name, email, created_at`

func scanAccount(row scanner) (a access.Account, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Email, at(&a.CreatedAt))
	return a, err
}

// InsertAccount stores an account. It is a Conflict when another has the address.
func (s *Store) InsertAccount(ctx context.Context, a access.Account) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		stored, err := changed(tx.ExecContext(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`, a.ID, a.Name, a.Email, millis(a.CreatedAt)))
		if err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		if !stored {
			return &fault.Error{Kind: fault.Conflict, Field: "email", Code: "EMAIL_TAKEN", Message: "belongs to another account"}
		}
		return nil
	})
}

// Account reads an account. It is NotFound when there is none.
func (s *Store) Account(ctx context.Context, id string) (access.Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM account WHERE id = $1`, id))
	return a, orNotFound(err, "account", id)
}

// Accounts lists accounts by id, those after an id.
func (s *Store) Accounts(ctx context.Context, after string, limit int) ([]access.Account, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+accountColumns+` FROM account WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	return collect(rows, err, scanAccount)
}

// hasAccount reports whether there is such an account.
func hasAccount(ctx context.Context, tx querier, id string) (bool, error) {
	var found int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM account WHERE id = $1`, id).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
