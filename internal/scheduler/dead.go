package scheduler

import (
	"context"
	"errors"
	"fmt"

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
	TrimArchives(ctx context.Context, queues []string) (int, error)
}

// MirrorAll writes down which tasks of some queues have died, and only then trims their archives. What cannot be
// written down of one queue leaves that one as it is, and keeps no other from being trimmed.
func MirrorAll(ctx context.Context, dead DeadStore, archives Archives, queues []string, newID func(prefix string) string) error {
	var failed []error
	var mirrored []string
	for _, name := range queues {
		if _, err := Mirror(ctx, dead, archives, name, newID); err != nil {
			failed = append(failed, fmt.Errorf("write down the dead tasks of queue %s: %w", name, err))
			continue
		}
		mirrored = append(mirrored, name)
	}
	_, err := archives.TrimArchives(ctx, mirrored)
	return errors.Join(append(failed, err)...)
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
