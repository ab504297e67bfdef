package workers

import (
	"context"
	"log/slog"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/tasks"
)

// Traced returns the middleware that puts each run of a task below what made the task.
func Traced(tracer *trace.Tracer) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		if tracer == nil {
			return next
		}
		return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			retried, _ := asynq.GetRetryCount(ctx)
			attrs := append(subject(t), slog.String("task_id", id), slog.Int("attempt", retried+1))
			ctx, end := tracer.Begin(ctx, trace.Worked, t.Headers()[tasks.TraceHeader], t.Type(), attrs...)
			err := next.ProcessTask(ctx, t)
			end(err)
			return err
		})
	}
}
