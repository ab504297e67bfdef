package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// What tidy wrote down about a task stays, under one id: also of one that was archived by hand, and where the clock
// of a demonstration is months ahead.
func TestTidy_keepsWhatDied(t *testing.T) {
	keys, err := seal.New(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)), rand.Reader)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	db, err := store.Open(t.Context(), store.Config{Address: "sqlite:" + filepath.Join(t.TempDir(), "malgil.db"), Keys: keys})
	must(err)
	t.Cleanup(func() { must(db.Close()) })
	_, err = db.Migrate(t.Context())
	must(err)
	address, err := queue.ParseAddress(testserver.Redis(t).URL())
	must(err)
	client, inspector, conn := queue.NewClient(address.EnqueueClient()), queue.NewInspector(address.InspectClient()), address.ServerClient()
	t.Cleanup(func() {
		must(client.Close())
		must(inspector.Close())
		must(conn.Close())
	})
	ahead := clock.StartingAt(time.Now().AddDate(0, 4, 0))
	p := &parts{
		store: db, inspector: inspector, clock: ahead, ids: id.New(ahead.Now, rand.Reader),
		metrics: metrics.New(prometheus.NewRegistry()), log: slog.New(slog.DiscardHandler),
	}
	row := tasks.Row{ID: "mail_1", Epoch: 1}
	must(client.Enqueue(t.Context(), tasks.NewSendMail(row)))
	must(asynq.NewInspectorFromRedisClient(conn).ArchiveTask(tasks.QueueMail, tasks.RowTaskID(tasks.KindMail, row)))
	var kept [3][]backlog.Dead
	for n := range kept {
		must(p.tidy(t.Context()))
		kept[n], err = db.DeadTasks(t.Context(), backlog.Filter{}, "", 10)
		must(err)
		if len(kept[n]) != 1 || kept[n][0].ID != kept[0][0].ID || kept[n][0].DiedAt != kept[0][0].DiedAt {
			t.Fatalf("after run %d %+v is kept, after the first %+v; want one task, the same", n+1, kept[n], kept[0])
		}
	}
	if last := kept[len(kept)-1][0]; last.State != "discarded" || last.DecidedBy != "its row" {
		t.Errorf("it is %s by %q in the end, want discarded, for no mail waits for it", last.State, last.DecidedBy)
	}
	if died := time.Since(kept[0][0].DiedAt); died < -time.Minute || died > time.Minute {
		t.Errorf("it died %v ago, want just now", died)
	}
}
