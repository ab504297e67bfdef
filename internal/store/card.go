package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

const cardColumns = `c.id, c.account_id, c.masked, c.issuer, c.state, c.dormant_since, c.added_at, c.payer_id, c.sid_sealed,
	COALESCE(w.wallet_id, ''), COALESCE(w.slot, 0) FROM card c LEFT JOIN wallet_card w ON w.card_id = c.id`

func scanCard(row scanner) (c billing.Card, err error) {
	err = row.Scan(&c.ID, &c.AccountID, &c.Masked, &c.Issuer, &c.State, at(&c.DormantSince), at(&c.AddedAt), &c.PayerID,
		&c.SealedSID, &c.WalletID, &c.Slot)
	return c, err
}

// Card reads a card that was not removed.
func (s *Store) Card(ctx context.Context, id string) (billing.Card, error) {
	c, err := scanCard(s.read.QueryRowContext(ctx, `SELECT `+cardColumns+` WHERE c.id = $1 AND c.removed_at = 0`, id))
	return c, orNotFound(err, "card", id)
}

// AccountCards lists the cards of an account by time added.
func (s *Store) AccountCards(ctx context.Context, accountID string) ([]billing.Card, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+cardColumns+` WHERE c.account_id = $1 AND c.removed_at = 0
		ORDER BY c.added_at, c.id`, accountID)
	return collect(rows, err, scanCard)
}

// WalletCards lists the cards of a wallet by slot.
func (s *Store) WalletCards(ctx context.Context, walletID string) ([]billing.Card, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+cardColumns+` WHERE w.wallet_id = $1 ORDER BY w.slot`, walletID)
	return collect(rows, err, scanCard)
}

// cardsOn lists the ids of a wallet's cards by slot.
func cardsOn(ctx context.Context, tx *sql.Tx, walletID string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT card_id FROM wallet_card WHERE wallet_id = $1 ORDER BY slot`, walletID)
	return collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
}

// placeCards writes the cards of a locked wallet, in slots from 1.
func placeCards(ctx context.Context, tx *sql.Tx, walletID string, ids []string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM wallet_card WHERE wallet_id = $1`, walletID); err != nil {
		return err
	}
	for i, id := range ids {
		_, err := tx.ExecContext(ctx, `INSERT INTO wallet_card (wallet_id, slot, card_id) VALUES ($1, $2, $3)`, walletID, i+1, id)
		if err != nil {
			return fmt.Errorf("put card %s on wallet %s: %w", id, walletID, err)
		}
	}
	return nil
}

// ChangeCards changes which cards sit on a wallet.
func (s *Store) ChangeCards(ctx context.Context, walletID, accountID string, now time.Time, change func(ids []string) ([]string, error)) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		before, err := cardsOn(ctx, tx, walletID)
		if err != nil {
			return fmt.Errorf("list the cards of wallet %s: %w", walletID, err)
		}
		after, err := change(slices.Clone(before))
		if err != nil {
			return err
		}
		if slices.Equal(before, after) {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		if err := mayComeOff(ctx, tx, walletID, accountID, before, after); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, map[string]any{"cards": before}, map[string]any{"cards": after})
		added := false
		for _, id := range slices.Sorted(slices.Values(after)) { // locks in one order
			if slices.Contains(before, id) {
				continue
			}
			added = true
			if err := s.mayComeOn(ctx, tx, walletID, accountID, id); err != nil {
				return err
			}
		}
		switch {
		case added && w.Status == wallet.Deleted:
			return wallet.ErrDeleted
		case added && w.DailyLimit == 0:
			return wallet.ErrNoDailyLimit
		}
		if err := placeCards(ctx, tx, walletID, after); err != nil {
			return err
		}
		if added && w.PaymentState == wallet.Unpaid {
			return chargeAtOnce(ctx, tx, walletID, now)
		}
		return nil
	})
}

// mayComeOff says why somebody may not take the cards off a locked wallet that are not there any
// more, or nil.
func mayComeOff(ctx context.Context, tx *sql.Tx, walletID, accountID string, before, after []string) error {
	if accountID == "" {
		return nil
	}
	role, err := memberRole(ctx, tx, walletID, accountID)
	if err != nil {
		return err
	}
	if roleWords["wallet_"+string(role)].Allows(access.TakeOthersCards) {
		return nil
	}
	for _, id := range before {
		if slices.Contains(after, id) {
			continue
		}
		var owner string
		if err := tx.QueryRowContext(ctx, `SELECT account_id FROM card WHERE id = $1`, id).Scan(&owner); err != nil {
			return fmt.Errorf("read whose card %s is: %w", id, err)
		}
		if owner != accountID {
			return billing.ErrOthersCard
		}
	}
	return nil
}

// mayComeOn locks a card and says why it may not come on a wallet, or nil.
func (s *Store) mayComeOn(ctx context.Context, tx *sql.Tx, walletID, accountID, cardID string) error {
	owner, err := s.lockCard(ctx, tx, cardID)
	if err != nil {
		return err
	}
	if accountID != "" && owner != accountID {
		return billing.ErrForeignCard
	}
	var member, elsewhere bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM wallet_member WHERE wallet_id = $1 AND account_id = $2 AND role IN ('master', 'worker')),
		EXISTS (SELECT 1 FROM wallet_card WHERE card_id = $3)`, walletID, owner, cardID).Scan(&member, &elsewhere)
	switch {
	case err != nil:
		return err
	case elsewhere:
		return billing.ErrElsewhere
	case !member:
		return billing.ErrNotMember
	}
	return nil
}

// lockCard locks a card that was not removed and returns whose it is.
func (s *Store) lockCard(ctx context.Context, tx *sql.Tx, id string) (accountID string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT account_id FROM card WHERE id = $1 AND removed_at = 0`+s.dialect.lock, id).Scan(&accountID)
	return accountID, orNotFound(err, "card", id)
}

const cardBusy = `SELECT EXISTS (SELECT 1 FROM attempt WHERE card_id = $1 AND state IN ('prepared', 'calling', 'unknown'))`

// CardBusy reports whether an attempt on the card is open.
func (s *Store) CardBusy(ctx context.Context, cardID string) (busy bool, err error) {
	err = s.read.QueryRowContext(ctx, cardBusy, cardID).Scan(&busy)
	return busy, err
}

// RemoveCard forgets a card.
func (s *Store) RemoveCard(ctx context.Context, cardID string, now time.Time) error {
	card, err := s.Card(ctx, cardID)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if card.WalletID != "" { // before the card, as everywhere
			if _, err := s.lockWallet(ctx, tx, card.WalletID); err != nil {
				return err
			}
		}
		if _, err := s.lockCard(ctx, tx, cardID); err != nil {
			return err
		}
		var busy bool
		if err := tx.QueryRowContext(ctx, cardBusy, cardID).Scan(&busy); err != nil {
			return err
		}
		if busy {
			return billing.ErrCardCharging
		}
		if err := takeOff(ctx, tx, card.WalletID, cardID); err != nil {
			return err
		}
		deed := access.DeedOf(ctx)
		deed.Did(access.Object{Kind: access.OfCard, ID: cardID}, map[string]any{
			"account": card.AccountID, "masked": card.Masked, "issuer": card.Issuer, "wallet": card.WalletID, "slot": card.Slot,
		}, nil)
		deed.OnWallet(card.WalletID)
		_, err := tx.ExecContext(ctx, `UPDATE card SET removed_at = $2, sid_sealed = $3 WHERE id = $1`, cardID, millis(now), []byte{})
		return err
	})
}

// takeOff takes a locked card off the wallet that is locked with it; it must not have moved
// before the locks were had.
func takeOff(ctx context.Context, tx *sql.Tx, walletID, cardID string) error {
	var sits string
	err := tx.QueryRowContext(ctx, `SELECT wallet_id FROM wallet_card WHERE card_id = $1`, cardID).Scan(&sits)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if sits != walletID {
		return fault.New(fault.Conflict, "the card was just put on a wallet; try again")
	}
	ids, err := cardsOn(ctx, tx, walletID)
	if err != nil {
		return err
	}
	return placeCards(ctx, tx, walletID, slices.DeleteFunc(ids, func(id string) bool { return id == cardID }))
}

// SaveCardState writes what the provider says of a card.
func (s *Store) SaveCardState(ctx context.Context, cardID string, state billing.CardState, now time.Time) error {
	since := int64(0)
	if state == billing.CardDormant {
		since = millis(now)
	}
	_, err := s.write.ExecContext(ctx, `UPDATE card SET state = $2, dormant_since = $3 WHERE id = $1 AND state <> $2`, cardID, state, since)
	return err
}

// Reconnect makes a wallet that has paid active again.
func (s *Store) Reconnect(ctx context.Context, walletID string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		switch w.PaymentState {
		case wallet.Unpaid:
			return fault.Coded(fault.Conflict, "WALLET_UNPAID", "the wallet is unpaid; pay the amount due first")
		case wallet.AwaitingReconnect:
		case wallet.Active:
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID},
			map[string]any{"payment_state": w.PaymentState}, map[string]any{"payment_state": wallet.Active})
		w.PaymentState = wallet.Active
		if err := saveWallet(ctx, tx, w); err != nil {
			return err
		}
		return moveChannels(ctx, tx, walletID, bot.Connected, "", `state = 'awaiting_reconnect'`)
	})
}
