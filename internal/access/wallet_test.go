package access_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// walletStore remembers what it is told to keep.
type walletStore struct {
	opened  []access.OpenedWallet
	account []access.Account
	changed []access.AccountChange
	roles   []access.WalletRole

	change   access.WalletChange
	platform bool
}

func (s *walletStore) InsertWallet(_ context.Context, w access.OpenedWallet) error {
	s.opened = append(s.opened, w)
	return nil
}

func (s *walletStore) PutMember(_ context.Context, _, _ string, role access.WalletRole, _ bool) error {
	s.roles = append(s.roles, role)
	return nil
}

func (s *walletStore) ChangeWallet(_ context.Context, _ string, c access.WalletChange, platform bool, _ time.Time) error {
	s.change, s.platform = c, platform
	return nil
}

func (s *walletStore) DeleteWallet(context.Context, string, time.Time) error { return nil }

func (s *walletStore) DropMember(context.Context, string, string) error { return nil }

func (s *walletStore) ChangeAccount(_ context.Context, _ string, c access.AccountChange) error {
	s.changed = append(s.changed, c)
	return nil
}

func (s *walletStore) InsertAccount(_ context.Context, a access.Account) error {
	s.account = append(s.account, a)
	return nil
}

func fixedID(prefix string) string { return prefix + "_1" }

func TestWallets_Open(t *testing.T) {
	business := access.NewWallet{Name: "한빛서점", Kind: access.Business, BusinessNumber: "999-81-00015", InvoiceEmail: "tax@hanbit.example", Master: "acc_1"}
	with := func(change func(*access.NewWallet)) access.NewWallet {
		n := business
		change(&n)
		return n
	}
	tests := map[string]struct {
		ask   access.NewWallet
		field string // at fault; "" for none
	}{
		"a business":                    {ask: business},
		"a number without dashes":       {ask: with(func(n *access.NewWallet) { n.BusinessNumber = "9998100015" })},
		"a wrong check digit":           {ask: with(func(n *access.NewWallet) { n.BusinessNumber = "999-81-00016" }), field: "business_number"},
		"nine digits":                   {ask: with(func(n *access.NewWallet) { n.BusinessNumber = "999-81-0001" }), field: "business_number"},
		"letters":                       {ask: with(func(n *access.NewWallet) { n.BusinessNumber = "99981000ab" }), field: "business_number"},
		"a business without a number":   {ask: with(func(n *access.NewWallet) { n.BusinessNumber = "" }), field: "business_number"},
		"a business without an address": {ask: with(func(n *access.NewWallet) { n.InvoiceEmail = "" }), field: "invoice_email"},
		"an address with a name":        {ask: with(func(n *access.NewWallet) { n.InvoiceEmail = "Tax <tax@hanbit.example>" }), field: "invoice_email"},
		"no name":                       {ask: with(func(n *access.NewWallet) { n.Name = "  " }), field: "name"},
		"no master":                     {ask: with(func(n *access.NewWallet) { n.Master = "" }), field: "master"},
		"an unknown kind":               {ask: with(func(n *access.NewWallet) { n.Kind = "agency" }), field: "kind"},
		"a person":                      {ask: access.NewWallet{Name: "김하늘", Kind: access.Personal, Master: "acc_1"}},
		"a person with a number":        {ask: access.NewWallet{Name: "김하늘", Kind: access.Personal, Master: "acc_1", BusinessNumber: "999-81-00015"}, field: "business_number"},
		"the least daily limit":         {ask: with(func(n *access.NewWallet) { n.DailyLimit = 1_000 })},
		"below the least":               {ask: with(func(n *access.NewWallet) { n.DailyLimit = 999 }), field: "daily_limit_krw"},
		"between the steps":             {ask: with(func(n *access.NewWallet) { n.DailyLimit = 1_500 }), field: "daily_limit_krw"},
		"above the greatest":            {ask: with(func(n *access.NewWallet) { n.DailyLimit = 100_001_000 }), field: "daily_limit_krw"},
		"a negative limit":              {ask: with(func(n *access.NewWallet) { n.DailyLimit = -1_000 }), field: "daily_limit_krw"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &walletStore{}
			id, err := access.NewWallets(store, func() time.Time { return noon }, fixedID).Open(t.Context(), tt.ask)
			if tt.field != "" {
				var f *fault.Error
				if !errors.As(err, &f) || f.Field != tt.field || len(store.opened) != 0 {
					t.Errorf("Open(%+v) error = %v with %d stored, want Invalid about %s and nothing stored", tt.ask, err, len(store.opened), tt.field)
				}
				return
			}
			if err != nil || id != "wal_1" || len(store.opened) != 1 {
				t.Fatalf("Open(%+v) = %q, %v with %d stored, want wal_1", tt.ask, id, err, len(store.opened))
			}
			if got := store.opened[0]; got.Kind == access.Business && got.BusinessNumber != "9998100015" {
				t.Errorf("Open() stored the number %q, want it without dashes", got.BusinessNumber)
			}
			if got := store.opened[0].DailyLimit; got != tt.ask.DailyLimit || got < 0 || got > wallet.KRW(100_000_000) {
				t.Errorf("Open() stored the limit %d, want %d", got, tt.ask.DailyLimit)
			}
		})
	}
}

func TestWallets_PutMember_knowsThreeRoles(t *testing.T) {
	store := &walletStore{}
	wallets := access.NewWallets(store, func() time.Time { return noon }, fixedID)
	for _, role := range []access.WalletRole{access.Master, access.Worker, access.Looker} {
		if err := wallets.PutMember(t.Context(), access.Principal{}, "wal_1", "acc_1", role); err != nil {
			t.Errorf("PutMember(%s) error = %v, want none", role, err)
		}
	}
	if err := wallets.PutMember(t.Context(), access.Principal{}, "wal_1", "acc_1", "owner"); fault.KindOf(err) != fault.Invalid || len(store.roles) != 3 {
		t.Errorf("PutMember(owner) error = %v with %d stored, want Invalid and nothing stored", err, len(store.roles))
	}
}

func TestAccounts_Create(t *testing.T) {
	tests := map[string]struct{ name, email, field string }{
		"a person":           {name: " 김하늘 ", email: " haneul@hanbit.example "},
		"no name":            {email: "haneul@hanbit.example", field: "name"},
		"no address":         {name: "김하늘", field: "email"},
		"two addresses":      {name: "김하늘", email: "a@b.example,c@d.example", field: "email"},
		"no domain":          {name: "김하늘", email: "haneul", field: "email"},
		"a line break in it": {name: "김하늘", email: "a@b.example\r\nBcc: c@d.example", field: "email"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &walletStore{}
			got, err := access.NewAccounts(store, func() time.Time { return noon }, fixedID).Create(t.Context(), tt.name, tt.email)
			if tt.field != "" {
				var f *fault.Error
				if !errors.As(err, &f) || f.Field != tt.field || len(store.account) != 0 {
					t.Errorf("Create(%q, %q) error = %v, want Invalid about %s and nothing stored", tt.name, tt.email, err, tt.field)
				}
				return
			}
			want := access.Account{ID: "acc_1", Name: "김하늘", Email: "haneul@hanbit.example", CreatedAt: noon}
			if err != nil || got != want || len(store.account) != 1 {
				t.Errorf("Create(%q, %q) = %+v, %v, want %+v", tt.name, tt.email, got, err, want)
			}
		})
	}
}

func TestAccounts_Change(t *testing.T) {
	name, email, bad, lines := " 이바다 ", " bada@hanbit.example ", "nobody", "a\nb"
	for what, tt := range map[string]struct {
		change access.AccountChange
		field  string // at fault
		ok     bool
	}{
		"both":                {access.AccountChange{Name: &name, Email: &email}, "", true},
		"nothing":             {access.AccountChange{}, "", false},
		"no address":          {access.AccountChange{Email: &bad}, "email", false},
		"a name of two lines": {access.AccountChange{Name: &lines, Email: &email}, "name", false},
	} {
		store := &walletStore{}
		err := access.NewAccounts(store, func() time.Time { return noon }, fixedID).Change(t.Context(), "acc_1", tt.change)
		var f *fault.Error
		if (err == nil) != tt.ok || len(store.changed) > 0 != tt.ok || !tt.ok && (!errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field) {
			t.Errorf("%s: Change() error = %v with %d stored, want ok %v, field %q", what, err, len(store.changed), tt.ok, tt.field)
		}
		if tt.ok && (*store.changed[0].Name != "이바다" || *store.changed[0].Email != "bada@hanbit.example") {
			t.Errorf("%s: stored %q %q, want them trimmed", what, *store.changed[0].Name, *store.changed[0].Email)
		}
	}
}

func TestWallets_Change(t *testing.T) {
	name, email, status, limit := " 달빛문구 ", "tax@dalbit.example", wallet.Stopped, wallet.KRW(1000)
	empty, bad, odd := "", "nobody", wallet.KRW(1500)
	tests := map[string]struct {
		change access.WalletChange
		field  string // at fault
		ok     bool
	}{
		"everything":      {access.WalletChange{Name: &name, InvoiceEmail: &email, Status: &status, DailyLimit: &limit}, "", true},
		"nothing":         {access.WalletChange{}, "", false},
		"no name":         {access.WalletChange{Name: &empty}, "name", false},
		"no address":      {access.WalletChange{InvoiceEmail: &bad}, "invoice_email", false},
		"an odd limit":    {access.WalletChange{DailyLimit: &odd}, "daily_limit_krw", false},
		"a limit of none": {access.WalletChange{DailyLimit: new(wallet.KRW)}, "daily_limit_krw", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &walletStore{}
			wallets := access.NewWallets(store, func() time.Time { return noon }, func(prefix string) string { return prefix + "_1" })
			err := wallets.Change(t.Context(), "wal_1", tt.change, true)
			var f *fault.Error
			switch {
			case tt.ok && (err != nil || *store.change.Name != "달빛문구" || *store.change.DailyLimit != 1000 || !store.platform):
				t.Errorf("Change = %v, stored %+v, want the change with a trimmed name", err, store.change)
			case !tt.ok && (!errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || store.change != (access.WalletChange{})):
				t.Errorf("Change = %v, stored %+v, want Invalid %s and nothing stored", err, store.change, tt.field)
			}
		})
	}
}
