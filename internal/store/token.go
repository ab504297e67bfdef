package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
)

const tokenColumns = `id, name, COALESCE(account_id, ''), scopes, created_at, expires_at, last_used_at, revoked_at`

func scanToken(row scanner) (t access.Token, err error) {
	var scopes string
	err = row.Scan(&t.ID, &t.Name, &t.AccountID, &scopes, at(&t.CreatedAt), at(&t.ExpiresAt), at(&t.LastUsedAt), at(&t.RevokedAt))
	for _, word := range strings.Fields(scopes) {
		t.Scopes = append(t.Scopes, access.Scope(word))
	}
	return t, err
}

// InsertToken stores a token with the SHA-256 of its secret.
func (s *Store) InsertToken(ctx context.Context, t access.Token, hash []byte) error {
	words := make([]string, len(t.Scopes))
	for i, scope := range t.Scopes {
		words[i] = string(scope)
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO token (id, name, account_id, hash, scopes, created_at, expires_at, last_used_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)`,
			t.ID, t.Name, orNull(t.AccountID), hash, strings.Join(words, " "), millis(t.CreatedAt), millis(t.ExpiresAt))
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

// Tokens lists tokens by id, those after an id.
func (s *Store) Tokens(ctx context.Context, after string, limit int) ([]access.Token, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+tokenColumns+` FROM token WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	return collect(rows, err, scanToken)
}

// RevokeToken ends a token. Revoked again it changes nothing. It is NotFound when there is none.
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		found, err := changed(tx.ExecContext(ctx, `UPDATE token SET revoked_at = CASE WHEN revoked_at = 0 THEN $2 ELSE revoked_at END
			WHERE id = $1`, id, millis(now)))
		if err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		if !found {
			return orNotFound(sql.ErrNoRows, "token", id)
		}
		return nil
	})
}

// orNull stores an empty reference as NULL.
func orNull(id string) sql.NullString { return sql.NullString{String: id, Valid: id != ""} }
