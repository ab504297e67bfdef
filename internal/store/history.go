package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// HistoryFilter says which postings a history holds.
type HistoryFilter struct {
	Kind        wallet.HistoryKind // all when empty
	From, Until time.Time          // at or after From, before Until; no bound when zero

	owners bool // without postings that move nothing of the wallet's owner
}

// HistoryEntry is a posting with what the wallet had after it.
type HistoryEntry struct {
	wallet.Posting
	After wallet.Balances // known only in a history of every kind
}

// PostingMark is the place of a posting in the history of its wallet.
type PostingMark struct {
	At   int64  `json:"at"` // Unix milliseconds
	Kind string `json:"kind"`
	Ref  string `json:"ref"`
}

// Mark returns the place of a posting.
func Mark(p wallet.Posting) PostingMark {
	return PostingMark{At: millis(p.At), Kind: string(p.Kind), Ref: p.Ref}
}

// Postings lists the postings of a wallet, newest first: those before a mark, or from the newest
// with the zero mark. It is NotFound when there is no wallet.
func (s *Store) Postings(ctx context.Context, walletID string, before PostingMark, limit int) ([]wallet.Posting, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	return listPostings(ctx, s.read, walletID, HistoryFilter{}, before, limit)
}

// History lists the postings that a filter lets through like [Store.Postings], and with every kind
// also the balances after each. Those before the mark are known where the caller read them with the
// page before; nil has them added up.
func (s *Store) History(ctx context.Context, walletID string, f HistoryFilter, before PostingMark, known *wallet.Balances, limit int) (entries []HistoryEntry, err error) {
	err = s.snapshot(ctx, 0, func(q querier) error {
		w, err := s.scanWallet(q.QueryRowContext(ctx, `SELECT `+walletColumns+` FROM wallet WHERE id = $1`, walletID))
		if err != nil {
			return orNotFound(err, "wallet", walletID)
		}
		f.owners = true
		postings, err := listPostings(ctx, q, walletID, f, before, limit)
		if err != nil || len(postings) == 0 {
			return err
		}
		after := w.Balances()
		switch {
		case f.Kind != "":
		case known != nil:
			after = *known
		default:
			newer, err := sumAfter(ctx, q, walletID, Mark(postings[0]))
			if err != nil {
				return err
			}
			after = after.Minus(newer.Change())
		}
		entries = make([]HistoryEntry, len(postings))
		for i, p := range postings {
			entries[i] = HistoryEntry{Posting: p, After: after}
			after = after.Minus(p.Change())
		}
		return nil
	})
	return entries, err
}

// correctionsIn is [wallet.Posting.InHistory] for corrections.
var correctionsIn = map[wallet.HistoryKind]string{
	wallet.HistoryConsumption: `revenue > 0`,
	wallet.HistoryRestitution: `revenue < 0`,
	wallet.HistoryTopUp:       `revenue = 0 AND clearing < 0`,
	wallet.HistoryRefund:      `revenue = 0 AND clearing >= 0`,
}

const postingColumns = `kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding`

func scanPosting(row scanner) (p wallet.Posting, err error) {
	err = row.Scan(&p.Kind, &p.Ref, at(&p.At), &p.Free, &p.Paid, &p.Accrual, &p.Charging, &p.Revenue, &p.Clearing, &p.VAT,
		&p.Rounding, &p.Promotion, &p.Refunding)
	return p, err
}

// listPostings reads postings of a wallet, newest first.
func listPostings(ctx context.Context, q querier, walletID string, f HistoryFilter, before PostingMark, limit int) ([]wallet.Posting, error) {
	if before == (PostingMark{}) {
		before.At = 1<<63 - 1
	}
	where := `wallet_id = $1 AND (at, kind, ref) < ($2, $3, $4)`
	args := []any{walletID, before.At, before.Kind, before.Ref}
	with := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(` AND `+condition, len(args))
	}
	if f.owners {
		where += ` AND kind <> 'month_rounded'`
	}
	if !f.From.IsZero() {
		with(`at >= $%d`, millis(f.From))
	}
	if !f.Until.IsZero() {
		with(`at < $%d`, millis(f.Until))
	}
	if f.Kind != "" {
		if f.Kind != wallet.HistoryConsumption {
			where += ` AND kind <> 'capture'` // the index of what is no capture
		}
		words := []string{"''"}
		for _, kind := range f.Kind.Postings() {
			args = append(args, kind)
			words = append(words, fmt.Sprintf("$%d", len(args)))
		}
		where += ` AND (kind IN (` + strings.Join(words, ", ") + `)`
		if what, some := correctionsIn[f.Kind]; some {
			where += ` OR kind = 'correction' AND ` + what
		}
		where += `)`
	}
	args = append(args, limit)
	rows, err := q.QueryContext(ctx, `SELECT `+postingColumns+` FROM posting WHERE `+where+
		fmt.Sprintf(` ORDER BY at DESC, kind DESC, ref DESC LIMIT $%d`, len(args)), args...)
	postings, err := collect(rows, err, scanPosting)
	if err != nil {
		return nil, fmt.Errorf("list postings of %s: %w", walletID, err)
	}
	return postings, nil
}

// ownLegs sums the legs of postings that change balances.
const ownLegs = `CAST(COALESCE(SUM(free), 0) AS BIGINT), CAST(COALESCE(SUM(paid), 0) AS BIGINT), CAST(COALESCE(SUM(accrual), 0) AS BIGINT),
	CAST(COALESCE(SUM(charging), 0) AS BIGINT), CAST(COALESCE(SUM(refunding), 0) AS BIGINT)`

// sumAfter adds up the postings that are newer than a mark.
func sumAfter(ctx context.Context, q querier, walletID string, mark PostingMark) (sum wallet.Posting, err error) {
	err = q.QueryRowContext(ctx, `SELECT `+ownLegs+` FROM posting WHERE wallet_id = $1 AND at >= $2 AND (at, kind, ref) > ($2, $3, $4)`,
		walletID, mark.At, mark.Kind, mark.Ref).Scan(&sum.Free, &sum.Paid, &sum.Accrual, &sum.Charging, &sum.Refunding)
	if err != nil {
		return sum, fmt.Errorf("add up postings of %s: %w", walletID, err)
	}
	return sum, nil
}
