package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"

	"github.com/malgil/malgil/internal/access"
)

// writeDeed writes the deed of a context, where one is done, into the audit log. It is the last
// thing that a transaction does: the end of the chain is locked after every other lock.
func (s *Store) writeDeed(ctx context.Context, tx *sql.Tx) (written bool, err error) {
	e, any := access.DeedOf(ctx).Entry()
	if !any {
		return false, nil
	}
	if e.WalletID == "" {
		if _, known := places[e.Subject.Kind]; known {
			p, _, err := placeOf(ctx, tx, e.Subject) // one that is gone has no wallet
			if err != nil {
				return false, fmt.Errorf("find the wallet of %s %s: %w", e.Subject.Kind, e.Subject.ID, err)
			}
			e.WalletID = p.wallet
		}
	}
	var last [sha256.Size]byte
	if e.Seq, last, err = auditHead(ctx, tx, s.dialect.lock); err != nil {
		return false, err
	}
	e.Seq++
	e.Hash = e.Seal(last)
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (seq, at, token_id, account_id, action, subject_kind, subject_id, wallet_id,
		reason, before_json, after_json, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		e.Seq, millis(e.At), e.TokenID, e.AccountID, e.Action, e.Subject.Kind, e.Subject.ID, e.WalletID,
		e.Reason, e.Before, e.After, e.Hash[:])
	if err != nil {
		return false, fmt.Errorf("write the audit log: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE audit_head SET seq = $1, hash = $2`, e.Seq, e.Hash[:]); err != nil {
		return false, fmt.Errorf("move the end of the audit log: %w", err)
	}
	return true, nil
}

// auditHead reads the end of the chain, and locks it when lock says so.
func auditHead(ctx context.Context, q querier, lock string) (seq int64, hash [sha256.Size]byte, err error) {
	var raw []byte
	err = q.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head`+lock).Scan(&seq, &raw)
	if err != nil {
		return 0, hash, fmt.Errorf("read the end of the audit log: %w", err)
	}
	copy(hash[:], raw)
	return seq, hash, nil
}

const auditColumns = `seq, at, token_id, account_id, action, subject_kind, subject_id, wallet_id, reason, before_json, after_json, hash`

func scanEntry(row scanner) (e access.Entry, err error) {
	var hash []byte
	err = row.Scan(&e.Seq, at(&e.At), &e.TokenID, &e.AccountID, &e.Action, &e.Subject.Kind, &e.Subject.ID, &e.WalletID,
		&e.Reason, &e.Before, &e.After, &hash)
	copy(e.Hash[:], hash) // one of another length is found not to hold
	return e, err
}

// AuditFilter narrows a list of the audit log; an empty field does not.
type AuditFilter struct {
	Sight     access.Sight // a person sees what he did, and what was done to wallets and bots that he is the master of
	WalletID  string
	AccountID string // who did it
	Action    string
	Subject   access.Object
}

// Audit lists the audit log, newest first: entries before a number, or from the newest with 0.
func (s *Store) Audit(ctx context.Context, f AuditFilter, before int64, limit int) ([]access.Entry, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	query, args := `SELECT `+auditColumns+` FROM audit WHERE seq < $1`, []any{before}
	narrow := func(condition string, value any) {
		args = append(args, value)
		query += fmt.Sprintf(" AND "+condition, len(args))
	}
	if f.Sight != access.Everything {
		narrow(`(account_id = $%[1]d
			OR wallet_id IN (SELECT wallet_id FROM wallet_member WHERE account_id = $%[1]d AND role = 'master')
			OR (subject_kind = 'bot' AND subject_id IN (SELECT bot_id FROM bot_member WHERE account_id = $%[1]d AND role = 'master')))`, string(f.Sight))
	}
	for _, one := range []struct{ column, value string }{
		{"wallet_id", f.WalletID}, {"account_id", f.AccountID}, {"action", f.Action},
		{"subject_kind", string(f.Subject.Kind)}, {"subject_id", f.Subject.ID},
	} {
		if one.value != "" {
			narrow(one.column+" = $%d", one.value)
		}
	}
	args = append(args, limit)
	rows, err := s.read.QueryContext(ctx, query+fmt.Sprintf(" ORDER BY seq DESC LIMIT $%d", len(args)), args...)
	return collect(rows, err, scanEntry)
}

// VerifyAudit walks along the whole audit log, as long as it was when the walk began, and reports
// the first entry that does not hold.
func (s *Store) VerifyAudit(ctx context.Context) (access.AuditReport, error) {
	end, last, err := auditHead(ctx, s.read, "")
	if err != nil {
		return access.AuditReport{}, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit WHERE seq <= $1 ORDER BY seq`, end)
	if err != nil {
		return access.AuditReport{}, fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	var chain access.Chain
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return access.AuditReport{}, fmt.Errorf("read the audit log: %w", err)
		}
		if broken, ok := chain.Next(e); !ok {
			return broken, nil
		}
	}
	if err := rows.Err(); err != nil {
		return access.AuditReport{}, fmt.Errorf("read the audit log: %w", err)
	}
	return chain.End(end, last), nil
}
