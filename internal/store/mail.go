package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/trace"
)

// insertNotices writes the mails of an event in the event's own transaction, one for everybody
// who is to hear of it at that moment and does not do without, and for others. Writing an event again
// changes nothing.
func insertNotices(ctx context.Context, tx *sql.Tx, e notice.Event, others ...notice.Receiver) error {
	members, err := noticeMembers(ctx, tx, e.WalletID, e.Case())
	if err != nil {
		return fmt.Errorf("look up who hears of wallet %s: %w", e.WalletID, err)
	}
	return insertMails(ctx, tx, e, notice.Receivers(members, others...))
}

// insertMails writes the mails of an event to receivers. Where nobody is at an address the mail is
// bounced from the beginning: it is seen, and not tried.
func insertMails(ctx context.Context, tx *sql.Tx, e notice.Event, receivers []notice.Receiver) error {
	data, err := notice.Encode(e.Data)
	if err != nil {
		return err
	}
	for _, to := range receivers {
		_, err := tx.ExecContext(ctx, `INSERT INTO mail (id, wallet_id, mail_case, subject_id, receiver, name, data, state, next_at, created_at,
			epoch, enqueued_at, attempts, lease_until, error, sent_at, account_id, trace)
			VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN EXISTS (SELECT 1 FROM refused_address r WHERE r.address = $10) THEN 'bounced' ELSE 'waiting' END,
			$8, $8, 0, 0, 0, 0, COALESCE((SELECT 'not sent, as an earlier mail was refused: ' || r.reason FROM refused_address r WHERE r.address = $10), ''),
			0, $9, $11) ON CONFLICT DO NOTHING`,
			e.MailID(to), e.WalletID, string(e.Case()), e.Subject, to.Address, to.Name, string(data), millis(e.At), to.AccountID, strings.ToLower(to.Address), trace.Parent(ctx))
		if err != nil {
			return fmt.Errorf("insert a %s mail: %w", e.Case(), err)
		}
	}
	return nil
}

// noticeMembers lists the roles that people have on a wallet and on its bots: the wallet's
// master first, its workers, then the people of the bots. Who does without the mails of a case is
// left out, nobody with no case.
func noticeMembers(ctx context.Context, tx querier, walletID string, without notice.Case) ([]notice.Member, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, name, email, part, place FROM (SELECT a.id, a.name, a.email, 'wallet_' || m.role AS part,
			CASE m.role WHEN 'master' THEN 0 ELSE 1 END AS place
		FROM wallet_member m JOIN account a ON a.id = m.account_id WHERE m.wallet_id = $1
		UNION ALL
		SELECT a.id, a.name, a.email, 'bot_' || m.role, 2
		FROM bot b JOIN bot_member m ON m.bot_id = b.id JOIN account a ON a.id = m.account_id WHERE b.wallet_id = $1) AS member
		WHERE NOT EXISTS (SELECT 1 FROM mail_mute u WHERE u.wallet_id = $1 AND u.account_id = member.id AND u.mail_case = $2)
		ORDER BY place, id, part`, walletID, string(without))
	return collect(rows, err, func(row scanner) (m notice.Member, err error) {
		var place int
		err = row.Scan(&m.AccountID, &m.Name, &m.Address, &m.Role, &place)
		return m, err
	})
}

// ClaimMail moves a mail from waiting to sending. ok is false for one that is taken, sent, of
// another epoch or not yet due.
func (s *Store) ClaimMail(ctx context.Context, id string, epoch int, now, leaseUntil time.Time) (c notice.Claim, ok bool, err error) {
	err = s.write.QueryRowContext(ctx, `UPDATE mail SET state = 'sending', lease_until = $4
		WHERE id = $1 AND epoch = $2 AND state = 'waiting' AND next_at <= $3
		RETURNING id, mail_case, data, receiver, name, attempts`, id, epoch, millis(now), millis(leaseUntil)).
		Scan(&c.ID, &c.Case, &c.Data, &c.To.Address, &c.To.Name, &c.Attempts)
	if errors.Is(err, sql.ErrNoRows) {
		return notice.Claim{}, false, nil
	}
	return c, err == nil, err
}

// RecordMail writes what came of a try, and remembers an address at which nobody is. It changes nothing when the lease of the try was over
// and the mail is not this epoch's any more.
func (s *Store) RecordMail(ctx context.Context, id string, epoch int, now time.Time, r notice.Result) error {
	var sentAt time.Time
	if r.State == notice.Sent {
		sentAt = now
	}
	const record = `UPDATE mail SET state = $3, attempts = $4, next_at = $5, error = $6, sent_at = $7,
		epoch = epoch + 1, lease_until = 0, enqueued_at = 0
		WHERE id = $1 AND epoch = $2 AND state = 'sending'`
	args := []any{id, epoch, string(r.State), r.Attempts, millis(r.NextAt), r.Reason, millis(sentAt)}
	if !r.Gone {
		_, err := s.write.ExecContext(ctx, record, args...)
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		ours, err := changed(tx.ExecContext(ctx, record, args...))
		if err != nil || !ours {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO refused_address (address, reason, at) SELECT lower(receiver), error, $2 FROM mail WHERE id = $1
			ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, at = excluded.at`, id, millis(now))
		return err
	})
}

// ExpireMails lets mails whose lease is over be tried again: the worker that had them is dead or
// frozen. A mail that was lost on its last try is given up. It returns how many leases ended.
func (s *Store) ExpireMails(ctx context.Context, now time.Time) (int, error) {
	const over = `state IN ('waiting', 'sending') AND state = 'sending' AND lease_until <= $1`
	var some bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM mail WHERE `+over+`)`, millis(now)).Scan(&some)
	if err != nil || !some {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `UPDATE mail SET state = CASE WHEN attempts + 1 >= $2 THEN 'failed' ELSE 'waiting' END,
		attempts = attempts + 1, epoch = epoch + 1, next_at = $1, enqueued_at = 0, lease_until = 0,
		error = 'the worker that sent it did not report back' WHERE `+over, millis(now), notice.MaxTries)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
