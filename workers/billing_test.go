package workers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// till is a billing service whose first card declines and whose second pays. Each row is worked
// on once, in epoch 2 for the wallet and 1 for attempts.
type till struct {
	done  map[string]bool
	runs  []string
	err   error
	alert billing.Outcome
}

func (b *till) run(what, id string, epoch, want int, r billing.Result) (billing.Result, error) {
	b.runs = append(b.runs, fmt.Sprintf("%s %s:%d", what, id, epoch))
	if b.err != nil {
		return billing.Result{}, b.err
	}
	if b.done[id] || epoch != want {
		return billing.Result{Outcome: billing.Skipped}, nil
	}
	b.done[id] = true
	return r, nil
}

func next(id string) []billing.Follow {
	return []billing.Follow{{Task: billing.TaskAttempt, Row: billing.Row{ID: id, Epoch: 1}}}
}

func (b *till) OpenDue(_ context.Context, id string, epoch int) (billing.Result, error) {
	return b.run("open", id, epoch, 2, billing.Result{Outcome: billing.Opened, Next: next("att_1")})
}

func (b *till) RunAttempt(_ context.Context, id string, epoch int) (billing.Result, error) {
	if id == "att_1" {
		return b.run("ask", id, epoch, 1, billing.Result{Outcome: billing.NextCard, Next: next("att_2")})
	}
	return b.run("ask", id, epoch, 1, billing.Result{Outcome: billing.Paid})
}

func (b *till) ResolveAttempt(_ context.Context, id string, epoch int) (billing.Result, error) {
	return b.run("resolve", id, epoch, 1, billing.Result{Outcome: b.alert, WalletID: "wal_1", Reason: "the amount differs"})
}

// desk runs tasks as they are enqueued and keeps what was said of them.
type desk struct {
	mux     *asynq.ServeMux
	queued  []*asynq.Task
	full    bool
	counted []string
	log     bytes.Buffer
}

func (d *desk) Enqueue(_ context.Context, task *asynq.Task) error {
	if d.full {
		return errors.New("redis is away")
	}
	d.queued = append(d.queued, task)
	return nil
}

func (d *desk) BillingRan(taskType string, o billing.Outcome) {
	d.counted = append(d.counted, taskType+" "+string(o))
}

func (d *desk) AttemptRan(slot int, o billing.Outcome) {
	d.counted = append(d.counted, fmt.Sprintf("slot %d %s", slot, o))
}

func newDesk(b *till) *desk {
	d := &desk{mux: asynq.NewServeMux()}
	b.done = map[string]bool{}
	shared := workers.Billing{Queue: d, Meter: d, Log: slog.New(slog.NewJSONHandler(&d.log, nil))}
	d.mux.Handle(tasks.TypeChargeWallet, shared.ChargeWallet(b))
	d.mux.Handle(tasks.TypeChargeCard, shared.ChargeCard(b))
	d.mux.Handle(tasks.TypeResolveAttempt, shared.ResolveAttempt(b))
	return d
}

// run processes a task and all that follow from it, each of them twice.
func (d *desk) run(t *testing.T, task *asynq.Task) {
	t.Helper()
	d.queued = append(d.queued, task)
	for len(d.queued) > 0 {
		task := d.queued[0]
		d.queued = d.queued[1:]
		for range 2 {
			if err := d.mux.ProcessTask(t.Context(), task); err != nil {
				t.Fatalf("ProcessTask(%s) error = %v", task.Type(), err)
			}
		}
	}
}

func TestBilling_fallbackIsTheNextTask(t *testing.T) {
	b := &till{}
	d := newDesk(b)
	d.run(t, tasks.NewChargeWallet(tasks.Row{ID: "wal_1", Epoch: 2}))
	want := []string{"open wal_1:2", "open wal_1:2", "ask att_1:1", "ask att_1:1", "ask att_2:1", "ask att_2:1"}
	if !slices.Equal(b.runs, want) {
		t.Errorf("runs = %q, want %q", b.runs, want)
	}
	wantCounted := []string{"billing:charge_wallet opened", "billing:charge_wallet skipped", "billing:charge_card next_card",
		"billing:charge_card skipped", "billing:charge_card paid", "billing:charge_card skipped"}
	if !slices.Equal(d.counted, wantCounted) {
		t.Errorf("counted = %q, want %q", d.counted, wantCounted)
	}
	if d.log.Len() != 0 {
		t.Errorf("log = %q, want nothing", d.log.String())
	}
}

func TestBilling_queueAway(t *testing.T) {
	b := &till{}
	d := newDesk(b)
	d.full = true
	if err := d.mux.ProcessTask(t.Context(), tasks.NewChargeWallet(tasks.Row{ID: "wal_1", Epoch: 2})); err != nil {
		t.Errorf("ProcessTask error = %v, want nil: the sweep finds the row", err)
	}
	if !strings.Contains(d.log.String(), `"row_id":"att_1"`) {
		t.Errorf("log = %q, want the row that has no task", d.log.String())
	}
}

func TestBilling_alerts(t *testing.T) {
	for _, outcome := range billing.Outcomes {
		d := newDesk(&till{alert: outcome})
		if err := d.mux.ProcessTask(t.Context(), tasks.NewResolveAttempt(tasks.Row{ID: "att_9", Epoch: 1})); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(d.log.String(), `"wallet_id":"wal_1"`); got != outcome.Alerts() {
			t.Errorf("logged %s = %v, want %v", outcome, got, outcome.Alerts())
		}
	}
}

func TestBilling_failures(t *testing.T) {
	down := errors.New("database is away")
	tests := map[string]struct {
		task     *asynq.Task
		err      error
		archived bool
	}{
		"database away comes again":   {tasks.NewChargeCard(tasks.Row{ID: "att_1", Epoch: 1}), down, false},
		"no such row is archived":     {tasks.NewResolveAttempt(tasks.Row{ID: "att_0", Epoch: 1}), fault.New(fault.NotFound, "gone"), true},
		"unreadable is archived":      {asynq.NewTask(tasks.TypeChargeWallet, []byte(`{`)), nil, true},
		"not recorded comes again":    {tasks.NewChargeCard(tasks.Row{ID: "att_1", Epoch: 1}), fault.Wrap(fault.InDoubt, down, "record"), false},
		"wallet's database away, too": {tasks.NewChargeWallet(tasks.Row{ID: "wal_1", Epoch: 1}), down, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(&till{err: tt.err})
			err := d.mux.ProcessTask(t.Context(), tt.task)
			if err == nil || errors.Is(err, asynq.SkipRetry) != tt.archived {
				t.Errorf("ProcessTask error = %v, want archived: %v", err, tt.archived)
			}
			if len(d.counted) != 0 {
				t.Errorf("counted %q, want nothing", d.counted)
			}
		})
	}
}
