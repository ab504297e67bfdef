package queue

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
)

// Pool says how one process serves one queue. Each pool has slots of its own: weights between
// queues that share slots do not keep slow tasks from filling all of them.
type Pool struct {
	Queue         string        // one of [tasks.Queues]
	Servers       int           // 1–4; one asynq server takes about 5,000 tasks a second off a queue, four about 13,500
	Concurrency   int           // tasks at once, over all servers of the pool
	CheckInterval time.Duration // how long an idle server sleeps, so about the wait of a task that finds it idle
	Bell          bool          // an idle server is told of a task at once; it looks at the interval only where Redis does not let it wait
	Drain         time.Duration // how long running tasks may go on when the process stops; 0 cuts them at their next step
}

const maxServers = 4

// defaultPools are one for each of [tasks.Queues]. People wait for reply, Kakao waits for echo: their servers wait for
// tasks at Redis. A server that has to look every 3 ms costs about a tenth of a core when idle, its Redis included.
var defaultPools = []Pool{
	{Queue: tasks.QueueReply, Servers: 1, Concurrency: 256, CheckInterval: 3 * time.Millisecond, Bell: true, Drain: 55 * time.Second}, // a promised callback
	{Queue: tasks.QueueEcho, Servers: 1, Concurrency: 256, CheckInterval: 5 * time.Millisecond, Bell: true, Drain: 55 * time.Second},
	{Queue: tasks.QueueBroadcast, Servers: 1, Concurrency: 64, CheckInterval: 50 * time.Millisecond, Drain: 20 * time.Second}, // a request gives up after 15 s
	{Queue: tasks.QueueResult, Servers: 1, Concurrency: 32, CheckInterval: 200 * time.Millisecond, Drain: 20 * time.Second},
	{Queue: tasks.QueueBilling, Servers: 1, Concurrency: 4, CheckInterval: 200 * time.Millisecond, Drain: 20 * time.Second},
	{Queue: tasks.QueueMail, Servers: 1, Concurrency: 8, CheckInterval: 500 * time.Millisecond}, // at least once anyway
	// Slots enough that receivers of some bots who do not answer, with 8 tries a bot, leave room for others; they mostly
	// wait. The next of a line is enqueued when one ends, so it should not wait for long.
	{Queue: tasks.QueueWebhook, Servers: 1, Concurrency: 64, CheckInterval: 50 * time.Millisecond},
}

// SelectPools returns the default pools of the named queues, in the order of the names. No names
// give no pools. An unknown or repeated name is Invalid.
func SelectPools(names []string) ([]Pool, error) {
	var pools []Pool
	for _, name := range names {
		pool, ok := poolOf(defaultPools, name)
		if !ok {
			return nil, fault.Field("pools", "there is no pool %q; there are %s", name, strings.Join(tasks.Queues, ", "))
		}
		if _, twice := poolOf(pools, name); twice {
			return nil, fault.Field("pools", "pool %q is named twice", name)
		}
		pools = append(pools, pool)
	}
	return pools, nil
}

func poolOf(pools []Pool, queue string) (Pool, bool) {
	for _, pool := range pools {
		if pool.Queue == queue {
			return pool, true
		}
	}
	return Pool{}, false
}

func (p Pool) validate() error {
	switch {
	case p.Queue == "":
		return fault.Field("pools", "a pool has no queue")
	case p.Servers < 1 || p.Servers > maxServers:
		return fault.Field("pools", "pool %s has %d servers; use 1 to %d", p.Queue, p.Servers, maxServers)
	case p.Concurrency < p.Servers:
		return fault.Field("pools", "pool %s runs %d tasks at once; use at least 1 per server", p.Queue, p.Concurrency)
	case p.CheckInterval < time.Millisecond:
		return fault.Field("pools", "pool %s checks every %v; use 1ms or more", p.Queue, p.CheckInterval)
	case p.Drain < 0:
		return fault.Field("pools", "pool %s drains for %v; use 0 or more", p.Queue, p.Drain)
	}
	return nil
}
