package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/trace"
)

const mailColumns = `id, mail_case, subject_id, account_id, name, receiver, state, attempts, next_at, error, created_at, sent_at`

func scanMail(row scanner) (m notice.Record, err error) {
	err = row.Scan(&m.ID, &m.Case, &m.Subject, &m.To.AccountID, &m.To.Name, &m.To.Address, &m.State, &m.Attempts, at(&m.NextAt), &m.Reason,
		at(&m.CreatedAt), at(&m.SentAt))
	return m, err
}

// Mails lists the mails of a wallet, newest first. It is NotFound when there is no wallet.
func (s *Store) Mails(ctx context.Context, walletID string, n notice.Narrow, limit int) ([]notice.Record, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	if n.Before == "" {
		n.Before = "~" // after every id
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+mailColumns+` FROM mail WHERE wallet_id = $1 AND id < $2
		AND (CAST($3 AS TEXT) = '' OR state = $3) AND (CAST($4 AS TEXT) = '' OR mail_case = $4) ORDER BY id DESC LIMIT $5`,
		walletID, n.Before, string(n.State), string(n.Case), limit)
	return collect(rows, err, scanMail)
}

// ResendMail writes a mail of a wallet once more, as a mail of its own: programs hide a second one with
// the same Message-ID. An address at which nobody was is tried again. It is NotFound when the wallet has no such mail, a Conflict for one that still
// waits or is being sent, and Refused when its receiver would not get the wallet's mails any more.
func (s *Store) ResendMail(ctx context.Context, r notice.Resend) (again notice.Record, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		answer, repeated, err := claimRequest(ctx, tx, r.Request.Scope, r.Request.Key, r.Request.BodyHash, "")
		if err != nil {
			return err
		}
		if repeated {
			again, err = readMail(ctx, tx, r.WalletID, string(answer))
			return err
		}
		if _, err := s.lockWallet(ctx, tx, r.WalletID); err != nil { // two at once would be numbered alike
			return err
		}
		old, err := readMail(ctx, tx, r.WalletID, r.MailID)
		if err != nil {
			return err
		}
		if old.State == notice.Waiting || old.State == notice.Sending {
			return fault.Coded(fault.Conflict, "MAIL_UNDER_WAY", "the mail is still to be sent: its next try is at %s", old.NextAt.UTC().Format("2006-01-02T15:04:05Z"))
		}
		if err := mayGet(ctx, tx, r.WalletID, old); err != nil {
			return err
		}
		if again, err = insertAgain(ctx, tx, old, r); err != nil {
			return fmt.Errorf("write mail %s again: %w", old.ID, err)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: r.WalletID}, map[string]any{"mail": old.ID}, map[string]any{"mail": again.ID})
		return answerRequest(ctx, tx, r.Request.Scope, r.Request.Key, []byte(again.ID))
	})
	return again, err
}

func readMail(ctx context.Context, tx querier, walletID, id string) (notice.Record, error) {
	m, err := scanMail(tx.QueryRowContext(ctx, `SELECT `+mailColumns+` FROM mail WHERE id = $1 AND wallet_id = $2`, id, walletID))
	return m, orNotFound(err, "mail", id)
}

// mayGet refuses a mail whose receiver is not of the wallet any more.
func mayGet(ctx context.Context, tx *sql.Tx, walletID string, m notice.Record) error {
	members, err := noticeMembers(ctx, tx, walletID, "")
	if err != nil {
		return fmt.Errorf("look up who hears of wallet %s: %w", walletID, err)
	}
	var others []notice.Receiver
	if m.Case == notice.CaseInvoiceIssued || m.Case == notice.CaseInvoiceFailed {
		to, err := bookkeeper(ctx, tx, walletID)
		if err != nil {
			return err
		}
		others = append(others, to)
	}
	if m.Case.ToSenders() { // whatever they are to the wallet or its bots
		for _, one := range members {
			others = append(others, notice.Receiver{AccountID: one.AccountID, Name: one.Name, Address: one.Address})
		}
	}
	for _, to := range notice.Receivers(members, others...) {
		if strings.EqualFold(to.Address, m.To.Address) {
			return nil
		}
	}
	return fault.Coded(fault.Refused, "NOT_A_RECEIVER", "the receiver gets no mails of this wallet any more, or has another address now")
}

// insertAgain writes a copy of a mail under a number of its own; the wallet is locked.
func insertAgain(ctx context.Context, tx *sql.Tx, old notice.Record, r notice.Resend) (notice.Record, error) {
	base, _, _ := strings.Cut(old.Subject, "#")
	var copies int
	var body []byte
	err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM mail c WHERE c.wallet_id = m.wallet_id AND c.mail_case = m.mail_case
			AND c.receiver = m.receiver AND (c.subject_id = $2 OR SUBSTR(c.subject_id, 1, LENGTH(CAST($2 AS TEXT)) + 1) = $3)), m.data
		FROM mail m WHERE m.id = $1`, old.ID, base, base+"#").Scan(&copies, &body)
	if err != nil {
		return old, err
	}
	data, err := notice.Decode(old.Case, body)
	if err != nil {
		return old, err
	}
	e := notice.Event{WalletID: r.WalletID, Subject: fmt.Sprintf("%s#%d", base, copies+1), Data: data, At: r.At}
	id := e.MailID(old.To)
	_, err = tx.ExecContext(ctx, `INSERT INTO mail (id, wallet_id, mail_case, subject_id, receiver, name, data, state, next_at, created_at,
		epoch, enqueued_at, attempts, lease_until, error, sent_at, account_id, trace)
		SELECT $2, wallet_id, mail_case, $3, receiver, name, data, 'waiting', $4, $4, 0, 0, 0, 0, '', 0, account_id, CAST($5 AS TEXT) FROM mail WHERE id = $1`,
		old.ID, id, e.Subject, millis(r.At), trace.Parent(ctx))
	if err != nil {
		return old, err
	}
	// Who asks for it says that somebody is there; the server may say otherwise again.
	if _, err := tx.ExecContext(ctx, `DELETE FROM refused_address WHERE address = $1`, strings.ToLower(old.To.Address)); err != nil {
		return old, err
	}
	return readMail(ctx, tx, r.WalletID, id)
}
