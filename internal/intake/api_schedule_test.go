package intake

import (
	"fmt"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

func TestSchedules(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	audience := h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}}).want(201)["id"].(string)
	order := map[string]any{"bot": botID, "name": "월요일 소식", "event": map[string]any{"name": "restock_alert", "data": map[string]any{"title": "겨울 바다"}},
		"params": map[string]any{"campaign": "winter"}, "audience": audience, "cron": "0 9 * * 1"}
	with := func(name string, value any) map[string]any {
		changed := maps.Clone(order)
		changed[name] = value
		return changed
	}
	create := func(key string, body map[string]any) response {
		return h.do(call{method: "POST", path: "/api/v1/schedules", key: key, body: body})
	}
	for field, value := range map[string]any{
		"cron": "@every 1h", "zone": "Asia/Busan", "overlap": "both", "catch_up_seconds": 59, "expires_after_seconds": 59, "until": "2026-11-24T02:00:00Z",
		"audience": "aud_9", "channel": "test", "on_doubt": "forget",
	} {
		create("bad-"+field, with(field, value)).wantProblem(422, "INVALID", "body."+field)
	}
	create("too-long", with("catch_up_seconds", 604_801)).wantProblem(422, "INVALID", "body.catch_up_seconds")
	create("no-bot", with("bot", "bot_9")).wantProblem(404, "NOT_FOUND", "")

	made := create("k", order)
	id := made.want(201)["id"].(string)
	path := made.Header().Get("Location")
	if path != "/api/v1/schedules/"+id {
		t.Errorf("Location = %q, want the schedule", path)
	}
	if again := create("k", order).want(201)["id"]; again != id {
		t.Errorf("the same call again made %v, want %s", again, id)
	}
	create("k", with("cron", "@daily")).wantProblem(422, "IDEMPOTENCY_KEY_REUSED", keyHeader)
	wantAt(t, "GET schedule", h.do(call{method: "GET", path: path}).want(200), map[string]any{
		"id": id, "name": "월요일 소식", "bot": botID, "channel": "live", "event.name": "restock_alert", "event.data.title": "겨울 바다", "params.campaign": "winter",
		"audience": audience, "cron": "0 9 * * 1", "zone": "Asia/Seoul", "overlap": "skip", "catch_up_seconds": 3600, "expires_after_seconds": nil, "on_doubt": "hold",
		"state": "active", "next_at": "2026-11-30T00:00:00Z", "until": nil,
	})
	whole := create("all", map[string]any{"bot": botID, "channel": "development", "event": map[string]any{"name": "restock_alert"}, "audience": audience, "cron": "@daily", "zone": "America/New_York",
		"overlap": "queue", "catch_up_seconds": 600, "expires_after_seconds": 7200, "until": "2026-12-01T00:00:00+09:00", "on_doubt": "assume_sent"}).want(201)
	wantAt(t, "with everything", whole, map[string]any{"channel": "development", "overlap": "queue", "catch_up_seconds": 600, "expires_after_seconds": 7200,
		"until": "2026-11-30T15:00:00Z", "on_doubt": "assume_sent", "next_at": "2026-11-24T05:00:00Z", "zone": "America/New_York"})
	wantAt(t, "GET schedules", h.do(call{method: "GET", path: "/api/v1/schedules?limit=1&bot=" + botID}).want(200), map[string]any{"items.0.id": id, "items.1": nil})

	wantAt(t, "next", h.do(call{method: "GET", path: path + "/next?count=2"}).want(200), map[string]any{"times.0": "2026-11-30T00:00:00Z", "times.1": "2026-12-07T00:00:00Z", "times.2": nil})
	h.do(call{method: "GET", path: path + "/next?count=101"}).wantProblem(422, "INVALID", "query.count")
	preview := func(cron, zone string) response {
		return h.do(call{method: "GET", path: "/api/v1/schedules/preview?" + url.Values{"cron": {cron}, "zone": {zone}, "count": {"1"}}.Encode()})
	}
	wantAt(t, "preview", preview("30 2 * * *", "America/New_York").want(200), map[string]any{"times.0": "2026-11-24T07:30:00Z", "times.1": nil})
	wantAt(t, "preview in Korea", preview("@daily", "").want(200), map[string]any{"times.0": "2026-11-24T15:00:00Z"})
	preview("30 2 * *", "").wantProblem(422, "INVALID", "query.cron")
	preview("@daily", "Seoul").wantProblem(422, "INVALID", "query.zone")
	h.do(call{method: "GET", path: "/api/v1/schedules/preview"}).wantProblem(422, "INVALID", "query.cron")

	patch := func(body string) response { return h.do(call{method: "PATCH", path: path, body: body}) }
	wantAt(t, "PATCH", patch(`{"name":"새 이름","until":"2027-01-01T00:00:00Z","catch_up_seconds":120}`).want(200),
		map[string]any{"name": "새 이름", "until": "2027-01-01T00:00:00Z", "catch_up_seconds": 120.0, "cron": "0 9 * * 1", "event.name": "restock_alert"})
	wantAt(t, "PATCH without end", patch(`{"endless":true}`).want(200), map[string]any{"until": nil, "name": "새 이름"})
	patch(`{"endless":true,"until":"2027-01-01T00:00:00Z"}`).wantProblem(422, "INVALID", "body.endless")
	patch(`{"params":{"a":1}}`).wantProblem(422, "INVALID", "body.event")
	patch(`{"cron":"0 0 30 2 *"}`).wantProblem(422, "INVALID", "body.cron")
	patch(`{"audience":"aud_none"}`).wantProblem(422, "INVALID", "body.audience")

	wantAt(t, "pause", h.do(call{method: "POST", path: path + "/pause"}).want(200), map[string]any{"state": "paused", "next_at": nil})
	wantAt(t, "next while paused", h.do(call{method: "GET", path: path + "/next"}).want(200), map[string]any{"times.0": nil})
	wantAt(t, "resume", h.do(call{method: "POST", path: path + "/resume"}).want(200), map[string]any{"state": "active", "next_at": "2026-11-30T00:00:00Z"})
	h.do(call{method: "DELETE", path: "/api/v1/audiences/" + audience}).wantProblem(409, "AUDIENCE_IN_USE", "")
	for range 2 {
		if got := h.do(call{method: "DELETE", path: path}); got.Code != 204 {
			t.Errorf("DELETE = %d %s, want 204", got.Code, got.Body)
		}
	}
	wantAt(t, "GET a deleted one", h.do(call{method: "GET", path: path}).want(200), map[string]any{"state": "deleted", "next_at": nil})
	wantAt(t, "GET schedules", h.do(call{method: "GET", path: "/api/v1/schedules"}).want(200), map[string]any{"items.0.id": whole["id"], "items.1": nil})
	h.do(call{method: "POST", path: path + "/pause"}).wantProblem(409, "WRONG_STATE", "")
	h.do(call{method: "POST", path: path + "/resume"}).wantProblem(409, "WRONG_STATE", "")
	wantAt(t, "audit", h.do(call{method: "GET", path: "/api/v1/audit?kind=schedule&subject=" + id}).want(200), map[string]any{
		"items.0.action": "delete-schedule", "items.1.action": "resume-schedule", "items.2.action": "pause-schedule", "items.3.action": "change-schedule",
		"items.3.after.until": "", "items.3.after.name": nil, "items.4.before.name": "월요일 소식", "items.4.after.name": "새 이름", "items.4.after.cron": nil,
		"items.5.action": "create-schedule", "items.5.after.cron": "0 9 * * 1", "items.6": nil,
	})
}

// What became of the times of a schedule, page by page.
func TestSchedules_runs(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	audience := h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}}).want(201)["id"].(string)
	h.do(call{method: "PUT", path: "/api/v1/audiences/" + audience + "/recipients", body: "id\nu1\nu2\n", header: csvHeader}).want(200)
	id := h.do(call{method: "POST", path: "/api/v1/schedules", key: "k", body: map[string]any{"bot": botID, "event": map[string]any{"name": "restock_alert"},
		"audience": audience, "cron": "0 13 * * *"}}).want(201)["id"].(string)
	path := "/api/v1/schedules/" + id + "/runs"
	wantAt(t, "before its time", h.do(call{method: "GET", path: path}).want(200), map[string]any{"items.0": nil})

	sch, err := h.store.Schedule(t.Context(), broadcast.ScheduleID(id))
	must(t, err)
	for day, late := range []time.Duration{time.Minute, time.Minute, 12 * time.Hour} { // the second is skipped, as the first goes on; nobody looks for the third in time
		now := sch.NextAt.Add(late)
		due, err := sch.Due(now)
		must(t, err)
		_, err = h.store.Occur(t.Context(), sch, due, func(sch broadcast.Schedule) (broadcast.Broadcast, error) {
			return broadcast.Broadcast{ID: broadcast.ID(fmt.Sprint("brd_", day+1)), BotID: botID, Side: broadcast.Live,
				Message: sch.Message, State: broadcast.Uploading, Wait: broadcast.WaitUploading, StartAt: now, CreatedAt: now}, nil
		}, now)
		must(t, err)
		sch.NextAt = due.Next
	}
	first := h.do(call{method: "GET", path: path + "?limit=2"}).want(200)
	wantAt(t, "runs", first, map[string]any{
		"items.0.due_at": "2026-11-26T04:00:00Z", "items.0.state": "missed", "items.0.times": 1, "items.0.broadcast": nil,
		"items.1.due_at": "2026-11-25T04:00:00Z", "items.1.state": "skipped", "items.1.reason": "broadcast brd_1 of the occurrence before it is not finished", "items.2": nil,
	})
	wantAt(t, "the page after it", h.do(call{method: "GET", path: path + "?limit=2&cursor=" + first["next_cursor"].(string)}).want(200), map[string]any{
		"items.0.due_at": "2026-11-24T04:00:00Z", "items.0.state": "copying", "items.0.broadcast.id": "brd_1", "items.0.broadcast.state": "uploading",
		"items.0.broadcast.wait": "uploading", "items.0.reason": nil, "items.1": nil, "next_cursor": nil,
	})
	h.do(call{method: "GET", path: path + "?cursor=x"}).wantProblem(422, "INVALID", "query.cursor")
	h.do(call{method: "GET", path: "/api/v1/schedules/sch_9/runs"}).wantProblem(404, "NOT_FOUND", "")
}

// Who may order broadcasts of one bot does so to none of the audiences of another.
func TestSchedules_ofAnotherBot(t *testing.T) {
	h := newHouse(t)
	own, foreign := newTown(h, "own"), newTown(h, "foreign")
	order := map[string]any{"bot": own.bot, "event": map[string]any{"name": "restock_alert"}, "audience": foreign.audience(), "cron": "@daily"}
	h.do(call{method: "POST", path: "/api/v1/schedules", key: "a", token: own.people['O'].token, body: order}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "POST", path: "/api/v1/schedules", key: "b", body: order}).wantProblem(422, "INVALID", "body.audience") // the platform sees both
	theirs := foreign.schedule()
	if got := ids(h.do(call{method: "GET", path: "/api/v1/schedules", token: own.people['O'].token}).want(200), "id"); len(got) != 0 {
		t.Errorf("schedules that an operator of another bot sees = %v, want none", got)
	}
	h.do(call{method: "GET", path: "/api/v1/schedules/" + theirs, token: own.people['O'].token}).wantProblem(404, "NOT_FOUND", "")
}
