package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// mailReport tells of a broadcast to many people that finished at a moment: once, though it may finish again
// when somebody's outcome was open once more. Tests of a broadcast are not told of.
func (s *Store) mailReport(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, now time.Time) error {
	if s.reportAbove == 0 || b.Counts.Audience <= s.reportAbove || b.TestOf != "" || !b.FinishedAt.Equal(now) {
		return nil
	}
	n := b.Counts
	data := notice.BroadcastReport{
		BroadcastID: string(b.ID), Broadcast: b.Name, Development: b.Side == broadcast.Development, Cancelled: b.State == broadcast.Cancelled,
		OrderedAt: b.CreatedAt, StartedAt: b.StartedAt, FinishedAt: now,
		Audience: int64(n.Audience), Delivered: int64(n.Delivered), Failed: int64(n.Failed), Unknown: int64(n.Unknown), Skipped: int64(n.Skipped), InDoubt: int64(n.InDoubt),
		Price: b.Price, Amount: billing.AmountOf(b.Captured, wallet.VAT(b.Captured)), Path: broadcastPath(b.ID),
	}
	err := tx.QueryRowContext(ctx, `SELECT t.name, w.name FROM bot t, wallet w WHERE t.id = $1 AND w.id = $2`, b.BotID, b.WalletID).Scan(&data.Bot, &data.WalletName)
	if err != nil {
		return fmt.Errorf("look up what broadcast %s is of: %w", b.ID, err)
	}
	return mailSenders(ctx, tx, b.BotID, b.SealedBy, notice.Event{WalletID: b.WalletID, Subject: string(b.ID), At: now, Data: data})
}

// broadcastPath is the page of a broadcast, below the public URL.
func broadcastPath(id broadcast.ID) string { return "/console/broadcasts/" + string(id) }

// mailSenders writes the mails of an event to those who send with a bot: its masters, and the author of what
// the event is about if he still sees the bot, each once, but for who does without.
func mailSenders(ctx context.Context, tx *sql.Tx, botID, author string, e notice.Event) error {
	rows, err := tx.QueryContext(ctx, `SELECT a.id, a.name, a.email FROM account a WHERE a.id IN (
			SELECT m.account_id FROM bot_member m WHERE m.bot_id = $1 AND m.role = 'master'
			UNION ALL SELECT o.id FROM account o WHERE o.id = $2 AND (o.platform_admin = 1
				OR EXISTS (SELECT 1 FROM bot_member m WHERE m.bot_id = $1 AND m.account_id = o.id)
				OR EXISTS (SELECT 1 FROM bot t JOIN wallet_member m ON m.wallet_id = t.wallet_id WHERE t.id = $1 AND m.account_id = o.id)))
		AND NOT EXISTS (SELECT 1 FROM mail_mute u WHERE u.wallet_id = $3 AND u.account_id = a.id AND u.mail_case = $4)
		ORDER BY a.id`, botID, author, e.WalletID, string(e.Case()))
	senders, err := collect(rows, err, func(row scanner) (to notice.Receiver, err error) {
		err = row.Scan(&to.AccountID, &to.Name, &to.Address)
		return to, err
	})
	if err != nil {
		return fmt.Errorf("look up who sends with bot %s: %w", botID, err)
	}
	return insertMails(ctx, tx, e, notice.Receivers(nil, senders...)) // without those who have no address
}

// reasonsAtOnce is how many chunks with failures are read at a time.
const reasonsAtOnce = 500

// Reasons gathers why people of a broadcast were not reached.
func (s *Store) Reasons(ctx context.Context, id broadcast.ID) (r notice.Reasons, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT c.state, c.left_out, CAST(SUM(CASE c.state WHEN 'settled' THEN 0 ELSE c.failed END) AS BIGINT),
		CAST(SUM(c.skipped) AS BIGINT)`+ofAudience+` AND (c.failed > 0 OR c.skipped > 0) GROUP BY c.state, c.left_out ORDER BY c.state, c.left_out`, id)
	_, err = collect(rows, err, func(row scanner) (none struct{}, err error) {
		var state, leftOut string
		var failed, skipped int64
		if err = row.Scan(&state, &leftOut, &failed, &skipped); err == nil {
			r.Fail(notice.Why(state), failed)
			r.Leave(leaves(state, leftOut), skipped)
		}
		return none, err
	})
	if err != nil {
		return r, fmt.Errorf("sum up whom broadcast %s missed: %w", id, err)
	}
	for after := 0; ; {
		rows, err := s.read.QueryContext(ctx, `SELECT c.seq, c.failed, c.result`+ofAudience+` AND c.seq > $2 AND c.failed > 0 AND c.state = 'settled'
			ORDER BY c.seq LIMIT $3`, id, after, reasonsAtOnce)
		all, err := collect(rows, err, func(row scanner) (seq int, err error) {
			var failed int64
			var result string
			if err = row.Scan(&seq, &failed, &result); err == nil {
				r.Kakao([]byte(result), failed)
			}
			return seq, err
		})
		if err != nil {
			return r, fmt.Errorf("read whom Kakao names of broadcast %s: %w", id, err)
		}
		if len(all) < reasonsAtOnce {
			return r, nil
		}
		after = all[len(all)-1]
	}
}

// leaves says why people of a chunk were left out.
func leaves(state, leftOut string) notice.Why {
	if leftOut != "" {
		return notice.Why(leftOut)
	}
	return notice.Why(state)
}
