package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

// PutMute has somebody do without the mails of a case about a wallet. It is NotFound when there is no
// such wallet, Invalid for a case that is always sent and for one who gets no mails of the wallet.
// Muted again it changes nothing.
func (s *Store) PutMute(ctx context.Context, m notice.Mute) error {
	if err := notice.CheckMute(m.Case); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := orNotFound(tx.QueryRowContext(ctx, `SELECT id FROM wallet WHERE id = $1`, m.WalletID).Scan(new(string)), "wallet", m.WalletID); err != nil {
			return err
		}
		members, err := noticeMembers(ctx, tx, m.WalletID, "")
		if err != nil {
			return fmt.Errorf("look up who hears of wallet %s: %w", m.WalletID, err)
		}
		var has bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM mail WHERE wallet_id = $1 AND mail_case = $2 AND account_id = $3)`,
			m.WalletID, string(m.Case), m.AccountID).Scan(&has); err != nil {
			return fmt.Errorf("look for mails of the case %s: %w", m.Case, err)
		}
		if !has && !hears(members, m.AccountID) {
			return fault.Field("account", "%q gets no mails of this wallet", m.AccountID)
		}
		isNew, err := changed(tx.ExecContext(ctx, `INSERT INTO mail_mute (wallet_id, account_id, mail_case, since) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`, m.WalletID, m.AccountID, string(m.Case), millis(m.Since)))
		if err != nil {
			return fmt.Errorf("mute %s: %w", m.Case, err)
		}
		muteDeed(ctx, m, isNew, nil, map[string]any{"account": m.AccountID, "muted": m.Case})
		return nil
	})
}

// hears reports whether an account gets the mails of a wallet with such members.
func hears(members []notice.Member, accountID string) bool {
	for _, to := range notice.Receivers(members) {
		if to.AccountID == accountID {
			return true
		}
	}
	return false
}

// DropMute lets somebody get the mails of a case about a wallet again. Where nothing was muted it
// changes nothing.
func (s *Store) DropMute(ctx context.Context, m notice.Mute) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		was, err := changed(tx.ExecContext(ctx, `DELETE FROM mail_mute WHERE wallet_id = $1 AND account_id = $2 AND mail_case = $3`,
			m.WalletID, m.AccountID, string(m.Case)))
		if err != nil {
			return fmt.Errorf("unmute %s: %w", m.Case, err)
		}
		muteDeed(ctx, m, was, map[string]any{"account": m.AccountID, "muted": m.Case}, nil)
		return nil
	})
}

// muteDeed tells the audit log of a change of what is muted.
func muteDeed(ctx context.Context, m notice.Mute, happened bool, before, after any) {
	if !happened {
		access.DeedOf(ctx).Nothing()
		return
	}
	access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: m.WalletID}, before, after)
}

// Mutes lists what the people of a wallet do without, by account. It is NotFound when there is no
// wallet.
func (s *Store) Mutes(ctx context.Context, walletID string) ([]notice.Mute, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT m.wallet_id, m.account_id, a.name, m.mail_case, m.since
		FROM mail_mute m JOIN account a ON a.id = m.account_id WHERE m.wallet_id = $1 ORDER BY m.account_id, m.mail_case`, walletID)
	return collect(rows, err, func(row scanner) (m notice.Mute, err error) {
		err = row.Scan(&m.WalletID, &m.AccountID, &m.Name, &m.Case, at(&m.Since))
		return m, err
	})
}

// MailMute is what the receiver of a mail reads before he mutes its kind.
type MailMute struct {
	notice.Mute        // Since is zero while he does not
	WalletName  string // of the wallet
}

// MuteOf reads what the receiver of a mail would mute, and whether he does. It is NotFound for a mail
// that is not there, of a case that is always sent, or to an address of no account.
func (s *Store) MuteOf(ctx context.Context, mailID string) (m MailMute, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT m.wallet_id, m.account_id, a.name, m.mail_case, COALESCE(u.since, 0), w.name
		FROM mail m JOIN account a ON a.id = m.account_id JOIN wallet w ON w.id = m.wallet_id
		LEFT JOIN mail_mute u ON u.wallet_id = m.wallet_id AND u.account_id = m.account_id AND u.mail_case = m.mail_case
		WHERE m.id = $1`, mailID).Scan(&m.WalletID, &m.AccountID, &m.Name, &m.Case, at(&m.Since), &m.WalletName)
	if err == nil && !m.Case.CanMute() || errors.Is(err, sql.ErrNoRows) {
		return MailMute{}, fault.New(fault.NotFound, "there is no mail %q whose kind can be muted", mailID)
	}
	return m, err
}
