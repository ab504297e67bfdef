package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// autopsies waits until a queue has archived tasks and returns what their archive tells, by row.
func autopsies(t *testing.T, inspector *queue.Inspector, name string, want int) map[string]backlog.Dead {
	t.Helper()
	var ids []string
	eventually(t, fmt.Sprintf("%d archived tasks", want), func() bool {
		var err error
		if ids, err = inspector.Archived(t.Context(), name, 0); err != nil {
			t.Fatal(err)
		}
		return len(ids) == want
	})
	dead, err := inspector.Autopsy(t.Context(), name, append(ids, "not:there:1"))
	if err != nil || len(dead) != want {
		t.Fatalf("Autopsy = %+v, %v, want %d", dead, err, want)
	}
	byRow := map[string]backlog.Dead{}
	for _, d := range dead {
		if since := time.Since(d.DiedAt); since < -time.Minute || since > time.Minute || d.Queue != name {
			t.Errorf("%s of queue %s died %v ago, want just now", d.TaskID, d.Queue, since)
		}
		byRow[d.RowID] = d
	}
	return byRow
}

// An archive tells what died and, where asynq says it, why.
func TestInspector_Autopsy(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mux := asynq.NewServeMux()
		mux.HandleFunc(tasks.TypeSendChunk, func(ctx context.Context, task *asynq.Task) error {
			var row tasks.Row
			if err := json.Unmarshal(task.Payload(), &row); err != nil {
				return err
			}
			switch row.ID {
			case "late":
				return fmt.Errorf("wait for Kakao: %w: %w", context.DeadlineExceeded, asynq.SkipRetry)
			default:
				return fmt.Errorf("two\nlines: %w", asynq.SkipRetry)
			}
		})
		startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: mux}})
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("late", 1)))
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("wrong", 7)))
		mustEnqueue(t, client, asynq.NewTask("broadcast:of_tomorrow", []byte(`{"id":"new","epoch":2}`),
			asynq.TaskID("new:1"), asynq.Queue(tasks.QueueBroadcast), asynq.MaxRetry(0), asynq.Timeout(time.Minute)))
		byRow := autopsies(t, inspector, tasks.QueueBroadcast, 3)
		for row, want := range map[string]backlog.Cause{"late": backlog.Timeout, "wrong": backlog.Unrecorded, "new": backlog.UnknownType} {
			if got := byRow[row]; got.Cause != want || got.Error == "" || strings.Contains(got.Error, "\n") {
				t.Errorf("%s died of %s, %q, want %s and an error of one line", row, got.Cause, got.Error, want)
			}
		}
		if got := byRow["wrong"]; got.TaskID != chunkTask("wrong", 7) || got.Epoch != 7 || got.Type != tasks.TypeSendChunk || got.Retried != 0 {
			t.Errorf("Autopsy = %+v, want the task of epoch 7", got)
		}
	})
}

// A task that somebody archived by hand never failed; it died when he did that.
func TestInspector_Autopsy_byHand(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("held", 3)))
		if err := asynq.NewInspectorFromRedisClient(rawRedis(t, address)).ArchiveTask(tasks.QueueBroadcast, chunkTask("held", 3)); err != nil {
			t.Fatal(err)
		}
		if got := autopsies(t, inspector, tasks.QueueBroadcast, 1)["held"]; got.TaskID != chunkTask("held", 3) || got.Cause != backlog.Unrecorded {
			t.Errorf("Autopsy = %+v, want the task that was archived", got)
		}
	})
}

// What somebody said is told neither by its payload nor by its error. Its worker is dead here: the lease is
// over, and the next server to start gives it up without asking any handler.
func TestInspector_Autopsy_ofADeadWorker(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		const said = "비밀번호는 1234"
		mustEnqueue(t, client, tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: "utt_1", Request: json.RawMessage(`{"utterance":"` + said + `"}`)}, tasks.QueueReply))
		// As a worker takes it, and never comes back.
		id, err := raw.RPopLPush(t.Context(), "asynq:{reply}:pending", "asynq:{reply}:active").Result()
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(
			raw.HSet(t.Context(), "asynq:{reply}:t:"+id, "state", "active").Err(),
			raw.ZAdd(t.Context(), "asynq:{reply}:lease", redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: id}).Err())
		if err != nil {
			t.Fatal(err)
		}
		pools := []queue.Pool{{Queue: tasks.QueueReply, Servers: 1, Concurrency: 1, CheckInterval: 5 * time.Millisecond}}
		startPools(t, address, pools, queue.PoolOptions{Handlers: map[string]asynq.Handler{tasks.QueueReply: asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			t.Error("it ran, want it given up")
			return nil
		})}})
		got := autopsies(t, inspector, tasks.QueueReply, 1)[""]
		if got.Cause != backlog.LeaseOver || got.Type != tasks.TypeAnswerUtterance || got.Error != "" || got.TaskID != id {
			t.Errorf("Autopsy = %+v, want the utterance whose worker died, without a word of it", got)
		}
		if text := fmt.Sprint(got); strings.Contains(text, "1234") {
			t.Errorf("Autopsy tells %s", text)
		}
	})
}

// An archive of more than one page is listed whole, and what is buried is gone from it.
func TestInspector_Bury(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		inspector, raw := newInspector(t, address), rawRedis(t, address)
		all := numbered("c", 1200)
		archive(t, raw, tasks.QueueBroadcast, all, time.Now())
		var listed []string
		for {
			page, err := inspector.Archived(t.Context(), tasks.QueueBroadcast, len(listed))
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, page...)
			if len(page) < queue.ArchivePage {
				break
			}
		}
		slices.Sort(listed)
		slices.Sort(all)
		if !slices.Equal(listed, all) {
			t.Errorf("%d listed in pages, want the %d that are archived", len(listed), len(all))
		}
		for _, want := range []int{1199, 0} {
			if n, err := inspector.Bury(t.Context(), tasks.QueueBroadcast, all[1:]); n != want || err != nil {
				t.Errorf("Bury = %d, %v, want %d", n, err, want)
			}
		}
		if got := fates(t, inspector, all[0], all[1]); !slices.Equal(got, []queue.Fate{queue.Archived, queue.Missing}) {
			t.Errorf("fates afterwards = %v, want archived, missing", got)
		}
	})
}

// A paused queue keeps its tasks, and what runs goes on; FLUSHALL lifts a pause.
func TestInspector_SetPaused(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector, raw := newClient(t, address), newInspector(t, address), rawRedis(t, address)
		wantPaused := func(want bool) {
			t.Helper()
			got, err := inspector.Paused(t.Context(), tasks.Queues)
			if err != nil || len(got) != len(tasks.Queues) || got[tasks.QueueBroadcast] != want || got[tasks.QueueMail] {
				t.Errorf("Paused = %v, %v, want broadcast: %v and no other", got, err, want)
			}
		}
		set := func(paused bool) {
			t.Helper()
			for range 2 {
				if err := inspector.SetPaused(t.Context(), tasks.QueueBroadcast, paused); err != nil {
					t.Fatal(err)
				}
			}
			wantPaused(paused)
		}
		wantPaused(false)
		set(true)
		g := newGate(true)
		startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: g}})
		for n := range 8 {
			mustEnqueue(t, client, tasks.NewSendChunk(chunk(fmt.Sprint("c", n), 1)))
		}
		official := asynq.NewInspectorFromRedisClient(raw)
		if info, err := official.GetQueueInfo(tasks.QueueBroadcast); err != nil || !info.Paused || info.Pending != 8 {
			t.Errorf("asynq's inspector sees %+v, %v, want the queue paused", info, err)
		}
		set(false)
		for range 4 {
			within(t, "a task after the pause", g.entered)
		}
		set(true)
		close(g.release)
		eventually(t, "what ran has ended, the rest waits", func() bool {
			d := depth(t, inspector, tasks.QueueBroadcast)
			return d.Active == 0 && d.Pending > 0
		})
		if err := raw.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		wantPaused(false)
	})
}
