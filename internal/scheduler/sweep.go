package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

// SweepStore is where rows wait.
type SweepStore interface {
	Stamp(ctx context.Context, kind store.Work, now time.Time, limit int) ([]broadcast.Row, error)
	Waiting(ctx context.Context, kind store.Work, before time.Time, limit int) ([]broadcast.Row, error)
	Touch(ctx context.Context, kind store.Work, rows []broadcast.Row, now time.Time) error
	Forget(ctx context.Context, kind store.Work, rows []broadcast.Row, dead bool, now time.Time) error

	ExpireFree(ctx context.Context, now time.Time) (wallet.KRW, error)
	ExpireSending(ctx context.Context, now time.Time) (int, error)
	ExpireCalling(ctx context.Context, now time.Time) (int, error)
	ExpireMails(ctx context.Context, now time.Time) (int, error)
	ExpireDeliveries(ctx context.Context, now time.Time) (int, error)
	RecallOverdue(ctx context.Context, now time.Time) (int, error)
	EndDoubt(ctx context.Context, now time.Time) (int, error)
	TellLongUnpaid(ctx context.Context, now time.Time) (int, error)
	Remind(ctx context.Context, now time.Time) (int, error)
	CloseMonths(ctx context.Context, now time.Time) (int, error)
	RetireOver(ctx context.Context, now time.Time) (more bool, err error)
}

// Fates tells what became of tasks.
type Fates interface {
	Fates(ctx context.Context, queue string, taskIDs []string) ([]queue.Fate, error)
}

// kind is how rows of one kind of work become tasks.
type kind struct {
	work    store.Work
	queue   string
	task    string // kind in the task ID
	newTask func(tasks.Row) *asynq.Task
	limit   int // rows a run
}

var kinds = []kind{
	{store.WorkChunk, tasks.QueueBroadcast, tasks.KindChunk, tasks.NewSendChunk, 2000},
	{store.WorkResult, tasks.QueueResult, tasks.KindResult, tasks.NewFetchResult, 2000},
	{store.WorkWallet, tasks.QueueBilling, tasks.KindWallet, tasks.NewChargeWallet, 200},
	{store.WorkAttempt, tasks.QueueBilling, tasks.KindAttempt, tasks.NewChargeCard, 200},
	{store.WorkInvoice, tasks.QueueBilling, tasks.KindInvoice, tasks.NewIssueInvoice, 200},
	{store.WorkResolve, tasks.QueueBilling, tasks.KindResolve, tasks.NewResolveAttempt, 200},
	{store.WorkMail, tasks.QueueMail, tasks.KindMail, tasks.NewSendMail, 500},
	{store.WorkWebhook, tasks.QueueWebhook, tasks.KindWebhook, tasks.NewDeliverWebhook, 500},
}

// Sweep is the guarantee behind the queue: whatever waits in SQL gets a task, whatever was left
// half done by a worker that died is called in doubt, unknown or waiting again.
type Sweep struct {
	store SweepStore
	queue Queue
	fates Fates
	now   func() time.Time
	age   time.Duration
}

// NewSweep returns a sweep. age is how long a task may take before the queue is asked whether it
// still knows it; 60 s by default.
func NewSweep(s SweepStore, q Queue, fates Fates, age time.Duration, now func() time.Time) *Sweep {
	return &Sweep{store: s, queue: q, fates: fates, age: age, now: now}
}

// Run sweeps once. A step that fails does not keep the others from running.
func (s *Sweep) Run(ctx context.Context) error {
	var errs []error
	step := func(name string, run func(context.Context, time.Time) (int, error)) {
		if _, err := run(ctx, s.now()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	step("expire free cash", func(ctx context.Context, now time.Time) (int, error) {
		_, err := s.store.ExpireFree(ctx, now)
		return 0, err
	})
	step("expire leases of chunks", s.store.ExpireSending)
	step("expire leases of attempts", s.store.ExpireCalling)
	step("expire leases of mails", s.store.ExpireMails)
	step("expire leases of deliveries", s.store.ExpireDeliveries)
	step("recall overdue chunks", s.store.RecallOverdue)
	step("end old doubts", s.store.EndDoubt)
	step("tell of long unpaid wallets", s.store.TellLongUnpaid)
	step("remind", s.store.Remind)
	step("retire chunks", s.retire)
	for _, k := range kinds {
		if err := s.work(ctx, k); err != nil {
			errs = append(errs, fmt.Errorf("sweep %s work: %w", k.work, err))
		}
	}
	step("close months", s.store.CloseMonths) // it may take long on the 1st, and nothing waits for it
	return errors.Join(errs...)
}

// retire ends what expired or was cancelled, some batches a run.
func (s *Sweep) retire(ctx context.Context, now time.Time) (int, error) {
	for range 20 {
		more, err := s.store.RetireOver(ctx, now)
		if err != nil || !more {
			return 0, err
		}
	}
	return 0, nil
}

// work looks after rows of one kind: those whose task is gone are forgotten, then every row
// without a task gets one. What it cannot write about one row keeps no other from its task.
func (s *Sweep) work(ctx context.Context, k kind) error {
	unwritten, err := s.lost(ctx, k)
	if err != nil {
		return err
	}
	rows, err := s.store.Stamp(ctx, k.work, s.now(), k.limit)
	if err != nil {
		return errors.Join(unwritten, err)
	}
	return errors.Join(unwritten, enqueue(ctx, s.queue, rows, k.newTask))
}

// lost finds rows that have waited long and asks the queue whether their tasks still exist. A
// long backlog is left alone, so that it does not multiply. unwritten is what could not be noted
// about some rows.
func (s *Sweep) lost(ctx context.Context, k kind) (unwritten, err error) {
	now := s.now()
	rows, err := s.store.Waiting(ctx, k.work, now.Add(-s.age), k.limit)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = tasks.RowTaskID(k.task, tasks.Row{ID: row.ID, Epoch: row.Epoch})
	}
	fates, err := s.fates.Fates(ctx, k.queue, ids)
	if err != nil {
		return nil, err
	}
	var alive, missing, dead []broadcast.Row
	for i, row := range rows {
		switch fates[i] {
		case queue.Waiting, queue.Active:
			alive = append(alive, row)
		case queue.Missing:
			missing = append(missing, row) // the queue was emptied; that is nobody's death
		case queue.Archived, queue.Completed, queue.Lost:
			dead = append(dead, row)
		}
	}
	return errors.Join(
		s.store.Touch(ctx, k.work, alive, now),
		s.store.Forget(ctx, k.work, missing, false, now),
		s.store.Forget(ctx, k.work, dead, true, now)), nil
}
