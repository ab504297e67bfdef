package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// Statement is a month of a wallet in Korea.
type Statement struct {
	Wallet  WalletView // without its people
	Month   time.Time  // 00:00 in Korea of the 1st
	SoFar   time.Time  // when the month has not ended: up to when; else zero
	Days    []wallet.DaySummary
	Total   wallet.Flow                     // of all days
	Opening wallet.Balances                 // of the first day
	Closing wallet.Balances                 // of the last
	Lines   iter.Seq2[BroadcastLine, error] // by broadcast, in the order in which they were ordered; to be read once
}

// BroadcastLine is what one broadcast used in a month. A message counts in the month in which it was
// captured, so a broadcast may have a line in two statements.
type BroadcastLine struct {
	ID          broadcast.ID
	Name        string
	BotID, Bot  string
	Side        broadcast.Side
	Messages    int64
	Price       wallet.KRW // of one message
	Used, Free  wallet.KRW // consumption, and the part of it that free cash paid
	First, Last time.Time  // capture in the month
}

// statementTime bounds the statements of a summary: a month of the largest wallets is millions of
// postings, and one that ended long ago adds up all that came after.
const statementTime = 10 * time.Minute

// The day of a posting, counted from 1970 in Korea, and the broadcast that it is about: the ref of
// a capture is a chunk, see [broadcast.NewChunkID], and that of its correction capture/<chunk>/<number>.
const (
	koreanDay   = `(at + 32400000) / 86400000`
	ofBroadcast = `CASE kind WHEN 'capture' THEN rtrim(rtrim(ref, '0123456789'), '-')
		ELSE substr(rtrim(rtrim(rtrim(rtrim(ref, '0123456789'), '/'), '0123456789'), '-'), length('capture/') + 1) END`
)

func dayNumber(t time.Time) int64 { return (t.UnixMilli() + 32_400_000) / 86_400_000 }

// Days summarises a wallet day by day, from 00:00 in Korea of one day until that of another. It is
// NotFound when there is no wallet.
func (s *Store) Days(ctx context.Context, walletID string, from, until time.Time) (days []wallet.DaySummary, err error) {
	err = s.snapshot(ctx, statementTime, func(q querier) error {
		w, err := s.scanWallet(q.QueryRowContext(ctx, `SELECT `+walletColumns+` FROM wallet WHERE id = $1`, walletID))
		if err != nil {
			return orNotFound(err, "wallet", walletID)
		}
		days, err = listDays(ctx, q, w, from, until)
		return err
	})
	return days, err
}

// Statement reads a month of a wallet, by its 1st at 00:00 in Korea, as far as it has come, and hands
// it to write while it can be read. It is NotFound when there is no wallet.
func (s *Store) Statement(ctx context.Context, walletID string, month, now time.Time, write func(Statement) error) error {
	return s.snapshot(ctx, statementTime, func(q querier) error {
		v, err := s.scanWalletView(q.QueryRowContext(ctx, `SELECT `+walletViewColumns+` FROM wallet WHERE id = $1`, walletID))
		if err != nil {
			return orNotFound(err, "wallet", walletID)
		}
		st := Statement{Wallet: v, Month: month}
		end := clock.NextMonth(month)
		if now.Before(end) {
			st.SoFar, end = now, clock.NextMidnight(now)
		}
		if st.Days, err = listDays(ctx, q, v.Wallet, month, end); err != nil {
			return err
		}
		for _, day := range st.Days {
			st.Total = st.Total.Plus(day.Flow)
			st.Closing = day.Closing
		}
		if len(st.Days) > 0 {
			st.Opening = st.Days[0].Opening
		}
		st.Lines = broadcastLines(ctx, q, walletID, month, end)
		return write(st)
	})
}

// listDays adds up the postings of a wallet by day. The balances before and after are those of now
// less what came since.
func listDays(ctx context.Context, q querier, w wallet.Wallet, from, until time.Time) ([]wallet.DaySummary, error) {
	var days []wallet.DaySummary
	for start := from; start.Before(until); start = start.Add(24 * time.Hour) { // Korea has no daylight saving
		days = append(days, wallet.DaySummary{Start: start})
	}
	if len(days) == 0 {
		return nil, nil
	}
	place := func(day int64) (d *wallet.DaySummary, known bool) {
		i := day - dayNumber(from)
		if i < 0 || i >= int64(len(days)) {
			return nil, false
		}
		return &days[i], true
	}
	rows, err := q.QueryContext(ctx, `SELECT CASE WHEN at >= $3 THEN 0 ELSE `+koreanDay+` END, kind, CASE WHEN revenue > 0 THEN 1 WHEN revenue < 0 THEN -1 ELSE 0 END, `+ownLegs+`,
		CAST(SUM(clearing) AS BIGINT), CAST(SUM(vat) AS BIGINT), CAST(SUM(revenue) AS BIGINT), CAST(SUM(promotion) AS BIGINT)
		FROM posting WHERE wallet_id = $1 AND at >= $2 GROUP BY 1, 2, 3`, w.ID, millis(from), millis(until))
	type sum struct {
		wallet.Posting
		day int64
	}
	sums, err := collect(rows, err, func(row scanner) (s sum, err error) {
		var sign int
		err = row.Scan(&s.day, &s.Kind, &sign, &s.Free, &s.Paid, &s.Accrual, &s.Charging, &s.Refunding, &s.Clearing, &s.VAT, &s.Revenue, &s.Promotion)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("add up days of %s: %w", w.ID, err)
	}
	closing := w.Balances()
	for _, s := range sums {
		if day, known := place(s.day); known {
			day.Flow = day.Add(s.Posting)
		} else { // since then
			closing = closing.Minus(s.Change())
		}
	}
	rows, err = q.QueryContext(ctx, `SELECT g.day, CAST(SUM(g.revenue / b.price_krw) AS BIGINT) FROM
		(SELECT `+koreanDay+` AS day, `+ofBroadcast+` AS broadcast_id, CAST(SUM(revenue) AS BIGINT) AS revenue
			FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3 AND revenue <> 0 GROUP BY 1, 2) g
		JOIN broadcast b ON b.id = g.broadcast_id WHERE b.price_krw > 0 GROUP BY g.day`, w.ID, millis(from), millis(until))
	_, err = collect(rows, err, func(row scanner) (struct{}, error) {
		var number, messages int64
		err := row.Scan(&number, &messages)
		if day, known := place(number); known {
			day.Messages = messages
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count messages of %s by day: %w", w.ID, err)
	}
	for i := len(days) - 1; i >= 0; i-- {
		days[i].Closing = closing
		closing = closing.Minus(days[i].Change())
		days[i].Opening = closing
	}
	return days, nil
}

// broadcastLines reads what each broadcast used, one by one.
func broadcastLines(ctx context.Context, q querier, walletID string, from, until time.Time) iter.Seq2[BroadcastLine, error] {
	return func(yield func(BroadcastLine, error) bool) {
		rows, err := q.QueryContext(ctx, `SELECT g.broadcast_id, COALESCE(b.name, ''), COALESCE(b.bot_id, ''), COALESCE(t.name, ''), COALESCE(b.side, ''),
			COALESCE(b.price_krw, 0), g.used, g.free, g.first_at, g.last_at FROM
			(SELECT `+ofBroadcast+` AS broadcast_id, CAST(SUM(revenue) AS BIGINT) AS used, CAST(-SUM(free + promotion) AS BIGINT) AS free,
				MIN(at) AS first_at, MAX(at) AS last_at
				FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3 AND revenue <> 0 GROUP BY 1) g
			LEFT JOIN broadcast b ON b.id = g.broadcast_id LEFT JOIN bot t ON t.id = b.bot_id
			ORDER BY g.broadcast_id`, walletID, millis(from), millis(until))
		if err != nil {
			yield(BroadcastLine{}, fmt.Errorf("list broadcasts of %s: %w", walletID, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var l BroadcastLine
			err := rows.Scan(&l.ID, &l.Name, &l.BotID, &l.Bot, &l.Side, &l.Price, &l.Used, &l.Free, at(&l.First), at(&l.Last))
			if l.Price > 0 {
				l.Messages = int64(l.Used / l.Price)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(BroadcastLine{}, fmt.Errorf("list broadcasts of %s: %w", walletID, err))
		}
	}
}
