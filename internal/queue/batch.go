package queue

import (
	"context"
	"net"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	batchesAtOnce = 2   // commands or batches on their way
	batchMost     = 256 // commands in one
)

// batches sends scripts together that come while others are on their way: many who enqueue at once
// then cost few trips to Redis, and one who enqueues alone waits for nobody. It is a hook of a client.
type batches struct {
	client redis.UniversalClient

	mu      sync.Mutex
	busy    int
	waiting []*batched
}

// batched is one command of a batch. It is a copy: who asked may stop waiting for it.
type batched struct {
	cmd     *redis.Cmd
	done    chan struct{}
	givenUp bool // nobody waits for it; it need not be sent
}

// batchScripts makes a client send scripts together.
func batchScripts(client redis.UniversalClient) {
	client.AddHook(&batches{client: client})
}

// DialHook leaves connecting as it is.
func (b *batches) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessPipelineHook leaves pipelines as they are.
func (b *batches) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}

// ProcessHook puts a script into the next batch while others are on their way.
func (b *batches) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		script, ok := cmd.(*redis.Cmd)
		if !ok || cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		b.mu.Lock()
		if b.busy < batchesAtOnce {
			b.busy++
			b.mu.Unlock()
			defer b.goOn()
			return next(ctx, cmd)
		}
		mine := &batched{cmd: redis.NewCmd(ctx, script.Args()...), done: make(chan struct{})}
		b.waiting = append(b.waiting, mine)
		b.mu.Unlock()
		select {
		case <-mine.done:
			value, err := mine.cmd.Result()
			script.SetVal(value)
			return err
		case <-ctx.Done():
			b.mu.Lock()
			mine.givenUp = true // it may be on its way all the same
			b.mu.Unlock()
			return ctx.Err()
		}
	}
}

// goOn sends what has come meanwhile, or makes room for the next.
func (b *batches) goOn() {
	if batch := b.next(); batch != nil {
		go func() {
			for ; batch != nil; batch = b.next() {
				b.send(batch)
			}
		}()
	}
}

// next returns what waits, or gives up the place of what was on its way.
func (b *batches) next() (batch []*batched) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(one *batched) bool { return one.givenUp })
	if len(b.waiting) == 0 {
		b.busy--
		return nil
	}
	batch = b.waiting[:min(batchMost, len(b.waiting))]
	b.waiting = b.waiting[len(batch):]
	return batch
}

func (b *batches) send(batch []*batched) {
	ctx, cancel := context.WithTimeout(context.Background(), enqueueTimeout)
	defer cancel()
	// Every command holds its own end, and that of all when the connection broke.
	_, _ = b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, one := range batch {
			if err := p.Process(ctx, one.cmd); err != nil {
				return err
			}
		}
		return nil
	})
	for _, one := range batch {
		close(one.done)
	}
}
