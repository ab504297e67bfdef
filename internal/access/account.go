package access

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Account (계정) is a person: a member of wallets and bots, and the owner of cards.
type Account struct {
	ID        string
	Name      string
	Email     string // mails about wallets and bots go there
	Admin     bool   // a platform admin
	CreatedAt time.Time

	EmailRefused string // why no mails are sent to the address: the words of its server; empty while they are
}

// AccountStore keeps accounts.
type AccountStore interface {
	// InsertAccount is a Conflict when another account has the address, whatever its letter case.
	InsertAccount(ctx context.Context, a Account) error
	// ChangeAccount sets what is given. It is NotFound when there is none, and a Conflict when the
	// address is another's.
	ChangeAccount(ctx context.Context, id string, c AccountChange) error
}

// Accounts makes accounts. It is safe for concurrent use.
type Accounts struct {
	store AccountStore
	now   func() time.Time
	newID func(prefix string) string
}

// NewAccounts returns the maker of accounts.
func NewAccounts(store AccountStore, now func() time.Time, newID func(prefix string) string) *Accounts {
	return &Accounts{store: store, now: now, newID: newID}
}

// Create makes an account.
func (a *Accounts) Create(ctx context.Context, name, email string) (Account, error) {
	name, err := checkName("name", name)
	if err != nil {
		return Account{}, err
	}
	if email, err = CheckEmail("email", email); err != nil {
		return Account{}, err
	}
	account := Account{ID: a.newID("acc"), Name: name, Email: email, CreatedAt: a.now()}
	if err := a.store.InsertAccount(ctx, account); err != nil {
		return Account{}, fmt.Errorf("keep account %s: %w", account.ID, err)
	}
	return account, nil
}

// AccountChange is what is changed of an account; nil leaves a field as it is.
type AccountChange struct {
	Name  *string
	Email *string
}

// Change changes name or address of a person. It is NotFound when there is no such account, Invalid
// with the field named, and a Conflict when the address belongs to another account.
func (a *Accounts) Change(ctx context.Context, id string, c AccountChange) error {
	if c.Name == nil && c.Email == nil {
		return fault.New(fault.Invalid, "there is nothing to change; give name or email")
	}
	if c.Name != nil {
		name, err := checkName("name", *c.Name)
		if err != nil {
			return err
		}
		c.Name = &name
	}
	if c.Email != nil {
		email, err := CheckEmail("email", *c.Email)
		if err != nil {
			return err
		}
		c.Email = &email
	}
	if err := a.store.ChangeAccount(ctx, id, c); err != nil {
		return fmt.Errorf("change account %s: %w", id, err)
	}
	return nil
}

// maxEmail is how long an address may be (RFC 5321, path without brackets).
const maxEmail = 254

// CheckEmail trims an address and checks that it is one, without a name around it.
func CheckEmail(field, email string) (string, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return "", fault.Field(field, "is missing")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > maxEmail {
		return "", fault.Field(field, "is not an e-mail address such as name@shop.example")
	}
	return email, nil
}
