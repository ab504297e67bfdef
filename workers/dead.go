package workers

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
)

// DeadStore keeps tasks that were given up, each once.
type DeadStore interface {
	MirrorDead(ctx context.Context, dead []backlog.Dead) (fresh int, err error)
}

// mirrorTime is how long writing down a death may take: asynq waits for it.
const mirrorTime = 5 * time.Second

// Mirror returns the middleware that writes a task down when it fails for the last time, before asynq
// archives it: an archive keeps few tasks, and not for long. It goes around [Observe], which makes an
// error of a panic. What cannot be written is logged, and found in the archive later.
func Mirror(dead DeadStore, newID func(prefix string) string, now func() time.Time, log *slog.Logger) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			err := next.ProcessTask(ctx, t)
			if outcomeOf(ctx, err) != verdictArchived {
				return err
			}
			d := deadTask(ctx, t, err)
			d.ID, d.DiedAt = newID("dead"), now()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mirrorTime) // also while the process stops
			defer cancel()
			if _, failed := dead.MirrorDead(ctx, []backlog.Dead{d}); failed != nil {
				log.WarnContext(ctx, "dead task not written down", "task_type", d.Type, "task_id", d.TaskID, "err", failed)
			}
			return err
		})
	}
}

// deadTask tells what died and why. Nothing is told of what somebody said.
func deadTask(ctx context.Context, t *asynq.Task, err error) backlog.Dead {
	d := backlog.Dead{Type: t.Type(), Cause: causeOf(err)}
	d.TaskID, _ = asynq.GetTaskID(ctx)
	d.Queue, _ = asynq.GetQueueName(ctx)
	d.Retried, _ = asynq.GetRetryCount(ctx)
	if t.Type() == tasks.TypeAnswerUtterance {
		return d
	}
	d.Error = backlog.Text(strings.TrimSuffix(err.Error(), ": "+asynq.SkipRetry.Error()))
	row, _ := tasks.RowOf(t.Type(), t.Payload())
	d.RowID, d.Epoch = row.ID, row.Epoch
	return d
}

// causeOf tells in one word why a task died.
func causeOf(err error) backlog.Cause {
	var p *panicked
	switch kind := fault.KindOf(err); {
	case errors.As(err, &p):
		return backlog.Panic
	case errors.Is(err, errUndecodable):
		return backlog.Undecodable
	case errors.Is(err, asynq.ErrHandlerNotFound):
		return backlog.UnknownType
	case kind == fault.Internal && errors.Is(err, context.DeadlineExceeded):
		return backlog.Timeout
	default:
		return backlog.CauseOf(kind)
	}
}
