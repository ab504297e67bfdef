package tasks

import "github.com/hibiken/asynq"

const (
	// TypeChargeWallet opens a charge for what a wallet owes; the row is the wallet.
	TypeChargeWallet = "billing:charge_wallet"
	// TypeChargeCard makes one attempt on one card; the row is the attempt.
	TypeChargeCard = "billing:charge_card"
	// TypeIssueInvoice hands one tax invoice to the carrier; the row is the attempt.
	TypeIssueInvoice = "billing:issue_invoice"
	// TypeResolveAttempt finds out what became of an attempt whose outcome is unknown.
	TypeResolveAttempt = "billing:resolve_attempt"
)

// Kinds of rows in task IDs.
const (
	KindWallet  = "wallet"
	KindAttempt = "attempt"
	KindResolve = "resolve"
	KindInvoice = "invoice"
)

// NewChargeWallet returns the task that opens a charge for a wallet that is due.
func NewChargeWallet(row Row) *asynq.Task {
	return rowTask(TypeChargeWallet, KindWallet, row, QueueBilling, workTimeout)
}

// NewChargeCard returns the task for one attempt on one card. The next card is the next task.
func NewChargeCard(row Row) *asynq.Task {
	return rowTask(TypeChargeCard, KindAttempt, row, QueueBilling, workTimeout)
}

// NewIssueInvoice returns the task for one attempt to issue a tax invoice.
func NewIssueInvoice(row Row) *asynq.Task {
	return rowTask(TypeIssueInvoice, KindInvoice, row, QueueBilling, workTimeout)
}

// NewResolveAttempt returns the task that looks up an attempt whose outcome is unknown.
func NewResolveAttempt(row Row) *asynq.Task {
	return rowTask(TypeResolveAttempt, KindResolve, row, QueueBilling, workTimeout)
}
