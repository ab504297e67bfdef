package scheduler_test

import (
	"context"
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
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/tasks"
)

// raw is a plain connection to the Redis of a house.
func (h *house) raw() redis.UniversalClient {
	h.t.Helper()
	address, err := queue.ParseAddress(h.redis.URL())
	h.must(err)
	conn := address.ServerClient()
	h.t.Cleanup(func() { h.closed(conn.Close()) })
	return conn
}

// mirror mirrors the archive of a queue, with ids that count on.
func (h *house) mirror(name string, ids *int) int {
	h.t.Helper()
	n, err := scheduler.Mirror(h.t.Context(), h.store, h.inspector, name, func(prefix string) string {
		*ids++
		return fmt.Sprintf("%s_%06d", prefix, *ids)
	})
	h.must(err)
	return n
}

func (h *house) count(query string) (n int) {
	h.t.Helper()
	h.must(h.db.QueryRowContext(h.t.Context(), query).Scan(&n))
	return n
}

// More tasks die than an archive keeps: all of them are written down, page by page, each once.
func TestMirror_moreThanAnArchiveKeeps(t *testing.T) {
	h := newHouse(t)
	raw := h.raw()
	const all = 10_500
	made := make([]*asynq.Task, all)
	for n := range made {
		made[n] = tasks.NewSendMail(tasks.Row{ID: fmt.Sprint("m", n), Epoch: 1})
	}
	if n, err := h.client.EnqueueAll(t.Context(), made); n != all || err != nil {
		t.Fatalf("EnqueueAll = %d, %v", n, err)
	}
	ids, err := raw.LRange(t.Context(), "asynq:{mail}:pending", 0, -1).Result()
	h.must(err)
	for page := range slices.Chunk(ids, 1000) {
		_, err := raw.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for n, id := range page {
				pipe.HSet(t.Context(), "asynq:{mail}:t:"+id, "state", "archived")
				pipe.ZAdd(t.Context(), "asynq:{mail}:archived", redis.Z{Score: float64(time.Now().Unix() - int64(n)), Member: id})
			}
			return nil
		})
		h.must(err)
	}
	h.must(raw.Del(t.Context(), "asynq:{mail}:pending").Err())

	given := 0
	if n := h.mirror(tasks.QueueMail, &given); n != all {
		t.Errorf("Mirror = %d, want %d", n, all)
	}
	if n := h.mirror(tasks.QueueMail, &given); n != 0 || given != all {
		t.Errorf("a second Mirror = %d with %d ids given, want nothing looked at twice", n, given)
	}
	// asynq makes room for the next death.
	h.must(h.client.Enqueue(t.Context(), tasks.NewSendMail(tasks.Row{ID: "last", Epoch: 1})))
	h.must(h.archiver.ArchiveTask(tasks.QueueMail, tasks.RowTaskID(tasks.KindMail, tasks.Row{ID: "last", Epoch: 1})))
	d, err := h.inspector.Depth(t.Context(), tasks.QueueMail)
	if err != nil || d.Archived >= all {
		t.Errorf("Depth = %+v, %v, want an archive that forgot some", d, err)
	}
	if n := h.mirror(tasks.QueueMail, &given); n != 1 {
		t.Errorf("Mirror after one more death = %d, want 1", n)
	}
	if n := h.count(`SELECT COUNT(DISTINCT task_id) FROM dead_task WHERE queue = 'mail' AND type = 'mail:send' AND row_id <> '' AND state = 'dead'`); n != all+1 {
		t.Errorf("%d are written down, want %d", n, all+1)
	}
}

// A cut between pages loses nothing: the next run goes on.
func TestMirror_cutShort(t *testing.T) {
	h := newHouse(t)
	h.must(h.client.Enqueue(t.Context(), tasks.NewSendMail(tasks.Row{ID: "m", Epoch: 1})))
	h.must(h.archiver.ArchiveTask(tasks.QueueMail, tasks.RowTaskID(tasks.KindMail, tasks.Row{ID: "m", Epoch: 1})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := scheduler.Mirror(ctx, h.store, h.inspector, tasks.QueueMail, nil); err == nil || n != 0 {
		t.Errorf("Mirror in a context that ended = %d, %v, want an error", n, err)
	}
	given := 0
	if n := h.mirror(tasks.QueueMail, &given); n != 1 {
		t.Errorf("Mirror = %d, want 1", n)
	}
}

// A task that cannot be read is written down as such, and keeps no archive from being trimmed.
func TestMirrorAll_unreadable(t *testing.T) {
	h := newHouse(t)
	raw, old := h.raw(), time.Now().Add(-queue.ArchiveAge-time.Hour)
	archive := func(name, id string, at time.Time, fields ...any) {
		t.Helper()
		h.must(raw.HSet(t.Context(), "asynq:{"+name+"}:t:"+id, append([]any{"state", "archived"}, fields...)...).Err())
		h.must(raw.ZAdd(t.Context(), "asynq:{"+name+"}:archived", redis.Z{Score: float64(at.Unix()), Member: id}).Err())
	}
	h.must(h.client.Enqueue(t.Context(), tasks.NewSendMail(tasks.Row{ID: "m", Epoch: 1})))
	h.must(h.archiver.ArchiveTask(tasks.QueueMail, tasks.RowTaskID(tasks.KindMail, tasks.Row{ID: "m", Epoch: 1})))
	archive(tasks.QueueMail, "torn", time.Now().Add(-time.Hour), "msg", "x")
	archive(tasks.QueueMail, "a\x00b", time.Now().Add(-time.Hour)) // without a message
	archive(tasks.QueueMail, "old", old, "msg", "x")
	archive(tasks.QueueBilling, "old", old, "msg", "x")
	_, err := h.inspector.Relist(t.Context(), tasks.Queues)
	h.must(err)
	given := 0
	newID := func(prefix string) string { given++; return fmt.Sprintf("%s_%06d", prefix, given) }
	for range 2 {
		h.must(scheduler.MirrorAll(t.Context(), h.store, h.inspector, tasks.Queues, newID))
	}
	if n := h.count(`SELECT COUNT(*) FROM dead_task WHERE type = 'unreadable' AND cause = 'undecodable' AND row_id = ''`); n != 4 || given != 5 {
		t.Errorf("%d unreadable tasks are written down with %d ids given, want 4 and 5", n, given)
	}
	if n := h.count(`SELECT COUNT(*) FROM dead_task WHERE type = 'mail:send' AND row_id = 'm'`); n != 1 {
		t.Errorf("the mail beside them is written down %d times, want once", n)
	}
	for name, want := range map[string]int64{tasks.QueueMail: 3, tasks.QueueBilling: 0} {
		if d, err := h.inspector.Depth(t.Context(), name); err != nil || d.Archived != want {
			t.Errorf("%d left in the archive of %s, %v, want %d", d.Archived, name, err, want)
		}
	}
}

// forgetful keeps no tasks of one queue.
type forgetful struct {
	scheduler.DeadStore
	queue string
}

func (f forgetful) MirrorDead(ctx context.Context, dead []backlog.Dead) (int, error) {
	if len(dead) > 0 && dead[0].Queue == f.queue {
		return 0, errors.New("out of order")
	}
	return f.DeadStore.MirrorDead(ctx, dead)
}

// What cannot be written down stays in its archive; other archives are trimmed all the same.
func TestMirrorAll_oneQueueFails(t *testing.T) {
	h := newHouse(t)
	raw := h.raw()
	for _, name := range []string{tasks.QueueMail, tasks.QueueBilling} {
		h.must(raw.HSet(t.Context(), "asynq:{"+name+"}:t:old", "state", "archived", "msg", "x").Err())
		h.must(raw.ZAdd(t.Context(), "asynq:{"+name+"}:archived", redis.Z{Score: float64(time.Now().Add(-queue.ArchiveAge - time.Hour).Unix()), Member: "old"}).Err())
	}
	_, err := h.inspector.Relist(t.Context(), tasks.Queues)
	h.must(err)
	err = scheduler.MirrorAll(t.Context(), forgetful{h.store, tasks.QueueMail}, h.inspector, tasks.Queues, func(prefix string) string { return prefix + "_1" })
	if err == nil || !strings.Contains(err.Error(), "queue mail") {
		t.Errorf("MirrorAll error = %v, want one about queue mail", err)
	}
	for name, want := range map[string]int64{tasks.QueueMail: 1, tasks.QueueBilling: 0} {
		if d, err := h.inspector.Depth(t.Context(), name); err != nil || d.Archived != want {
			t.Errorf("%d left in the archive of %s, %v, want %d", d.Archived, name, err, want)
		}
	}
}
