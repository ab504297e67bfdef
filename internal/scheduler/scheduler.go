// Package scheduler runs the loops: dispatch, the sweep that guarantees what the queue only
// speeds up, and tidying. Any number of processes may run it.
package scheduler

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Loop is work that is done again and again.
type Loop struct {
	Name   string
	Every  time.Duration
	Within time.Duration // the deadline of one run; 0 for none
	Run    func(ctx context.Context) error
}

// once runs a loop once, within its deadline.
func (l Loop) once(ctx context.Context) error {
	if l.Within == 0 {
		return l.Run(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, l.Within)
	defer cancel()
	return l.Run(ctx)
}

// Meter notes that loops are alive.
type Meter interface {
	LoopRan(name string, took time.Duration, err error)
}

// Run runs loops side by side until ctx ends, and returns when all have stopped. A run that fails
// is logged and tried again at its next time; a run that takes longer than its period delays it.
func Run(ctx context.Context, loops []Loop, meter Meter, log *slog.Logger) {
	var running sync.WaitGroup
	for _, loop := range loops {
		running.Go(func() {
			ticker := time.NewTicker(loop.Every)
			defer ticker.Stop()
			for {
				start := time.Now()
				err := loop.once(ctx)
				if ctx.Err() != nil {
					return
				}
				meter.LoopRan(loop.Name, time.Since(start), err)
				if err != nil {
					log.Error("loop failed", "loop", loop.Name, "err", err)
				}
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	running.Wait()
}
