package workers

import (
	"context"
	"log/slog"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/tasks"
)

// Enqueuer takes a task. When it fails, the sweep finds the row.
type Enqueuer interface {
	Enqueue(ctx context.Context, task *asynq.Task) error
}

// BillingMeter counts what runs of billing did.
type BillingMeter interface {
	BillingRan(taskType string, o billing.Outcome)
	// AttemptRan notes a run on a charge or top-up; slot is the card's place on its wallet, 0 without one.
	AttemptRan(slot int, o billing.Outcome)
}

// WalletCharger opens a charge for what a wallet owes.
type WalletCharger interface {
	OpenDue(ctx context.Context, walletID string, epoch int) (billing.Result, error)
}

// AttemptRunner makes the call of an attempt.
type AttemptRunner interface {
	RunAttempt(ctx context.Context, id string, epoch int) (billing.Result, error)
}

// AttemptResolver looks an attempt up whose outcome is unknown.
type AttemptResolver interface {
	ResolveAttempt(ctx context.Context, id string, epoch int) (billing.Result, error)
}

// Billing is what the handlers of billing share.
type Billing struct {
	Queue Enqueuer
	Meter BillingMeter
	Log   *slog.Logger
}

// ChargeWallet handles [tasks.TypeChargeWallet].
func (b Billing) ChargeWallet(wallets WalletCharger) asynq.Handler {
	return b.handle(tasks.TypeChargeWallet, wallets.OpenDue)
}

// ChargeCard handles [tasks.TypeChargeCard]. When a card declines, the next card is the next task.
func (b Billing) ChargeCard(attempts AttemptRunner) asynq.Handler {
	return b.handle(tasks.TypeChargeCard, attempts.RunAttempt)
}

// IssueInvoice handles [tasks.TypeIssueInvoice].
func (b Billing) IssueInvoice(attempts AttemptRunner) asynq.Handler {
	return b.handle(tasks.TypeIssueInvoice, attempts.RunAttempt)
}

// ResolveAttempt handles [tasks.TypeResolveAttempt].
func (b Billing) ResolveAttempt(attempts AttemptResolver) asynq.Handler {
	return b.handle(tasks.TypeResolveAttempt, attempts.ResolveAttempt)
}

func (b Billing) handle(taskType string, run func(ctx context.Context, id string, epoch int) (billing.Result, error)) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		result, err := run(ctx, p.ID, p.Epoch)
		if err != nil {
			return err
		}
		b.Ran(ctx, taskType, p.ID, result)
		return nil
	})
}

// Ran counts what a run of a task did, or of somebody who did what it is for, calls a person where one is needed, and
// enqueues what follows.
func (b Billing) Ran(ctx context.Context, taskType, rowID string, r billing.Result) {
	b.measure(taskType, r)
	if r.Outcome.Alerts() {
		b.Log.ErrorContext(ctx, "billing needs a person", "task_type", taskType, "row_id", rowID,
			"wallet_id", r.WalletID, "outcome", string(r.Outcome), "reason", r.Reason)
	}
	b.Follow(ctx, r.Next)
}

// measure counts what a run did.
func (b Billing) measure(taskType string, r billing.Result) {
	b.Meter.BillingRan(taskType, r.Outcome)
	if (r.Kind == billing.ChargeAttempt || r.Kind == billing.TopUpAttempt) && r.Outcome != billing.Skipped {
		b.Meter.AttemptRan(r.Slot, r.Outcome)
	}
}

// Follow enqueues what can be worked on at once. The rows are committed, so a queue that does
// not take a task costs time only.
func (b Billing) Follow(ctx context.Context, next []billing.Follow) {
	for _, f := range next {
		task := billingTask(f, trace.Parent(ctx))
		if err := b.Queue.Enqueue(ctx, task); err != nil {
			b.Log.WarnContext(ctx, "task not enqueued", "task_type", task.Type(), "row_id", f.Row.ID, "err", err)
		}
	}
}

// billingTask returns the task for a row that billing wants worked on.
func billingTask(f billing.Follow, belongs string) *asynq.Task {
	row := tasks.Row{ID: f.Row.ID, Epoch: f.Row.Epoch, Trace: belongs}
	switch f.Task {
	case billing.TaskChargeWallet:
		return tasks.NewChargeWallet(row)
	case billing.TaskResolve:
		return tasks.NewResolveAttempt(row)
	case billing.TaskInvoice:
		return tasks.NewIssueInvoice(row)
	case billing.TaskAttempt:
	}
	return tasks.NewChargeCard(row)
}
