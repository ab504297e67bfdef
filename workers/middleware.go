package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/tasks"
)

// TaskMeter measures runs of tasks.
type TaskMeter interface {
	// TaskRan notes one run. The verdict is done, retry, archived or panic.
	TaskRan(taskType, verdict string, took time.Duration)
	// TaskWaited notes how long a task had waited in a queue when it began for the first time.
	TaskWaited(queue string, waited time.Duration)
}

// The verdicts on a run of a task.
const (
	verdictDone     = "done"
	verdictRetry    = "retry"    // it failed, and asynq runs it again
	verdictArchived = "archived" // it failed for the last time
	verdictPanic    = "panic"    // it panicked; asynq runs it again while it has retries left
)

// Observe returns the middleware around every handler: it measures each run and logs one that
// failed, once. A panic becomes an error here, with its stack in the log and not in Redis.
func Observe(meter TaskMeter, log *slog.Logger) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) (err error) {
			begun := time.Now()
			if queue, waited, known := waited(ctx, t, begun); known {
				meter.TaskWaited(queue, waited)
			}
			outcome := verdictPanic
			defer func() {
				if outcome == verdictPanic {
					if p := recover(); p != nil {
						err = &panicked{value: p, stack: debug.Stack()}
					}
				}
				meter.TaskRan(t.Type(), outcome, time.Since(begun))
				if err != nil {
					logFailure(ctx, log, t, outcome, err)
				}
			}()
			err = next.ProcessTask(ctx, t)
			outcome = outcomeOf(ctx, err)
			return err
		})
	}
}

// waited is how long a task has waited for its first run; not that of an utterance, whose payload says when it came. The
// clocks of two machines may differ a little.
func waited(ctx context.Context, t *asynq.Task, now time.Time) (queue string, wait time.Duration, known bool) {
	ms, err := strconv.ParseInt(t.Headers()[tasks.EnqueuedHeader], 10, 64)
	queue, known = asynq.GetQueueName(ctx)
	if retried, _ := asynq.GetRetryCount(ctx); err != nil || !known || retried > 0 || t.Type() == tasks.TypeAnswerUtterance {
		return "", 0, false
	}
	return queue, max(0, now.Sub(time.UnixMilli(ms))), true
}

// outcomeOf tells what asynq does after a run that did not panic. That a run was cut because the process stops
// uses up no retry, but asynq archives its task all the same when it has none left.
func outcomeOf(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return verdictDone
	case errors.Is(err, asynq.SkipRetry), errors.Is(err, asynq.RevokeTask):
		return verdictArchived
	}
	retried, known := asynq.GetRetryCount(ctx)
	most, _ := asynq.GetMaxRetry(ctx)
	if known && retried >= most {
		return verdictArchived
	}
	return verdictRetry
}

func logFailure(ctx context.Context, log *slog.Logger, t *asynq.Task, outcome string, err error) {
	level := slog.LevelWarn
	if outcome != verdictRetry {
		level = slog.LevelError
	}
	id, _ := asynq.GetTaskID(ctx)
	retried, _ := asynq.GetRetryCount(ctx)
	attrs := []slog.Attr{slog.String("task_type", t.Type()), slog.String("task_id", id), slog.Int("attempt", retried+1), slog.String("verdict", outcome)}
	attrs = append(attrs, subject(t)...)
	attrs = append(attrs, slog.Any("err", err))
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	log.LogAttrs(ctx, level, "task failed", attrs...)
}

// subject names the row that a task points at. An utterance carries what somebody said: nothing of
// its payload is logged.
func subject(t *asynq.Task) []slog.Attr {
	row, points := tasks.RowOf(t.Type(), t.Payload())
	if !points {
		return nil
	}
	switch t.Type() {
	case tasks.TypeSendChunk, tasks.TypeFetchResult:
		broadcastID, _, _ := strings.Cut(row.ID, "-")
		return []slog.Attr{slog.String("broadcast_id", broadcastID), slog.String("chunk_id", row.ID)}
	case tasks.TypeChargeWallet:
		return []slog.Attr{slog.String("wallet_id", row.ID)}
	}
	return []slog.Attr{slog.String("row_id", row.ID)}
}

// panicked is a panic of a handler. Its words go to Redis with the task, so they name the kind of
// value only: a value may hold anything.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string {
	if err, ok := p.value.(runtime.Error); ok { // an index, a nil pointer, a type: nothing of anyone
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic with a %T", p.value)
}
