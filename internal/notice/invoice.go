package notice

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// The cases of tax invoices (세금계산서). The names are stored.
const (
	CaseInvoiceIssued Case = "invoice_issued" // 세금계산서 발행 안내
	CaseInvoiceFailed Case = "invoice_failed" // 세금계산서 발행 실패 안내
)

// InvoiceIssued is a tax invoice that was issued. Its document is attached.
type InvoiceIssued struct {
	WalletName     string    `json:"wallet_name"`
	InvoiceID      string    `json:"invoice_id"`
	Month          time.Time `json:"month"` // 00:00 in Korea of the 1st
	Amount         Amount    `json:"amount"`
	Number         string    `json:"business_number"` // ten digits, of the recipient
	Company        string    `json:"company"`
	SentTo         string    `json:"sent_to"` // address that tax invoices go to
	ApprovalNumber string    `json:"approval_number"`
	Amended        bool      `json:"amended,omitempty"` // it takes the place of an earlier one (수정세금계산서)
	Why            string    `json:"why,omitempty"`     // it was amended
	IssuedAt       time.Time `json:"issued_at"`
	Path           string    `json:"path"`
}

// WrittenOn returns a moment of the day that stands on the invoice (작성일자), the last one of its month.
func (d InvoiceIssued) WrittenOn() time.Time { return d.Month.In(clock.Seoul).AddDate(0, 1, -1) }

// InvoiceFailed is a tax invoice that could not be issued.
type InvoiceFailed struct {
	WalletName string    `json:"wallet_name"`
	InvoiceID  string    `json:"invoice_id"`
	Month      time.Time `json:"month"`
	Amount     Amount    `json:"amount"`
	Number     string    `json:"business_number"`
	Reason     string    `json:"reason"`            // in words for the business, such as "휴업 또는 폐업한 사업자등록번호입니다."
	Ours       bool      `json:"ours,omitempty"`    // its reader can do nothing about it
	Contact    string    `json:"contact,omitempty"` // address of whoever issues it
	Deadline   time.Time `json:"deadline,omitzero"` // a moment of the last day on which the law lets it be issued
	FailedAt   time.Time `json:"failed_at"`
	Path       string    `json:"path"`
}

// Case returns [CaseInvoiceIssued].
func (InvoiceIssued) Case() Case { return CaseInvoiceIssued }

// Case returns [CaseInvoiceFailed].
func (InvoiceFailed) Case() Case { return CaseInvoiceFailed }
