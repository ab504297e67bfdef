package scheduler_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

func TestMain(m *testing.M) { testserver.Main(m) }

const (
	age  = time.Minute
	shop = broadcast.ID("brd_1")
)

// house is a store with a running broadcast of three chunks, a real Redis, and the two loops
// between them.
type house struct {
	t         *testing.T
	now       time.Time
	store     *store.Store
	db        *sql.DB
	redis     *testserver.RedisServer
	client    *queue.Client
	inspector *queue.Inspector
	archiver  *asynq.Inspector
	dispatch  func(context.Context) error
	sweep     func(context.Context) error
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), redis: testserver.Redis(t)}
	path := filepath.Join(t.TempDir(), "malgil.db")
	keys, err := seal.New(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)), rand.Reader)
	h.must(err)
	h.store, err = store.Open(t.Context(), store.Config{Address: "sqlite:" + path, Limits: wallet.Limits{AccrualCap: 10_000_000}, Settlement: wallet.Settlement{Threshold: 500_000}, Keys: keys})
	h.must(err)
	t.Cleanup(func() { h.closed(h.store.Close()) })
	_, err = h.store.Migrate(t.Context())
	h.must(err)
	h.must(h.store.FirstPrice(t.Context(), 15))
	h.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	h.must(err)
	t.Cleanup(func() { h.closed(h.db.Close()) })
	h.stock()

	address, err := queue.ParseAddress(h.redis.URL())
	h.must(err)
	h.client = queue.NewClient(address.EnqueueClient())
	t.Cleanup(func() { h.closed(h.client.Close()) })
	h.inspector = queue.NewInspector(address.InspectClient())
	t.Cleanup(func() { h.closed(h.inspector.Close()) })
	conn := address.ServerClient()
	t.Cleanup(func() { h.closed(conn.Close()) })
	h.archiver = asynq.NewInspectorFromRedisClient(conn)

	clock := func() time.Time { return h.now }
	h.dispatch = scheduler.Dispatch(broadcast.NewDispatcher(h.store, broadcast.DefaultPace, clock), h.client, nil)
	h.sweep = scheduler.NewSweep(h.store, h.client, h.inspector, age, clock).Run
	return h
}

// stock puts a wallet, a bot and a sealed broadcast in.
func (h *house) stock() {
	h.exec(`INSERT INTO wallet (id, name, kind, business_number, invoice_email, status, payment_state, unpaid_since,
		free_krw, paid_krw, accrual_krw, charging_krw, held_krw, daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw,
		next_charge_at, charge_epoch, charge_enqueued_at, created_at)
		VALUES ('wal_1', '한빛서점', 'personal', '', '', 'in_use', 'ACTIVE', 0, 0, 10000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`)
	h.exec(`INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight,
		paused_reason, paused_at, version, created_at) VALUES ('bot_1', '한빛서점 도우미', 'wal_1', 'x', 'x', 500, 8, '', 0, 1, 0)`)
	_, _, err := h.store.CreateBroadcast(h.t.Context(), broadcast.Broadcast{ID: shop, BotID: "bot_1", Side: broadcast.Live,
		Message: broadcast.Message{Event: "restock_alert"}, Price: 15, State: broadcast.Uploading, StartAt: h.now, CreatedAt: h.now}, nil, 0, broadcast.Request{})
	h.must(err)
	epoch, err := h.store.BeginUpload(h.t.Context(), shop)
	h.must(err)
	var chunks []broadcast.Packed
	for seq := 1; seq <= 3; seq++ {
		chunks = append(chunks, broadcast.Packed{Seq: seq, People: 1, Recipients: fmt.Sprintf(`[{"type":"botUserKey","id":"u%d"}]`, seq)})
	}
	h.must(h.store.StoreChunks(h.t.Context(), shop, epoch, chunks))
	h.must(h.store.EndUpload(h.t.Context(), shop, epoch, 3, broadcast.Report{Audience: 3}))
	_, err = h.store.Seal(h.t.Context(), shop, broadcast.Sealing{}, h.now)
	h.must(err)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) closed(err error) {
	if err != nil {
		h.t.Error(err)
	}
}

func (h *house) exec(statement string, args ...any) {
	h.t.Helper()
	_, err := h.db.ExecContext(h.t.Context(), statement, args...)
	h.must(err)
}

// chunk is what a sweep changes of a chunk.
type chunk struct {
	state broadcast.ChunkState
	epoch int
	dead  int
}

func (h *house) chunks() (all []chunk) {
	h.t.Helper()
	rows, err := h.db.QueryContext(h.t.Context(), `SELECT state, epoch, dead FROM chunk ORDER BY seq`)
	h.must(err)
	defer rows.Close()
	for rows.Next() {
		var c chunk
		h.must(rows.Scan(&c.state, &c.epoch, &c.dead))
		all = append(all, c)
	}
	h.must(rows.Err())
	return all
}

func (h *house) want(what string, want ...chunk) {
	h.t.Helper()
	if got := h.chunks(); !slices.Equal(got, want) {
		h.t.Errorf("%s: chunks = %+v, want %+v", what, got, want)
	}
}

func taskID(kind string, seq, epoch int) string {
	return tasks.RowTaskID(kind, tasks.Row{ID: string(broadcast.NewChunkID(shop, seq)), Epoch: epoch})
}

// wantTasks says which of the three chunks have a waiting task of a queue, by epoch; 0 for none.
func (h *house) wantTasks(what, queueName, kind string, epochs ...int) {
	h.t.Helper()
	for i, epoch := range epochs {
		fates, err := h.inspector.Fates(h.t.Context(), queueName, []string{taskID(kind, i+1, max(epoch, 1))})
		h.must(err)
		if got := fates[0] == queue.Waiting; got != (epoch > 0) {
			h.t.Errorf("%s: task of chunk %d, epoch %d = %v, want waiting %v", what, i+1, epoch, fates[0], epoch > 0)
		}
	}
}

var (
	queued  = chunk{broadcast.Queued, 1, 0}
	again   = chunk{broadcast.Queued, 2, 0}
	planned = chunk{broadcast.Planned, 0, 0}
)

func TestDispatch_enqueuesWhatItCommitted(t *testing.T) {
	h := newHouse(t)
	h.want("before", planned, planned, planned)
	h.must(h.dispatch(t.Context()))
	h.want("dispatched", queued, queued, queued)
	h.wantTasks("dispatched", tasks.QueueBroadcast, tasks.KindChunk, 1, 1, 1)
}

func TestSweep_emptiedRedis(t *testing.T) {
	h := newHouse(t)
	h.must(h.dispatch(t.Context()))
	h.redis.FlushAll()
	h.now = h.now.Add(age - time.Millisecond)
	h.must(h.sweep(t.Context()))
	h.want("too early to ask", queued, queued, queued)
	h.now = h.now.Add(time.Millisecond)
	h.must(h.sweep(t.Context()))
	h.want("after a minute", again, again, again)
	h.wantTasks("after a minute", tasks.QueueBroadcast, tasks.KindChunk, 2, 2, 2)
}

// A row whose enqueue failed has no task, and nobody knows; the sweep does.
func TestSweep_queueThatTookNothing(t *testing.T) {
	h := newHouse(t)
	h.redis.Kill()
	if err := h.dispatch(t.Context()); err == nil {
		t.Error("dispatch without Redis error = nil, want it told")
	}
	h.want("dispatched", queued, queued, queued)
	h.now = h.now.Add(age)
	if err := h.sweep(t.Context()); err == nil {
		t.Error("sweep without Redis error = nil, want it told")
	}
	h.want("swept without Redis: who knows nothing changes nothing", queued, queued, queued)
	h.redis.Restart()
	h.must(h.sweep(t.Context()))
	h.want("swept with Redis", again, again, again)
	h.wantTasks("swept with Redis", tasks.QueueBroadcast, tasks.KindChunk, 2, 2, 2)
}

// A long backlog waits; it is not multiplied.
func TestSweep_waitingIsLeftAlone(t *testing.T) {
	h := newHouse(t)
	h.must(h.dispatch(t.Context()))
	for range 3 {
		h.now = h.now.Add(age)
		h.must(h.sweep(t.Context()))
	}
	h.want("after three minutes", queued, queued, queued)
	depth, err := h.inspector.Depth(t.Context(), tasks.QueueBroadcast)
	if err != nil || depth.Pending != 3 {
		t.Errorf("Depth = %+v, %v, want 3 pending", depth, err)
	}
}

func TestSweep_archivedThreeTimesIsParked(t *testing.T) {
	h := newHouse(t)
	h.must(h.dispatch(t.Context()))
	for epoch := 1; epoch <= 3; epoch++ {
		h.must(h.archiver.ArchiveTask(tasks.QueueBroadcast, taskID(tasks.KindChunk, 2, epoch)))
		h.now = h.now.Add(age)
		h.must(h.sweep(t.Context()))
		want := chunk{broadcast.Queued, epoch + 1, epoch}
		if epoch == 3 {
			want = chunk{broadcast.Parked, 3, 3}
		}
		h.want(fmt.Sprintf("archived %d times", epoch), queued, want, queued)
	}
	h.wantTasks("afterwards", tasks.QueueBroadcast, tasks.KindChunk, 1, 0, 1)
}

func TestSweep_leasesResultsAndOverdue(t *testing.T) {
	h := newHouse(t)
	h.must(h.dispatch(t.Context()))
	for seq := 1; seq <= 2; seq++ {
		id := broadcast.NewChunkID(shop, seq)
		if claimed, err := h.store.ClaimChunk(t.Context(), id, 1, h.now, h.now.Add(30*time.Second)); err != nil || !claimed {
			t.Fatalf("ClaimChunk = %v, %v", claimed, err)
		}
	}
	verdict := broadcast.Verdict{Outcome: broadcast.Accepted, TaskID: "kakao-task"}
	if recorded, err := h.store.RecordSend(t.Context(), broadcast.NewChunkID(shop, 1), 1, verdict, h.now); err != nil || !recorded {
		t.Fatalf("RecordSend = %v, %v", recorded, err)
	}
	h.now = h.now.Add(30 * time.Second)
	h.must(h.sweep(t.Context()))
	inDoubt := chunk{broadcast.InDoubt, 1, 0}
	h.want("after the lease", chunk{broadcast.Sent, 2, 0}, inDoubt, queued)
	h.wantTasks("after the lease", tasks.QueueResult, tasks.KindResult, 2, 0, 0)

	h.now = h.now.Add(broadcast.DefaultPace.SendBy)
	h.must(h.sweep(t.Context()))
	h.want("overdue", chunk{broadcast.Sent, 2, 0}, inDoubt, chunk{broadcast.Planned, 2, 0})
}

func TestSweep_cancelledIsRetired(t *testing.T) {
	h := newHouse(t)
	h.exec(`UPDATE broadcast SET state = 'cancelled'`) // as by a call that was cut short
	h.must(h.sweep(t.Context()))
	cancelled := chunk{broadcast.ChunkCancelled, 0, 0}
	h.want("swept", cancelled, cancelled, cancelled)
}

// brokenStore fails at everything and notes what it was asked.
type brokenStore struct {
	scheduler.SweepStore
	asked []string
}

var errBroken = errors.New("database is away")

func (b *brokenStore) fail(what string) error {
	b.asked = append(b.asked, what)
	return errBroken
}

func (b *brokenStore) Waiting(_ context.Context, kind store.Work, _ time.Time, _ int) ([]broadcast.Row, error) {
	return nil, b.fail("work " + string(kind))
}
func (b *brokenStore) ExpireFree(context.Context, time.Time) (wallet.KRW, error) {
	return 0, b.fail("free cash")
}
func (b *brokenStore) ExpireSending(context.Context, time.Time) (int, error) {
	return 0, b.fail("sending")
}
func (b *brokenStore) ExpireCalling(context.Context, time.Time) (int, error) {
	return 0, b.fail("calling")
}
func (b *brokenStore) ExpireMails(context.Context, time.Time) (int, error) { return 0, b.fail("mails") }
func (b *brokenStore) ExpireDeliveries(context.Context, time.Time) (int, error) {
	return 0, b.fail("deliveries")
}
func (b *brokenStore) RecallOverdue(context.Context, time.Time) (int, error) {
	return 0, b.fail("overdue")
}
func (b *brokenStore) EndDoubt(context.Context, time.Time) (int, error) { return 0, b.fail("doubt") }
func (b *brokenStore) TellLongUnpaid(context.Context, time.Time) (int, error) {
	return 0, b.fail("long unpaid")
}
func (b *brokenStore) Remind(context.Context, time.Time) (int, error) { return 0, b.fail("remind") }
func (b *brokenStore) CloseMonths(context.Context, time.Time) (int, error) {
	return 0, b.fail("close months")
}
func (b *brokenStore) RetireOver(context.Context, time.Time) (bool, error) {
	return false, b.fail("retire")
}

func TestSweep_oneFailureStopsNothingElse(t *testing.T) {
	broken := &brokenStore{}
	err := scheduler.NewSweep(broken, nil, nil, age, time.Now).Run(t.Context())
	if !errors.Is(err, errBroken) {
		t.Errorf("Run error = %v, want %v", err, errBroken)
	}
	want := []string{"free cash", "sending", "calling", "mails", "deliveries", "overdue", "doubt", "long unpaid", "remind", "retire",
		"work chunk", "work result", "work wallet", "work attempt", "work invoice", "work resolve", "work mail", "work webhook", "close months"}
	if !slices.Equal(broken.asked, want) {
		t.Errorf("Run asked for %v, want %v", broken.asked, want)
	}
	if n := strings.Count(err.Error(), errBroken.Error()); n != len(want) {
		t.Errorf("the error tells of %d failures, want %d", n, len(want))
	}
}

// stubborn is a store that cannot write what became of a task.
type stubborn struct{ *store.Store }

func (stubborn) Forget(context.Context, store.Work, []broadcast.Row, bool, time.Time) error {
	return errBroken
}

func TestSweep_whatItCannotWriteKeepsNoOtherFromItsTask(t *testing.T) {
	h := newHouse(t)
	h.must(h.dispatch(t.Context()))
	h.exec(`UPDATE chunk SET enqueued_at = 0 WHERE seq = 3`) // it needs a task
	h.redis.FlushAll()                                       // and the others have lost theirs
	h.now = h.now.Add(age)
	err := scheduler.NewSweep(stubborn{h.store}, h.client, h.inspector, age, func() time.Time { return h.now }).Run(t.Context())
	if !errors.Is(err, errBroken) {
		t.Errorf("Run error = %v, want %v", err, errBroken)
	}
	h.want("swept", queued, queued, again)
	h.wantTasks("swept", tasks.QueueBroadcast, tasks.KindChunk, 0, 0, 2)
}

// partly dispatches one chunk and fails at others.
type partly struct{}

func (partly) Dispatch(context.Context) ([]broadcast.Row, error) {
	return []broadcast.Row{{ID: string(broadcast.NewChunkID(shop, 1)), Epoch: 1}}, errBroken
}

func TestDispatch_enqueuesBesideAnError(t *testing.T) {
	h := newHouse(t)
	if err := scheduler.Dispatch(partly{}, h.client, nil)(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("dispatch error = %v, want %v", err, errBroken)
	}
	h.wantTasks("dispatched", tasks.QueueBroadcast, tasks.KindChunk, 1, 0, 0)
}
