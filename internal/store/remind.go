package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// remindersJob names the daily reminders in job_run. The period is the day in Korea.
const remindersJob = "reminders"

// shortBatch bounds how many broadcasts are told of in one look.
const shortBatch = 200

// Remind writes the mails that time causes, and returns of how many things it told.
//
// A broadcast that begins to wait for funds is told of at once; the wallet's people get one mail a
// day about low balance, whatever waits. At 09:00 in Korea it tells of what waits still, of
// broadcasts that begin within 24 hours and cannot be paid for, and of free cash that ends; see
// [notice.ExpiryReminderOn]. The daily part runs once a day however many call it, and not at all
// for days that passed while nobody did. Of times at which schedules sent nothing it tells as
// [notice.LostSince] says. A look that finds nothing reads three rows of indexes.
func (s *Store) Remind(ctx context.Context, now time.Time) (told int, err error) {
	short, err := s.tellShort(ctx, now)
	lost, lostErr := s.tellLost(ctx, now)
	daily, dailyErr := s.remindDaily(ctx, now)
	return short + lost + daily, errors.Join(err, lostErr, dailyErr)
}

// waitsUntold is the condition of an index, word for word.
const waitsUntold = `b.state = 'running' AND b.planned_chunks > 0 AND b.wait_reason = 'funds' AND b.funds_told_at = 0`

// paysNow is true of a wallet w that is to pay for sends.
const paysNow = `w.status = 'in_use' AND w.payment_state = 'ACTIVE' AND w.deleted_at = 0`

// pending is a broadcast that has people still to be paid for.
type pending struct {
	id, wallet, name string
	startAt          time.Time
	price            wallet.KRW
}

const pendingColumns = `b.id, b.wallet_id, b.name, b.start_at, b.price_krw`

func scanPending(row scanner) (p pending, err error) {
	err = row.Scan(&p.id, &p.wallet, &p.name, at(&p.startAt), &p.price)
	return p, err
}

// tellShort tells of broadcasts that wait for funds, each once for each time that it begins to.
func (s *Store) tellShort(ctx context.Context, now time.Time) (told int, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+pendingColumns+` FROM broadcast b JOIN wallet w ON w.id = b.wallet_id
		WHERE `+waitsUntold+` AND `+paysNow+` ORDER BY b.id LIMIT $1`, shortBatch)
	waiting, err := collect(rows, err, scanPending)
	if err != nil {
		return 0, fmt.Errorf("list broadcasts that wait for funds: %w", err)
	}
	var errs []error // of one broadcast: the others do not wait for it
	for _, b := range waiting {
		var one bool
		err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
			one, err = s.tellShortOf(ctx, tx, b, now)
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("tell that broadcast %s waits for funds: %w", b.id, err))
		} else if one {
			told++
		}
	}
	return told, errors.Join(errs...)
}

func (s *Store) tellShortOf(ctx context.Context, tx *sql.Tx, b pending, now time.Time) (bool, error) {
	w, err := s.lockWallet(ctx, tx, b.wallet)
	if err != nil {
		return false, err
	}
	event, short, err := lowBalance(ctx, tx, w, b, now)
	if err != nil || !short { // cash has come, and it goes on by itself
		return false, err
	}
	mine, err := changed(tx.ExecContext(ctx, `UPDATE broadcast AS b SET funds_told_at = $2 WHERE b.id = $1 AND `+waitsUntold, b.id, millis(now)))
	if err != nil || !mine { // it moves again, or another process was first
		return false, err
	}
	return true, insertNotices(ctx, tx, event)
}

// lowBalance is the mail about a broadcast that its wallet cannot pay for to its end. short is false
// where it can, now or when the broadcast begins, and where only the daily limit is in the way.
func lowBalance(ctx context.Context, q querier, w wallet.Wallet, b pending, now time.Time) (e notice.Event, short bool, err error) {
	if w.Status != wallet.InUse || w.PaymentState != wallet.Active {
		return e, false, nil
	}
	var people int64
	err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(people), 0) AS BIGINT) FROM chunk WHERE broadcast_id = $1 AND state = 'planned'`, b.id).Scan(&people)
	if err != nil {
		return e, false, fmt.Errorf("count who is still to be sent to: %w", err)
	}
	cost, when := b.price*wallet.KRW(people), now
	data := notice.LowBalance{Broadcast: b.name, People: people, Cost: cost, Balance: w.Free + w.Paid, HasCard: w.HasCard, Path: billing.WalletPath(w.ID)}
	if b.startAt.After(now) {
		data.StartsAt, when = b.startAt, b.startAt
	}
	if _, err := w.Hold(cost, when); !errors.Is(err, wallet.ErrInsufficientFunds) {
		return e, false, nil
	}
	data.Spendable = w.Spendable(when)
	if data.WalletName, err = walletName(ctx, q, w.ID); err != nil {
		return e, false, err
	}
	return notice.Event{WalletID: w.ID, Subject: clock.Midnight(now).In(clock.Seoul).Format(time.DateOnly), At: now, Data: data}, true, nil
}

// remindDaily writes the reminders of this day, once.
func (s *Store) remindDaily(ctx context.Context, now time.Time) (told int, err error) {
	day, due := notice.RemindersOf(now)
	if !due {
		return 0, nil
	}
	previous, done, err := s.lastReminders(ctx, day)
	if err != nil || done {
		return 0, err
	}
	// What there is to tell is found beside the writer, which then only writes what is few.
	events, err := s.lowBalances(ctx, now)
	if err != nil {
		return 0, err
	}
	ending, err := s.freeCashEnding(ctx, previous, day, now)
	if err != nil {
		return 0, err
	}
	events = append(events, ending...)
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		told = 0
		mine, err := changed(tx.ExecContext(ctx, `INSERT INTO job_run (name, period, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			remindersJob, day.In(clock.Seoul).Format(time.DateOnly), millis(now)))
		if err != nil || !mine {
			return err
		}
		for _, e := range events {
			if err := insertNotices(ctx, tx, e); err != nil {
				return fmt.Errorf("remind wallet %s: %w", e.WalletID, err)
			}
		}
		told = len(events)
		return nil
	})
	return told, err
}

// lastReminders returns the day before this one whose reminders went out last, the day before this
// one where none ever did, and whether those of this day went out.
func (s *Store) lastReminders(ctx context.Context, day time.Time) (previous time.Time, done bool, err error) {
	var period string
	err = s.read.QueryRowContext(ctx, `SELECT period FROM job_run WHERE name = $1 ORDER BY period DESC LIMIT 1`, remindersJob).Scan(&period)
	if errors.Is(err, sql.ErrNoRows) {
		return day.Add(-24 * time.Hour), false, nil
	}
	if err != nil {
		return previous, false, fmt.Errorf("look up the last reminders: %w", err)
	}
	ran, err := time.ParseInLocation(time.DateOnly, period, clock.Seoul)
	if err != nil {
		return previous, false, fmt.Errorf("read the day of reminders: %w", err)
	}
	return ran.UTC(), !ran.Before(day), nil
}

// lowBalances lists the mails about wallets that cannot pay for what they have to send next: what
// waits for funds, else what begins first within a day.
func (s *Store) lowBalances(ctx context.Context, now time.Time) (events []notice.Event, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+pendingColumns+` FROM broadcast b JOIN wallet w ON w.id = b.wallet_id
		WHERE b.state = 'running' AND b.planned_chunks > 0 AND (b.wait_reason = 'funds' OR b.start_at > $1 AND b.start_at <= $2) AND `+paysNow+`
		ORDER BY b.wallet_id, CASE b.wait_reason WHEN 'funds' THEN 0 ELSE 1 END, b.start_at, b.id`, millis(now), millis(now.Add(notice.LowBalanceAhead)))
	all, err := collect(rows, err, scanPending)
	if err != nil {
		return nil, fmt.Errorf("list what wallets have to send: %w", err)
	}
	var looked string
	for _, b := range all {
		if b.wallet == looked {
			continue
		}
		looked = b.wallet
		w, err := s.Wallet(ctx, b.wallet)
		if err != nil {
			return nil, err
		}
		e, short, err := lowBalance(ctx, s.read, w, b, now)
		if err != nil {
			return nil, fmt.Errorf("look whether wallet %s can pay for broadcast %s: %w", w.ID, b.id, err)
		}
		if short {
			events = append(events, e)
		}
	}
	return events, nil
}

// freeCashEnding lists the mails of a day about free cash that ends, started or not, of which
// something is left.
func (s *Store) freeCashEnding(ctx context.Context, previous, day, now time.Time) (events []notice.Event, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT g.id, g.wallet_id, w.name, g.amount_krw, g.remaining_krw, g.reason, g.created_at, g.expires_at
		FROM free_grant g JOIN wallet w ON w.id = g.wallet_id
		WHERE g.remaining_krw > 0 AND g.expires_at > $1 AND g.expires_at <= $2 AND w.deleted_at = 0 ORDER BY g.wallet_id, g.expires_at, g.id`,
		millis(now), millis(day.Add(notice.ExpiryAhead)))
	_, err = collect(rows, err, func(row scanner) (struct{}, error) {
		var id, walletID string
		var given time.Time
		var d notice.FreeCashExpiring
		err := row.Scan(&id, &walletID, &d.WalletName, &d.Granted, &d.Amount, &d.Reason, at(&given), at(&d.ExpiresAt))
		if err != nil {
			return struct{}{}, err
		}
		if kind := notice.ExpiryReminderOn(day, previous, given, d.ExpiresAt); kind != notice.NoReminder {
			d.Today, d.Path = kind == notice.EndsThatDay, billing.WalletPath(walletID)
			events = append(events, notice.Event{WalletID: walletID, Subject: id + "/" + string(kind), At: now, Data: d})
		}
		return struct{}{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list free cash that ends: %w", err)
	}
	return events, nil
}
