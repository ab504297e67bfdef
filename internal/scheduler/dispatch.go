package scheduler

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/tasks"
)

// Queue takes tasks. An error means that some may be missing; the sweep finds their rows.
type Queue interface {
	EnqueueAll(ctx context.Context, tasks []*asynq.Task) (enqueued int, err error)
}

// Dispatcher queues the chunks that may go now. The rows it returns are committed, also beside an
// error about others.
type Dispatcher interface {
	Dispatch(ctx context.Context) ([]broadcast.Row, error)
}

// Dispatch returns one run of the dispatch loop: rows are committed first, enqueued second.
func Dispatch(d Dispatcher, queue Queue, tracer *trace.Tracer) func(context.Context) error {
	return func(ctx context.Context) error {
		rows, err := d.Dispatch(ctx)
		traced(ctx, tracer, rows)
		return errors.Join(err, enqueue(ctx, queue, rows, tasks.NewSendChunk))
	}
}

// traced puts a span of a dispatch between what ordered rows and their tasks, one for all rows of an order.
func traced(ctx context.Context, tracer *trace.Tracer, rows []broadcast.Row) {
	if tracer == nil {
		return
	}
	chunks := make(map[string]int)
	for _, row := range rows {
		chunks[row.Trace]++
	}
	below := make(map[string]string, len(chunks))
	for order, n := range chunks {
		within, end := tracer.Begin(ctx, trace.Enqueued, order, "dispatch", slog.Int("chunks", n))
		below[order] = trace.Parent(within)
		end(nil)
	}
	for i := range rows {
		rows[i].Trace = below[rows[i].Trace]
	}
}

func enqueue(ctx context.Context, queue Queue, rows []broadcast.Row, newTask func(tasks.Row) *asynq.Task) error {
	if len(rows) == 0 {
		return nil
	}
	made := make([]*asynq.Task, len(rows))
	for i, row := range rows {
		made[i] = newTask(tasks.Row(row))
	}
	_, err := queue.EnqueueAll(ctx, made)
	return err
}
