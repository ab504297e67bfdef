package acceptance_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/tasks"
)

// operator runs a command of malgil against the intake of a town.
func (town *town) operator(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, []string{"MALGIL_URL=" + town.url, "MALGIL_TOKEN=" + town.token}, args...)
}

// queueOf is a queue as the API shows it.
type queueOf struct {
	Queue    string `json:"queue"`
	Active   int    `json:"active"`
	Archived int    `json:"archived"`
	Dead     int    `json:"dead"`
	Stands   bool   `json:"stands"`
}

func (h *house) queue(name string) queueOf {
	h.t.Helper()
	var list struct{ Items []queueOf }
	h.get("/api/v1/queues", &list)
	for _, q := range list.Items {
		if q.Queue == name {
			return q
		}
	}
	h.t.Fatalf("the API shows no queue %s", name)
	return queueOf{}
}

// A worker that is killed with a question in hand leaves a task that no handler will see again. What became of it is
// written down, nothing of what was asked is, and an operator takes it off the list with a reason.
func TestQueue_aDeadWorkersTask(t *testing.T) {
	town := settle(t, 1)
	books, _, err := town.world.Seed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := town.said(books.SlowURL(), books.Bot, "somebody", true)
		asked <- err
	}()
	town.underWay()
	town.workers[0].Kill()
	if err := <-asked; err != nil {
		t.Fatalf("the question that lost its worker: %v", err)
	}

	// Half a minute for the lease and half for the clocks go by; the next worker to start gives such tasks up.
	conn := redis.NewClient(&redis.Options{Addr: town.redis.Addr()})
	defer conn.Close()
	lease := "asynq:{" + tasks.QueueReply + "}:lease"
	held, err := conn.ZRange(t.Context(), lease, 0, -1).Result()
	if err != nil || len(held) != 1 {
		t.Fatalf("%s holds %v, %v, want the one task", lease, held, err)
	}
	if err := conn.ZAddXX(t.Context(), lease, redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: held[0]}).Err(); err != nil {
		t.Fatal(err)
	}
	town.workers[0].Restart()
	town.until("the task is given up", func() (bool, any) {
		n, err := conn.ZCard(t.Context(), "asynq:{"+tasks.QueueReply+"}:archived").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n == 1, n
	})
	town.start(t, "scheduler") // tidies at once

	var list struct{ Items []json.RawMessage }
	town.until("it is written down", func() (bool, any) {
		town.get("/api/v1/dead-tasks", &list)
		return len(list.Items) > 0, list
	})
	var dead struct{ ID, Queue, Type, Task, Cause, Row, Error, State string }
	if err := json.Unmarshal(list.Items[0], &dead); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || dead.Queue != tasks.QueueReply || dead.Type != tasks.TypeAnswerUtterance || dead.Task != held[0] ||
		dead.Cause != "lease_expired" || dead.Row != "" || dead.Error != "" || dead.State != "dead" {
		t.Errorf("dead tasks = %s, want the one of the worker that died", list.Items)
	}
	town.until("its payload is gone from Redis", func() (bool, any) {
		q := town.queue(tasks.QueueReply)
		return q.Archived == 0 && q.Dead == 1, q
	})
	if got := town.operator(t, "queue", "dead"); !strings.Contains(got, "utterance:answer  lease_expired") {
		t.Errorf("malgil queue dead = %q, want the group", got)
	}
	town.operator(t, "queue", "discard", dead.ID, "--reason", "워커가 죽었음")
	if q := town.queue(tasks.QueueReply); q.Dead != 0 {
		t.Errorf("after it was discarded the queue is %+v, want none dead", q)
	}
	if got := town.operator(t, "audit", "list", "--action", "discard-dead-tasks"); !strings.Contains(got, "워커가 죽었음") {
		t.Errorf("malgil audit list = %q, want who discarded it and why", got)
	}
}

// A queue that is paused in the middle of a broadcast begins no request, also when Redis is emptied; when it is let
// go, or its time is over, everybody is reached once.
func TestQueue_pausedInTheMiddle(t *testing.T) {
	const requests = 8
	town := settle(t, 1, "MALGIL_SEND_CONCURRENCY="+strconv.Itoa(requests), "MALGIL_SWEEP_AGE=2s")
	s := town.openShop(1)
	town.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 20_000, "in_flight": 64}, nil)
	town.fault("kakao.send", "slow", map[string]any{"count": -1, "seconds": 1})
	storm := storm{town: town, shop: s, b: s.orderMany(6_000), requests: requests}
	pause := func(until time.Time) {
		t.Helper()
		town.operator(t, "queue", "pause", tasks.QueueBroadcast, "--until", until.Format(time.RFC3339), "--reason", "카카오 점검")
		town.until("what was under way has ended", func() (bool, any) {
			active, seen := town.queue(tasks.QueueBroadcast).Active, town.sends()
			return active == 0 && seen.InFlight == 0, seen
		})
	}

	storm.reach(requests + 1)
	pause(time.Now().Add(time.Hour))
	stood := town.sends()
	storm.forget()
	first := storm.sweeps()
	town.until("the sweep has found every task missing", func() (bool, any) {
		now := storm.sweeps()
		return now >= first+5, now
	})
	if seen := town.sends(); seen != stood || !town.queue(tasks.QueueBroadcast).Stands {
		t.Errorf("Kakao saw %+v while the queue stood, want %+v; it stands: %v", seen, stood, town.queue(tasks.QueueBroadcast).Stands)
	}
	storm.unfinished()
	town.operator(t, "queue", "resume", tasks.QueueBroadcast, "--reason", "점검 끝")
	storm.reach(stood.Accepted + requests + 1)
	if peak := town.sends().Peak; peak != requests {
		t.Errorf("%d requests were open at a time, want the %d of one worker", peak, requests)
	}

	until := time.Now().Add(5 * time.Second)
	pause(until)
	storm.unfinished()
	town.tell("DELETE", "/sandbox/faults", nil, nil)
	b := storm.end() // by itself
	if ended := time.Now(); ended.Before(until) {
		t.Errorf("the broadcast ended %v before its queue was let go", until.Sub(ended))
	}
	storm.judge(b, 0)
}
