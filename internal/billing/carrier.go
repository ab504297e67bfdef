package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/wallet"
)

// Carrier hands tax invoices to the tax office. Our order id is its key: for one order it issues one
// invoice, however often it is asked. Its errors are as those of a [Gateway]; the look-up also answers
// [ErrNoOrder].
type Carrier interface {
	// IssueInvoice hands an invoice over, or returns what became of the order that is there.
	IssueInvoice(ctx context.Context, orderID string, i invoice.Invoice) (Issue, error)
	// Issue looks an order up.
	Issue(ctx context.Context, orderID string) (Issue, error)
}

// IssueState is what the carrier says of an order.
type IssueState string

// The states of an order at the carrier.
const (
	IssueDone    IssueState = "issued"
	IssuePending IssueState = "pending" // taken; the tax office has not answered yet
	IssueRefused IssueState = "refused" // nothing was issued and nothing will be under this order
)

// Issue is an order as the carrier has it.
type Issue struct {
	OrderID string
	Number  string // 사업자등록번호 of the recipient, ten digits
	Total   wallet.KRW
	State   IssueState
	At      time.Time // when it was issued

	ApprovalNumber string // 승인번호 of the tax office, once issued
	Code           string // why it was refused: CLOSED_BUSINESS, SUSPENDED_BUSINESS, BAD_NUMBER, BAD_EMAIL or another word of the carrier
	Message        string
}
