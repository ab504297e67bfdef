package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

func fates(t *testing.T, inspector *queue.Inspector, ids ...string) []queue.Fate {
	t.Helper()
	got, err := inspector.Fates(t.Context(), tasks.QueueBroadcast, ids)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func depth(t *testing.T, inspector *queue.Inspector, name string) queue.Depth {
	t.Helper()
	got, err := inspector.Depth(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// outcome runs tasks whose row ID says what happens to them.
func outcome(g *gate) asynq.HandlerFunc {
	return func(ctx context.Context, task *asynq.Task) error {
		switch id, _ := asynq.GetTaskID(ctx); id {
		case chunkTask("dead", 1):
			return fmt.Errorf("never again: %w", asynq.SkipRetry)
		case chunkTask("again", 1):
			return errors.New("not now")
		case chunkTask("busy", 1), chunkTask("lost", 1), chunkTask("left", 1):
			return g.ProcessTask(ctx, task)
		}
		return nil
	}
}

func TestInspector_Fates(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		g := newGate(true)
		startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{
			Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: outcome(g)}})
		for _, id := range []string{"dead", "again", "busy", "lost", "left", "done"} {
			mustEnqueue(t, client, tasks.NewSendChunk(chunk(id, 1)))
		}
		for range 3 { // busy, lost and left
			within(t, "a task that runs", g.entered)
		}
		// Redis restored from an old dump knows the task but not its lease.
		if err := raw.ZRem(t.Context(), "asynq:{broadcast}:lease", chunkTask("lost", 1)).Err(); err != nil {
			t.Fatal(err)
		}
		// The server of another died, and its lease ran out a while ago.
		over := redis.Z{Member: chunkTask("left", 1), Score: float64(time.Now().Add(-10 * time.Second).Unix())}
		want := []queue.Fate{queue.Archived, queue.Waiting, queue.Active, queue.Lost, queue.Lost, queue.Missing, queue.Missing}
		var got []queue.Fate
		eventually(t, fmt.Sprintf("fates = %v", want), func() bool {
			if err := raw.ZAdd(t.Context(), "asynq:{broadcast}:lease", over).Err(); err != nil { // again: it lives here
				t.Fatal(err)
			}
			got = fates(t, inspector, chunkTask("dead", 1), chunkTask("again", 1), chunkTask("busy", 1),
				chunkTask("lost", 1), chunkTask("left", 1), chunkTask("done", 1), chunkTask("never", 1))
			return slices.Equal(got, want)
		})
		var dead []bool
		for _, fate := range got {
			dead = append(dead, fate.Dead())
		}
		if want := []bool{true, false, false, true, true, true, true}; !slices.Equal(dead, want) {
			t.Errorf("Dead() of %v = %v, want %v", got, dead, want)
		}
		close(g.release)
	})
}

func TestInspector_Fates_ofManyAndOfNone(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1234", 1)))
		ids := make([]string, 2000)
		for i := range ids {
			ids[i] = chunkTask(fmt.Sprintf("c%d", i), 1)
		}
		got := fates(t, inspector, ids...)
		if len(got) != len(ids) || got[1234] != queue.Waiting || got[1233] != queue.Missing {
			t.Errorf("Fates of 2,000 = %d fates, [1234] %v, [1233] %v, want 2000, waiting, missing", len(got), got[1234], got[1233])
		}
		if got := fates(t, inspector); len(got) != 0 {
			t.Errorf("Fates() = %v, want none", got)
		}
	})
}

func TestInspector_Fates_saysWhenRedisIsAway(t *testing.T) {
	s := testserver.Redis(t)
	inspector := newInspector(t, parse(t, s.URL()))
	s.Kill()
	if got, err := inspector.Fates(t.Context(), tasks.QueueBroadcast, []string{"chunk:c1:1"}); err == nil {
		t.Errorf("Fates without Redis = %v, want an error: a task that cannot be seen is not missing", got)
	}
}

func TestInspector_Depth(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		if got := depth(t, inspector, "never-used"); got != (queue.Depth{}) {
			t.Errorf("Depth of an unused queue = %+v, want zero", got)
		}
		g := newGate(true)
		startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{
			Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: outcome(g)}})
		for _, id := range []string{"dead", "again", "busy"} {
			mustEnqueue(t, client, tasks.NewSendChunk(chunk(id, 1)))
		}
		within(t, "a task that runs", g.entered)
		want := queue.Depth{Active: 1, Retry: 1, Archived: 1}
		eventually(t, fmt.Sprintf("Depth = %+v", want), func() bool { return depth(t, inspector, tasks.QueueBroadcast) == want })
		// FLUSHALL empties asynq's own list of queues for good; ours does not need it.
		if err := raw.Del(t.Context(), "asynq:queues").Err(); err != nil {
			t.Fatal(err)
		}
		if got := depth(t, inspector, tasks.QueueBroadcast); got != want {
			t.Errorf("Depth without asynq's list of queues = %+v, want %+v", got, want)
		}
		close(g.release)
	})
}

func TestInspector_Loads_oldest(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		wantAge := func(atLeast, below time.Duration) {
			t.Helper()
			got, err := inspector.Loads(t.Context(), tasks.Queues)
			if age := got[tasks.QueueBroadcast].Oldest; err != nil || age < atLeast || age >= below {
				t.Errorf("Loads has %v as the oldest, error %v, want in [%v, %v)", age, err, atLeast, below)
			}
			if rest := got[tasks.QueueMail]; err != nil || rest != (queue.Load{}) || len(got) != len(tasks.Queues) {
				t.Errorf("Loads has %+v for mails and %d queues, want nothing and %d", rest, len(got), len(tasks.Queues))
			}
		}
		wantAge(0, time.Nanosecond)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("old", 1)))
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("new", 1)))
		key := "asynq:{broadcast}:t:" + chunkTask("old", 1)
		if err := raw.HSet(t.Context(), key, "pending_since", time.Now().Add(-time.Hour).UnixNano()).Err(); err != nil {
			t.Fatal(err)
		}
		wantAge(time.Hour, time.Hour+time.Minute)
		if err := raw.HDel(t.Context(), key, "pending_since").Err(); err != nil { // as when a server takes it
			t.Fatal(err)
		}
		wantAge(0, time.Nanosecond)
	})
}

func TestInspector_Relist(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		if err := raw.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c2", 1)))
		official := asynq.NewInspectorFromRedisClient(raw)
		if _, err := official.GetQueueInfo(tasks.QueueBroadcast); err == nil {
			t.Fatal("asynq's inspector finds the queue after FLUSHALL: Relist is not needed any more")
		}
		for _, want := range []int{len(tasks.Queues), 0} {
			if got, err := inspector.Relist(t.Context(), tasks.Queues); got != want || err != nil {
				t.Errorf("Relist = %d, %v, want %d", got, err, want)
			}
		}
		if info, err := official.GetQueueInfo(tasks.QueueBroadcast); err != nil || info.Pending != 1 {
			t.Errorf("asynq's inspector after Relist = %+v, %v, want one pending task", info, err)
		}
	})
}

// archive puts tasks into a queue's archive as asynq keeps them.
func archive(t *testing.T, raw redis.UniversalClient, name string, ids []string, at time.Time) {
	t.Helper()
	_, err := raw.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for _, id := range ids {
			pipe.HSet(t.Context(), "asynq:{"+name+"}:t:"+id, "state", "archived", "msg", "x")
			pipe.ZAdd(t.Context(), "asynq:{"+name+"}:archived", redis.Z{Score: float64(at.Unix()), Member: id})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func numbered(kind string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s:%d:1", kind, i)
	}
	return ids
}

func TestInspector_TrimArchives(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		inspector, raw := newInspector(t, address), rawRedis(t, address)
		now := time.Now()
		old := numbered("old", 1100) // more than two pages
		archive(t, raw, tasks.QueueBroadcast, old, now.Add(-queue.ArchiveAge-time.Minute))
		archive(t, raw, tasks.QueueBroadcast, numbered("young", 3), now.Add(-queue.ArchiveAge+time.Minute))
		archive(t, raw, tasks.QueueMail, numbered("old", 2), now.Add(-90*24*time.Hour))
		for _, want := range []int{1102, 0} {
			if got, err := inspector.TrimArchives(t.Context(), tasks.Queues); got != want || err != nil {
				t.Errorf("TrimArchives = %d, %v, want %d", got, err, want)
			}
		}
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Archived != 3 {
			t.Errorf("archived afterwards = %d, want the 3 young ones", got.Archived)
		}
		if got := fates(t, inspector, "old:0:1", "old:1099:1", "young:0:1"); !slices.Equal(got, []queue.Fate{queue.Missing, queue.Missing, queue.Archived}) {
			t.Errorf("fates afterwards = %v, want missing, missing, archived", got)
		}
	})
}

// A task whose ID was archived once and lives again keeps its key.
func TestInspector_TrimArchives_leavesALivingTask(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		stale := redis.Z{Score: 1, Member: chunkTask("c1", 1)}
		if err := raw.ZAdd(t.Context(), "asynq:{broadcast}:archived", stale).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := inspector.TrimArchives(t.Context(), tasks.Queues); err != nil {
			t.Fatal(err)
		}
		if got := fates(t, inspector, chunkTask("c1", 1)); got[0] != queue.Waiting {
			t.Errorf("fate of a pending task after TrimArchives = %v, want waiting", got[0])
		}
	})
}

func TestInspector_TrimUtterances(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		inspector, raw := newInspector(t, address), rawRedis(t, address)
		now := time.Now()
		archive(t, raw, tasks.QueueReply, numbered("u", 2), now)
		archive(t, raw, tasks.QueueEcho, numbered("u", 1), now)
		archive(t, raw, tasks.QueueBroadcast, numbered("c", 1), now)
		if got, err := inspector.TrimUtterances(t.Context()); got != 3 || err != nil {
			t.Errorf("TrimUtterances = %d, %v, want 3", got, err)
		}
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Archived != 1 {
			t.Errorf("archived in broadcast afterwards = %d, want 1", got.Archived)
		}
	})
}
