package notice

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// The cases of reminders. The names are stored.
const (
	CaseLowBalance       Case = "low_balance"        // 월렛 잔액부족 안내
	CaseFreeCashExpiring Case = "free_cash_expiring" // 무상캐시 만료 안내
)

// LowBalance is a wallet that cannot pay for the broadcast it has to send next.
type LowBalance struct {
	WalletName string     `json:"wallet_name"`
	Broadcast  string     `json:"broadcast"` // its name
	People     int64      `json:"people"`
	StartsAt   time.Time  `json:"starts_at,omitzero"` // zero for one that waits already
	Cost       wallet.KRW `json:"cost_krw"`           // supply value of what is still to send
	Spendable  wallet.KRW `json:"spendable_krw"`
	Balance    wallet.KRW `json:"balance_krw"` // free and paid cash
	HasCard    bool       `json:"has_card,omitempty"`
	Path       string     `json:"path"`
}

// Missing returns the supply value that is missing.
func (d LowBalance) Missing() wallet.KRW { return d.Cost - d.Spendable }

// TopUp returns what a top-up of the missing cash costs.
func (d LowBalance) TopUp() Amount {
	missing := d.Missing()
	vat := wallet.VAT(missing)
	return Amount{Supply: missing, VAT: vat, Total: missing + vat}
}

// FreeCashExpiring is free cash that vanishes soon if it is not used.
type FreeCashExpiring struct {
	WalletName string     `json:"wallet_name"`
	Amount     wallet.KRW `json:"amount_krw"` // what is left of it
	Granted    wallet.KRW `json:"granted_krw"`
	Reason     string     `json:"reason"`          // it was given for
	ExpiresAt  time.Time  `json:"expires_at"`      // the end of its last day
	Today      bool       `json:"today,omitempty"` // that is the end of this day
	Path       string     `json:"path"`
}

// LastDay returns a moment of the last day on which the cash can be used.
func (d FreeCashExpiring) LastDay() time.Time { return d.ExpiresAt.Add(-time.Second) }

// Case returns [CaseLowBalance].
func (LowBalance) Case() Case { return CaseLowBalance }

// Case returns [CaseFreeCashExpiring].
func (FreeCashExpiring) Case() Case { return CaseFreeCashExpiring }

// Reminders go out at 09:00 in Korea. Free cash is told of 7 days before its last day, and on it.
const (
	remindAt   = 9 * time.Hour
	expiryLead = 7 * 24 * time.Hour
)

// LowBalanceAhead is how far ahead a broadcast is looked at that is to begin.
const LowBalanceAhead = 24 * time.Hour

// ExpiryAhead bounds the end of free cash that a reminder can be about, counted from the day's start.
const ExpiryAhead = expiryLead + 24*time.Hour

// RemindersOf returns the start of the day in Korea whose reminders are due at a time: from 09:00 on
// those of this day. Before that none are: what was missed the day before is made up for at 09:00,
// since nobody is to be woken by what is not urgent.
func RemindersOf(now time.Time) (day time.Time, due bool) {
	day = clock.Midnight(now)
	return day, !now.Before(day.Add(remindAt))
}

// ExpiryReminder says how the reminders of a day tell of free cash.
type ExpiryReminder string

// What a day tells of free cash. The words are part of the subjects of mails.
const (
	NoReminder  ExpiryReminder = ""
	EndsSoon    ExpiryReminder = "soon"  // the day 7 days before the last one has come
	EndsThatDay ExpiryReminder = "today" // it is the last day
)

// ExpiryReminderOn tells what the reminders of a day say of free cash that was given at a time and
// ends at another, the end of its last day. previous is the day whose reminders went out last,
// earlier than day.
//
// The day 7 days before the last one is made up for when nobody ran on it: the first reminders
// after it tell of the cash, once, as long as its last day is still to come. Of cash that was given
// later than that, the mail of the gift has told. The last day is not made up for, as the cash is gone.
func ExpiryReminderOn(day, previous, given, ends time.Time) ExpiryReminder {
	last := clock.Midnight(ends.Add(-time.Millisecond))
	lead := last.Add(-expiryLead)
	switch {
	case last.Equal(day):
		return EndsThatDay
	case last.After(day) && !lead.After(day) && lead.After(previous) && given.Before(lead.Add(remindAt)):
		return EndsSoon
	}
	return NoReminder
}
