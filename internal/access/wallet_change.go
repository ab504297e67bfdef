package access

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// WalletChange asks for a change of a wallet; what is nil stays as it is.
type WalletChange struct {
	Name         *string
	InvoiceEmail *string // of a business wallet; holds from the next tax invoice on
	Status       *wallet.Status
	DailyLimit   *wallet.KRW // 일 지출한도

	// Of a business wallet, on its tax invoices from the next one on. The platform alone changes the
	// number, as it has to see the registration.
	BusinessNumber, Company, Address, Type, Item *string
}

// OfBusiness returns the name of a field that is given and belongs to a business wallet, or "".
func (c WalletChange) OfBusiness() string {
	for _, f := range []struct {
		name  string
		value *string
	}{{"invoice_email", c.InvoiceEmail}, {"business_number", c.BusinessNumber}, {"company", c.Company}, {"address", c.Address},
		{"business_type", c.Type}, {"business_item", c.Item}} {
		if f.value != nil {
			return f.name
		}
	}
	return ""
}

// WalletChanger keeps what may change of a wallet.
type WalletChanger interface {
	// ChangeWallet changes what is given and recalls what a wallet that was turned off has queued.
	// platform says that the platform asks: only it suspends a wallet and ends that (Forbidden). It
	// is Invalid for the invoice address of a personal wallet and a Conflict for a deleted one.
	ChangeWallet(ctx context.Context, id string, c WalletChange, platform bool, now time.Time) error
	// DeleteWallet ends a wallet for good. It is a Conflict that names everything that is in the way.
	DeleteWallet(ctx context.Context, id string, now time.Time) error
}

// Change changes a wallet. A change of nothing is Invalid.
func (w *Wallets) Change(ctx context.Context, id string, c WalletChange, platform bool) error {
	if c == (WalletChange{}) {
		return fault.New(fault.Invalid, "there is nothing to change; give name, invoice_email, status, daily_limit_krw, business_number, company, address, business_type or business_item")
	}
	if c.Name != nil {
		name, err := checkName("name", *c.Name)
		if err != nil {
			return err
		}
		c.Name = &name
	}
	if c.InvoiceEmail != nil {
		email, err := CheckEmail("invoice_email", *c.InvoiceEmail)
		if err != nil {
			return err
		}
		c.InvoiceEmail = &email
	}
	if c.BusinessNumber != nil {
		if !platform {
			return fault.New(fault.Forbidden, "only the platform changes the number of a business, after it has seen the registration")
		}
		number, err := CheckBusinessNumber("business_number", *c.BusinessNumber)
		if err != nil {
			return err
		}
		c.BusinessNumber = &number
	}
	for _, f := range []struct {
		name string
		text **string
	}{{"company", &c.Company}, {"address", &c.Address}, {"business_type", &c.Type}, {"business_item", &c.Item}} {
		if *f.text == nil {
			continue
		}
		text, err := fault.Line(f.name, **f.text, maxRegistered)
		if err != nil {
			return err
		}
		*f.text = &text
	}
	if c.DailyLimit != nil {
		if err := wallet.CheckDailyLimit(*c.DailyLimit); err != nil {
			return err
		}
	}
	if err := w.store.ChangeWallet(ctx, id, c, platform, w.now()); err != nil {
		return fmt.Errorf("change wallet %s: %w", id, err)
	}
	return nil
}

// Delete ends a wallet for good. Deleted again it changes nothing.
func (w *Wallets) Delete(ctx context.Context, id string) error {
	if err := w.store.DeleteWallet(ctx, id, w.now()); err != nil {
		return fmt.Errorf("delete wallet %s: %w", id, err)
	}
	return nil
}
