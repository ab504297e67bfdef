package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Fate is what became of a task that was enqueued.
type Fate int

const (
	// Missing means that Redis does not know the task: done and forgotten, or lost.
	Missing Fate = iota
	// Waiting means pending, scheduled or to be retried: a server will come to it.
	Waiting
	// Active means that a server works on it, or did so within the last half minute.
	Active
	// Archived means that asynq has given up.
	Archived
	// Completed means done, and kept for its retention.
	Completed
	// Lost means marked active, but with no lease or one that is over: its server has died, or
	// cannot reach Redis. asynq comes back to such a task a minute or two later, or never.
	Lost
)

var fateNames = [...]string{"missing", "waiting", "active", "archived", "completed", "lost"}

// String returns the name used in logs.
func (f Fate) String() string {
	if f < 0 || int(f) >= len(fateNames) {
		return "missing"
	}
	return fateNames[f]
}

// Dead reports whether nobody will come to the task any more, so that its row needs a new one.
func (f Fate) Dead() bool { return f != Waiting && f != Active }

// asynq 0.26's keys (internal/base): all keys of a queue share the hash tag {queue}.
func queueKey(queue, part string) string { return "asynq:{" + queue + "}:" + part }

const queuesKey = "asynq:queues"

const inspectBatch = 500 // commands in one pipeline

// Inspector looks into the queues by asynq's keys. It goes by the names it is given and never by
// the list that asynq keeps in Redis, which FLUSHALL empties for good while the work goes on.
// It is safe for concurrent use.
type Inspector struct {
	redis redis.UniversalClient
	now   func() time.Time // asynq stamps tasks by the machine's clock, so this is that clock
}

// NewInspector returns an inspector over a connection of [Address.InspectClient], which it owns.
func NewInspector(conn redis.UniversalClient) *Inspector {
	return &Inspector{redis: conn, now: time.Now}
}

// Used reports whether some program has put tasks here.
func (i *Inspector) Used(ctx context.Context) (bool, error) {
	n, err := i.redis.Exists(ctx, queuesKey).Result()
	if err != nil {
		return false, fmt.Errorf("ask whether the queue is used: %w", err)
	}
	return n > 0, nil
}

// Close closes the connection.
func (i *Inspector) Close() error {
	if err := i.redis.Close(); err != nil {
		return fmt.Errorf("close the inspector's client: %w", err)
	}
	return nil
}

// leaseGrace is how far the clocks of processes may be apart before a living task looks lost.
const leaseGrace = 5 * time.Second

// Fates tells what became of tasks of one queue, in the order of their IDs. A worker may still be
// at a task that is Lost, as when Redis was restored from a backup; the row's epoch fences it off.
func (i *Inspector) Fates(ctx context.Context, queue string, taskIDs []string) ([]Fate, error) {
	fates := make([]Fate, 0, len(taskIDs))
	for batch := range slices.Chunk(taskIDs, inspectBatch) {
		states := make([]*redis.StringCmd, len(batch))
		leases := make([]*redis.FloatCmd, len(batch))
		// In one transaction: a task that ends between the two commands would look lost.
		_, err := i.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			for n, id := range batch {
				states[n] = pipe.HGet(ctx, queueKey(queue, "t:"+id), "state")
				leases[n] = pipe.ZScore(ctx, queueKey(queue, "lease"), id)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("look up tasks of queue %s: %w", queue, err)
		}
		for n := range batch {
			fate, err := i.fateOf(states[n], leases[n])
			if err != nil {
				return nil, fmt.Errorf("look up tasks of queue %s: %w", queue, err)
			}
			fates = append(fates, fate)
		}
	}
	return fates, nil
}

func (i *Inspector) fateOf(state *redis.StringCmd, lease *redis.FloatCmd) (Fate, error) {
	if err := state.Err(); errors.Is(err, redis.Nil) {
		return Missing, nil
	} else if err != nil {
		return Missing, err
	}
	switch state.Val() {
	case "pending", "scheduled", "retry", "aggregating":
		return Waiting, nil
	case "archived":
		return Archived, nil
	case "completed":
		return Completed, nil
	}
	if err := lease.Err(); errors.Is(err, redis.Nil) {
		return Lost, nil
	} else if err != nil {
		return Missing, err
	}
	if end := time.Unix(int64(lease.Val()), 0); end.Add(leaseGrace).Before(i.now()) {
		return Lost, nil
	}
	return Active, nil
}

// Depth is how many tasks of a queue are in each state.
type Depth struct {
	Pending, Active, Scheduled, Retry, Archived, Completed int64
}

// Load is how many tasks a queue has, and how long the next one has been pending, 0 when none is.
type Load struct {
	Depth
	Oldest time.Duration
}

// Depth counts the tasks of one queue; a queue that was never used has none.
func (i *Inspector) Depth(ctx context.Context, queue string) (Depth, error) {
	loads, err := i.Loads(ctx, []string{queue})
	return loads[queue].Depth, err
}

// Loads looks at queues in two exchanges with Redis, however many they are and whatever is in them. A queue
// that was never used has no tasks.
func (i *Inspector) Loads(ctx context.Context, queues []string) (map[string]Load, error) {
	type counts struct {
		states map[string]*redis.IntCmd
		next   *redis.StringCmd
	}
	asked := make([]counts, len(queues))
	_, err := i.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for n, queue := range queues {
			c := counts{states: map[string]*redis.IntCmd{}}
			for _, state := range []string{"pending", "active"} {
				c.states[state] = pipe.LLen(ctx, queueKey(queue, state))
			}
			for _, state := range []string{"scheduled", "retry", "archived", "completed"} {
				c.states[state] = pipe.ZCard(ctx, queueKey(queue, state))
			}
			c.next = pipe.LIndex(ctx, queueKey(queue, "pending"), -1) // servers pop the right end
			asked[n] = c
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("count the tasks of the queues: %w", err)
	}
	next := make([]string, len(queues)) // the next task of each queue
	for n := range queues {
		next[n] = asked[n].next.Val()
	}
	waits, err := i.waiting(ctx, queues, next)
	if err != nil {
		return nil, err
	}
	loads := make(map[string]Load, len(queues))
	for n, queue := range queues {
		count := func(state string) int64 { return asked[n].states[state].Val() }
		loads[queue] = Load{Oldest: waits[n], Depth: Depth{
			Pending: count("pending"), Active: count("active"), Scheduled: count("scheduled"),
			Retry: count("retry"), Archived: count("archived"), Completed: count("completed"),
		}}
	}
	return loads, nil
}

// waiting returns how long a task of each queue has been pending, 0 for an empty id and for one that was taken
// meanwhile.
func (i *Inspector) waiting(ctx context.Context, queues, ids []string) ([]time.Duration, error) {
	waits, since := make([]time.Duration, len(queues)), make([]*redis.StringCmd, len(queues))
	_, err := i.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error { // an empty one asks nothing
		for n, queue := range queues {
			if ids[n] != "" {
				since[n] = pipe.HGet(ctx, queueKey(queue, "t:"+ids[n]), "pending_since")
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look at the oldest tasks of the queues: %w", err)
	}
	for n, queue := range queues {
		if since[n] == nil || since[n].Val() == "" {
			continue
		}
		nanos, err := since[n].Int64()
		if err != nil {
			return nil, fmt.Errorf("oldest task of queue %s waits since %q, which is no number", queue, since[n].Val())
		}
		waits[n] = max(0, i.now().Sub(time.Unix(0, nanos)))
	}
	return waits, nil
}

// Relist puts queues into asynq's list of queues and returns how many were not on it. A client
// writes that list once per queue only, so after FLUSHALL dashboards and asynq's own inspector
// would not find the queues until a process starts anew.
func (i *Inspector) Relist(ctx context.Context, queues []string) (int, error) {
	names := make([]any, len(queues))
	for n, queue := range queues {
		names[n] = queue
	}
	added, err := i.redis.SAdd(ctx, queuesKey, names...).Result()
	if err != nil {
		return 0, fmt.Errorf("list the queues: %w", err)
	}
	return int(added), nil
}
