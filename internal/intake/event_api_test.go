package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
)

// kakao calls one of Kakao's own addresses; a token "-" is none.
func (h *house) kakao(method, path, token string, body any) response {
	h.t.Helper()
	c := call{method: method, path: path, token: "-", body: body, header: map[string]string{}}
	if token != "-" {
		c.header["Authorization"] = "KakaoAK " + token
	}
	return h.do(c)
}

// wantFail checks a refusal in Kakao's shape and returns its message.
func (a response) wantFail(status int) string {
	a.t.Helper()
	body := a.want(status)
	message, _ := body["message"].(string)
	if body["status"] != "FAIL" || message == "" || body["timestamp"] != float64(noon.UnixMilli()) || len(body) != 3 {
		a.t.Errorf("%s %s = %v, want FAIL with a message and the time", a.c.method, a.c.path, body)
	}
	return message
}

// talk is a call to so many people.
func talk(n int, more map[string]any) map[string]any {
	users := make([]any, n)
	for i := range users {
		users[i] = map[string]any{"type": "botUserKey", "id": fmt.Sprintf("u%d", i)}
	}
	body := map[string]any{"event": map[string]any{"name": "restock_alert"}, "user": users}
	for name, value := range more {
		body[name] = value
	}
	return body
}

func TestEventAPI_takes(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(10_000)
	token := h.token("send")
	body := map[string]any{
		"event": map[string]any{"name": "restock_alert", "data": map[string]string{"title": "겨울 바다"}},
		"user": []any{
			map[string]any{"type": "botUserKey", "id": "u1"}, map[string]any{"type": "appUserId", "id": "u1", "properties": map[string]string{"grade": "gold"}},
			map[string]any{"type": "plusfriendUserKey", "id": "u3"},
		},
		"params": map[string]any{"campaign": "c-1"}, "option": map[string]any{"quiet": true},
	}
	for path, side := range map[string]broadcast.Side{botID: broadcast.Live, botID + "!": broadcast.Development, botID + "%21": broadcast.Development} {
		answer := h.kakao("POST", "/v2/bots/"+path+"/talk", token, body).want(200)
		wantAt(t, path, answer, map[string]any{"status": "SUCCESS", "timestamp": int(noon.UnixMilli()), "message": nil})
		id, ok := broadcast.OfReceipt(answer["taskId"].(string))
		if !ok {
			t.Fatalf("taskId = %v, want a UUID", answer["taskId"])
		}
		b, err := h.store.Broadcast(t.Context(), id)
		if err != nil || b.Side != side || b.State != broadcast.Running || b.Chunks != 1 || b.Counts.Audience != 3 || b.Price != 15 || b.Message.Option["quiet"] != true || b.Message.Params["campaign"] != "c-1" {
			t.Errorf("%s became %+v, %v, want it running on %s with one chunk", path, b, err, side)
		}
		wantAt(t, "the task", h.kakao("GET", "/v1/tasks/"+answer["taskId"].(string), token, nil).want(200), map[string]any{
			"taskId": answer["taskId"], "status": "ALL SUCCESS", "allRequestCount": 3, "successCount": 0, "fail.count": 0, "userKeyResolvingFailCount": nil,
		})
	}
	rooms := map[string]any{"event": map[string]any{"name": "notice"}, "chat": []any{map[string]any{"type": "botGroupKey", "id": "g1"}}}
	answer := h.kakao("POST", "/v2/bots/"+botID+"/group", token, rooms).want(200)
	id, _ := broadcast.OfReceipt(answer["taskId"].(string))
	if chunks, err := h.store.People(t.Context(), id, store.PeopleFilter{}, 2); err != nil || string(chunks[0].Recipients) != `[{"type":"botGroupKey","id":"g1"}]` {
		t.Errorf("the call to a room became %+v, %v", chunks, err)
	}
}

func TestEventAPI_refuses(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(10_000)
	hello := map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": "안녕하세요"}}}}
	h.do(call{method: "POST", path: "/api/v1/bots/" + botID + "/versions?deploy=true", body: map[string]any{"blocks": []any{
		map[string]any{"id": "a", "name": "a", "kind": "normal", "event": "restock_alert", "answer": hello},
	}}}).want(201)
	user := func(users ...any) map[string]any { return map[string]any{"user": users} }
	u1 := map[string]any{"type": "botUserKey", "id": "u1"}
	tests := map[string]struct {
		path    string // of the bot's talk when empty
		body    any
		status  int
		message string // a part of it
	}{
		"no JSON":          {body: `{"event":`, status: 400, message: "body"},
		"nothing":          {body: `{}`, status: 400, message: "event is missing; user is missing"},
		"too deep":         {body: `{"event":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, status: 400, message: "nested"},
		"too long":         {body: `{"event":{"name":"` + strings.Repeat("a", 256<<10) + `"}}`, status: 413, message: "256 KiB"},
		"a NUL":            {body: talk(1, map[string]any{"event": map[string]any{"name": "a\x00"}}), status: 400, message: "event.name"},
		"no event name":    {body: talk(1, map[string]any{"event": map[string]any{"name": ""}}), status: 400, message: "event.name is missing"},
		"data of numbers":  {body: talk(1, map[string]any{"event": map[string]any{"name": "restock_alert", "data": map[string]any{"n": 1}}}), status: 400, message: "event.data.n"},
		"nobody":           {body: talk(0, nil), status: 400, message: "user"},
		"101 people":       {body: talk(101, nil), status: 400, message: "user"},
		"somebody twice":   {body: talk(1, user(u1, map[string]any{"type": "appUserId", "id": "u1"}, u1)), status: 400, message: "user[2] is in this call already, as entry 0"},
		"an unknown type":  {body: talk(1, user(map[string]any{"type": "appUserKey", "id": "u1"})), status: 400, message: "user[0].type"},
		"a room":           {body: talk(1, user(map[string]any{"type": "botGroupKey", "id": "g1"})), status: 400, message: "user[0].type"},
		"an empty id":      {body: talk(1, user(map[string]any{"type": "botUserKey", "id": ""})), status: 400, message: "user[0].id is empty"},
		"no id":            {body: talk(1, user(map[string]any{"type": "botUserKey"})), status: 400, message: "user[0].id"},
		"a misspelt field": {body: talk(1, map[string]any{"users": []any{}}), status: 400, message: "users"},
		"another case":     {body: talk(1, map[string]any{"Params": map[string]any{}}), status: 400, message: "Params"},
		"the reserved key": {body: talk(1, map[string]any{"params": map[string]any{"malgil_chunk": "x"}}), status: 400, message: "params.malgil_chunk is reserved"},
		"an unknown bot":   {path: "/v2/bots/none/talk", body: talk(1, nil), status: 404, message: `no bot "none"`},
		"two marks":        {path: "/v2/bots/" + botID + "!!/talk", body: talk(1, nil), status: 404, message: "no bot"},
		"no text":          {path: "/v2/bots/%ff/talk", body: talk(1, nil), status: 404, message: "nothing here"},
		"an unknown event": {body: talk(1, map[string]any{"event": map[string]any{"name": "restock"}}), status: 404, message: `"restock"`},
		"people as rooms":  {path: "/v2/bots/" + botID + "/group", body: talk(1, nil), status: 400, message: "chat"},
		"somebody's room":  {path: "/v2/bots/" + botID + "/group", body: map[string]any{"event": map[string]any{"name": "restock_alert"}, "chat": []any{u1}}, status: 400, message: "chat[0].type"},
		"a room twice": {path: "/v2/bots/" + botID + "/group", body: `{"event":{"name":"restock_alert"},"chat":[{"type":"botGroupKey","id":"g"},{"type":"botGroupKey","id":"g"}]}`,
			status: 400, message: "chat[1] is in this call already"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := tt.path
			if path == "" {
				path = "/v2/bots/" + botID + "/talk"
			}
			if got := h.on(t).kakao("POST", path, h.token("send"), tt.body).wantFail(tt.status); !strings.Contains(got, tt.message) {
				t.Errorf("message = %q, want %q in it", got, tt.message)
			}
		})
	}
	if got := h.do(call{method: "POST", path: "/v2/bots/" + botID + "/talk", body: talk(1, nil), header: map[string]string{
		"Authorization": "KakaoAK " + h.token("send"), "Content-Type": "text/plain"}}).wantFail(415); !strings.Contains(got, "application/json") {
		t.Errorf("message = %q", got)
	}
	for _, header := range []string{"", "Bearer " + h.token("send"), "KakaoAK", "KakaoAK 4f1c9a7e5b3d2f60"} {
		got := h.do(call{method: "POST", path: "/v2/bots/" + botID + "/talk", body: talk(1, nil), header: map[string]string{"Authorization": header}})
		if message := got.wantFail(401); !strings.Contains(message, "KakaoAK") || !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), "KakaoAK") {
			t.Errorf("Authorization %.7q: %q, %q, want to be told of KakaoAK", header, message, got.Header())
		}
	}
	for _, task := range []string{"none", "0193536b-8f4d-7c1e-9a57-3b1f1f6f7a10"} {
		h.kakao("GET", "/v1/tasks/"+task, h.token("send"), nil).wantFail(404)
	}
	wantAt(t, "GET broadcasts", h.do(call{method: "GET", path: "/api/v1/broadcasts"}).want(200), map[string]any{"items.0": nil})
}

// What keeps a call from going now refuses it at once; an order that may wait is only refused for what
// no waiting brings.
func TestEventAPI_prerequisites(t *testing.T) {
	h := newHouse(t)
	_, walletID, botID := h.seed(0)
	send := func(status int, parts ...string) {
		t.Helper()
		message := h.kakao("POST", "/v2/bots/"+botID+"/talk", h.token("send"), talk(1, nil)).wantFail(status)
		for _, part := range parts {
			if !strings.Contains(message, part) {
				t.Errorf("message = %q, want %q in it", message, part)
			}
		}
	}
	send(403, "balance is too low")
	channel, app := "/api/v1/bots/"+botID+"/channels/live", "/api/v1/apps/1043277"
	h.do(call{method: "PUT", path: app, body: map[string]any{"name": "앱", "verified": false, "kakao_sync": false}}).want(200)
	h.do(call{method: "PUT", path: channel, body: map[string]any{"name": "채널"}}).want(200)
	h.do(call{method: "PATCH", path: channel, body: map[string]any{"app": "1043277"}}).want(200)
	send(403, "channel.verified", "app.verified", "app.kakao_sync", "channel.deployed")
	p := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, nil)}).wantProblem(409, "BOT_NOT_READY", "channel.verified")
	if len(p.Errors) != 4 {
		t.Errorf("errors = %+v, want all four", p.Errors)
	}
	h.do(call{method: "PUT", path: app, body: map[string]any{"name": "앱", "verified": true, "kakao_sync": true}}).want(200)
	h.do(call{method: "PATCH", path: channel, body: map[string]any{"verified": true, "deployed": true}}).want(200)
	h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, nil)}).want(202)
	h.do(call{method: "POST", path: channel + "/disconnect"}).want(200)
	send(403, "channel.state is disconnected")
	h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k2", body: order(botID, nil)}).want(202)
	h.do(call{method: "POST", path: channel + "/connect"}).want(200)
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + walletID, body: map[string]any{"status": "stopped"}}).want(200)
	send(403, "not in use")
}

func TestEventAPI_repeated(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(10_000)
	path, token := "/v2/bots/"+botID+"/talk", h.token("send")
	do := func(path, key string, body any) response {
		return h.do(call{method: "POST", path: path, key: key, body: body, header: map[string]string{"Authorization": "KakaoAK " + token}})
	}
	first := do(path, "k", talk(2, nil)).want(200)
	if again := do(path, "k", talk(2, nil)).want(200); again["taskId"] != first["taskId"] || again["timestamp"] != first["timestamp"] {
		t.Errorf("repeated = %v, want %v", again, first)
	}
	do(path, "k", talk(1, nil)).wantFail(422)
	do("/v2/bots/"+botID+"!/talk", "k", talk(2, nil)).wantFail(422)
	do(path, "k k", talk(2, nil)).wantFail(400)
	if other := do(path, "", talk(2, nil)).want(200); other["taskId"] == first["taskId"] {
		t.Error("a call without a key is taken for the first one")
	}
	if other := do(path, "", talk(2, nil)).want(200); other["taskId"] == first["taskId"] {
		t.Error("a call without a key is taken for the first one")
	}
	wantAt(t, "GET broadcasts", h.do(call{method: "GET", path: "/api/v1/broadcasts"}).want(200), map[string]any{"items.2.counts.audience": 2, "items.3": nil})
}

// broken takes orders as a database does that is away.
type broken struct{ Broadcasts }

func (broken) SendAtOnce(context.Context, broadcast.Order, []broadcast.Recipient, broadcast.Request) (broadcast.Broadcast, error) {
	return broadcast.Broadcast{}, fmt.Errorf("database is away at 10.0.0.7")
}

func TestEventAPI_ourMistake(t *testing.T) {
	h := newHouse(t, func(s *Services) { s.Broadcasts = broken{s.Broadcasts} })
	_, _, botID := h.seed(0)
	if got := h.kakao("POST", "/v2/bots/"+botID+"/talk", h.token("send"), talk(1, nil)).wantFail(500); strings.Contains(got, "10.0.0.7") {
		t.Errorf("message = %q tells of our inside", got)
	}
	if !strings.Contains(h.log.String(), "10.0.0.7") {
		t.Errorf("the log %s lacks the cause", h.log)
	}
}

func TestViewTask(t *testing.T) {
	const partial = `{"taskId":"t","status":"1 FAIL","allRequestCount":3,"successCount":1,"fail":{"count":1,"list":[
		{"userId":"u2","reqUserType":"appUserId","createdAt":1795490003,"errorMsg":{"errorType":201,"msg":"Bot skill server responded with an HTTP error."}}]}}`
	const whole = `{"taskId":"t","status":"2 FAIL","allRequestCount":3,"successCount":1,"userKeyResolvingFailCount":1,"fail":{"count":2,"list":[
		{"userId":"u2","reqUserType":"appUserId","errorMsg":"NotFriend"}]}}`
	const named = `{"userId":"u2","reqUserType":"appUserId","createdAt":1795490003,"errorMsg":{"errorType":201,"msg":"Bot skill server responded with an HTTP error."}}`
	everybody := func(why string) string {
		return fmt.Sprintf(`{"userId":"u1","reqUserType":"botUserKey","createdAt":1795489200,"errorMsg":{"errorType":0,"msg":%[1]q}},{"userId":"u2","reqUserType":"appUserId","createdAt":1795489200,"errorMsg":{"errorType":0,"msg":%[1]q}}`, why)
	}
	tests := map[string]struct {
		chunk  store.ChunkView
		result string
		want   string // without taskId
	}{
		"waiting":       {store.ChunkView{State: broadcast.Planned, People: 3}, "", `"status":"ALL SUCCESS","allRequestCount":3,"successCount":0,"fail":{"count":0,"list":[]}`},
		"sent":          {store.ChunkView{State: broadcast.Sent, People: 3}, "", `"status":"ALL SUCCESS","allRequestCount":3,"successCount":0,"fail":{"count":0,"list":[]}`},
		"sent, partial": {store.ChunkView{State: broadcast.Sent, People: 3}, partial, `"status":"1 FAIL","allRequestCount":3,"successCount":1,"fail":{"count":1,"list":[` + named + `]}`},
		"all reached":   {store.ChunkView{State: broadcast.Settled, People: 3, Delivered: 3}, "", `"status":"ALL SUCCESS","allRequestCount":3,"successCount":3,"fail":{"count":0,"list":[]}`},
		"some not": {store.ChunkView{State: broadcast.Settled, People: 3, Delivered: 1, Failed: 1, Unknown: 1}, whole,
			`"status":"2 FAIL","allRequestCount":3,"successCount":1,"userKeyResolvingFailCount":1,"fail":{"count":2,"list":[{"userId":"u2","reqUserType":"appUserId","createdAt":1795489200,"errorMsg":{"errorType":0,"msg":"NotFriend"}}]}`},
		"sent, as a person found": {store.ChunkView{State: broadcast.Settled, People: 3, Delivered: 3}, partial, `"status":"ALL SUCCESS","allRequestCount":3,"successCount":3,"fail":{"count":0,"list":[]}`},
		"refused by Kakao": {store.ChunkView{State: broadcast.Rejected, People: 2, Failed: 2, Error: "Kakao refused the request"}, "",
			`"status":"2 FAIL","allRequestCount":2,"successCount":0,"fail":{"count":2,"list":[` + everybody("Kakao refused the request") + `]}`},
		"cancelled": {store.ChunkView{State: broadcast.ChunkCancelled, People: 2, Skipped: 2}, "",
			`"status":"2 FAIL","allRequestCount":2,"successCount":0,"fail":{"count":2,"list":[` + everybody("it was cancelled before it was sent") + `]}`},
		"in doubt": {store.ChunkView{State: broadcast.InDoubt, People: 3, Delivered: 1}, "", `"status":"ALL SUCCESS","allRequestCount":3,"successCount":1,"fail":{"count":0,"list":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := viewTask(store.ChunkPeople{Chunk: tt.chunk, Result: []byte(tt.result), Recipients: []byte(`[{"type":"botUserKey","id":"u1"},{"type":"appUserId","id":"u2"}]`)}, noon)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(v)
			if want := `{"taskId":"",` + tt.want + `}`; err != nil || string(got) != want {
				t.Errorf("viewTask =\n%s, %v, want\n%s", got, err, want)
			}
		})
	}
	if _, err := viewTask(store.ChunkPeople{Chunk: store.ChunkView{State: broadcast.Rejected}, Recipients: []byte("?")}, noon); err == nil {
		t.Error("viewTask of recipients that do not read = nil, want an error")
	}
}
