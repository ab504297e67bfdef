package store

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// Rows of one batch of a comparison.
const (
	compareChunks   = 2000
	comparePostings = 200
	comparePayments = 50 // each may be a look-up
)

// compareTime bounds the statements of a comparison: some add up all postings of a wallet.
const compareTime = 10 * time.Minute

// WalletsAfter lists wallets by id, also those that were deleted.
func (s *Store) WalletsAfter(ctx context.Context, after string, limit int) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM wallet WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	return collect(rows, err, scanText)
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// numbered returns parameters from $1 on and values as arguments.
func numbered(values []string) (list string, args []any) {
	for _, v := range values {
		args = append(args, v)
	}
	return placeholders(1, len(values)), args
}

// compareWallets is one statement, so that it sees one moment: wallets with the sums of their legs,
// holds and grants. %[1]s are the wallets, %[2]s what the legs of older postings sum up to.
const compareWallets = `SELECT w.id, w.free_krw, w.paid_krw, w.refunding_krw, w.accrual_krw, w.charging_krw, w.held_krw,
	COALESCE(p.free, 0) %[2]s free, COALESCE(p.paid, 0) %[3]s paid, COALESCE(p.refunding, 0) %[4]s refunding,
	-COALESCE(p.accrual, 0) - (0 %[5]s) accrual, -COALESCE(p.charging, 0) - (0 %[6]s) charging, COALESCE(h.held, 0), COALESCE(g.remaining, 0)
	FROM wallet w
	%[7]s
	LEFT JOIN (SELECT p.wallet_id, CAST(SUM(p.free) AS BIGINT) free, CAST(SUM(p.paid) AS BIGINT) paid, CAST(SUM(p.refunding) AS BIGINT) refunding,
		CAST(SUM(p.accrual) AS BIGINT) accrual, CAST(SUM(p.charging) AS BIGINT) charging
		FROM posting p %[8]s WHERE p.wallet_id IN (%[1]s) GROUP BY p.wallet_id) p ON p.wallet_id = w.id
	LEFT JOIN (SELECT wallet_id, CAST(SUM(hold_krw) AS BIGINT) held FROM (
		SELECT wallet_id, hold_krw FROM chunk WHERE state = 'queued' UNION ALL SELECT wallet_id, hold_krw FROM chunk WHERE state = 'sending'
		UNION ALL SELECT wallet_id, hold_krw FROM chunk WHERE state = 'sent' UNION ALL SELECT wallet_id, hold_krw FROM chunk WHERE state = 'in_doubt'
		) c GROUP BY wallet_id) h ON h.wallet_id = w.id
	LEFT JOIN (SELECT wallet_id, CAST(SUM(remaining_krw) AS BIGINT) remaining FROM free_grant
		WHERE wallet_id IN (%[1]s) AND remaining_krw > 0 AND started_at > 0 GROUP BY wallet_id) g ON g.wallet_id = w.id
	WHERE w.id IN (%[1]s) ORDER BY w.id`

// CompareBalances compares the balances of wallets with all of their postings, holds and grants.
func (s *Store) CompareBalances(ctx context.Context, walletIDs []string) ([]reconcile.Finding, error) {
	return s.compareBalances(ctx, walletIDs, []any{"", "", "", "", "", "", ""})
}

// CompareRecent is CompareBalances with the sums that [Store.KeepCheck] keeps of old postings.
func (s *Store) CompareRecent(ctx context.Context, walletIDs []string, now time.Time) ([]reconcile.Finding, error) {
	if err := s.advanceBases(ctx, walletIDs, now); err != nil {
		return nil, err
	}
	return s.compareBalances(ctx, walletIDs, []any{"+ k.base_free", "+ k.base_paid", "+ k.base_refunding", "+ k.base_accrual", "+ k.base_charging",
		"JOIN ledger_check k ON k.wallet_id = w.id", "JOIN ledger_check b ON b.wallet_id = p.wallet_id AND p.at >= b.base_at"})
}

func (s *Store) compareBalances(ctx context.Context, walletIDs []string, parts []any) (found []reconcile.Finding, err error) {
	if len(walletIDs) == 0 {
		return nil, nil
	}
	list, args := numbered(walletIDs)
	query := fmt.Sprintf(compareWallets, append([]any{list}, parts...)...)
	err = s.snapshot(ctx, compareTime, func(q querier) error {
		found = nil
		rows, err := q.QueryContext(ctx, query, args...)
		all, err := collect(rows, err, scanBalances)
		for _, one := range all {
			found = append(found, one...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("compare balances: %w", err)
	}
	return found, nil
}

// scanBalances reads a row of compareWallets into what differs.
func scanBalances(row scanner) (found []reconcile.Finding, err error) {
	var id string
	var has, legs Books
	var grants wallet.KRW
	err = row.Scan(&id, &has.Free, &has.Paid, &has.Refunding, &has.Accrual, &has.Charging, &has.Held,
		&legs.Free, &legs.Paid, &legs.Refunding, &legs.Accrual, &legs.Charging, &legs.Held, &grants)
	for _, b := range []struct {
		kind      reconcile.Kind
		subject   string
		want, got wallet.KRW
		note      string
	}{
		{reconcile.Balance, "free", legs.Free, has.Free, ""}, {reconcile.Balance, "paid", legs.Paid, has.Paid, ""},
		{reconcile.Balance, "refunding", legs.Refunding, has.Refunding, ""},
		{reconcile.Balance, "accrual", legs.Accrual, has.Accrual, ""}, {reconcile.Balance, "charging", legs.Charging, has.Charging, ""},
		{reconcile.Held, "held", legs.Held, has.Held, "its chunks hold another amount than the wallet"},
		{reconcile.Free, "free", grants, has.Free, "its grants have another amount left than the wallet"},
	} {
		if b.want != b.got {
			if b.note == "" {
				b.note = "the balance is not the sum of its legs"
			}
			found = append(found, reconcile.Finding{WalletID: id, Kind: b.kind, Subject: b.subject, Want: b.want, Got: b.got, Note: b.note})
		}
	}
	return found, err
}

// outAt is when a chunk went out, and endedChunk that it has ended: both as index chunk_ended has them.
const (
	outAt      = `(CASE WHEN sent_at > 0 THEN sent_at WHEN doubt_at > 0 THEN doubt_at ELSE next_at END)`
	endedChunk = `state IN ('settled', 'rejected', 'in_doubt') AND hold_krw = 0`
)

// corrections sums legs of the corrections of something: a range of the primary key, '0' being the
// letter after '/'.
func corrections(legs, walletID, what, id string) string {
	return fmt.Sprintf(`(SELECT CAST(COALESCE(SUM(%s), 0) AS BIGINT) FROM posting x WHERE x.wallet_id = %s AND x.kind = 'correction'
		AND x.ref > '%s/' || %s || '/' AND x.ref < '%s/' || %s || '0')`, legs, walletID, what, id, what, id)
}

// capturedChunk is what a chunk's people and postings say. Evidence is counted only where it could
// say more than Kakao did, and only Kakao's own word that people failed stands against it.
var capturedChunk = `c.id, c.people, c.delivered, CASE WHEN c.state = 'settled' THEN c.failed ELSE 0 END, CASE WHEN c.delivered < c.people
		THEN (SELECT COUNT(*) FROM chunk_evidence e WHERE e.chunk_id = c.id) ELSE 0 END,
	b.price_krw, COALESCE(p.at, 0), CAST(COALESCE(p.revenue, 0) + ` + corrections("x.revenue", "c.wallet_id", wallet.CorrectsCapture, "c.id") + ` AS BIGINT)`

// chunkBooks is what a chunk's people and postings say.
type chunkBooks struct {
	id              broadcast.ChunkID
	out             int64
	tally           broadcast.Tally // who is unknown apart
	people, evident int
	price, captured wallet.KRW
	capturedAt      time.Time
}

// reached returns how many people got the message, as far as is known.
func (c chunkBooks) reached() int { return c.tally.Reached(c.people, c.evident) }

func (c chunkBooks) due() wallet.KRW { return c.price * wallet.KRW(c.reached()) }

// CompareMessages compares chunks that went out in the window and have ended with their captures.
func (s *Store) CompareMessages(ctx context.Context, m reconcile.Mark, w reconcile.Window) (found []reconcile.Finding, next *reconcile.Mark, err error) {
	var all []chunkBooks
	err = s.snapshot(ctx, compareTime, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT c.out, `+capturedChunk+`
			FROM (SELECT id, wallet_id, broadcast_id, state, people, delivered, failed, `+outAt+` AS out FROM chunk
				WHERE wallet_id = $1 AND `+endedChunk+` AND `+outAt+` < $2 AND `+outAt+` >= $3 AND (`+outAt+`, id) > ($3, $4)
				ORDER BY `+outAt+`, id LIMIT $5) c
			JOIN broadcast b ON b.id = c.broadcast_id
			LEFT JOIN posting p ON p.wallet_id = c.wallet_id AND p.kind = 'capture' AND p.ref = c.id
			ORDER BY c.out, c.id`, m.Wallet, millis(w.To), max(m.At, millis(w.From)-1), m.ID, compareChunks)
		all, err = collect(rows, err, func(row scanner) (c chunkBooks, err error) {
			err = row.Scan(&c.out, &c.id, &c.people, &c.tally.Delivered, &c.tally.Failed, &c.evident, &c.price, at(&c.capturedAt), &c.captured)
			return c, err
		})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("compare messages of %s: %w", m.Wallet, err)
	}
	for _, c := range all {
		if c.due() == c.captured {
			continue
		}
		f := reconcile.Finding{WalletID: m.Wallet, Day: clock.Midnight(time.UnixMilli(c.out)), Kind: reconcile.Messages, Subject: string(c.id),
			Want: c.due(), Got: c.captured, Correctable: true, Note: fmt.Sprintf("%d of %d people reached at %d KRW", c.reached(), c.people, c.price)}
		if !c.capturedAt.IsZero() {
			f.Day = clock.Midnight(c.capturedAt)
		}
		if c.reached() > c.tally.Delivered {
			f.Note += fmt.Sprintf(", %d of them by late evidence", c.reached()-c.tally.Delivered)
		}
		found = append(found, f)
	}
	if len(all) == compareChunks {
		last := all[len(all)-1]
		next = &reconcile.Mark{Wallet: m.Wallet, Step: m.Step, At: last.out, ID: string(last.id)}
	}
	return found, next, nil
}

const sentChunkColumns = `c.id, c.wallet_id, c.task_id, c.bot_id, t.rest_key_sealed, c.people, c.recipients, c.delivered, c.failed, c.unknown, b.price_krw,
	(SELECT COUNT(*) FROM chunk_evidence e WHERE e.chunk_id = c.id), c.sent_at, COALESCE(p.at, c.sent_at), COALESCE(p.revenue, 0)`

const sentChunkJoins = ` JOIN broadcast b ON b.id = c.broadcast_id JOIN bot t ON t.id = c.bot_id
	LEFT JOIN posting p ON p.wallet_id = c.wallet_id AND p.kind = 'capture' AND p.ref = c.id`

func (s *Store) scanSentChunk(row scanner) (c reconcile.SentChunk, err error) {
	var bot string
	var sealed []byte
	var corrected wallet.KRW
	err = row.Scan(&c.ID, &c.WalletID, &c.TaskID, &bot, &sealed, &c.People, &c.Recipients, &c.Tally.Delivered, &c.Tally.Failed, &c.Tally.Unknown, &c.Price,
		&c.Evident, at(&c.SentAt), at(&c.Day), &c.Captured, &corrected)
	c.RestKey, c.Captured, c.Day = s.restKey(bot, sealed), c.Captured+corrected, clock.Midnight(c.Day)
	return c, err
}

// SentChunks lists chunks of the window that were settled by Kakao's count.
func (s *Store) SentChunks(ctx context.Context, m reconcile.Mark, w reconcile.Window) (sent []reconcile.SentChunk, next *reconcile.Mark, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+sentChunkColumns+`, `+corrections("revenue", "c.wallet_id", wallet.CorrectsCapture, "c.id")+`
		FROM (SELECT * FROM chunk WHERE wallet_id = $1 AND `+endedChunk+` AND `+outAt+` < $2 AND `+outAt+` >= $3 AND (`+outAt+`, id) > ($3, $4)
			AND state = 'settled' AND task_id <> '' AND sent_at > 0 ORDER BY `+outAt+`, id LIMIT $5) c`+sentChunkJoins+` ORDER BY c.sent_at, c.id`,
		m.Wallet, millis(w.To), max(m.At, millis(w.From)-1), m.ID, comparePayments)
	sent, err = collect(rows, err, s.scanSentChunk)
	if err != nil {
		return nil, nil, fmt.Errorf("list sent chunks of %s: %w", m.Wallet, err)
	}
	if len(sent) == comparePayments {
		last := sent[len(sent)-1]
		next = &reconcile.Mark{Wallet: m.Wallet, Step: m.Step, At: millis(last.SentAt), ID: last.ID}
	}
	return sent, next, nil
}

// SettledChunk reads a chunk that was settled by Kakao's count. It is NotFound when the wallet has none.
func (s *Store) SettledChunk(ctx context.Context, walletID, chunkID string) (reconcile.SentChunk, error) {
	c, err := s.scanSentChunk(s.read.QueryRowContext(ctx, `SELECT `+sentChunkColumns+`, `+corrections("revenue", "c.wallet_id", wallet.CorrectsCapture, "c.id")+`
		FROM chunk c`+sentChunkJoins+` WHERE c.id = $1 AND c.wallet_id = $2 AND c.state = 'settled' AND c.task_id <> ''`, chunkID, walletID))
	return c, orNotFound(err, "settled chunk", chunkID)
}

// orphan is true of a posting p that moves something and whose cause is not there.
const orphan = `(p.kind = 'capture' AND p.revenue <> 0 AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = p.ref AND (c.delivered > 0 OR c.state IN ('settled', 'rejected', 'in_doubt')))
	OR p.kind = 'topup' AND NOT EXISTS (SELECT 1 FROM checkout o WHERE o.id = p.ref AND o.state = 'done')
		AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.id = p.ref AND a.kind = 'charge' AND a.state = 'done')
	OR p.kind = 'charge_paid' AND NOT EXISTS (SELECT 1 FROM charge h WHERE h.id = p.ref AND h.state = 'paid')
	OR p.kind = 'refund' AND NOT EXISTS (SELECT 1 FROM refund_line l WHERE l.id = p.ref AND l.state = 'done'))`

// ComparePostings finds postings of the window that nothing has caused.
func (s *Store) ComparePostings(ctx context.Context, m reconcile.Mark, w reconcile.Window) (found []reconcile.Finding, next *reconcile.Mark, err error) {
	var last reconcile.Mark
	err = s.snapshot(ctx, compareTime, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT p.kind, p.ref, p.at, CASE WHEN p.kind = 'capture' THEN p.revenue ELSE -p.clearing END FROM posting p
			WHERE p.wallet_id = $1 AND p.at >= $3 AND p.at < $2 AND (p.at > $3 OR p.ref > $4) AND `+orphan+`
			ORDER BY p.at, p.ref LIMIT $5`, m.Wallet, millis(w.To), max(m.At, millis(w.From)), m.ID, comparePostings)
		found, err = collect(rows, err, func(row scanner) (f reconcile.Finding, err error) {
			var kind, ref string
			err = row.Scan(&kind, &ref, &last.At, &f.Got)
			last.ID = ref
			f.WalletID, f.Kind, f.Subject, f.Day = m.Wallet, reconcile.Payments, kind+"/"+ref, clock.Midnight(time.UnixMilli(last.At))
			f.Note = "nothing that is known of caused this posting"
			if kind == string(wallet.Capture) {
				f.Kind = reconcile.Messages
			}
			return f, err
		})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("compare postings of %s: %w", m.Wallet, err)
	}
	if len(found) == comparePostings {
		next = &reconcile.Mark{Wallet: m.Wallet, Step: m.Step, At: last.At, ID: last.ID}
	}
	return found, next, nil
}

// paymentColumns is a payment by its attempt a, see [reconcile.Payment]. What a top-up brought in is
// posted with its checkout, what a charge brought in with the charge, and what came in beyond it, or
// late, with the attempt.
var paymentColumns = `a.id, a.wallet_id, a.kind, COALESCE(NULLIF(rl.method, ''), o.method, 'card'), a.tid,
	CASE WHEN a.kind = 'refund' AND a.state = 'done' AND rl.state <> 'done' THEN 'declined' ELSE a.state END, a.total_krw,
	CASE WHEN a.kind = 'refund' THEN COALESCE((SELECT p.clearing FROM posting p WHERE p.wallet_id = a.wallet_id AND p.kind = 'refund' AND p.ref = a.subject_id), 0)
		ELSE COALESCE((SELECT CAST(SUM(-p.clearing) AS BIGINT) FROM posting p WHERE p.wallet_id = a.wallet_id AND p.kind = 'topup' AND p.ref IN (a.id, a.subject_id)), 0)
			+ CASE WHEN a.kind = 'charge' AND a.state = 'done' AND a.reason <> '` + billing.ReasonLate + `'
				THEN COALESCE((SELECT -p.clearing FROM posting p WHERE p.wallet_id = a.wallet_id AND p.kind = 'charge_paid' AND p.ref = a.subject_id), 0) ELSE 0 END END,
	(SELECT CAST(COALESCE(SUM(p.clearing), 0) AS BIGINT) FROM refund_line l JOIN posting p ON p.wallet_id = l.wallet_id AND p.kind = 'refund' AND p.ref = l.id
		WHERE l.wallet_id = a.wallet_id AND l.topup_ref IN (a.id, a.subject_id)),
	-` + corrections("x.clearing", "a.wallet_id", wallet.CorrectsPayment, "a.id") + `,
	EXISTS (SELECT 1 FROM refund_line l WHERE l.wallet_id = a.wallet_id AND l.topup_ref IN (a.id, a.subject_id) AND l.state = 'open'),
	COALESCE(o.state, h.state, rf.state, '') = 'review', a.reason = '` + billing.ReasonMismatch + `',
	COALESCE((SELECT t.id FROM attempt t WHERE t.subject_id = rl.topup_ref AND t.kind = 'topup'), rl.topup_ref, ''), a.closed_at
	FROM attempt a
	LEFT JOIN checkout o ON a.kind = 'topup' AND o.id = a.subject_id
	LEFT JOIN charge h ON a.kind = 'charge' AND h.id = a.subject_id
	LEFT JOIN refund_line rl ON a.kind = 'refund' AND rl.id = a.subject_id
	LEFT JOIN refund rf ON rf.id = rl.refund_id`

func scanPayment(row scanner) (p reconcile.Payment, err error) {
	err = row.Scan(&p.AttemptID, &p.WalletID, &p.Kind, &p.Method, &p.TID, &p.State, &p.Total, &p.Booked, &p.Refunded, &p.Corrected,
		&p.Moving, &p.InReview, &p.Mismatched, &p.Source, at(&p.ClosedAt))
	return p, err
}

// PaymentsEnded lists charges, top-ups and refunds that ended in the window.
func (s *Store) PaymentsEnded(ctx context.Context, m reconcile.Mark, w reconcile.Window) (ended []reconcile.Payment, next *reconcile.Mark, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+`
		WHERE a.wallet_id = $1 AND a.state IN ('done', 'declined') AND a.kind IN ('charge', 'topup', 'refund') AND a.closed_at < $2 AND (a.closed_at, a.id) > ($3, $4)
		ORDER BY a.closed_at, a.id LIMIT $5`, m.Wallet, millis(w.To), max(m.At, millis(w.From)-1), m.ID, comparePayments)
	ended, err = collect(rows, err, scanPayment)
	if err != nil {
		return nil, nil, fmt.Errorf("list payments of %s: %w", m.Wallet, err)
	}
	if len(ended) == comparePayments {
		last := ended[len(ended)-1]
		next = &reconcile.Mark{Wallet: m.Wallet, Step: m.Step, At: millis(last.ClosedAt), ID: last.AttemptID}
	}
	return ended, next, nil
}

func payment(ctx context.Context, q querier, walletID, attemptID string) (reconcile.Payment, error) {
	p, err := scanPayment(q.QueryRowContext(ctx, `SELECT `+paymentColumns+` WHERE a.id = $1 AND a.wallet_id = $2
		AND a.state IN ('done', 'declined') AND a.kind IN ('charge', 'topup', 'refund')`, attemptID, walletID))
	return p, orNotFound(err, "payment", attemptID)
}

// Payment reads a payment by its attempt. It is NotFound when the wallet has none that ended.
func (s *Store) Payment(ctx context.Context, walletID, attemptID string) (reconcile.Payment, error) {
	return payment(ctx, s.read, walletID, attemptID)
}
