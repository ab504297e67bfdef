package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Explanation is a posting with what caused it; what does not apply is nil.
type Explanation struct {
	Posting  wallet.Posting
	Sent     *SentCause    // of a capture, or of its correction
	Charge   *ChargeView   // of the postings of a charge
	Payment  *PaymentCause // of money that moved outside
	Corrects *PostingMark  // of a correction: the posting that it mends, or the attempt of a payment
	Grants   []GrantPart   // which free cash it used or gave back
	PaidBy   []Payer       // what has paid the accrual that it made
	Unpaid   wallet.KRW    // and how much of that is not paid
}

// SentCause is the messages that a capture is for.
type SentCause struct {
	Chunk                    ChunkView
	BroadcastID, Name, BotID string
	Side                     broadcast.Side
	Price                    wallet.KRW
}

// PaymentCause is money that moved outside, as the provider knows it.
type PaymentCause struct {
	AttemptID string // order id at the provider
	TID       string // of the card gateway, or empty
	Method    billing.Method
	Checkout  string // of a top-up, or empty
	Refund    string // of a refund, or empty
	TopUp     string // of a refund: ref of the top-up that goes back
	Total     wallet.KRW
	State     billing.State
	At        time.Time
}

// GrantPart is what one grant of free cash had to do with a posting.
type GrantPart struct {
	ID        string
	Used      wallet.KRW // below 0 where it was given back
	Reason    string
	ExpiresAt time.Time
}

// Explain tells what caused a posting, by its kind and ref; with an empty kind by the ref alone, the
// newest posting that has it. It is NotFound when the wallet has none.
func (s *Store) Explain(ctx context.Context, walletID, kind, ref string) (x Explanation, err error) {
	err = s.snapshot(ctx, owedTime, func(q querier) error {
		if x, err = findPosting(ctx, q, walletID, kind, ref); err != nil {
			return err
		}
		if err := explainCause(ctx, q, walletID, &x); err != nil {
			return fmt.Errorf("explain %s %s: %w", x.Posting.Kind, x.Posting.Ref, err)
		}
		if x.Posting.Accrual >= 0 || x.Posting.Kind == wallet.ChargeFailed {
			return nil
		}
		m := Mark(x.Posting)
		x.PaidBy, x.Unpaid, err = payers(ctx, q, walletID, m, m, func(PostingMark) bool { return true })
		return err
	})
	return x, err
}

func findPosting(ctx context.Context, q querier, walletID, kind, ref string) (x Explanation, err error) {
	kinds := []wallet.PostingKind{wallet.PostingKind(kind)}
	if kind == "" {
		kinds = wallet.PostingKinds
	}
	names := make([]string, len(kinds))
	args := []any{walletID, ref}
	for i, k := range kinds {
		args = append(args, k)
		names[i] = fmt.Sprintf("$%d", len(args))
	}
	x.Posting, err = scanPosting(q.QueryRowContext(ctx, `SELECT `+postingColumns+` FROM posting
		WHERE wallet_id = $1 AND ref = $2 AND kind IN (`+strings.Join(names, ", ")+`) ORDER BY at DESC, kind DESC LIMIT 1`, args...))
	if err != nil {
		return x, orNotFound(err, "posting", ref)
	}
	rows, err := q.QueryContext(ctx, `SELECT u.grant_id, u.amount_krw, COALESCE(g.reason, ''), COALESCE(g.expires_at, 0) FROM grant_use u
		LEFT JOIN free_grant g ON g.id = u.grant_id WHERE u.wallet_id = $1 AND u.kind = $2 AND u.ref = $3 ORDER BY 4, u.grant_id`, walletID, x.Posting.Kind, x.Posting.Ref)
	x.Grants, err = collect(rows, err, func(row scanner) (g GrantPart, err error) {
		err = row.Scan(&g.ID, &g.Used, &g.Reason, at(&g.ExpiresAt))
		return g, err
	})
	return x, err
}

// explainCause reads what caused a posting.
func explainCause(ctx context.Context, q querier, walletID string, x *Explanation) (err error) {
	p := x.Posting
	switch p.Kind {
	case wallet.Capture:
		x.Sent, err = sentCause(ctx, q, p.Ref)
	case wallet.ChargeOpened, wallet.ChargePaid, wallet.ChargeFailed:
		charge, err := chargeView(ctx, q, p.Ref)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		x.Charge = &charge
		return err
	case wallet.TopUp:
		x.Payment, err = paymentCause(ctx, q, walletID, `a.subject_id = $2 AND a.kind = 'topup' OR a.id = $2`, p.Ref)
	case wallet.Refund, wallet.RefundFailed:
		x.Payment, err = paymentCause(ctx, q, walletID, `a.subject_id = $2 AND a.kind = 'refund'`, p.Ref)
	case wallet.Correction:
		what, rest, _ := strings.Cut(p.Ref, "/")
		id := rest[:max(strings.LastIndex(rest, "/"), 0)]
		x.Corrects = &PostingMark{Kind: what, Ref: id}
		if what == wallet.CorrectsCapture {
			x.Sent, err = sentCause(ctx, q, id)
		} else {
			x.Payment, err = paymentCause(ctx, q, walletID, `a.id = $2`, id)
		}
	case wallet.GrantStarted, wallet.GrantExpired, wallet.PaidGranted, wallet.RefundOpened: // the ref says it
	}
	return err
}

// sentCause reads the messages of a chunk; nil where there is none.
func sentCause(ctx context.Context, q querier, chunkID string) (*SentCause, error) {
	var c SentCause
	v := &c.Chunk
	err := q.QueryRowContext(ctx, `SELECT c.id, c.seq, c.state, c.people, c.delivered, c.failed, c.unknown, c.skipped, c.task_id, c.sent_at, c.doubt_at,
		c.error, b.id, b.name, b.bot_id, b.side, b.price_krw FROM chunk c JOIN broadcast b ON b.id = c.broadcast_id WHERE c.id = $1`, chunkID).
		Scan(&v.ID, &v.Seq, &v.State, &v.People, &v.Delivered, &v.Failed, &v.Unknown, &v.Skipped, &v.TaskID, at(&v.SentAt), at(&v.DoubtAt),
			&v.Error, &c.BroadcastID, &c.Name, &c.BotID, &c.Side, &c.Price)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &c, err
}

// paymentCause reads money that moved outside by a condition on attempt a; nil where there is none.
func paymentCause(ctx context.Context, q querier, walletID, where, ref string) (*PaymentCause, error) {
	var c PaymentCause
	err := q.QueryRowContext(ctx, `SELECT a.id, a.tid, COALESCE(NULLIF(rl.method, ''), o.method, 'card'), COALESCE(o.id, ''), COALESCE(rl.refund_id, ''),
		COALESCE(rl.topup_ref, ''), a.total_krw, a.state, a.closed_at
		FROM attempt a LEFT JOIN checkout o ON a.kind = 'topup' AND o.id = a.subject_id LEFT JOIN refund_line rl ON a.kind = 'refund' AND rl.id = a.subject_id
		WHERE a.wallet_id = $1 AND (`+where+`) ORDER BY a.id DESC LIMIT 1`, walletID, ref).
		Scan(&c.AttemptID, &c.TID, &c.Method, &c.Checkout, &c.Refund, &c.TopUp, &c.Total, &c.State, at(&c.At))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &c, err
}

// ChunkPeople is a chunk with everybody in it.
type ChunkPeople struct {
	Chunk      ChunkView
	Recipients []byte // JSON array of {type, id, properties}
	Result     []byte // Kakao's answer, raw JSON, or empty
	Price      wallet.KRW
	Captured   bool // there is a capture for it
}

// PeopleFilter says whose chunks are read.
type PeopleFilter struct {
	After  int    // chunks after this seq
	Chunk  string // one chunk; all when empty
	Person string // chunks that may hold somebody's id; all when empty
}

// People lists chunks of a broadcast with their people in order. It is NotFound when there is no
// broadcast. With a person every chunk is searched, so it may hold other people with a like id.
func (s *Store) People(ctx context.Context, id broadcast.ID, f PeopleFilter, limit int) (chunks []ChunkPeople, err error) {
	if _, err := s.Broadcast(ctx, id); err != nil {
		return nil, err
	}
	more, args := "", []any{id, f.After}
	if f.Chunk != "" {
		args = append(args, f.Chunk)
		more += fmt.Sprintf(" AND c.id = $%d", len(args))
	}
	if f.Person != "" {
		args = append(args, holding(f.Person))
		more += fmt.Sprintf(" AND c.recipients LIKE $%d ESCAPE '!'", len(args))
	}
	args = append(args, limit)
	err = s.snapshot(ctx, owedTime, func(q querier) error {
		chunks, err = peopleWhere(ctx, q, more+fmt.Sprintf(" ORDER BY c.seq LIMIT $%d", len(args)), args...)
		return err
	})
	return chunks, err
}

// peopleWhere reads chunks of a broadcast, the first of args, after a seq, the second. more narrows and orders
// them.
func peopleWhere(ctx context.Context, q querier, more string, args ...any) ([]ChunkPeople, error) {
	rows, err := q.QueryContext(ctx, `SELECT c.id, c.seq, c.state, c.people, c.delivered, c.failed, c.unknown, c.skipped, c.sent_at, c.left_out, c.error, c.recipients, c.result,
		b.price_krw, EXISTS (SELECT 1 FROM posting p WHERE p.wallet_id = c.wallet_id AND p.kind = 'capture' AND p.ref = c.id)`+ofAudience+` AND c.seq > $2`+more, args...)
	return collect(rows, err, func(row scanner) (c ChunkPeople, err error) {
		v := &c.Chunk
		var recipients, result string
		err = row.Scan(&v.ID, &v.Seq, &v.State, &v.People, &v.Delivered, &v.Failed, &v.Unknown, &v.Skipped, at(&v.SentAt), &v.LeftOut, &v.Error, &recipients, &result, &c.Price, &c.Captured)
		c.Recipients, c.Result = []byte(recipients), []byte(result)
		return c, err
	})
}

// holding is a pattern of JSON that holds an id as a text.
func holding(id string) string {
	quoted, _ := json.Marshal(id) // a text always encodes
	return `%` + strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(string(quoted)) + `%`
}
