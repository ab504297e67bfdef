package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/scheduler"
)

// meter notes how loops ran.
type meter struct {
	mu   sync.Mutex
	ran  map[string]int
	errs map[string]int
}

func newMeter() *meter { return &meter{ran: map[string]int{}, errs: map[string]int{}} }

func (m *meter) LoopRan(name string, _ time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ran[name]++
	if err != nil {
		m.errs[name]++
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMeter(), &bytes.Buffer{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+50*time.Millisecond)
		defer cancel()
		stuck := 0
		scheduler.Run(ctx, []scheduler.Loop{
			{Name: "good", Every: time.Second, Run: func(context.Context) error { return nil }},
			{Name: "failing", Every: time.Second, Run: func(context.Context) error { return errors.New("database is away") }},
			{Name: "slow", Every: time.Second, Run: func(context.Context) error {
				time.Sleep(2500 * time.Millisecond)
				return nil
			}},
			{Name: "stuck", Every: time.Second, Run: func(ctx context.Context) error {
				stuck++
				<-ctx.Done()
				return ctx.Err()
			}},
		}, m, slog.New(slog.NewJSONHandler(log, nil)))

		want := map[string]int{"good": 11, "failing": 11, "slow": 4, "stuck": 0}
		for name, n := range want {
			if m.ran[name] != n {
				t.Errorf("%s ran to its end %d times in 10 s, want %d", name, m.ran[name], n)
			}
		}
		if m.errs["failing"] != 11 || m.errs["good"] != 0 {
			t.Errorf("failures = %v, want 11 of failing", m.errs)
		}
		if stuck != 1 {
			t.Errorf("stuck was started %d times, want once: a loop never runs beside itself", stuck)
		}
		if n := strings.Count(log.String(), `"loop":"failing"`); n != 11 || strings.Contains(log.String(), `"loop":"stuck"`) {
			t.Errorf("logged %d failures, want 11 and none for the end of the process:\n%s", n, log)
		}
	})
}

// A run that hangs is ended by its deadline, and the loop goes on.
func TestRun_withinItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		scheduler.Run(ctx, []scheduler.Loop{
			{Name: "hangs", Every: time.Second, Within: 30 * time.Second, Run: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}},
			{Name: "in time", Every: time.Second, Within: 30 * time.Second, Run: func(ctx context.Context) error { return ctx.Err() }},
		}, m, slog.New(slog.DiscardHandler))
		if m.ran["hangs"] != 3 || m.errs["hangs"] != 3 {
			t.Errorf("in 100 s it ended %d times, %d with an error, want 3 and 3", m.ran["hangs"], m.errs["hangs"])
		}
		if m.ran["in time"] < 99 || m.errs["in time"] != 0 {
			t.Errorf("the other ran %d times with %d errors, want every second and none", m.ran["in time"], m.errs["in time"])
		}
	})
}

func TestRun_withoutLoops(t *testing.T) {
	scheduler.Run(t.Context(), nil, newMeter(), slog.New(slog.DiscardHandler)) // returns
}
