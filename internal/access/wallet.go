package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// WalletKind says who owns a wallet. The words are stored.
type WalletKind string

// The kinds of wallets.
const (
	Business WalletKind = "business" // 사업자 월렛: gets a tax invoice every month
	Personal WalletKind = "personal" // 개인 월렛
)

// WalletRole is what a person is to a wallet. The words are stored.
type WalletRole string

// The roles on a wallet.
const (
	Master WalletRole = "master" // 월렛 마스터: exactly one
	Worker WalletRole = "worker" // 월렛 작업자: a bot operator with the wallet work permission
	Looker WalletRole = "viewer" // sees the wallet and changes nothing
)

// NewWallet asks for a wallet.
type NewWallet struct {
	Name           string
	Kind           WalletKind
	BusinessNumber string     // 사업자등록번호, with or without dashes; of a business wallet
	InvoiceEmail   string     // where tax invoices go; of a business wallet
	Master         string     // account
	DailyLimit     wallet.KRW // 일 지출한도; 0 for none yet
	Registered                // of a business wallet
}

// Registered is what a business registration says beside its number, and what stands on the tax
// invoices of a wallet. What is empty is not known.
type Registered struct {
	Company        string `json:"company"`        // 상호, where it is not the wallet's name
	Representative string `json:"representative"` // 대표자
	Address        string `json:"address"`        // 사업장 주소
	Type           string `json:"business_type"`  // 업태
	Item           string `json:"business_item"`  // 종목
}

// maxRegistered is the most bytes of a text of a [Registered].
const maxRegistered = 200

// fields are the texts of a registration by their names.
func (r *Registered) fields() map[string]*string {
	return map[string]*string{"company": &r.Company, "representative": &r.Representative, "address": &r.Address, "business_type": &r.Type, "business_item": &r.Item}
}

// OpenedWallet is a wallet to be stored: empty, in use, ACTIVE.
type OpenedWallet struct {
	ID string
	NewWallet
	CreatedAt time.Time
}

// WalletStore keeps wallets and their people.
type WalletStore interface {
	// InsertWallet stores a wallet with its master. It is NotFound when there is no such account.
	InsertWallet(ctx context.Context, w OpenedWallet) error
	// PutMember gives a person a role. A new master makes the old one a worker; a worker who
	// becomes a viewer loses his cards on the wallet. It is NotFound without the wallet or the
	// account, and a Conflict when the wallet would lose its master. Unless it is to anybody, a
	// worker has to be of one of the wallet's bots ([ErrNotOperator]) and a master on the wallet
	// already ([ErrNotOnWallet]).
	PutMember(ctx context.Context, walletID, accountID string, role WalletRole, toAnybody bool) error
	// DropMember takes a person and his cards off a wallet. It is NotFound for one who is not on
	// it, and a Conflict for the master.
	DropMember(ctx context.Context, walletID, accountID string) error
	WalletChanger
}

// Wallets opens wallets and says who may work on them. It is safe for concurrent use.
type Wallets struct {
	store WalletStore
	now   func() time.Time
	newID func(prefix string) string
}

// NewWallets returns the opener of wallets.
func NewWallets(store WalletStore, now func() time.Time, newID func(prefix string) string) *Wallets {
	return &Wallets{store: store, now: now, newID: newID}
}

// Open makes an empty wallet and returns its id.
func (w *Wallets) Open(ctx context.Context, n NewWallet) (id string, err error) {
	if n.Name, err = checkName("name", n.Name); err != nil {
		return "", err
	}
	if n.Master == "" {
		return "", fault.Field("master", "is missing; name the account that owns the wallet")
	}
	switch n.Kind {
	case Business:
		if n.BusinessNumber, err = CheckBusinessNumber("business_number", n.BusinessNumber); err != nil {
			return "", err
		}
		if n.InvoiceEmail, err = CheckEmail("invoice_email", n.InvoiceEmail); err != nil {
			return "", err
		}
	case Personal:
		if n.BusinessNumber != "" {
			return "", fault.Field("business_number", "belongs to a business wallet; leave it out, or use kind business")
		}
		if n.InvoiceEmail != "" {
			return "", fault.Field("invoice_email", "belongs to a business wallet; leave it out, or use kind business")
		}
	default:
		return "", fault.Field("kind", "must be business or personal")
	}
	for _, field := range slices.Sorted(maps.Keys(n.fields())) {
		text := n.fields()[field]
		if *text, err = fault.Line(field, *text, maxRegistered); err != nil {
			return "", err
		}
		if *text != "" && n.Kind == Personal {
			return "", fault.Field(field, "belongs to a business wallet; leave it out, or use kind business")
		}
	}
	if n.DailyLimit != 0 { // needed before the wallet gets a card
		if err := wallet.CheckDailyLimit(n.DailyLimit); err != nil {
			return "", err
		}
	}
	opened := OpenedWallet{ID: w.newID("wal"), NewWallet: n, CreatedAt: w.now()}
	if err := w.store.InsertWallet(ctx, opened); err != nil {
		return "", fmt.Errorf("keep wallet %s: %w", opened.ID, err)
	}
	return opened.ID, nil
}

// Who may get a role on a wallet.
var (
	ErrNotOperator = fault.Coded(fault.Refused, "NOT_AN_OPERATOR",
		"the wallet permission is for the operators of the wallet's bots; make the account one of them first")
	ErrNotOnWallet = fault.Coded(fault.Refused, "NOT_A_MEMBER", "a wallet is handed over to somebody who is on it; give the account a role first")
)

// PutMember gives a person a role on a wallet, in place of the one so far. The platform's own may
// give it to anybody, so that an installation can be set up in any order; others give the wallet
// permission to operators of the wallet's bots, and hand the wallet over to people who are on it.
func (w *Wallets) PutMember(ctx context.Context, by Principal, walletID, accountID string, role WalletRole) error {
	if role != Master && role != Worker && role != Looker {
		return fault.Field("role", "must be master, worker or viewer")
	}
	if err := w.store.PutMember(ctx, walletID, accountID, role, by.Platform()); err != nil {
		return fmt.Errorf("put a member on wallet %s: %w", walletID, err)
	}
	return nil
}

// DropMember takes a person and his cards off a wallet.
func (w *Wallets) DropMember(ctx context.Context, walletID, accountID string) error {
	if err := w.store.DropMember(ctx, walletID, accountID); err != nil {
		return fmt.Errorf("drop a member of wallet %s: %w", walletID, err)
	}
	return nil
}

// CheckBusinessNumber checks the ten digits of a business registration number (사업자등록번호) and
// returns them without dashes. The last one checks the others: weights 1 3 7 1 3 7 1 3 5, and
// the tens of five times the ninth.
func CheckBusinessNumber(field, number string) (string, error) {
	digits := strings.NewReplacer("-", "", " ", "").Replace(number)
	if len(digits) != 10 || strings.Trim(digits, "0123456789") != "" {
		return "", fault.Field(field, "must be the ten digits of a business registration number")
	}
	sum := 0
	for i, weight := range []int{1, 3, 7, 1, 3, 7, 1, 3, 5} {
		sum += weight * int(digits[i]-'0')
	}
	sum += 5 * int(digits[8]-'0') / 10
	if (10-sum%10)%10 != int(digits[9]-'0') {
		return "", fault.Field(field, "is not a business registration number: its check digit is wrong")
	}
	return digits, nil
}
