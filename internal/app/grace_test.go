package app_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// docs/operations.md says how long to wait before a process is killed.
func TestApp_Grace_isWithinWhatIsPromised(t *testing.T) {
	embedded, real := newInstallation(t).Config, newInstallation(t).Config
	real.DB, real.Redis = testserver.Postgres(t), testserver.Redis(t).URL()
	if _, err := app.Migrate(t.Context(), real.DB); err != nil {
		t.Fatal(err)
	}
	keys, err := app.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	real.SealKeys, real.HashKey = keys.Seal, keys.Hash
	tests := map[string]struct {
		config app.Config
		roles  app.Roles
		most   time.Duration
	}{
		"all":       {embedded, app.Roles{Intake: true, Scheduler: true, Pools: tasks.Queues}, 180 * time.Second},
		"intake":    {real, app.Roles{Intake: true}, 120 * time.Second},
		"worker":    {real, app.Roles{Pools: tasks.Queues}, 120 * time.Second},
		"scheduler": {real, app.Roles{Scheduler: true}, 120 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.MetricsListen = "127.0.0.1:0"
			tt.config.SMTP = "smtp://127.0.0.1:1?tls=none&from=no-reply@malgil.example"
			a, err := app.Start(t.Context(), tt.config, tt.roles, &clock.Clock{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if grace := a.Grace(); grace > tt.most || grace < 10*time.Second {
				t.Errorf("Grace() = %v, want at most %v", grace, tt.most)
			}
			if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("Close() error = %v", err)
			}
		})
	}
}
