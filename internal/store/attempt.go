package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
)

// Attempt reads an attempt with what its call needs to know.
func (s *Store) Attempt(ctx context.Context, id string, now time.Time) (a billing.Attempt, err error) {
	var cards int
	err = s.read.QueryRowContext(ctx, `SELECT a.id, a.kind, a.subject_id, a.wallet_id, a.state, a.epoch, a.next_at, a.created_at,
		a.total_krw, COALESCE(ch.vat_krw, co.vat_krw, rl.vat_krw, 0), COALESCE(co.method, ''), COALESCE(co.account_number, '') <> '',
		COALESCE(co.deadline, 0), COALESCE(c.payer_id, co.account_id, ''), a.tid, a.token_sealed,
		a.card_id, a.slot, c.sid_sealed, COALESCE(c.state, ''), a.card_approved_at, a.called_at, a.attempts,
		EXISTS (SELECT 1 FROM wallet_card w WHERE w.card_id = a.card_id AND w.wallet_id = a.wallet_id),
		(SELECT COUNT(*) FROM attempt d WHERE a.kind = 'charge' AND d.card_id = a.card_id AND d.kind = 'charge' AND d.state = 'declined'
			AND d.reason IN ('declined', 'dead') AND d.called_at > $2),
		(SELECT COALESCE(MAX(p.closed_at), 0) FROM attempt p WHERE a.kind = 'charge' AND p.card_id = a.card_id AND p.state = 'done'),
		COALESCE(ch.state, co.state, rf.state, '') = 'review',
		(SELECT COALESCE(MAX(until), 0) FROM halt),
		(SELECT COUNT(*) FROM card k WHERE k.account_id = co.account_id AND k.removed_at = 0)
		FROM attempt a
		LEFT JOIN charge ch ON a.kind = 'charge' AND ch.id = a.subject_id
		LEFT JOIN checkout co ON a.kind IN ('topup', 'card', 'cancel') AND co.id = a.subject_id
		LEFT JOIN refund_line rl ON a.kind = 'refund' AND rl.id = a.subject_id
		LEFT JOIN refund rf ON rf.id = rl.refund_id
		LEFT JOIN card c ON a.kind = 'charge' AND c.id = a.card_id
		WHERE a.id = $1`, id, millis(now.Add(-billing.DeclineWindow))).
		Scan(&a.ID, &a.Kind, &a.SubjectID, &a.WalletID, &a.State, &a.Epoch, at(&a.NextAt), at(&a.CreatedAt),
			&a.Total, &a.VAT, &a.Method, &a.Issued, at(&a.Deadline), &a.PayerID, &a.TID, &a.Token,
			&a.CardID, &a.Slot, &a.SealedSID, &a.CardState, at(&a.CardApprovedAt), at(&a.CalledAt), &a.Tries,
			&a.OnWallet, &a.Declines, at(&a.CardPaidAt), &a.InReview, at(&a.HaltedUntil), &cards)
	a.CardsLeft = billing.MaxAccountCards - cards
	return a, orNotFound(err, "attempt", id)
}

// ClaimAttempt moves an attempt from prepared to calling.
func (s *Store) ClaimAttempt(ctx context.Context, c billing.Claim) (bool, error) {
	return changed(s.write.ExecContext(ctx, `UPDATE attempt
		SET state = 'calling', epoch = epoch + 1, called_at = $3, lease_until = $4, card_approved_at = $5, enqueued_at = 0
		WHERE id = $1 AND epoch = $2 AND state = 'prepared' AND next_at <= $3 AND (kind IN ('cancel', 'refund')
			OR kind = 'invoice' AND EXISTS (SELECT 1 FROM invoice i WHERE i.id = attempt.subject_id AND i.state = 'waiting')
			OR kind = 'charge' AND EXISTS (SELECT 1 FROM charge c WHERE c.id = attempt.subject_id AND c.state = 'open')
				AND EXISTS (SELECT 1 FROM wallet_card w WHERE w.card_id = attempt.card_id AND w.wallet_id = attempt.wallet_id)
				AND NOT EXISTS (SELECT 1 FROM halt WHERE until > $3)
			OR kind IN ('topup', 'card')
				AND EXISTS (SELECT 1 FROM checkout c WHERE c.id = attempt.subject_id
					AND (c.state IN ('approving', 'review') OR c.method = 'bank' AND c.state = 'ready')))`,
		c.ID, c.Epoch, millis(c.At), millis(c.LeaseUntil), millis(c.CardApprovedAt)))
}

// PostponeAttempt returns an attempt to prepared. A charge whose outcome is unknown never goes
// back; an approval may, as one tid pays once, a refund, see [billing.RefundAttempt], and an invoice, as
// one order is issued once.
func (s *Store) PostponeAttempt(ctx context.Context, r billing.Report) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Postponed, Reason: r.Reason}
	err := s.write.QueryRowContext(ctx, `UPDATE attempt SET state = 'prepared', epoch = epoch + 1, next_at = $3, enqueued_at = 0,
		attempts = attempts + 1, lease_until = 0, called_at = 0
		WHERE id = $1 AND epoch = $2 AND (state IN ('prepared', 'calling') OR state = 'unknown' AND kind <> 'charge')
		RETURNING wallet_id`, r.ID, r.Epoch, millis(r.NextAt)).Scan(&result.WalletID)
	return orSkipped(result, err)
}

// DoubtAttempt makes an attempt unknown, or keeps it so.
func (s *Store) DoubtAttempt(ctx context.Context, r billing.Report) (billing.Result, error) {
	result := billing.Result{Outcome: billing.InDoubt, Reason: r.Code}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var subject string
		err := tx.QueryRowContext(ctx, `UPDATE attempt SET state = 'unknown', epoch = epoch + 1, next_at = $3, enqueued_at = 0,
			lease_until = 0, attempts = CASE WHEN state = 'calling' THEN 0 ELSE attempts + $4 END,
			provider_code = COALESCE(NULLIF(CAST($5 AS TEXT), ''), provider_code),
			provider_message = COALESCE(NULLIF(CAST($6 AS TEXT), ''), provider_message)
			WHERE id = $1 AND epoch = $2 AND state IN ('calling', 'unknown') RETURNING wallet_id, subject_id`,
			r.ID, r.Epoch, millis(r.NextAt), asInt(r.Answered), r.Code, r.Message).Scan(&result.WalletID, &subject)
		if err != nil || !r.Review {
			return err
		}
		result.Outcome = billing.Review
		if _, err := tx.ExecContext(ctx, `UPDATE charge SET state = 'review' WHERE id = $1 AND state = 'open'`, subject); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE refund SET state = 'review' WHERE state = 'open'
			AND id = (SELECT refund_id FROM refund_line WHERE id = $1)`, subject); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE checkout SET state = 'review' WHERE id = $1
			AND (state = 'approving' OR method = 'bank' AND state = 'ready')`, subject)
		return err
	})
	return orSkipped(result, err)
}

// orSkipped turns a fence that was lost into a run that did nothing.
func orSkipped(result billing.Result, err error) (billing.Result, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return billing.Result{Outcome: billing.Skipped}, nil
	}
	return result, err
}

// ExpireCalling makes attempts unknown whose lease is over: the worker that called is dead or
// frozen, and nobody knows what its call did. It returns how many.
func (s *Store) ExpireCalling(ctx context.Context, now time.Time) (int, error) {
	const over = `state IN ('prepared', 'calling', 'unknown') AND state = 'calling' AND lease_until <= $1`
	var any bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempt WHERE `+over+`)`, millis(now)).Scan(&any)
	if err != nil || !any {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `UPDATE attempt SET state = 'unknown', epoch = epoch + 1, next_at = $1, enqueued_at = 0,
		lease_until = 0, attempts = 0 WHERE `+over, millis(now))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// heldAttempt is an attempt that a transaction has locked.
type heldAttempt struct {
	id, subject, wallet, card, tid string
	kind                           billing.Kind
	state                          billing.State
	epoch                          int
	total                          wallet.KRW
}

// open reports whether a report may still change the attempt: in one of the states, and in the
// report's epoch when it is fenced.
func (a heldAttempt) open(r billing.Report, fenced bool, states ...billing.State) bool {
	if fenced && a.epoch != r.Epoch {
		return false
	}
	for _, state := range states {
		if a.state == state {
			return true
		}
	}
	return false
}

func (s *Store) lockAttempt(ctx context.Context, tx *sql.Tx, id string) (a heldAttempt, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id, subject_id, wallet_id, card_id, tid, kind, state, epoch, total_krw
		FROM attempt WHERE id = $1`+s.dialect.lock, id).
		Scan(&a.id, &a.subject, &a.wallet, &a.card, &a.tid, &a.kind, &a.state, &a.epoch, &a.total)
	return a, orNotFound(err, "attempt", id)
}

// attemptWallet reads which wallet an attempt is for; it never changes.
func (s *Store) attemptWallet(ctx context.Context, id string) (walletID string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT wallet_id FROM attempt WHERE id = $1`, id).Scan(&walletID)
	return walletID, orNotFound(err, "attempt", id)
}

// endAttempt ends a locked attempt. A token is of no use any more and is forgotten.
func endAttempt(ctx context.Context, tx *sql.Tx, r billing.Report, state billing.State) error {
	_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = $2, closed_at = $3, lease_until = 0, enqueued_at = 0, token_sealed = $4,
		tid = COALESCE(NULLIF(CAST($5 AS TEXT), ''), tid), reason = $6, provider_code = $7, provider_message = $8 WHERE id = $1`,
		r.ID, state, millis(r.At), []byte{}, r.TID, r.Reason, r.Code, r.Message)
	if err != nil {
		return fmt.Errorf("end attempt %s: %w", r.ID, err)
	}
	return nil
}

// newAttempt is an attempt that is prepared.
type newAttempt struct {
	id            string
	kind          billing.Kind
	subject       string
	wallet, card  string
	slot          int
	total         wallet.KRW
	tid           string
	created, next time.Time
	enqueued      time.Time // when the caller enqueues its task at once, else zero
}

func insertAttempt(ctx context.Context, tx *sql.Tx, a newAttempt) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO attempt (id, kind, subject_id, wallet_id, card_id, slot, total_krw, tid, token_sealed,
		created_at, next_at, enqueued_at, state, epoch, attempts, lease_until, called_at, card_approved_at,
		reason, provider_code, provider_message, closed_at, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'prepared', 1, 0, 0, 0, 0, '', '', '', 0, $13)`,
		a.id, a.kind, a.subject, a.wallet, a.card, a.slot, a.total, a.tid, []byte{},
		millis(a.created), millis(a.next), millis(a.enqueued), trace.Parent(ctx))
	if err != nil {
		return fmt.Errorf("prepare attempt %s: %w", a.id, err)
	}
	return nil
}

// follow returns the task of an attempt that was just prepared.
func follow(task billing.Task, attemptID string) []billing.Follow {
	return []billing.Follow{{Task: task, Row: billing.Row{ID: attemptID, Epoch: 1}}}
}
