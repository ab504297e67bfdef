package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

// claimRequest makes a call that changes something repeatable: the first call with a scope (who
// calls) and a key takes them, with what it will be answered, an id or JSON; the transaction of one
// that does not know it yet ends with [answerRequest]. A later call with the same body is repeated
// and gets that answer; with another body it is Invalid. Of two calls at once the second waits for
// the first, and goes on in its place if that fails.
//
// An empty scope or key is a call that may not be repeated: nothing is stored and it is never
// repeated.
func claimRequest(ctx context.Context, tx *sql.Tx, scope, key string, bodyHash []byte, will string) (answer []byte, repeated bool, err error) {
	if scope == "" || key == "" {
		return nil, false, nil
	}
	// Keys age in real time, whatever clock the rules are given: their callers do.
	first, err := changed(tx.ExecContext(ctx, `INSERT INTO idempotency (scope, idem_key, body_hash, answer, at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, idem_key) DO NOTHING`, scope, key, bodyHash, will, time.Now().UnixMilli()))
	if err != nil {
		return nil, false, fmt.Errorf("claim an idempotency key: %w", err)
	}
	if first {
		return nil, false, nil
	}
	var hash []byte
	var text string
	err = tx.QueryRowContext(ctx, `SELECT body_hash, answer FROM idempotency WHERE scope = $1 AND idem_key = $2`, scope, key).
		Scan(&hash, &text)
	if err != nil {
		return nil, false, fmt.Errorf("read an idempotency key: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, bodyHash) != 1 {
		return nil, false, fault.Coded(fault.Invalid, "IDEMPOTENCY_KEY_REUSED",
			"this Idempotency-Key was used with another request; use a new key for a new request")
	}
	access.DeedOf(ctx).Nothing()
	return []byte(text), true, nil
}

// answerRequest stores what the first call of [claimRequest] is answered with, where that was not
// known before. It does nothing for a call that may not be repeated.
func answerRequest(ctx context.Context, tx *sql.Tx, scope, key string, answer []byte) error {
	if scope == "" || key == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE idempotency SET answer = $3 WHERE scope = $1 AND idem_key = $2`, scope, key, string(answer))
	if err != nil {
		return fmt.Errorf("store the answer of an idempotency key: %w", err)
	}
	return nil
}

const (
	// keyLife is how long a key is remembered: a caller who was cut short repeats his call within
	// days, not months.
	keyLife = 30 * 24 * time.Hour
	// keysAtOnce bounds how many keys one transaction forgets.
	keysAtOnce = 5_000
)

// ForgetKeys removes keys older than 30 days, at most 5,000 at a time, and returns how many. With
// such a key a call is a new one.
func (s *Store) ForgetKeys(ctx context.Context, now time.Time) (int, error) {
	before := millis(now.Add(-keyLife))
	var any bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM idempotency WHERE at < $1)`, before).Scan(&any)
	if err != nil || !any {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `DELETE FROM idempotency WHERE (scope, idem_key) IN
		(SELECT scope, idem_key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2)`, before, keysAtOnce)
	if err != nil {
		return 0, fmt.Errorf("forget idempotency keys: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}
