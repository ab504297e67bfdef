package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

const tokenColumns = `id, name, COALESCE(account_id, ''), scopes, created_at, expires_at, last_used_at, revoked_at, issued_by,
	COALESCE((SELECT a.platform_admin FROM account a WHERE a.id = token.account_id), 0)`

func scanToken(row scanner) (t access.Token, err error) {
	var scopes string
	var admin int64
	err = row.Scan(&t.ID, &t.Name, &t.AccountID, &scopes, at(&t.CreatedAt), at(&t.ExpiresAt), at(&t.LastUsedAt), at(&t.RevokedAt), &t.IssuedBy, &admin)
	t.Admin = admin != 0
	for _, word := range strings.Fields(scopes) {
		t.Scopes = append(t.Scopes, access.Scope(word))
	}
	return t, err
}

// InsertToken stores a token with the SHA-256 of its secret. An account that does not exist is
// Invalid.
func (s *Store) InsertToken(ctx context.Context, t access.Token, hash []byte) error {
	words := make([]string, len(t.Scopes))
	for i, scope := range t.Scopes {
		words[i] = string(scope)
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if t.AccountID != "" {
			known, err := hasAccount(ctx, tx, t.AccountID)
			if err != nil {
				return err
			}
			if !known {
				return fault.Field("account", "there is no account %q", t.AccountID)
			}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfToken, ID: t.ID}, nil, map[string]any{
			"name": t.Name, "account": t.AccountID, "scopes": t.Scopes, "expires_at": millis(t.ExpiresAt),
		})
		_, err := tx.ExecContext(ctx, `INSERT INTO token (id, name, account_id, hash, scopes, created_at, expires_at, last_used_at, revoked_at, issued_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8)`,
			t.ID, t.Name, orNull(t.AccountID), hash, strings.Join(words, " "), millis(t.CreatedAt), millis(t.ExpiresAt), t.IssuedBy)
		if err != nil {
			return fmt.Errorf("insert token: %w", err)
		}
		return nil
	})
}

// TokenByHash finds a token by the SHA-256 of its secret, also one that is expired or revoked.
// It is NotFound when there is none.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (access.Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM token WHERE hash = $1`, hash))
	return t, orNotFound(err, "token", "that is presented")
}

// TouchToken sets when a token was last used. It never goes back.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	_, err := s.write.ExecContext(ctx, `UPDATE token SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2`, id, millis(at))
	if err != nil {
		return fmt.Errorf("touch token %s: %w", id, err)
	}
	return nil
}

// Tokens lists tokens by id, those after an id; a person sees his own.
func (s *Store) Tokens(ctx context.Context, sight access.Sight, after string, limit int) ([]access.Token, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+tokenColumns+` FROM token WHERE id > $1 AND ($3 = '' OR account_id = $3)
		ORDER BY id LIMIT $2`, after, limit, string(sight))
	return collect(rows, err, scanToken)
}

// issuerOf returns who made a token, empty when nobody is known and for what is no token.
func issuerOf(ctx context.Context, q querier, id string) (account string, err error) {
	err = q.QueryRowContext(ctx, `SELECT COALESCE(MAX(issued_by), '') FROM token WHERE id = $1`, id).Scan(&account)
	if err != nil {
		return "", fmt.Errorf("look up who made token %s: %w", id, err)
	}
	return account, nil
}

// RevokeToken ends a token. Revoked again it changes nothing. It is NotFound when there is none.
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		t, err := scanToken(tx.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM token WHERE id = $1`+s.dialect.lock, id))
		if err != nil {
			return orNotFound(err, "token", id)
		}
		if !t.RevokedAt.IsZero() {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfToken, ID: id}, map[string]any{"name": t.Name, "account": t.AccountID},
			map[string]any{"revoked_at": millis(now)})
		_, err = tx.ExecContext(ctx, `UPDATE token SET revoked_at = $2 WHERE id = $1`, id, millis(now))
		if err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		return nil
	})
}

// orNull stores an empty reference as NULL.
func orNull(id string) sql.NullString { return sql.NullString{String: id, Valid: id != ""} }
