package kakaopay

import (
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Test merchant codes: one payment, and recurring payments.
const (
	TestCIDOnce      = "TC0ONETIME"
	TestCIDRecurring = "TCSUBSCRIP"
)

// ReadyRequest starts a payment. Amounts are KRW; the total holds the VAT, which KakaoPay
// computes as (total - tax free) / 11 where VATAmount is nil. A total of 0 registers a card.
type ReadyRequest struct {
	CID           string `json:"cid"`                  // 10 characters
	CIDSecret     string `json:"cid_secret,omitempty"` // 24 characters
	OrderID       string `json:"partner_order_id"`     // at most 100
	UserID        string `json:"partner_user_id"`      // at most 100, no personal data
	ItemName      string `json:"item_name"`            // at most 100
	Quantity      int    `json:"quantity"`
	TotalAmount   int64  `json:"total_amount"`
	TaxFreeAmount int64  `json:"tax_free_amount"`
	VATAmount     *int64 `json:"vat_amount,omitempty"`
	ApprovalURL   string `json:"approval_url"` // each at most 255
	CancelURL     string `json:"cancel_url"`
	FailURL       string `json:"fail_url"`
	Method        string `json:"payment_method_type,omitempty"` // "CARD", "MONEY" or any
}

// ReadyAnswer is where to send the payer.
type ReadyAnswer struct {
	TID               string `json:"tid"` // 20 characters
	RedirectAppURL    string `json:"next_redirect_app_url"`
	RedirectMobileURL string `json:"next_redirect_mobile_url"`
	RedirectPCURL     string `json:"next_redirect_pc_url"`
	CreatedAt         Time   `json:"created_at"`
}

// ApproveRequest finishes a payment with the token that the payer brought back. Order and user
// id are those of the ready call.
type ApproveRequest struct {
	CID         string `json:"cid"`
	CIDSecret   string `json:"cid_secret,omitempty"`
	TID         string `json:"tid"`
	OrderID     string `json:"partner_order_id"`
	UserID      string `json:"partner_user_id"`
	PGToken     string `json:"pg_token"`
	TotalAmount *int64 `json:"total_amount,omitempty"`
}

// SubscriptionRequest charges a card. UserID is the one with which the SID was issued.
type SubscriptionRequest struct {
	CID           string `json:"cid"`
	CIDSecret     string `json:"cid_secret,omitempty"`
	SID           string `json:"sid"` // 20 characters
	OrderID       string `json:"partner_order_id"`
	UserID        string `json:"partner_user_id"`
	ItemName      string `json:"item_name"`
	Quantity      int    `json:"quantity"`
	TotalAmount   int64  `json:"total_amount"`
	TaxFreeAmount int64  `json:"tax_free_amount"`
	VATAmount     *int64 `json:"vat_amount,omitempty"`
}

// Payment is an approved payment. SID is set with a recurring CID only.
type Payment struct {
	AID        string   `json:"aid"`
	TID        string   `json:"tid"`
	CID        string   `json:"cid"`
	SID        string   `json:"sid"`
	OrderID    string   `json:"partner_order_id"`
	UserID     string   `json:"partner_user_id"`
	Method     string   `json:"payment_method_type"`
	Amount     Amount   `json:"amount"`
	Card       CardInfo `json:"card_info"`
	ItemName   string   `json:"item_name"`
	Quantity   int      `json:"quantity"`
	CreatedAt  Time     `json:"created_at"`
	ApprovedAt Time     `json:"approved_at"`
}

// Amount is what a sum is made of, in KRW.
type Amount struct {
	Total        int64 `json:"total"`
	TaxFree      int64 `json:"tax_free"`
	VAT          int64 `json:"vat"`
	Point        int64 `json:"point"`
	Discount     int64 `json:"discount"`
	GreenDeposit int64 `json:"green_deposit"`
}

// CardInfo is the card that paid. It never holds a whole number: BIN is its first digits.
type CardInfo struct {
	PurchaseCorp     string `json:"kakaopay_purchase_corp"`
	PurchaseCorpCode string `json:"kakaopay_purchase_corp_code"`
	IssuerCorp       string `json:"kakaopay_issuer_corp"`
	IssuerCorpCode   string `json:"kakaopay_issuer_corp_code"`
	BIN              string `json:"bin"`
	Type             string `json:"card_type"`
	InstallMonth     string `json:"install_month"`
	ApprovedID       string `json:"approved_id"`
	MerchantID       string `json:"card_mid"`
	InterestFree     string `json:"interest_free_install"`
	InstallmentType  string `json:"installment_type"`
	ItemCode         string `json:"card_item_code"`
}

// OrderRequest looks a payment up.
type OrderRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret,omitempty"`
	TID       string `json:"tid"`
}

// States of an order. All others are on the way: READY, SEND_TMS, OPEN_PAYMENT, SELECT_METHOD,
// ARS_WAITING, AUTH_PASSWORD.
const (
	OrderPaid           = "SUCCESS_PAYMENT"
	OrderPartCancelled  = "PART_CANCEL_PAYMENT"
	OrderCancelled      = "CANCEL_PAYMENT"
	OrderFailedPassword = "FAIL_AUTH_PASSWORD"
	OrderQuit           = "QUIT_PAYMENT"
	OrderFailed         = "FAIL_PAYMENT"
)

// Order is the state of a payment.
type Order struct {
	TID             string   `json:"tid"`
	CID             string   `json:"cid"`
	Status          string   `json:"status"`
	OrderID         string   `json:"partner_order_id"`
	UserID          string   `json:"partner_user_id"`
	Method          string   `json:"payment_method_type"`
	Amount          Amount   `json:"amount"`
	CancelledAmount Amount   `json:"canceled_amount"`
	Cancellable     Amount   `json:"cancel_available_amount"`
	ItemName        string   `json:"item_name"`
	Quantity        int      `json:"quantity"`
	CreatedAt       Time     `json:"created_at"`
	ApprovedAt      Time     `json:"approved_at"`
	CancelledAt     Time     `json:"canceled_at"`
	Actions         []Action `json:"payment_action_details"`
}

// Action is one step of a payment. Type is PAYMENT, CANCEL or ISSUED_SID.
type Action struct {
	AID        string `json:"aid"`
	Type       string `json:"payment_action_type"`
	Amount     int64  `json:"amount"`
	ApprovedAt Time   `json:"approved_at"`
}

// CancelRequest gives money back. Available, where set, is what must be cancellable before.
type CancelRequest struct {
	CID           string `json:"cid"`
	CIDSecret     string `json:"cid_secret,omitempty"`
	TID           string `json:"tid"`
	CancelAmount  int64  `json:"cancel_amount"`
	TaxFreeAmount int64  `json:"cancel_tax_free_amount"`
	VATAmount     *int64 `json:"cancel_vat_amount,omitempty"`
	Available     *int64 `json:"cancel_available_amount,omitempty"`
}

// Cancellation is a cancel that was made: this one, all so far, and what is left.
type Cancellation struct {
	AID             string `json:"aid"`
	TID             string `json:"tid"`
	CID             string `json:"cid"`
	Status          string `json:"status"`
	OrderID         string `json:"partner_order_id"`
	UserID          string `json:"partner_user_id"`
	Amount          Amount `json:"amount"`
	Cancelled       Amount `json:"approved_cancel_amount"`
	CancelledAmount Amount `json:"canceled_amount"`
	Cancellable     Amount `json:"cancel_available_amount"`
	CancelledAt     Time   `json:"canceled_at"`
}

// SIDRequest asks about a card key, or removes it.
type SIDRequest struct {
	CID       string `json:"cid"`
	CIDSecret string `json:"cid_secret,omitempty"`
	SID       string `json:"sid"`
}

// States of a SID.
const (
	SIDActive   = "ACTIVE"
	SIDInactive = "INACTIVE"
)

// SIDStatus is the state of a card key. Available is told by the status call only.
type SIDStatus struct {
	Available      bool   `json:"available"`
	CID            string `json:"cid"`
	SID            string `json:"sid"`
	Status         string `json:"status"`
	Method         string `json:"payment_method_type"`
	ItemName       string `json:"item_name"`
	CreatedAt      Time   `json:"created_at"`
	LastApprovedAt Time   `json:"last_approved_at"` // zero before the first
	InactivatedAt  Time   `json:"inactivated_at"`
}

// Dormant (휴면) reports that the card cannot be charged until its owner revives it. KakaoPay
// does not document how a dormant card shows itself; that it is ACTIVE and not available is an
// assumption.
func (s SIDStatus) Dormant() bool { return s.Status == SIDActive && !s.Available }

// Time is a time of KakaoPay: "2006-01-02T15:04:05" without a zone, read as KST; the zero Time is
// no time. It is kept in UTC.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05"

// UnmarshalJSON reads KakaoPay's layout, RFC 3339, null and "".
func (t *Time) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "" || text == "null" {
		*t = Time{}
		return nil
	}
	at, err := time.ParseInLocation(timeLayout, text, clock.Seoul)
	if err != nil {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("time %q is neither %s nor RFC 3339", text, timeLayout)
		}
	}
	*t = Time{at.UTC()}
	return nil
}

// MarshalJSON writes KakaoPay's layout, null for no time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.In(clock.Seoul).Format(timeLayout) + `"`), nil
}
