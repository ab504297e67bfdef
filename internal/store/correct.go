package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// correct posts to a wallet whose balances are those of its legs. make returns the posting, or nil
// where nothing is to be posted; it runs under the lock of the wallet.
func (s *Store) correct(ctx context.Context, c reconcile.Correction, make func(tx *sql.Tx, w wallet.Wallet) (*wallet.Posting, error)) (posted *wallet.Posting, repeated bool, err error) {
	found, err := s.CompareBalances(ctx, []string{c.WalletID})
	if err != nil {
		return nil, false, err
	}
	// Whatever broke it is not in the rules, so it does not mend itself before the lock is had.
	if slices.ContainsFunc(found, func(f reconcile.Finding) bool { return f.Kind == reconcile.Balance || f.Kind == reconcile.Free }) {
		return nil, false, reconcile.ErrBroken
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		posted = nil
		ref, again, err := claimRequest(ctx, tx, c.Request.Scope, c.Request.Key, c.Request.BodyHash, "")
		if err != nil {
			return err
		}
		if repeated = again; again {
			posted, err = corrected(ctx, tx, c.WalletID, string(ref))
			return err
		}
		w, err := s.lockWallet(ctx, tx, c.WalletID)
		if err != nil {
			return err
		}
		if posted, err = make(tx, w); err != nil {
			return err
		}
		if posted == nil {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: c.WalletID}, nil,
			map[string]any{"correction": posted.Ref, "kind": c.Kind, "difference_krw": c.Difference})
		return answerRequest(ctx, tx, c.Request.Scope, c.Request.Key, []byte(posted.Ref))
	})
	return posted, repeated, err
}

// corrected reads the correction that a repeated request posted, nil where it posted none.
func corrected(ctx context.Context, tx *sql.Tx, walletID, ref string) (*wallet.Posting, error) {
	if ref == "" {
		return nil, nil
	}
	p, err := scanPosting(tx.QueryRowContext(ctx, `SELECT `+postingColumns+` FROM posting WHERE wallet_id = $1 AND kind = $2 AND ref = $3`,
		walletID, wallet.Correction, ref))
	if err != nil {
		return nil, fmt.Errorf("read correction %s: %w", ref, err)
	}
	return &p, nil
}

// changedSince says whether what was found still differs, and by as much as was seen.
func changedSince(c reconcile.Correction, differs wallet.KRW) (done bool, err error) {
	if differs != 0 && differs != c.Difference {
		return false, reconcile.ErrChanged
	}
	return differs == 0, nil
}

// correctionRef returns the ref of the next correction of something. The wallet is locked.
func correctionRef(ctx context.Context, tx *sql.Tx, walletID, what, id string) (string, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM posting WHERE wallet_id = $1 AND kind = 'correction' AND ref > $2 AND ref < $3`,
		walletID, what+"/"+id+"/", what+"/"+id+"0").Scan(&n)
	if err != nil {
		return "", fmt.Errorf("count the corrections of %s %s: %w", what, id, err)
	}
	return wallet.CorrectionRef(what, id, n+1), nil
}

// CorrectChunk posts what makes a chunk's captures equal its delivered messages. A repeated request
// gets what the first one posted.
func (s *Store) CorrectChunk(ctx context.Context, c reconcile.Correction, recount *broadcast.Settlement) (posted *wallet.Posting, repeated bool, err error) {
	return s.correct(ctx, c, func(tx *sql.Tx, w wallet.Wallet) (*wallet.Posting, error) {
		var broadcastID broadcast.ID
		var state broadcast.ChunkState
		var books chunkBooks
		err := tx.QueryRowContext(ctx, `SELECT broadcast_id FROM chunk WHERE id = $1 AND wallet_id = $2`, c.Subject, w.ID).Scan(&broadcastID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, reconcile.ErrNotCorrectable
		}
		if err != nil {
			return nil, fmt.Errorf("find chunk %s: %w", c.Subject, err)
		}
		b, err := s.lockBroadcast(ctx, tx, broadcastID)
		if err != nil {
			return nil, err
		}
		if err := tx.QueryRowContext(ctx, `SELECT state FROM chunk WHERE id = $1 AND `+endedChunk+s.dialect.lock, c.Subject).Scan(&state); errors.Is(err, sql.ErrNoRows) {
			return nil, reconcile.ErrNotCorrectable
		} else if err != nil {
			return nil, fmt.Errorf("lock chunk %s: %w", c.Subject, err)
		}
		err = tx.QueryRowContext(ctx, `SELECT `+capturedChunk+` FROM chunk c JOIN broadcast b ON b.id = c.broadcast_id
			LEFT JOIN posting p ON p.wallet_id = c.wallet_id AND p.kind = 'capture' AND p.ref = c.id WHERE c.id = $1`, c.Subject).
			Scan(&books.id, &books.people, &books.tally.Delivered, &books.tally.Failed, &books.evident, &books.price, at(&books.capturedAt), &books.captured)
		if err != nil {
			return nil, fmt.Errorf("read chunk %s: %w", c.Subject, err)
		}
		if recount != nil {
			if state != broadcast.Settled {
				return nil, reconcile.ErrNotCorrectable
			}
			books.tally = recount.Tally
			if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM chunk_evidence WHERE chunk_id = $1`, c.Subject).Scan(&books.evident); err != nil {
				return nil, fmt.Errorf("count the evidence of chunk %s: %w", c.Subject, err)
			}
		}
		differs := books.due() - books.captured
		if done, err := changedSince(c, differs); done || err != nil {
			return nil, err
		}
		p, err := s.correctUse(ctx, tx, w, c, differs)
		if err != nil {
			return nil, err
		}
		if recount != nil {
			if err := countAnew(ctx, tx, &b, c.Subject, *recount); err != nil {
				return nil, err
			}
		}
		return p, s.noteReached(ctx, tx, &b, state, books, c)
	})
}

// countAnew takes over what Kakao says now of a settled chunk that is locked.
func countAnew(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, id string, r broadcast.Settlement) error {
	var was broadcast.Tally
	t := r.Tally
	if err := tx.QueryRowContext(ctx, `SELECT delivered, failed, unknown FROM chunk WHERE id = $1`, id).Scan(&was.Delivered, &was.Failed, &was.Unknown); err != nil {
		return fmt.Errorf("read the people of chunk %s: %w", id, err)
	}
	b.Counts.Delivered += t.Delivered - was.Delivered
	b.Counts.Failed += t.Failed - was.Failed
	b.Counts.Unknown += t.Unknown - was.Unknown
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET delivered = $2, failed = $3, unknown = $4, result = $5 WHERE id = $1`, id, t.Delivered, t.Failed, t.Unknown, storable(string(r.Result)))
	if err != nil {
		return fmt.Errorf("count chunk %s anew: %w", id, err)
	}
	return missed(ctx, tx, broadcast.ChunkID(id), r.Missed)
}

// correctUse posts the correction of a chunk to a locked wallet.
func (s *Store) correctUse(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c reconcile.Correction, differs wallet.KRW) (*wallet.Posting, error) {
	ref, err := correctionRef(ctx, tx, w.ID, wallet.CorrectsCapture, c.Subject)
	if err != nil {
		return nil, err
	}
	before := w
	var p wallet.Posting
	if differs > 0 {
		available, err := grants(ctx, tx, w)
		if err != nil {
			return nil, fmt.Errorf("read grants: %w", err)
		}
		w, p = w.CorrectUse(differs, available, ref, c.At)
	} else {
		used, err := usedBy(ctx, tx, w.ID, c)
		if err != nil {
			return nil, err
		}
		w, p = w.GiveBack(-differs, used, ref, c.At)
	}
	return &p, s.postCorrection(ctx, tx, before, w, p)
}

// postCorrection writes a correction with what follows for a wallet that has paid what it owed.
func (s *Store) postCorrection(ctx context.Context, tx *sql.Tx, before, after wallet.Wallet, p wallet.Posting) error {
	if err := s.post(ctx, tx, after.ID, p); err != nil {
		return err
	}
	if err := saveWallet(ctx, tx, after); err != nil {
		return err
	}
	if _, err := paidUp(ctx, tx, before, after); err != nil {
		return err
	}
	if before.PaymentState == wallet.Unpaid {
		return chargeAtOnce(ctx, tx, after.ID, p.At)
	}
	return nil
}

// usedBy sums up where the money for a chunk came from, corrections included. A grant that has begun to
// vanish is over, whatever time the correction has: what came back to it would vanish under a ref that
// is taken.
func usedBy(ctx context.Context, tx *sql.Tx, walletID string, c reconcile.Correction) (used wallet.Used, err error) {
	const of = `wallet_id = $1 AND (kind = 'capture' AND ref = $2 OR kind = 'correction' AND ref > 'capture/' || $2 || '/' AND ref < 'capture/' || $2 || '0')`
	err = tx.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(-free), 0) AS BIGINT), CAST(COALESCE(SUM(-paid - accrual), 0) AS BIGINT)
		FROM posting WHERE `+of, walletID, c.Subject).Scan(&used.Free, &used.Cash)
	if err != nil {
		return used, fmt.Errorf("sum what paid for chunk %s: %w", c.Subject, err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT g.id, u.amount FROM (SELECT grant_id, CAST(SUM(amount_krw) AS BIGINT) amount FROM grant_use
		WHERE `+of+` GROUP BY grant_id) u JOIN free_grant g ON g.id = u.grant_id WHERE u.amount > 0 AND g.expires_at > $3 AND g.expired_krw = 0
		ORDER BY g.expires_at DESC, g.id DESC`, walletID, c.Subject, millis(c.At))
	used.Grants, err = collect(rows, err, func(row scanner) (u wallet.GrantUse, err error) {
		err = row.Scan(&u.GrantID, &u.Amount)
		return u, err
	})
	if err != nil {
		return used, fmt.Errorf("list the grants that paid for chunk %s: %w", c.Subject, err)
	}
	return used, nil
}

// noteReached moves people whom late evidence shows to have been reached, and brings what the
// broadcast has captured up to its postings.
func (s *Store) noteReached(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, state broadcast.ChunkState, books chunkBooks, c reconcile.Correction) error {
	more := books.reached() - books.tally.Delivered
	if more > 0 {
		var failed, unknown int
		if err := tx.QueryRowContext(ctx, `SELECT failed, unknown FROM chunk WHERE id = $1`, books.id).Scan(&failed, &unknown); err != nil {
			return fmt.Errorf("read the people of chunk %s: %w", books.id, err)
		}
		fromUnknown := min(more, unknown)
		fromFailed := min(more-fromUnknown, failed)
		b.Counts.Delivered += more
		b.Counts.Unknown -= fromUnknown
		b.Counts.Failed -= fromFailed
		if state == broadcast.InDoubt {
			b.Counts.InDoubt -= more - fromUnknown - fromFailed
		}
		if _, err := tx.ExecContext(ctx, `UPDATE chunk SET delivered = delivered + $2, unknown = unknown - $3, failed = failed - $4 WHERE id = $1`,
			books.id, more, fromUnknown, fromFailed); err != nil {
			return fmt.Errorf("note who was reached by chunk %s: %w", books.id, err)
		}
	}
	captured, err := capturedBy(ctx, tx, c.WalletID, b.ID)
	if err != nil {
		return err
	}
	b.Captured = captured
	return s.saveBroadcast(ctx, tx, *b, c.At)
}

// capturedBy sums the captures of a broadcast and their corrections.
func capturedBy(ctx context.Context, q querier, walletID string, id broadcast.ID) (captured wallet.KRW, err error) {
	err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(p.revenue), 0) AS BIGINT) FROM `+aboutBroadcast, walletID, string(id)).Scan(&captured)
	if err != nil {
		return 0, fmt.Errorf("sum what broadcast %s captured: %w", id, err)
	}
	return captured, nil
}

// CorrectPayment posts what makes our books of a payment equal what the provider keeps of it, as
// CorrectChunk does.
func (s *Store) CorrectPayment(ctx context.Context, c reconcile.Correction, keeps wallet.KRW) (posted *wallet.Posting, repeated bool, err error) {
	return s.correct(ctx, c, func(tx *sql.Tx, w wallet.Wallet) (*wallet.Posting, error) {
		p, err := payment(ctx, tx, w.ID, c.Subject)
		if err != nil {
			return nil, err
		}
		if p.Moving || p.InReview {
			return nil, reconcile.ErrNotCorrectable
		}
		differs := keeps - p.Net()
		if done, err := changedSince(c, differs); done || err != nil {
			return nil, err
		}
		ref, err := correctionRef(ctx, tx, w.ID, wallet.CorrectsPayment, p.AttemptID)
		if err != nil {
			return nil, err
		}
		after, posting := w.CorrectPayment(differs, ref, c.At)
		return &posting, s.postCorrection(ctx, tx, w, after, posting)
	})
}

// paymentCorrected reports whether corrections say what an attempt of a locked wallet has moved: what
// comes in late is theirs already.
func paymentCorrected(ctx context.Context, tx *sql.Tx, walletID, attemptID string) (bool, error) {
	var clearing wallet.KRW
	err := tx.QueryRowContext(ctx, `SELECT `+corrections("x.clearing", "$1", wallet.CorrectsPayment, "$2"), walletID, attemptID).Scan(&clearing)
	if err != nil {
		return false, fmt.Errorf("sum the corrections of attempt %s: %w", attemptID, err)
	}
	return clearing != 0, nil
}
