package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
)

const (
	enqueueTimeout = 300 * time.Millisecond // somebody waits; the sweep does not mind
	enqueueWorkers = 16                     // parallel enqueues of EnqueueAll, fewer than a pool's connections
)

// Client puts tasks into queues. It is safe for concurrent use.
type Client struct {
	redis redis.UniversalClient
	asynq *asynq.Client
}

// NewClient returns a client over a connection of [Address.EnqueueClient], which it owns: nobody else
// may use it.
func NewClient(conn redis.UniversalClient) *Client {
	batchScripts(conn)
	return &Client{redis: conn, asynq: asynq.NewClientFromRedisClient(conn)}
}

// Enqueue puts a task into the queue that its constructor named, within 300 ms.
//
// Nil means that the task is probably there: a task ID that is taken already counts as success,
// because the answer to a first enqueue can be lost on the way. An error is of kind InDoubt: the
// task may be there all the same. Callers commit their row first, log the error and go on; the
// sweep finds a row without a task.
func (c *Client) Enqueue(ctx context.Context, task *asynq.Task) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	if headers := task.Headers(); headers != nil { // measured in real time, whatever clock the rules are given
		headers[tasks.EnqueuedHeader] = strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	_, err := c.asynq.EnqueueContext(ctx, task)
	if err == nil || errors.Is(err, asynq.ErrTaskIDConflict) || errors.Is(err, asynq.ErrDuplicateTask) {
		return nil
	}
	return fault.Wrap(fault.InDoubt, err, "enqueue %s", task.Type())
}

// EnqueueAll enqueues many tasks, some at a time and in no order, and returns how many it
// enqueued. After a handful of failures it leaves the rest, so that an outage of Redis costs about
// as long as one failure does. The error holds the first failure and is of kind InDoubt.
func (c *Client) EnqueueAll(ctx context.Context, tasks []*asynq.Task) (enqueued int, err error) {
	var (
		next, done, failed atomic.Int64
		once               sync.Once
		first              error // the failures of one call are mostly of one outage
		workers            sync.WaitGroup
	)
	for range min(enqueueWorkers, len(tasks)) {
		workers.Go(func() {
			for failed.Load() < enqueueWorkers && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(tasks) {
					return
				}
				if err := c.Enqueue(ctx, tasks[i]); err != nil {
					failed.Add(1)
					once.Do(func() { first = err })
					continue
				}
				done.Add(1)
			}
		})
	}
	workers.Wait()
	enqueued = int(done.Load())
	if enqueued == len(tasks) {
		return enqueued, nil
	}
	if first == nil {
		first = ctx.Err() // cut short by the caller
	}
	return enqueued, fault.Wrap(fault.InDoubt, first, "enqueue %d of %d tasks", len(tasks)-enqueued, len(tasks))
}

// Close closes the connection.
func (c *Client) Close() error {
	if err := c.redis.Close(); err != nil {
		return fmt.Errorf("close the enqueueing client: %w", err)
	}
	return nil
}
