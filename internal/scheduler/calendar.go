package scheduler

import (
	"context"
	"log/slog"

	"github.com/malgil/malgil/internal/broadcast"
)

// RunMeter counts occurrences of schedules by what became of them.
type RunMeter interface {
	ScheduleRan(state broadcast.RunState, times int)
}

// Calendar returns one run of a loop that starts what schedules order, by one of the steps of a
// [broadcast.Timetable]. What came to something is counted; what should have started and did not is logged.
func Calendar(step func(context.Context) ([]broadcast.Run, error), meter RunMeter, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		runs, err := step(ctx)
		for _, r := range runs {
			meter.ScheduleRan(r.State, r.Times)
			if r.State != broadcast.RunStarted {
				log.WarnContext(ctx, "scheduled broadcast did not start", "schedule_id", r.Schedule, "due_at", r.DueAt, "outcome", r.State, "times", r.Times, "reason", r.Reason)
			}
		}
		return err
	}
}
