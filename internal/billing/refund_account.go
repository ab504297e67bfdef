package billing

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

const tableRefundAccount = "refund_account" // what the number of a refund account is sealed for, by wallet

// ErrHolder refuses a refund account of somebody else.
var ErrHolder = &fault.Error{Kind: fault.Refused, Code: "REFUND_ACCOUNT_HOLDER", Field: "holder",
	Message: "must be the name of the business or of its representative, as registered with the wallet"}

// ErrRefundPersonal refuses a refund account for a wallet that pays by card only.
var ErrRefundPersonal = fault.Coded(fault.Refused, "BUSINESS_WALLET_ONLY", "bank transfer is for business wallets; a personal wallet pays and is refunded by card")

// SealedAccount is a refund account as it is kept.
type SealedAccount struct {
	Bank   string
	Sealed []byte // the number, sealed for table refund_account and the wallet
	Masked string
	Holder string
}

// WalletNames is who a wallet belongs to.
type WalletNames struct {
	Business       string
	Representative string // 대표자; empty while it is not known
	Personal       bool
}

// SetRefundAccount keeps where the refund of a bank transfer goes (환불 계좌). Its holder must be the
// business or its representative; the bank checks that the account is his when money is sent.
func (s *Service) SetRefundAccount(ctx context.Context, walletID string, a OneTimeAccount) (OneTimeAccount, error) {
	a.Bank, a.Holder = strings.TrimSpace(a.Bank), strings.TrimSpace(a.Holder)
	digits := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, a.Number)
	switch {
	case !isName(a.Bank):
		return a, fault.Field("bank", "must be the name of a bank")
	case len(digits) < 8 || len(digits) > 20 || strings.Trim(digits, "0123456789") != "":
		return a, fault.Field("number", "must be 8 to 20 digits, with or without dashes")
	case !isName(a.Holder):
		return a, fault.Field("holder", "must be the name of who holds the account")
	}
	names, err := s.store.WalletNames(ctx, walletID)
	switch {
	case err != nil:
		return a, wrap(err, "read who wallet %s belongs to", walletID)
	case names.Personal:
		return a, ErrRefundPersonal
	case plainName(a.Holder) != plainName(names.Business) && (names.Representative == "" || plainName(a.Holder) != plainName(names.Representative)):
		return a, ErrHolder
	}
	kept := SealedAccount{Bank: a.Bank, Holder: a.Holder, Masked: maskNumber(digits)}
	if kept.Sealed, err = s.sealer.Seal([]byte(digits), tableRefundAccount, walletID); err != nil {
		return a, wrap(err, "seal the refund account of wallet %s", walletID)
	}
	a.Number = kept.Masked
	return a, wrap(s.store.PutRefundAccount(ctx, walletID, kept, s.now()), "keep the refund account of wallet %s", walletID)
}

// RefundAccount returns the refund account of a wallet with its number masked. It is NotFound when
// there is none.
func (s *Service) RefundAccount(ctx context.Context, walletID string) (OneTimeAccount, error) {
	a, err := s.store.RefundAccount(ctx, walletID)
	return a, wrap(err, "read the refund account of wallet %s", walletID)
}

// SetRepresentative keeps the name of the representative (대표자) on the business registration.
func (s *Service) SetRepresentative(ctx context.Context, walletID, name string) error {
	name = strings.TrimSpace(name)
	if !isName(name) {
		return fault.Field("name", "must be a name of at most 80 characters")
	}
	return wrap(s.store.PutRepresentative(ctx, walletID, name), "keep the representative of wallet %s", walletID)
}

func isName(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= 80 && strings.IndexFunc(text, unicode.IsControl) < 0
}

// plainName is a name without what banks and registers write differently: spaces, letter case, and
// the form of the company.
func plainName(name string) string {
	name = strings.NewReplacer("주식회사", "(주)", "㈜", "(주)", "（주）", "(주)").Replace(name)
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if rest, found := strings.CutSuffix(name, "(주)"); found { // 한빛서점(주) is (주)한빛서점
		name = "(주)" + rest
	}
	return name
}

// maskNumber shows the last four digits of an account.
func maskNumber(digits string) string {
	return strings.Repeat("*", len(digits)-4) + digits[len(digits)-4:]
}
