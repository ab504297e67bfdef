package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	bellWait  = time.Second // one wait; then the queue is looked at all the same, and waited for again
	bellGrace = time.Second // for the answer to a wait that is over
	bellRest  = time.Second // without waits after one that failed: servers look as often as their pool says
)

// bells have servers of asynq wait at Redis for the next task while their queue is empty, instead of
// sleeping between looks at it: a task that comes meanwhile is taken at once. It is a hook of their client.
type bells struct {
	client redis.UniversalClient // of the servers
	waits  redis.UniversalClient // of its own: what waits holds a connection
	pools  map[string]*bell      // by the key of what is pending
}

// bell is that of one pool.
type bell struct {
	stop  context.Context // of its pool
	quiet atomic.Bool     // nothing was pending after the last task that was taken
	rest  atomic.Int64    // Unix ns until which nobody waits
}

// ringBells has the servers of pools with a bell wait for it. It returns what ends their waits when it is closed, nil
// where nobody waits.
func ringBells(address Address, client redis.UniversalClient, pools []*pool) redis.UniversalClient {
	byKey := map[string]*bell{}
	servers := 0
	for _, p := range pools {
		if p.Bell {
			byKey[queueKey(p.Queue, "pending")] = &bell{stop: p.stop}
			servers += p.Servers
		}
	}
	if servers == 0 {
		return nil
	}
	waits := address.waitClient(servers)
	client.AddHook(&bells{client: client, waits: waits, pools: byKey})
	return waits
}

// DialHook leaves connecting as it is.
func (b *bells) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook leaves pipelines as they are.
func (b *bells) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook answers asynq's look at an empty queue when there is something.
func (b *bells) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		pending, looks := b.looks(cmd)
		if !looks {
			return next(ctx, cmd)
		}
		return b.take(ctx, b.pools[pending], pending, cmd)
	}
}

// looks reports whether a command is asynq's script that takes a task off a queue with a bell.
func (b *bells) looks(cmd redis.Cmder) (pending string, looks bool) {
	const pendingAt, pausedAt = 3, 4 // evalsha, script, number of keys, keys
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return "", false
	}
	args := cmd.Args()
	if len(args) <= pausedAt {
		return "", false
	}
	pending, _ = args[pendingAt].(string)
	if b.pools[pending] == nil {
		return "", false
	}
	paused := pending[:len(pending)-len("pending")] + "paused"
	return pending, args[pausedAt] == paused
}

// take takes a task, and waits for one while there is none. It ends with nothing when the pool stops, and
// where asynq is to look for itself.
func (b *bells) take(ctx context.Context, own *bell, pending string, cmd redis.Cmder) error {
	if own.quiet.Load() {
		b.wait(ctx, own, pending)
	}
	came := false // while it was looked at, or the queue is paused
	for {
		left, err := b.look(ctx, own, pending, cmd)
		switch {
		case !errors.Is(err, redis.Nil):
			own.quiet.Store(err == nil && left == 0)
			return err
		case left > 0 && !came:
			came = true
		case left > 0, !b.wait(ctx, own, pending):
			own.quiet.Store(false)
			return err
		default:
			came = false
		}
	}
}

// look takes a task and tells how many are left. Where Redis does not tell, nobody waits for a while: a queue that
// is paused would look like an empty one, whose next task is there at once.
func (b *bells) look(ctx context.Context, own *bell, pending string, cmd redis.Cmder) (left int64, err error) {
	length := redis.NewIntCmd(ctx, "llen", pending)
	_, _ = b.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each command holds its own end
		return errors.Join(p.Process(ctx, cmd), p.Process(ctx, length))
	})
	if length.Err() != nil {
		own.rest.Store(time.Now().Add(bellRest).UnixNano())
	}
	return length.Val(), cmd.Err()
}

// wait returns true when something is pending, or may be after a while; false when the pool stops or Redis
// does not let anyone wait.
func (b *bells) wait(ctx context.Context, own *bell, pending string) bool {
	if own.stop.Err() != nil || time.Now().UnixNano() < own.rest.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, bellWait+bellGrace)
	defer cancel()
	// The oldest task goes from where it is to where it is: whoever waits hears of it, and takes nothing.
	err := b.waits.BLMove(ctx, pending, pending, "RIGHT", "RIGHT", bellWait).Err()
	waited := err == nil || errors.Is(err, redis.Nil)
	if !waited {
		own.rest.Store(time.Now().Add(bellRest).UnixNano())
	}
	return waited && own.stop.Err() == nil
}
