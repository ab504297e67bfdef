package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/scheduler"
)

type runs map[broadcast.RunState]int

func (r runs) ScheduleRan(state broadcast.RunState, times int) { r[state] += times }

// What came to something is counted also beside an error, and what did not start is told.
func TestCalendar(t *testing.T) {
	counted := runs{}
	var log strings.Builder
	loop := scheduler.Calendar(func(context.Context) ([]broadcast.Run, error) {
		return []broadcast.Run{
			{Schedule: "sch_1", State: broadcast.RunMissed, Times: 7, Reason: "no scheduler looked"},
			{Schedule: "sch_2", State: broadcast.RunStarted, Times: 1},
		}, errBroken
	}, counted, slog.New(slog.NewTextHandler(&log, nil)))
	if err := loop(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error = %v, want %v", err, errBroken)
	}
	if counted[broadcast.RunMissed] != 7 || counted[broadcast.RunStarted] != 1 {
		t.Errorf("counted %v, want 7 missed and 1 started", counted)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "schedule_id=sch_1") || !strings.Contains(got, `reason="no scheduler looked"`) {
		t.Errorf("log = %s, want the one that was missed", got)
	}
}
