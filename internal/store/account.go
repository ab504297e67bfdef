package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

var errEmailTaken = &fault.Error{Kind: fault.Conflict, Field: "email", Code: "EMAIL_TAKEN", Message: "belongs to another account"}

const accountColumns = `id, name, email, platform_admin, created_at`

// accountView is what is read of an account: its columns, and why mails to its address are not sent.
const accountView = accountColumns + `, COALESCE((SELECT r.reason FROM refused_address r WHERE r.address = lower(account.email)), '')`

func scanAccount(row scanner) (a access.Account, err error) {
	var admin int64
	err = row.Scan(&a.ID, &a.Name, &a.Email, &admin, at(&a.CreatedAt), &a.EmailRefused)
	a.Admin = admin != 0
	return a, err
}

// InsertAccount stores an account. It is a Conflict when another has the address.
func (s *Store) InsertAccount(ctx context.Context, a access.Account) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		stored, err := changed(tx.ExecContext(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1, $2, $3, 0, $4)
			ON CONFLICT DO NOTHING`, a.ID, a.Name, a.Email, millis(a.CreatedAt)))
		if err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		if !stored {
			return errEmailTaken
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfAccount, ID: a.ID}, nil, map[string]any{"name": a.Name, "email": a.Email})
		return nil
	})
}

// ChangeAccount sets what is given of an account. It is NotFound when there is none, and a Conflict
// when another has the address.
func (s *Store) ChangeAccount(ctx context.Context, id string, c access.AccountChange) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		before, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountView+` FROM account WHERE id = $1`+s.dialect.lock, id))
		if err != nil {
			return orNotFound(err, "account", id)
		}
		after := before
		if c.Name != nil {
			after.Name = *c.Name
		}
		if c.Email != nil {
			after.Email = *c.Email
		}
		if after == before {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		stored, err := changed(tx.ExecContext(ctx, `UPDATE account SET name = $2, email = $3 WHERE id = $1
			AND NOT EXISTS (SELECT 1 FROM account o WHERE lower(o.email) = lower(CAST($3 AS TEXT)) AND o.id <> $1)`, id, after.Name, after.Email))
		switch {
		case isTaken(err): // by somebody who took it at the same time
			return errEmailTaken
		case err != nil:
			return fmt.Errorf("change account %s: %w", id, err)
		}
		if !stored {
			return errEmailTaken
		}
		facts := func(a access.Account) map[string]any { return map[string]any{"name": a.Name, "email": a.Email} }
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfAccount, ID: id}, facts(before), facts(after))
		return nil
	})
}

// isTaken reports whether PostgreSQL refused a row because another has the same key. SQLite has one
// writer, so that what was looked for and not found stays away.
func isTaken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// SetAdmin makes an account a platform admin, or ends that. It is NotFound when there is none.
func (s *Store) SetAdmin(ctx context.Context, id string, admin bool) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		a, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountView+` FROM account WHERE id = $1`+s.dialect.lock, id))
		if err != nil {
			return orNotFound(err, "account", id)
		}
		if a.Admin == admin {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfAccount, ID: id}, map[string]any{"admin": a.Admin}, map[string]any{"admin": admin})
		word := 0
		if admin {
			word = 1
		}
		_, err = tx.ExecContext(ctx, `UPDATE account SET platform_admin = $2 WHERE id = $1`, id, word)
		return err
	})
}

// Account reads an account. It is NotFound when there is none.
func (s *Store) Account(ctx context.Context, id string) (access.Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountView+` FROM account WHERE id = $1`, id))
	return a, orNotFound(err, "account", id)
}

// Accounts lists accounts by id, those after an id; a person sees himself.
func (s *Store) Accounts(ctx context.Context, sight access.Sight, after string, limit int) ([]access.Account, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+accountView+` FROM account WHERE id > $1 AND ($3 = '' OR id = $3)
		ORDER BY id LIMIT $2`, after, limit, string(sight))
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
