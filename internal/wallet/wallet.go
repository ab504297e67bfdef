// Package wallet holds the rules of a wallet (월렛): what may be spent, where each won comes
// from, and the postings that record it. It does no I/O.
package wallet

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// KRW is an amount in whole won. Amounts inside the ledger are supply value (공급가액, without VAT).
type KRW int64

// Status says what the owner or the platform allows (월렛 상태).
type Status string

// The statuses of a wallet.
const (
	InUse     Status = "in_use"    // 사용중: top up, refund, spend
	Stopped   Status = "stopped"   // 사용중지, by the master: top up, refund
	Suspended Status = "suspended" // 정지, by policy: refund only
)

// PaymentState says whether what is owed is paid.
type PaymentState string

// The payment states of a wallet. They stand beside its [Status].
const (
	Active            PaymentState = "ACTIVE"
	Unpaid            PaymentState = "UNPAID"             // 미수: every card failed; nothing is sent
	AwaitingReconnect PaymentState = "AWAITING_RECONNECT" // 연결 대기중: paid again, a person reconnects
)

// Why a wallet does not pay for a send.
var (
	ErrInsufficientFunds = fault.Coded(fault.Refused, "INSUFFICIENT_BALANCE", "the wallet balance is too low; top up or register a card")
	ErrDailyLimit        = fault.Coded(fault.Refused, "DAILY_LIMIT_REACHED", "the wallet's daily spending limit is reached; it opens again at 00:00 KST")
	ErrUnpaid            = fault.Coded(fault.Refused, "WALLET_UNPAID", "the wallet is unpaid; pay the amount due, then reconnect the bot")
	ErrAwaitingReconnect = fault.Coded(fault.Refused, "WALLET_AWAITING_RECONNECT", "the wallet is paid again; reconnect the bot to send")
	ErrStopped           = fault.Coded(fault.Refused, "WALLET_STOPPED", "the wallet is not in use; turn it on to send")
)

// Limits are settings that bound what may be owed.
type Limits struct {
	AccrualCap KRW // accrual, charging and uncovered holds together; 10,000,000 by default
}

// Wallet is the money side of one wallet. The zero value is an empty wallet in no state.
type Wallet struct {
	ID           string
	Status       Status
	PaymentState PaymentState

	Free     KRW // started free cash (무상캐시)
	Paid     KRW // paid cash (유상캐시)
	Accrual  KRW // used, waits for a card charge (자동결제 예정액)
	Charging KRW // moved from accrual to a charge that is under way
	Held     KRW // taken aside for chunks on their way

	Refunding KRW // taken out of paid cash, on its way back to the payer

	HasCard    bool // without a card nothing may be owed
	DailyLimit KRW  // accrual allowed per day in Korea (일 지출한도); 0 for none
	Limits     Limits
	Settlement Settlement
	Place      int // in a spread run; see [Place]

	ClosedTo time.Time // no posting is of a time before it: the months until then are closed

	AccrualDay time.Time // start of the day in Korea in which accrual last grew
	AccrualOld KRW       // the part of Accrual that is older than the settlement moment before AccrualDay
	Accrued    KRW       // accrued on AccrualDay, for the daily limit
}

// Check tells why the wallet may not pay for sends at all, or nil.
func (w Wallet) Check() error {
	switch {
	case w.Status == Stopped:
		return ErrStopped
	case w.PaymentState == Unpaid:
		return ErrUnpaid
	case w.Status == Suspended:
		return ErrSuspended
	case w.Status == Deleted:
		return ErrDeleted
	case w.PaymentState == AwaitingReconnect:
		return ErrAwaitingReconnect
	}
	return nil
}

// AccrualRoom returns how much more may be owed at a time: 0 without a card.
func (w Wallet) AccrualRoom(now time.Time) KRW {
	if !w.HasCard {
		return 0
	}
	room := w.Limits.AccrualCap - w.Accrual - w.Charging
	if w.DailyLimit > 0 {
		room = min(room, w.DailyLimit-w.accruedOn(now))
	}
	return max(room, 0)
}

// Spendable returns what can be held now: cash and accrual room, less what is held already.
// It is negative when a limit was lowered below what is held.
func (w Wallet) Spendable(now time.Time) KRW {
	return w.Free + w.Paid + w.AccrualRoom(now) - w.Held
}

// Hold takes an amount aside. It fails with [ErrDailyLimit] or [ErrInsufficientFunds] and then
// changes nothing. Where the money comes from is decided when it is captured.
func (w Wallet) Hold(amount KRW, now time.Time) (Wallet, error) {
	if amount < 0 {
		return w, fault.New(fault.Internal, "hold a negative amount")
	}
	if amount > w.Spendable(now) {
		unlimited := w
		unlimited.DailyLimit = 0
		if amount <= unlimited.Spendable(now) {
			return w, ErrDailyLimit
		}
		return w, ErrInsufficientFunds
	}
	w.Held += amount
	return w, nil
}

// Due returns the part of the accrual that is to be charged now: all of it from the threshold
// on (50만원), else what was accrued before the last settlement moment, once the wallet's turn in
// a spread run has come. An unpaid wallet does not wait for a turn.
func (w Wallet) Due(now time.Time) KRW {
	if w.Accrual >= w.Settlement.AtOnce() {
		return w.Accrual
	}
	if w.PaymentState != Unpaid && w.Place >= w.Settlement.Reached(now) {
		return 0
	}
	return w.overdue(now)
}

// overdue returns what was accrued before the last settlement moment.
func (w Wallet) overdue(now time.Time) KRW {
	if w.AccrualDay.Before(w.Settlement.Moment(now)) {
		return w.Accrual
	}
	return w.AccrualOld
}

func (w Wallet) accruedOn(now time.Time) KRW {
	if w.AccrualDay.Before(clock.Midnight(now)) {
		return 0
	}
	return w.Accrued
}

// accrue adds to the accrual and keeps apart what is from before the last settlement moment.
func (w Wallet) accrue(amount KRW, now time.Time) Wallet {
	if amount == 0 {
		return w
	}
	w.AccrualOld = w.overdue(now)
	if today := clock.Midnight(now); w.AccrualDay.Before(today) {
		w.AccrualDay, w.Accrued = today, 0
	}
	w.Accrual += amount
	w.Accrued += amount
	return w
}
