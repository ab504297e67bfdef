package billing

import (
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// Try is one attempt of a charge as a mail tells it.
type Try struct {
	Slot    int
	Masked  string
	Issuer  string
	State   State
	Reason  string // why it was declined
	Message string // the provider's words
}

// WalletPath is the page of a wallet, below the public URL.
func WalletPath(walletID string) string { return "/console/wallets/" + walletID }

// ChargesPath is the page of a wallet's charges, below the public URL.
func ChargesPath(walletID string) string { return WalletPath(walletID) + "/charges" }

// InvoicesPath is the page of a wallet's tax invoices, below the public URL.
func InvoicesPath(walletID string) string { return WalletPath(walletID) + "/invoices" }

// AmountOf returns an amount with its VAT for a mail.
func AmountOf(supply, vat wallet.KRW) notice.Amount {
	return notice.Amount{Supply: supply, VAT: vat, Total: supply + vat}
}

// CardTries tells the attempts of a charge the way a mail does. A card that was taken off before
// it was asked is left out.
func CardTries(tries []Try) []notice.CardTry {
	var told []notice.CardTry
	for _, t := range tries {
		if t.Reason == ReasonDetached {
			continue
		}
		outcome, words := outcomeOf(t)
		told = append(told, notice.CardTry{Slot: t.Slot, Number: t.Masked, Issuer: t.Issuer, Outcome: outcome, Reason: words})
	}
	return told
}

func outcomeOf(t Try) (notice.CardOutcome, string) {
	switch {
	case t.State == Done:
		return notice.CardPaid, ""
	case t.Reason == ReasonDormant:
		return notice.CardDormant, ""
	case t.Reason == ReasonDead:
		return notice.CardDead, ""
	case t.Reason == ReasonLost:
		return notice.CardDeclined, "결제 요청이 처리되지 않았습니다"
	case t.Reason == ReasonLimit:
		return notice.CardDeclined, "최근 거절이 많아 시도하지 않았습니다"
	}
	return notice.CardDeclined, t.Message
}
