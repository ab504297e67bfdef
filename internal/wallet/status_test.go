package wallet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// The table of the help centre (월렛 상태): top up, refund, spend; and who may change it.
func TestWallet_statusAllows(t *testing.T) {
	tests := map[wallet.Status]struct{ spend, topUp error }{
		wallet.InUse:     {},
		wallet.Stopped:   {spend: wallet.ErrStopped},
		wallet.Suspended: {spend: wallet.ErrSuspended, topUp: wallet.ErrSuspended},
		wallet.Deleted:   {spend: wallet.ErrDeleted, topUp: wallet.ErrDeleted},
	}
	for status, want := range tests {
		w := wallet.Wallet{Status: status, PaymentState: wallet.Active}
		if got := w.Check(); !errors.Is(got, want.spend) {
			t.Errorf("%s: Check() = %v, want %v", status, got, want.spend)
		}
		if got := w.CheckTopUp(); !errors.Is(got, want.topUp) {
			t.Errorf("%s: CheckTopUp() = %v, want %v", status, got, want.topUp)
		}
	}
}

func TestWallet_SetStatus(t *testing.T) {
	tests := map[string]struct {
		from, to wallet.Status
		platform bool
		kind     fault.Kind // of the error
		ok       bool
	}{
		"its people stop it":             {wallet.InUse, wallet.Stopped, false, 0, true},
		"and start it":                   {wallet.Stopped, wallet.InUse, false, 0, true},
		"stopped again":                  {wallet.Stopped, wallet.Stopped, false, 0, true},
		"its people suspend it":          {wallet.InUse, wallet.Suspended, false, fault.Forbidden, false},
		"the platform suspends it":       {wallet.InUse, wallet.Suspended, true, 0, true},
		"its people end that":            {wallet.Suspended, wallet.InUse, false, fault.Forbidden, false},
		"by stopping it":                 {wallet.Suspended, wallet.Stopped, false, fault.Forbidden, false},
		"the platform ends that":         {wallet.Suspended, wallet.InUse, true, 0, true},
		"suspended again by its people":  {wallet.Suspended, wallet.Suspended, false, 0, true},
		"a deleted one is turned on":     {wallet.Deleted, wallet.InUse, true, fault.Conflict, false},
		"deleted by another way":         {wallet.Stopped, wallet.Deleted, true, fault.Invalid, false},
		"a word that is none of the set": {wallet.InUse, "asleep", true, fault.Invalid, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := wallet.Wallet{Status: tt.from}.SetStatus(tt.to, tt.platform)
			want := tt.to
			if !tt.ok {
				want = tt.from
			}
			if got.Status != want || (err == nil) != tt.ok || (err != nil && fault.KindOf(err) != tt.kind) {
				t.Errorf("SetStatus(%s) of %s = %s, %v; want %s, %v", tt.to, tt.from, got.Status, err, want, tt.kind)
			}
		})
	}
}

func TestWallet_Delete_namesEverythingInTheWay(t *testing.T) {
	used := time.Date(2026, 10, 31, 15, 30, 0, 0, time.UTC) // 1 November in Korea
	tests := map[string]struct {
		wallet wallet.Wallet
		ties   wallet.Ties
		want   string // fields, by spaces
	}{
		"free to go":         {wallet.Wallet{Status: wallet.Stopped}, wallet.Ties{}, ""},
		"given cash is lost": {wallet.Wallet{Status: wallet.Stopped, Paid: 300}, wallet.Ties{}, ""},
		"bought cash is not": {wallet.Wallet{Status: wallet.Stopped, Paid: 300}, wallet.Ties{Paid: 200}, "wallet.paid_krw"},
		"free cash is lost":  {wallet.Wallet{Status: wallet.Stopped, Free: 500}, wallet.Ties{}, ""},
		"deleted before":     {wallet.Wallet{Status: wallet.Deleted, Paid: 1}, wallet.Ties{}, ""},
		"in use":             {wallet.Wallet{Status: wallet.InUse}, wallet.Ties{}, "wallet.status"},
		"suspended":          {wallet.Wallet{Status: wallet.Suspended}, wallet.Ties{}, "wallet.status"},
		"a charge":           {wallet.Wallet{Status: wallet.Stopped, Charging: 15}, wallet.Ties{Payments: 1}, "wallet.accrual_krw wallet.payments"},
		"everything": {
			wallet.Wallet{Status: wallet.InUse, Paid: 1, Accrual: 2, Held: 3}, wallet.Ties{Broadcasts: 1, Payments: 2, Uninvoiced: used, Paid: 5},
			"wallet.status wallet.paid_krw wallet.accrual_krw wallet.held_krw wallet.broadcasts wallet.payments wallet.invoices",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.wallet.Delete(tt.ties)
			if tt.want == "" {
				if err != nil || got.Status != wallet.Deleted {
					t.Errorf("Delete() = %s, %v, want deleted", got.Status, err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Conflict || f.Code != "WALLET_NOT_DELETABLE" || got.Status != tt.wallet.Status {
				t.Fatalf("Delete() = %s, %v, want a conflict and no change", got.Status, err)
			}
			var fields []string
			for _, part := range f.Parts {
				fields = append(fields, part.Field)
			}
			if strings.Join(fields, " ") != tt.want {
				t.Errorf("Delete() names %q, want %q", fields, tt.want)
			}
			if name == "everything" && !strings.Contains(err.Error(), "wallet.invoices of November 2026 still to come") {
				t.Errorf("Delete() = %v, want it to name the month in Korea", err)
			}
		})
	}
}

func TestCheckDailyLimit(t *testing.T) {
	for limit, ok := range map[wallet.KRW]bool{
		0: false, -1000: false, 999: false, 1000: true, 1001: false, 1500: false, 2000: true, 99_999_000: true, 100_000_000: true, 100_001_000: false,
	} {
		if err := wallet.CheckDailyLimit(limit); (err == nil) != ok {
			t.Errorf("CheckDailyLimit(%d) = %v, want good %v", limit, err, ok)
		}
	}
}
