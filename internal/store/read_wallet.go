package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/wallet"
)

// WalletView is a wallet as it is shown: its money, its owner's data and its people.
type WalletView struct {
	wallet.Wallet
	Name           string
	Kind           access.WalletKind
	BusinessNumber string
	InvoiceEmail   string
	Business       access.Registered // of a business; what is empty is not known
	UnpaidSince    time.Time
	CreatedAt      time.Time
	DeletedAt      time.Time    // zero while there is the wallet
	Members        []MemberView // of one wallet; nil in a list
}

// MemberView is a person on a wallet.
type MemberView struct {
	AccountID, Name, Email string
	Role                   access.WalletRole
}

const walletViewColumns = walletColumns + `, name, kind, business_number, invoice_email, company, representative, address, business_type, business_item, unpaid_since, created_at, deleted_at`

func (s *Store) scanWalletView(row scanner) (WalletView, error) {
	v := WalletView{Wallet: wallet.Wallet{Limits: s.limits, Settlement: s.settlement}}
	err := row.Scan(append(walletTargets(&v.Wallet),
		&v.Name, &v.Kind, &v.BusinessNumber, &v.InvoiceEmail, &v.Business.Company, &v.Business.Representative, &v.Business.Address, &v.Business.Type, &v.Business.Item, at(&v.UnpaidSince), at(&v.CreatedAt), at(&v.DeletedAt))...)
	return v, err
}

// WalletView reads a wallet with its people, the master first, also one that was deleted. It is
// NotFound when there is none.
func (s *Store) WalletView(ctx context.Context, id string) (WalletView, error) {
	v, err := s.scanWalletView(s.read.QueryRowContext(ctx, `SELECT `+walletViewColumns+` FROM wallet WHERE id = $1`, id))
	if err != nil {
		return v, orNotFound(err, "wallet", id)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT a.id, a.name, a.email, m.role FROM wallet_member m JOIN account a ON a.id = m.account_id
		WHERE m.wallet_id = $1 ORDER BY m.role, a.id`, id)
	v.Members, err = collect(rows, err, func(row scanner) (m MemberView, err error) {
		err = row.Scan(&m.AccountID, &m.Name, &m.Email, &m.Role)
		return m, err
	})
	if err != nil {
		return v, fmt.Errorf("list the members of wallet %s: %w", id, err)
	}
	return v, nil
}

// WalletViews lists wallets by id, those after an id, without their people and without
// those that were deleted; a person sees those that he may read.
func (s *Store) WalletViews(ctx context.Context, sight access.Sight, after string, limit int) ([]WalletView, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+walletViewColumns+` FROM wallet WHERE id > $1 AND deleted_at = 0 AND `+fmt.Sprintf(seesWallet, 3, "id")+`
		ORDER BY id LIMIT $2`, after, limit, string(sight))
	return collect(rows, err, s.scanWalletView)
}

// ChargeView is a charge with its attempts in the order in which they were made.
type ChargeView struct {
	ID, WalletID       string
	State              string
	Supply, VAT        wallet.KRW
	OpenedAt, ClosedAt time.Time
	DecidedBy, Reason  string // of a person, for a charge that was in review
	Attempts           []AttemptView
}

// AttemptView is one attempt on one card.
type AttemptView struct {
	ID, CardID, Masked            string
	Slot                          int
	Total                         wallet.KRW
	State, Reason                 string
	ProviderCode, ProviderMessage string
	CreatedAt, CalledAt, ClosedAt time.Time
}

// Charges lists the charges of a wallet, newest first: those before an id, or from the newest
// with an empty one. It is NotFound when there is no wallet.
func (s *Store) Charges(ctx context.Context, walletID, before string, limit int) ([]ChargeView, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	if before == "" {
		before = "~" // after every id
	}
	return chargeViews(ctx, s.read, `wallet_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, walletID, before, limit)
}

// chargeViews reads charges with their attempts; where says which and in which order.
func chargeViews(ctx context.Context, q querier, where string, args ...any) ([]ChargeView, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, wallet_id, state, supply_krw, vat_krw, opened_at, closed_at, settled_by, settled_why
		FROM charge WHERE `+where, args...)
	charges, err := collect(rows, err, func(row scanner) (c ChargeView, err error) {
		err = row.Scan(&c.ID, &c.WalletID, &c.State, &c.Supply, &c.VAT, at(&c.OpenedAt), at(&c.ClosedAt), &c.DecidedBy, &c.Reason)
		return c, err
	})
	if err != nil || len(charges) == 0 {
		return nil, err
	}
	if err := addAttempts(ctx, q, charges); err != nil {
		return nil, fmt.Errorf("list the attempts of charges: %w", err)
	}
	return charges, nil
}

// addAttempts reads the attempts of charges in one query.
func addAttempts(ctx context.Context, q querier, charges []ChargeView) error {
	place := make(map[string]int, len(charges))
	ids := make([]any, len(charges))
	for i, c := range charges {
		place[c.ID], ids[i] = i, c.ID
	}
	rows, err := q.QueryContext(ctx, `SELECT a.subject_id, a.id, a.card_id, COALESCE(c.masked, ''), a.slot, a.total_krw, a.state, a.reason,
		a.provider_code, a.provider_message, a.created_at, a.called_at, a.closed_at
		FROM attempt a LEFT JOIN card c ON c.id = a.card_id
		WHERE a.subject_id IN (`+marks(len(ids))+`) ORDER BY a.id`, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var charge string
		var a AttemptView
		if err := rows.Scan(&charge, &a.ID, &a.CardID, &a.Masked, &a.Slot, &a.Total, &a.State, &a.Reason,
			&a.ProviderCode, &a.ProviderMessage, at(&a.CreatedAt), at(&a.CalledAt), at(&a.ClosedAt)); err != nil {
			return err
		}
		c := &charges[place[charge]]
		c.Attempts = append(c.Attempts, a)
	}
	return rows.Err()
}

// marks returns n placeholders from $1 on.
func marks(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(all, ", ")
}
