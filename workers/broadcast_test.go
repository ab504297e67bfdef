package workers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

var _ broadcast.Limiter = (*queue.Limiter)(nil)

var chunkRow = tasks.Row{ID: "brd_1-000001", Epoch: 3}

// oneChunk is a store with one chunk, its limiter and its Kakao.
type oneChunk struct {
	state    broadcast.ChunkState
	requests int // at Kakao
	settled  int
	sendErr  error
	limit    error // of Acquire
}

func (c *oneChunk) is(state broadcast.ChunkState, id broadcast.ChunkID, epoch int) bool {
	return c.state == state && string(id) == chunkRow.ID && epoch == chunkRow.Epoch
}

func (c *oneChunk) ChunkWork(_ context.Context, id broadcast.ChunkID, epoch int) (broadcast.Work, bool, error) {
	return broadcast.Work{Chunk: broadcast.Chunk{ID: id, BotID: "bot", People: 2}, RestKey: "rest-key"}, c.is(broadcast.Queued, id, epoch), nil
}

func (c *oneChunk) ClaimChunk(_ context.Context, id broadcast.ChunkID, epoch int, _, _ time.Time) (bool, error) {
	if !c.is(broadcast.Queued, id, epoch) {
		return false, nil
	}
	c.state = broadcast.Sending
	return true, nil
}

func (c *oneChunk) ClaimSome(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) ([]broadcast.Recipient, bool, error) {
	ok, err := c.ClaimChunk(ctx, id, epoch, now, lease)
	return nil, ok, err
}

func (c *oneChunk) GiveBack(_ context.Context, id broadcast.ChunkID, epoch int, _ broadcast.Wait, _ time.Duration, _ time.Time) (bool, error) {
	if !c.is(broadcast.Queued, id, epoch) {
		return false, nil
	}
	c.state = broadcast.Planned
	return true, nil
}

func (c *oneChunk) RecordSend(_ context.Context, id broadcast.ChunkID, epoch int, v broadcast.Verdict, _ time.Time) (bool, error) {
	if !c.is(broadcast.Sending, id, epoch) {
		return false, nil
	}
	c.state = broadcast.InDoubt
	if v.Outcome == broadcast.Accepted {
		c.state = broadcast.Sent
	}
	return true, nil
}

func (c *oneChunk) Send(context.Context, kakao.SendRequest) (kakao.SendReceipt, error) {
	c.requests++
	return kakao.SendReceipt{TaskID: "task"}, c.sendErr
}

func (c *oneChunk) Acquire(context.Context, string, int, int, int) (func(bool, error), error) {
	return func(bool, error) {}, c.limit
}

func (c *oneChunk) SentChunk(_ context.Context, id broadcast.ChunkID, epoch int) (broadcast.Looked, bool, error) {
	return broadcast.Looked{Chunk: broadcast.Chunk{ID: id, Epoch: epoch, People: 2}}, c.is(broadcast.Sent, id, epoch), nil
}

func (c *oneChunk) SettleChunk(_ context.Context, chunk broadcast.Chunk, _ broadcast.Settlement, _ time.Time) (bool, error) {
	if !c.is(broadcast.Sent, chunk.ID, chunk.Epoch) {
		return false, nil
	}
	c.state = broadcast.Settled
	c.settled++
	return true, nil
}

func (c *oneChunk) PostponeResult(context.Context, broadcast.ChunkID, int, broadcast.Postponement) error {
	return nil
}

func (c *oneChunk) Result(context.Context, string, string) (kakao.SendResult, error) {
	return kakao.SendResult{AllRequestCount: 2, SuccessCount: 2}, nil
}

func (c *oneChunk) ChunkSent(string, int) {}
func (c *oneChunk) Messages(string, int)  {}
func (c *oneChunk) sender() asynq.Handler {
	return workers.SendChunk(broadcast.NewSender(c, c, c, c, time.Minute, time.Now))
}
func (c *oneChunk) results() asynq.Handler {
	return workers.FetchResult(broadcast.NewResults(c, c, c, time.Now))
}

func TestSendChunk_runsTwice(t *testing.T) {
	tests := map[string]struct {
		sendErr, limit error
		requests       int
		want           broadcast.ChunkState
	}{
		"accepted":   {nil, nil, 1, broadcast.Sent},
		"in doubt":   {fault.New(fault.InDoubt, "no answer"), nil, 1, broadcast.InDoubt},
		"given back": {nil, fault.New(fault.Throttled, "later"), 0, broadcast.Planned},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &oneChunk{state: broadcast.Queued, sendErr: tt.sendErr, limit: tt.limit}
			for n := range 2 {
				if err := c.sender().ProcessTask(t.Context(), tasks.NewSendChunk(chunkRow)); err != nil {
					t.Errorf("run %d error = %v", n+1, err)
				}
			}
			if c.requests != tt.requests || c.state != tt.want {
				t.Errorf("two runs made %d requests and left the chunk %s, want %d and %s", c.requests, c.state, tt.requests, tt.want)
			}
		})
	}
}

func TestSendChunk_ofAnotherEpoch(t *testing.T) {
	c := &oneChunk{state: broadcast.Queued}
	old := chunkRow
	old.Epoch--
	if err := c.sender().ProcessTask(t.Context(), tasks.NewSendChunk(old)); err != nil || c.requests != 0 {
		t.Errorf("the task of an older epoch = %v with %d requests, want nil and none", err, c.requests)
	}
}

func TestFetchResult_runsTwice(t *testing.T) {
	c := &oneChunk{state: broadcast.Sent}
	for n := range 2 {
		if err := c.results().ProcessTask(t.Context(), tasks.NewFetchResult(chunkRow)); err != nil {
			t.Errorf("run %d error = %v", n+1, err)
		}
	}
	if c.settled != 1 {
		t.Errorf("two runs settled %d times, want once", c.settled)
	}
}

type failing struct{ err error }

func (f failing) SendChunk(_, _ context.Context, _ broadcast.ChunkID, _ int) error { return f.err }
func (f failing) FetchResult(context.Context, broadcast.ChunkID, int) error        { return f.err }

func TestBroadcastTasks_verdicts(t *testing.T) {
	tests := map[string]struct {
		err      error
		archived bool
	}{
		"throttled comes back":      {fault.New(fault.Throttled, "later"), false},
		"a broken store comes back": {errors.New("database is away"), false},
		"a bot that is gone is not": {fault.New(fault.NotFound, "no bot"), true},
	}
	for name, tt := range tests {
		for taskType, run := range map[string]func() error{
			tasks.TypeSendChunk: func() error {
				return workers.SendChunk(failing{tt.err}).ProcessTask(t.Context(), tasks.NewSendChunk(chunkRow))
			},
			tasks.TypeFetchResult: func() error {
				return workers.FetchResult(failing{tt.err}).ProcessTask(t.Context(), tasks.NewFetchResult(chunkRow))
			},
		} {
			err := run()
			if !errors.Is(err, tt.err) || errors.Is(err, asynq.SkipRetry) != tt.archived {
				t.Errorf("%s: %s error = %v, want archived %v", name, taskType, err, tt.archived)
			}
		}
	}
}
