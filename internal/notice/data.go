package notice

import (
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// Amount is money that moved or is owed, with its VAT (공급가액, 부가세, 합계).
type Amount struct {
	Supply wallet.KRW `json:"supply_krw"`
	VAT    wallet.KRW `json:"vat_krw"`
	Total  wallet.KRW `json:"total_krw"`
}

// CardOutcome tells what became of a card in one run. The names are stored.
type CardOutcome string

// What becomes of a card.
const (
	CardPaid     CardOutcome = "paid"
	CardDeclined CardOutcome = "declined" // the issuer refused this charge
	CardDormant  CardOutcome = "dormant"  // 휴면: not asked until its owner revives it
	CardDead     CardOutcome = "dead"     // gone or switched off at the provider
)

// CardTry is one card that was tried, in the order of the run.
type CardTry struct {
	Slot    int         `json:"slot"`   // 1 is the payment card, 2 and 3 are the backups
	Number  string      `json:"number"` // masked, such as "5365-10**-****-1234"
	Issuer  string      `json:"issuer"` // name of the card company, such as "신한카드"
	Outcome CardOutcome `json:"outcome"`
	Reason  string      `json:"reason,omitempty"` // the provider's words, such as "한도초과"
}

// TopUp is a confirmed cash top-up.
type TopUp struct {
	WalletName string     `json:"wallet_name"`
	Amount     Amount     `json:"amount"`
	Method     string     `json:"method,omitempty"`      // how it was paid, such as "카카오페이 신한카드"
	Settled    wallet.KRW `json:"settled_krw,omitempty"` // the part of the supply value that paid what was owed
	Balance    wallet.KRW `json:"balance_krw"`           // free and paid cash afterwards
	PaidAt     time.Time  `json:"paid_at"`
	Reconnect  bool       `json:"reconnect,omitempty"` // it ended an unpaid spell: bots wait to be reconnected by hand
	Path       string     `json:"path"`                // page to open, below the public URL
}

// AutoPaySuccess is a charge that a card paid.
type AutoPaySuccess struct {
	WalletName string    `json:"wallet_name"`
	Amount     Amount    `json:"amount"`
	Cards      []CardTry `json:"cards"` // every card tried; the last one paid
	PaidAt     time.Time `json:"paid_at"`
	Reconnect  bool      `json:"reconnect,omitempty"` // as in TopUp
	Path       string    `json:"path"`
}

// Paid returns the card that paid.
func (d AutoPaySuccess) Paid() CardTry {
	for _, c := range d.Cards {
		if c.Outcome == CardPaid {
			return c
		}
	}
	return CardTry{}
}

// Failed returns the cards that were tried before the one that paid.
func (d AutoPaySuccess) Failed() []CardTry {
	var failed []CardTry
	for _, c := range d.Cards {
		if c.Outcome != CardPaid {
			failed = append(failed, c)
		}
	}
	return failed
}

// AutoPayFailure is a charge that no card paid.
type AutoPayFailure struct {
	WalletName string    `json:"wallet_name"`
	Amount     Amount    `json:"amount"`
	Due        Amount    `json:"due,omitzero"` // all that is owed, when that is more than this charge
	Cards      []CardTry `json:"cards"`
	FailedAt   time.Time `json:"failed_at"`
	NextTryAt  time.Time `json:"next_try_at"`
	Path       string    `json:"path"`
}

// Owed returns what a top-up must pay to settle everything.
func (d AutoPayFailure) Owed() Amount {
	if d.Due.Total > d.Amount.Total {
		return d.Due
	}
	return d.Amount
}

// Unpaid is a wallet that entered the unpaid state (미수): sends are refused and its bots are
// disconnected until it has paid and a person reconnects them.
type Unpaid struct {
	WalletName string    `json:"wallet_name"`
	Due        Amount    `json:"due"`
	Bots       []string  `json:"bots,omitempty"` // names of the bots that lost their channel
	Since      time.Time `json:"since"`
	NextTryAt  time.Time `json:"next_try_at"`
	Path       string    `json:"path"`
}

// Case returns [CaseTopUp].
func (TopUp) Case() Case { return CaseTopUp }

// Case returns [CaseAutoPaySuccess].
func (AutoPaySuccess) Case() Case { return CaseAutoPaySuccess }

// Case returns [CaseAutoPayFailure].
func (AutoPayFailure) Case() Case { return CaseAutoPayFailure }

// Case returns [CaseUnpaid].
func (Unpaid) Case() Case { return CaseUnpaid }
