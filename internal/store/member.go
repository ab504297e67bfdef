package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// InsertWallet stores an empty wallet in use, with its master. A master that is no account is
// Invalid.
func (s *Store) InsertWallet(ctx context.Context, w access.OpenedWallet) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		known, err := hasAccount(ctx, tx, w.Master)
		if err != nil {
			return err
		}
		if !known {
			return fault.Field("master", "there is no account %q", w.Master)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO wallet (id, name, kind, business_number, invoice_email, status, payment_state,
			daily_limit_krw, created_at, unpaid_since, free_krw, paid_krw, accrual_krw, charging_krw, held_krw,
			accrual_day, accrual_old_krw, accrued_krw, next_charge_at, charge_epoch, charge_enqueued_at, place,
			company, representative, address, business_type, business_item, closed_to, invoiced_to)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $10, $11, $12, $13, $14, $15, $16, $16)`,
			w.ID, w.Name, w.Kind, w.BusinessNumber, w.InvoiceEmail, wallet.InUse, wallet.Active, w.DailyLimit, millis(w.CreatedAt), wallet.Place(w.ID),
			w.Company, w.Representative, w.Address, w.Type, w.Item, millis(clock.MonthStart(w.CreatedAt)))
		if err != nil {
			return fmt.Errorf("insert wallet: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, $2, $3)`,
			w.ID, w.Master, access.Master)
		if err != nil {
			return fmt.Errorf("insert the master: %w", err)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: w.ID}, nil, map[string]any{
			"name": w.Name, "kind": w.Kind, "business_number": w.BusinessNumber, "invoice_email": w.InvoiceEmail, "business": w.Registered,
			"master": w.Master, "daily_limit_krw": w.DailyLimit,
		})
		return nil
	})
}

var errLastMaster = fault.Coded(fault.Conflict, "LAST_MASTER", "a wallet has one master; make somebody else the master first")

// PutMember gives an account a role on a wallet. A new master makes the one so far a worker; a
// worker who becomes a viewer takes his cards along. Unless it is to anybody, a worker must be
// an operator or master of one of the wallet's bots, and a new master on the wallet already. It is
// NotFound without the wallet or the account, and a Conflict when the wallet would be left without
// a master.
func (s *Store) PutMember(ctx context.Context, walletID, accountID string, role access.WalletRole, toAnybody bool) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
		before, err := s.mayPut(ctx, tx, walletID, accountID, role, toAnybody)
		switch {
		case err != nil:
			return err
		case before == role:
			access.DeedOf(ctx).Nothing()
			return nil
		case before == access.Master:
			return errLastMaster
		}
		was, err := s.memberDeed(ctx, tx, walletID, accountID)
		if err != nil {
			return err
		}
		if role == access.Master {
			if _, err := tx.ExecContext(ctx, `UPDATE wallet_member SET role = $2 WHERE wallet_id = $1 AND role = $3`,
				walletID, access.Worker, access.Master); err != nil {
				return fmt.Errorf("make the master a worker: %w", err)
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, $2, $3)
			ON CONFLICT (wallet_id, account_id) DO UPDATE SET role = excluded.role`, walletID, accountID, role); err != nil {
			return fmt.Errorf("put member: %w", err)
		}
		if role == access.Looker {
			if err := takeOffCardsOf(ctx, tx, walletID, accountID); err != nil {
				return err
			}
		}
		is, err := s.memberDeed(ctx, tx, walletID, accountID)
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, was, is)
		return err
	})
}

// mayPut says why an account may not get a role on a locked wallet, or which it has so far.
func (s *Store) mayPut(ctx context.Context, tx *sql.Tx, walletID, accountID string, role access.WalletRole, toAnybody bool) (before access.WalletRole, err error) {
	before, err = memberRole(ctx, tx, walletID, accountID)
	if err != nil || before == role {
		return before, err
	}
	if !toAnybody && role == access.Worker && before != access.Master {
		works, err := worksOnBots(ctx, tx, walletID, accountID)
		if err != nil {
			return before, err
		}
		if !works {
			return before, access.ErrNotOperator
		}
	}
	if !toAnybody && role == access.Master && before == "" {
		return before, access.ErrNotOnWallet
	}
	known, err := hasAccount(ctx, tx, accountID)
	if err == nil && !known {
		err = fault.New(fault.NotFound, "there is no account %q", accountID)
	}
	return before, err
}

// worksOnBots reports whether an account is an operator or master of one of a wallet's bots.
func worksOnBots(ctx context.Context, tx querier, walletID, accountID string) (works bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bot_member m JOIN bot b ON b.id = m.bot_id
		WHERE b.wallet_id = $1 AND m.account_id = $2 AND m.role IN ('master', 'operator'))`, walletID, accountID).Scan(&works)
	return works, err
}

// memberDeed is what the audit log keeps of a person on a wallet: his role, and the wallet's cards
// in their order.
func (s *Store) memberDeed(ctx context.Context, tx *sql.Tx, walletID, accountID string) (map[string]any, error) {
	if access.DeedOf(ctx) == nil {
		return nil, nil
	}
	role, err := memberRole(ctx, tx, walletID, accountID)
	if err != nil {
		return nil, err
	}
	cards, err := cardsOn(ctx, tx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list the cards of wallet %s: %w", walletID, err)
	}
	return map[string]any{"account": accountID, "role": role, "cards": cards}, nil
}

// memberRole returns the role of an account on a wallet, or "".
func memberRole(ctx context.Context, tx querier, walletID, accountID string) (role access.WalletRole, err error) {
	err = tx.QueryRowContext(ctx, `SELECT role FROM wallet_member WHERE wallet_id = $1 AND account_id = $2`, walletID, accountID).Scan(&role)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return role, err
}

// DropMember takes an account and its cards off a wallet; what is owed stays with the wallet. It
// is NotFound for one who is not on it, and a Conflict for its master.
func (s *Store) DropMember(ctx context.Context, walletID, accountID string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
		switch role, err := memberRole(ctx, tx, walletID, accountID); {
		case err != nil:
			return err
		case role == "":
			return fault.New(fault.NotFound, "account %q is not a member of wallet %q", accountID, walletID)
		case role == access.Master:
			return errLastMaster
		}
		was, err := s.memberDeed(ctx, tx, walletID, accountID)
		if err != nil {
			return err
		}
		if err := dropMember(ctx, tx, walletID, accountID); err != nil {
			return err
		}
		is, err := s.memberDeed(ctx, tx, walletID, accountID)
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, was, is)
		return err
	})
}

// dropMember takes an account and its cards off a locked wallet.
func dropMember(ctx context.Context, tx *sql.Tx, walletID, accountID string) error {
	if err := takeOffCardsOf(ctx, tx, walletID, accountID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM wallet_member WHERE wallet_id = $1 AND account_id = $2`, walletID, accountID); err != nil {
		return fmt.Errorf("delete member: %w", err)
	}
	return nil
}

// takeOffCardsOf takes the cards of an account off a locked wallet; those behind them move up.
func takeOffCardsOf(ctx context.Context, tx *sql.Tx, walletID, accountID string) error {
	rows, err := tx.QueryContext(ctx, `SELECT c.id FROM wallet_card s JOIN card c ON c.id = s.card_id
		WHERE s.wallet_id = $1 AND c.account_id <> $2 ORDER BY s.slot`, walletID, accountID)
	stay, err := collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return fmt.Errorf("list the cards that stay on wallet %s: %w", walletID, err)
	}
	return placeCards(ctx, tx, walletID, stay)
}
