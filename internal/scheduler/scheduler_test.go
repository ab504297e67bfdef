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

func TestRun_withoutLoops(t *testing.T) {
	scheduler.Run(t.Context(), nil, newMeter(), slog.New(slog.DiscardHandler)) // returns
}
