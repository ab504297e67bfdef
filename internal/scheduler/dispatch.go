package scheduler

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
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
func Dispatch(d Dispatcher, queue Queue) func(context.Context) error {
	return func(ctx context.Context) error {
		rows, err := d.Dispatch(ctx)
		return errors.Join(err, enqueue(ctx, queue, rows, tasks.NewSendChunk))
	}
}

func enqueue(ctx context.Context, queue Queue, rows []broadcast.Row, newTask func(tasks.Row) *asynq.Task) error {
	if len(rows) == 0 {
		return nil
	}
	made := make([]*asynq.Task, len(rows))
	for i, row := range rows {
		made[i] = newTask(tasks.Row{ID: row.ID, Epoch: row.Epoch})
	}
	_, err := queue.EnqueueAll(ctx, made)
	return err
}
