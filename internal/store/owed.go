package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// What pays for what is owed: the accrual that came first is paid first. Both are told by running sums
// over the ledger: what was accrued (debits of the accrual), and what paid it (credits), each in the
// order of their postings, a debit before a credit of the same millisecond. A charge that failed has
// paid nothing, so neither its opening nor its end counts.

// owedLegs is true of a posting p that accrues or pays what is owed.
const owedLegs = `p.wallet_id = $1 AND p.accrual <> 0 AND p.kind <> 'charge_failed' AND NOT (p.kind = 'charge_opened'
	AND EXISTS (SELECT 1 FROM posting f WHERE f.wallet_id = p.wallet_id AND f.kind = 'charge_failed' AND f.ref = p.ref))`

// owedPage is how many postings are read at a time.
const owedPage = 1000

// owedTime bounds the statements that sum up what was ever owed.
const owedTime = 30 * time.Second

// owedLeg is a posting that accrues, or pays what is owed.
type owedLeg struct {
	PostingMark
	amount wallet.KRW // not negative
}

// owedBefore sums up what was owed and unpaid right before a posting.
func owedBefore(ctx context.Context, q querier, walletID string, m PostingMark, credit bool) (owed wallet.KRW, err error) {
	same := `p.accrual < 0 AND (p.kind, p.ref) < ($3, $4)`
	if credit {
		same = `(p.accrual < 0 OR (p.kind, p.ref) < ($3, $4))`
	}
	err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(-SUM(p.accrual), 0) AS BIGINT) FROM posting p WHERE `+owedLegs+`
		AND p.at <= $2 AND (p.at < $2 OR `+same+`)`, walletID, m.At, m.Kind, m.Ref).Scan(&owed)
	if err != nil {
		return 0, fmt.Errorf("sum what was owed before %s %s: %w", m.Kind, m.Ref, err)
	}
	return owed, nil
}

// way is in which direction postings are read, from a mark on.
type way struct {
	compare string // of their marks with it
	order   string
}

var (
	onwards  = way{">=", ""}
	beyond   = way{">", ""}
	backward = way{"<", " DESC"}
)

// walk reads postings that accrue (sign "<") or pay (sign ">"), page by page, until visit returns false.
func walk(ctx context.Context, q querier, walletID, sign string, to way, from PostingMark, visit func(owedLeg) bool) error {
	for {
		rows, err := q.QueryContext(ctx, fmt.Sprintf(`SELECT p.at, p.kind, p.ref, CASE WHEN p.accrual < 0 THEN -p.accrual ELSE p.accrual END FROM posting p
			WHERE %s AND p.accrual %s 0 AND p.at %s= $2 AND (p.at, p.kind, p.ref) %s ($2, $3, $4) ORDER BY p.at%[5]s, p.kind%[5]s, p.ref%[5]s LIMIT %[6]d`,
			owedLegs, sign, to.compare[:1], to.compare, to.order, owedPage), walletID, from.At, from.Kind, from.Ref)
		legs, err := collect(rows, err, func(row scanner) (l owedLeg, err error) {
			err = row.Scan(&l.At, &l.Kind, &l.Ref, &l.amount)
			return l, err
		})
		if err != nil {
			return fmt.Errorf("read what was owed: %w", err)
		}
		for _, l := range legs {
			if !visit(l) {
				return nil
			}
		}
		if len(legs) < owedPage {
			return nil
		}
		from = legs[len(legs)-1].PostingMark
		if to == onwards {
			to = beyond
		}
	}
}

// Payer is a posting that paid a part of what was owed.
type Payer struct {
	Kind   string
	Ref    string
	At     time.Time
	Amount wallet.KRW
	State  string // of a charge: open, review or paid
}

// payers tells what paid the accrual of chosen postings, all from first to last, and how much of it is
// not paid.
func payers(ctx context.Context, q querier, walletID string, first, last PostingMark, chosen func(PostingMark) bool) (paid []Payer, unpaid wallet.KRW, err error) {
	earlier, err := owedBefore(ctx, q, walletID, first, false) // is paid before any of it
	if err != nil {
		return nil, 0, err
	}
	var credits []owedLeg
	var at wallet.KRW // up to here the credits reach, in won accrued since first
	at = -earlier
	next, to, more := PostingMark{At: first.At}, onwards, true
	fill := func() error { // another page of credits
		if !more {
			return nil
		}
		more = false
		n := 0
		return walk(ctx, q, walletID, ">", to, next, func(l owedLeg) bool {
			credits = append(credits, l)
			next, to = l.PostingMark, beyond
			n++
			more = n == owedPage
			return !more
		})
	}
	byRef := map[PostingMark]int{}
	var start wallet.KRW // of the debit, in won accrued since first
	var failed error
	err = walk(ctx, q, walletID, "<", onwards, first, func(d owedLeg) bool {
		if d.At > last.At || d.At == last.At && (d.Kind > last.Kind || d.Kind == last.Kind && d.Ref > last.Ref) {
			return false
		}
		end := start + d.amount
		for start < end {
			if len(credits) == 0 {
				if failed = fill(); failed != nil {
					return false
				}
			}
			if len(credits) == 0 {
				break
			}
			c := credits[0]
			take := min(at+c.amount, end) - start // of this debit by this credit
			if take > 0 {
				if chosen(d.PostingMark) {
					i, known := byRef[c.PostingMark]
					if !known {
						i = len(paid)
						byRef[c.PostingMark] = i
						paid = append(paid, Payer{Kind: c.Kind, Ref: c.Ref, At: time.UnixMilli(c.At).UTC()})
					}
					paid[i].Amount += take
				}
				start += take
			}
			if at+c.amount <= start { // used up
				at += c.amount
				credits = credits[1:]
			}
		}
		if chosen(d.PostingMark) {
			unpaid += end - start
		}
		start = end
		return true
	})
	if err == nil {
		err = failed
	}
	for i, p := range paid {
		if err == nil && p.Kind == string(wallet.ChargeOpened) {
			err = q.QueryRowContext(ctx, `SELECT state FROM charge WHERE id = $1`, p.Ref).Scan(&paid[i].State)
		}
	}
	return paid, unpaid, err
}

// Origin is accrual that a charge pays, or a part of it: earlier payments paid Earlier of it, the
// charge pays Paid, and Later is left to what pays next.
type Origin struct {
	Kind, Ref            string
	At                   time.Time
	Accrued              wallet.KRW
	Earlier, Paid, Later wallet.KRW
}

// OriginMark is a place in the origins of a charge.
type OriginMark struct {
	PostingMark
	Owed  wallet.KRW `json:"o"` // when the charge was opened
	Newer wallet.KRW `json:"n"` // accrued after this place and before that
}

// ChargeOrigins lists the accrual that a charge pays, newest first, from a mark on, nil for the
// newest. next is nil at the end. It is NotFound when the wallet has no such charge.
func (s *Store) ChargeOrigins(ctx context.Context, walletID, chargeID string, from *OriginMark, limit int) (origins []Origin, next *OriginMark, err error) {
	err = s.snapshot(ctx, owedTime, func(q querier) error {
		origins, next = nil, nil
		opened := PostingMark{Kind: string(wallet.ChargeOpened), Ref: chargeID}
		var supply wallet.KRW
		err := q.QueryRowContext(ctx, `SELECT at, accrual FROM posting WHERE wallet_id = $1 AND kind = 'charge_opened' AND ref = $2`, walletID, chargeID).
			Scan(&opened.At, &supply)
		if err != nil {
			return orNotFound(err, "charge", chargeID)
		}
		if from == nil {
			owed, err := owedBefore(ctx, q, walletID, opened, true)
			if err != nil {
				return err
			}
			from = &OriginMark{PostingMark: PostingMark{At: opened.At + 1}, Owed: owed}
		}
		mark := *from
		return walk(ctx, q, walletID, "<", backward, mark.PostingMark, func(d owedLeg) bool {
			if mark.Newer >= mark.Owed {
				return false
			}
			if len(origins) == limit {
				next = &mark
				return false
			}
			// Counted from the newest, the charge pays what lies in (owed − supply, owed].
			o := Origin{Kind: d.Kind, Ref: d.Ref, At: time.UnixMilli(d.At).UTC(), Accrued: d.amount}
			end := mark.Newer + d.amount
			o.Later = max(min(end, mark.Owed-supply)-mark.Newer, 0)
			o.Earlier = max(end-mark.Owed, 0)
			o.Paid = d.amount - o.Later - o.Earlier
			mark.Newer, mark.PostingMark = end, d.PostingMark
			if o.Paid > 0 {
				origins = append(origins, o)
			}
			return true
		})
	})
	return origins, next, err
}

// Cost is what a broadcast cost: what paid for its captures, corrections included, and what has
// paid the part that was accrued.
type Cost struct {
	WalletID                            string
	Postings                            int
	Captured, Free, Paid, Accrual, Gone wallet.KRW // Gone: free cash of grants that were over when it came back
	PaidBy                              []Payer
	Unpaid                              wallet.KRW
}

// aboutBroadcast is the postings p of wallet $1 about the chunks of broadcast $2: two ranges of the primary
// key. Chunk ids begin with that of the broadcast and '-', after which '.' comes.
const aboutBroadcast = `(SELECT * FROM posting WHERE wallet_id = $1 AND kind = 'capture' AND ref > $2 || '-' AND ref < $2 || '.'
	UNION ALL SELECT * FROM posting WHERE wallet_id = $1 AND kind = 'correction' AND ref > 'capture/' || $2 || '-' AND ref < 'capture/' || $2 || '.') p`

// BroadcastCost tells what a broadcast cost. What paid its accrual is told where withPayers is set. It is
// NotFound when there is no broadcast.
func (s *Store) BroadcastCost(ctx context.Context, id string, withPayers bool) (c Cost, err error) {
	err = s.snapshot(ctx, owedTime, func(q querier) error {
		c = Cost{}
		if err := q.QueryRowContext(ctx, `SELECT wallet_id FROM broadcast WHERE id = $1`, id).Scan(&c.WalletID); err != nil {
			return orNotFound(err, "broadcast", id)
		}
		err := q.QueryRowContext(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(p.revenue), 0) AS BIGINT), CAST(COALESCE(-SUM(p.free), 0) AS BIGINT),
			CAST(COALESCE(-SUM(p.paid), 0) AS BIGINT), CAST(COALESCE(-SUM(p.accrual), 0) AS BIGINT), CAST(COALESCE(SUM(p.promotion), 0) AS BIGINT)
			FROM `+aboutBroadcast, c.WalletID, id).Scan(&c.Postings, &c.Captured, &c.Free, &c.Paid, &c.Accrual, &c.Gone)
		if err != nil || !withPayers {
			return err
		}
		rows, err := q.QueryContext(ctx, `SELECT * FROM (SELECT p.at, p.kind, p.ref FROM `+aboutBroadcast+` WHERE p.accrual < 0 ORDER BY p.at, p.kind, p.ref LIMIT 1) a
			UNION ALL SELECT * FROM (SELECT p.at, p.kind, p.ref FROM `+aboutBroadcast+` WHERE p.accrual < 0 ORDER BY p.at DESC, p.kind DESC, p.ref DESC LIMIT 1) z`, c.WalletID, id)
		ends, err := collect(rows, err, func(row scanner) (m PostingMark, err error) {
			err = row.Scan(&m.At, &m.Kind, &m.Ref)
			return m, err
		})
		if err != nil || len(ends) < 2 {
			return err
		}
		c.PaidBy, c.Unpaid, err = payers(ctx, q, c.WalletID, ends[0], ends[1], func(m PostingMark) bool {
			return strings.HasPrefix(strings.TrimPrefix(m.Ref, wallet.CorrectsCapture+"/"), id+"-")
		})
		return err
	})
	if err != nil {
		return c, fmt.Errorf("tell what broadcast %s cost: %w", id, err)
	}
	return c, nil
}

// BroadcastPostings lists the postings about a broadcast by kind and ref, those after a mark.
func (s *Store) BroadcastPostings(ctx context.Context, walletID, id string, after PostingMark, limit int) ([]wallet.Posting, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+postingColumns+` FROM `+aboutBroadcast+` WHERE (p.kind, p.ref) > ($3, $4)
		ORDER BY p.kind, p.ref LIMIT $5`, walletID, id, after.Kind, after.Ref, limit)
	return collect(rows, err, scanPosting)
}
