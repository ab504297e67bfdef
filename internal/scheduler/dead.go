package scheduler

import (
	"context"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/queue"
)

// DeadStore keeps tasks that were given up, each once.
type DeadStore interface {
	UnknownDead(ctx context.Context, queue string, taskIDs []string) ([]string, error)
	MirrorDead(ctx context.Context, dead []backlog.Dead) (fresh int, err error)
}

// Archives is what Redis has of tasks that were given up.
type Archives interface {
	Archived(ctx context.Context, queue string, offset int) ([]string, error)
	Autopsy(ctx context.Context, queue string, taskIDs []string) ([]backlog.Dead, error)
}

// Mirror keeps the archived tasks of a queue that nobody has written down, and returns how many: asynq
// gives up the task of a dead worker without asking any handler. It keeps each page before it looks at the
// next, so that what is done stays done when ctx ends.
func Mirror(ctx context.Context, dead DeadStore, archives Archives, name string, newID func(prefix string) string) (int, error) {
	total := 0
	for offset := 0; ; offset += queue.ArchivePage {
		ids, err := archives.Archived(ctx, name, offset)
		if err != nil {
			return total, err
		}
		unknown, err := dead.UnknownDead(ctx, name, ids)
		if err != nil {
			return total, err
		}
		found, err := archives.Autopsy(ctx, name, unknown)
		if err != nil {
			return total, err
		}
		for n := range found {
			found[n].ID = newID("dead")
		}
		fresh, err := dead.MirrorDead(ctx, found)
		total += fresh
		if err != nil || len(ids) < queue.ArchivePage {
			return total, err
		}
	}
}
