package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Paused tells which of some queues servers take nothing from.
func (i *Inspector) Paused(ctx context.Context, queues []string) (map[string]bool, error) {
	keys := make([]*redis.IntCmd, len(queues))
	_, err := i.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error { // each by itself: a cluster keeps them apart
		for n, queue := range queues {
			keys[n] = pipe.Exists(ctx, queueKey(queue, "paused"))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look which queues are paused: %w", err)
	}
	paused := make(map[string]bool, len(queues))
	for n, queue := range queues {
		paused[queue] = keys[n].Val() > 0
	}
	return paused, nil
}

// SetPaused has servers take nothing from a queue, or take again. Tasks that run go on. Called twice it
// changes nothing more.
func (i *Inspector) SetPaused(ctx context.Context, queue string, paused bool) error {
	key := queueKey(queue, "paused")
	var err error
	if paused {
		err = i.redis.SetNX(ctx, key, i.now().Unix(), 0).Err()
	} else {
		err = i.redis.Del(ctx, key).Err()
	}
	if err != nil {
		return fmt.Errorf("pause queue %s or resume it: %w", queue, err)
	}
	return nil
}
