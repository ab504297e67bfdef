package intake

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/backlog"
)

// because is the header that says why.
var because = map[string]string{"Malgil-Reason": "%EB%A9%94%EC%9D%BC%20%EC%84%9C%EB%B2%84%20%EC%9D%B4%EC%A0%84"}

// A queue is paused until a time, with a reason, and is seen to stand; nobody pauses the one at which people
// wait without meaning it.
func TestQueues_pausedAndResumed(t *testing.T) {
	redis := &idleQueues{stands: map[string]bool{}}
	h := newHouse(t, func(s *Services) { s.Queues = redis })
	until := noon.Add(time.Hour)
	pause := func(queue string, body map[string]any) response {
		return h.do(call{method: "PUT", path: "/api/v1/queues/" + queue + "/pause", body: body, header: because})
	}
	h.do(call{method: "PUT", path: "/api/v1/queues/mail/pause", body: map[string]any{"until": until}}).wantProblem(422, "INVALID", "header.Malgil-Reason")
	pause("mail", map[string]any{"until": noon}).wantProblem(422, "INVALID", "body.until")
	pause("mail", map[string]any{"until": noon.Add(backlog.MaxPause + time.Second)}).wantProblem(422, "INVALID", "body.until")
	pause("mail", map[string]any{}).wantProblem(422, "INVALID", "body.until")
	pause("post", map[string]any{"until": until}).wantProblem(404, "NOT_FOUND", "")
	for _, live := range []string{"reply", "echo"} {
		pause(live, map[string]any{"until": until}).wantProblem(409, "PEOPLE_WAIT", "")
	}
	pause("echo", map[string]any{"until": noon.Add(10*time.Minute + time.Second), "force": true}).wantProblem(422, "INVALID", "body.until")
	if len(redis.stands) > 0 {
		t.Errorf("refused pauses stopped %v", redis.stands)
	}
	pause("reply", map[string]any{"until": noon.Add(10 * time.Minute), "force": true}).want(200)
	wantAt(t, "a pause", pause("mail", map[string]any{"until": until}).want(200), map[string]any{
		"queue": "mail", "until": until.Format(time.RFC3339), "since": noon.Format(time.RFC3339), "reason": "메일 서버 이전",
	})
	if !redis.stands["mail"] || !redis.stands["reply"] {
		t.Errorf("Redis stops %v, want mail and reply", redis.stands)
	}
	entry := h.do(call{method: "GET", path: "/api/v1/audit?limit=1"}).want(200)
	wantAt(t, "the audit log", entry, map[string]any{
		"items.0.action": "pause-queue", "items.0.reason": "메일 서버 이전", "items.0.subject.kind": "platform", "items.0.after.queue": "mail", "items.0.after.until": until.Format(time.RFC3339),
	})
	list := h.do(call{method: "GET", path: "/api/v1/queues"}).want(200)
	wantAt(t, "the queues", list, map[string]any{
		"items.0.queue": "reply", "items.0.pause.reason": "메일 서버 이전", "items.0.stands": true, "items.1.queue": "echo", "items.1.pause": nil, "items.1.stands": false,
		"items.5.queue": "mail", "items.5.pending": 3, "items.5.archived": 1, "items.5.oldest_waiting_seconds": 1.5, "items.5.dead": 0, "items.6.queue": "webhook", "items.7": nil,
	})

	resume := call{method: "DELETE", path: "/api/v1/queues/mail/pause", header: because}
	h.do(call{method: "DELETE", path: "/api/v1/queues/mail/pause"}).wantProblem(422, "INVALID", "header.Malgil-Reason")
	h.do(resume).want(204)
	if redis.stands["mail"] {
		t.Error("Redis still stops mail")
	}
	h.do(resume).wantProblem(409, "QUEUE_NOT_PAUSED", "")

	// The row is what counts: the sweep does what Redis did not take.
	redis.broken = errors.New("connection refused")
	pause("mail", map[string]any{"until": until}).want(200)
	h.do(call{method: "GET", path: "/api/v1/queues"}).wantProblem(503, "UNAVAILABLE", "")
	if pauses, err := h.store.Pauses(t.Context()); err != nil || len(pauses) != 2 {
		t.Errorf("Pauses = %+v, %v, want mail and reply", pauses, err)
	}
}

// A Redis that does not answer keeps nobody waiting for what is committed already.
func TestQueues_frozenRedis(t *testing.T) {
	redis := &idleQueues{stands: map[string]bool{}, frozen: true}
	h := newHouse(t, func(s *Services) { s.Queues = redis })
	_, err := h.store.MirrorDead(t.Context(), []backlog.Dead{
		{ID: "dead_1", Queue: "mail", Type: "mail:send", TaskID: "mail:mail_1:0", Cause: "panic", DiedAt: noon},
		{ID: "dead_2", Queue: "billing", Type: "billing:charge_card", TaskID: "attempt:att_1:0", Cause: "panic", DiedAt: noon},
	})
	must(t, err)
	for _, c := range []struct {
		call call
		want int
	}{
		{call{method: "PUT", path: "/api/v1/queues/mail/pause", body: map[string]any{"until": noon.Add(time.Hour)}}, 200},
		{call{method: "DELETE", path: "/api/v1/queues/mail/pause"}, 204},
		{call{method: "POST", path: "/api/v1/dead-tasks/discard", body: map[string]any{"ids": []string{"dead_1", "dead_2"}}}, 200},
	} {
		begun := time.Now()
		c.call.header = because
		h.do(c.call).want(c.want)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s %s took %v with a Redis that does not answer, want about a second", c.call.method, c.call.path, took)
		}
	}
}

// Dead tasks are seen by cause, and decided about by name or by group, with a reason.
func TestDeadTasks_decided(t *testing.T) {
	redis := &idleQueues{stands: map[string]bool{}}
	h := newHouse(t, func(s *Services) { s.Queues = redis })
	h.seed(1000) // which mails of a top-up
	mails := h.do(call{method: "GET", path: "/api/v1/wallets"}).want(200)
	mail := h.do(call{method: "GET", path: "/api/v1/wallets/" + at(mails, "items.0.id").(string) + "/mails"}).want(200)
	mailID := at(mail, "items.0.id").(string)
	dead := func(n int, row string, cause backlog.Cause) backlog.Dead {
		return backlog.Dead{
			ID: fmt.Sprint("dead_", n), Queue: "mail", Type: "mail:send", TaskID: "mail:" + row + ":0", RowID: row, Cause: cause, Error: "greet the server: no route to host",
			Retried: 8, DiedAt: noon.Add(time.Duration(n) * time.Minute),
		}
	}
	_, err := h.store.MirrorDead(t.Context(), []backlog.Dead{dead(1, mailID, "unavailable"), dead(2, "mail_2", "unavailable"), dead(3, "mail_3", "unavailable"), dead(4, "mail_4", "panic")})
	must(t, err)

	groups := h.do(call{method: "GET", path: "/api/v1/dead-tasks/groups"}).want(200)
	wantAt(t, "groups", groups, map[string]any{
		"items.0.queue": "mail", "items.0.type": "mail:send", "items.0.cause": "unavailable", "items.0.tasks": 3, "items.0.error": "greet the server: no route to host",
		"items.0.first_at": "2026-11-24T03:01:00Z", "items.0.latest_at": "2026-11-24T03:03:00Z", "items.1.cause": "panic", "items.1.tasks": 1, "items.2": nil,
	})
	wantAt(t, "queues", h.do(call{method: "GET", path: "/api/v1/queues"}).want(200), map[string]any{"items.5.dead": 4, "items.0.dead": 0})
	page := h.do(call{method: "GET", path: "/api/v1/dead-tasks?cause=unavailable&limit=2"}).want(200)
	wantAt(t, "a page", page, map[string]any{"items.0.id": "dead_3", "items.1.id": "dead_2", "items.2": nil, "items.0.row": "mail_3", "items.0.retried": 8, "items.0.state": "dead"})
	next := h.do(call{method: "GET", path: "/api/v1/dead-tasks?cause=unavailable&limit=2&cursor=" + page["next_cursor"].(string)}).want(200)
	wantAt(t, "the next page", next, map[string]any{"items.0.id": "dead_1", "items.1": nil})
	h.do(call{method: "GET", path: "/api/v1/dead-tasks?cause=sadness"}).wantProblem(422, "INVALID", "query.cause")

	decide := func(what string, body map[string]any) response {
		return h.do(call{method: "POST", path: "/api/v1/dead-tasks/" + what, body: body, header: because})
	}
	for _, what := range []string{"retry", "discard"} {
		h.do(call{method: "POST", path: "/api/v1/dead-tasks/" + what, body: map[string]any{"ids": []string{"dead_1"}}}).wantProblem(422, "INVALID", "header.Malgil-Reason")
		decide(what, map[string]any{}).wantProblem(422, "INVALID", "body.ids")
		decide(what, map[string]any{"ids": []string{"dead_9"}}).wantProblem(404, "NOT_FOUND", "")
	}
	decide("retry", map[string]any{"ids": []string{"dead_1", "dead_2"}}).wantProblem(409, "DEAD_TASK_OVER", "")
	wantAt(t, "a group retried", decide("retry", map[string]any{"type": "mail:send", "cause": "unavailable"}).want(200), map[string]any{
		"items.0.id": "dead_1", "items.0.state": "retried", "items.0.decided_at": noon.Format(time.RFC3339), "items.1": nil, "left": 2, "next": nil,
	})
	entry := h.do(call{method: "GET", path: "/api/v1/audit?limit=1"}).want(200)
	wantAt(t, "the audit log", entry, map[string]any{
		"items.0.action": "retry-dead-tasks", "items.0.reason": "메일 서버 이전", "items.0.before.cause": "unavailable", "items.0.after.state": "retried", "items.0.after.tasks.0": "mail:" + mailID + ":0",
	})
	if len(redis.buried) > 0 {
		t.Errorf("a retry deletes %v", redis.buried)
	}
	redis.broken = errors.New("connection refused") // what stays in the archive is trimmed later
	wantAt(t, "some discarded", decide("discard", map[string]any{"ids": []string{"dead_3", "dead_2"}}).want(200), map[string]any{
		"items.0.id": "dead_2", "items.1.id": "dead_3", "items.1.state": "discarded", "left": 0,
	})
	if want := []string{"mail mail:mail_2:0", "mail mail:mail_3:0"}; !slices.Equal(redis.buried, want) {
		t.Errorf("deleted from the archive = %v, want %v", redis.buried, want)
	}
	decide("discard", map[string]any{"ids": []string{"dead_1"}}).wantProblem(409, "DEAD_TASK_DECIDED", "")
	wantAt(t, "what is left", h.do(call{method: "GET", path: "/api/v1/dead-tasks?state=dead"}).want(200), map[string]any{"items.0.id": "dead_4", "items.1": nil})
}

// A broadcast that would move says that its queue is paused and until when; one that waits for something
// else says that.
func TestQueues_broadcastsSaySo(t *testing.T) {
	h := newHouse(t, func(s *Services) { s.Queues = &idleQueues{stands: map[string]bool{}} })
	_, _, botID := h.seed(3000)
	until := noon.Add(time.Hour)
	start := func(key string, more map[string]any) (path string) {
		more["recipients"] = people(3)
		return h.do(call{method: "POST", path: "/api/v1/broadcasts", key: key, body: order(botID, more)}).want(202)["id"].(string)
	}
	goes, later := start("now", map[string]any{}), start("later", map[string]any{"start_at": noon.Add(2 * time.Hour)})
	waits := func(goesFor, laterFor any) {
		t.Helper()
		wantAt(t, "the one that would go", h.do(call{method: "GET", path: "/api/v1/broadcasts/" + goes}).want(200), map[string]any{"wait.reason": goesFor})
		wantAt(t, "both", h.do(call{method: "GET", path: "/api/v1/broadcasts"}).want(200), map[string]any{
			"items.0.id": later, "items.0.wait.reason": laterFor, "items.1.id": goes, "items.1.wait.reason": goesFor,
		})
	}
	pause := func(queue string) {
		h.do(call{method: "PUT", path: "/api/v1/queues/" + queue + "/pause", body: map[string]any{"until": until}, header: because}).want(200)
	}
	pause("mail")
	waits(nil, "scheduled")
	pause("broadcast")
	waits("queue", "scheduled")
	wantAt(t, "until when", h.do(call{method: "GET", path: "/api/v1/broadcasts/" + goes}).want(200), map[string]any{"wait.until": until.Format(time.RFC3339)})
	wantAt(t, "a paused one", h.do(call{method: "POST", path: "/api/v1/broadcasts/" + goes + "/pause"}).want(200), map[string]any{"wait.reason": "paused"})
	waits("paused", "scheduled")
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + goes + "/resume"}).want(200)
	h.do(call{method: "DELETE", path: "/api/v1/queues/broadcast/pause", header: because}).want(204)
	waits(nil, "scheduled")
}
