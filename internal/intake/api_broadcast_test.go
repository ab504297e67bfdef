package intake

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/recipient"
	"github.com/malgil/malgil/internal/store"
)

// people makes recipients "u1" to "un".
func people(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{"type": "botUserKey", "id": fmt.Sprintf("u%d", i+1)}
	}
	return list
}

func order(botID string, more map[string]any) map[string]any {
	body := map[string]any{"bot": botID, "name": "겨울 재입고", "event": map[string]any{"name": "restock_alert", "data": map[string]any{"title": "겨울 바다"}}}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// No worker runs here: an order is taken all the same, and its row waits.
func TestBroadcasts(t *testing.T) {
	h := newHouse(t)
	_, walletID, botID := h.seed(3000)
	send := call{method: "POST", path: "/api/v1/broadcasts", key: "k1", token: h.token("send"), body: order(botID, map[string]any{
		"recipients": people(3), "params": map[string]any{"campaign": "winter", "n": 1}, "expires_at": "2026-11-24T21:00:00+09:00",
	})}
	made := h.do(send)
	b := made.want(202)
	wantAt(t, "POST broadcasts", b, map[string]any{
		"state": "running", "bot": botID, "wallet": walletID, "channel": "live", "name": "겨울 재입고", "event.name": "restock_alert",
		"event.data.title": "겨울 바다", "params.campaign": "winter", "counts.audience": 3, "counts.delivered": 0, "progress": 0,
		"chunks.total": 1, "chunks.planned": 1, "price_krw": 15, "captured_krw": 0, "expires_at": "2026-11-24T12:00:00Z",
		"start_at": "2026-11-24T03:00:00Z", "sealed_at": "2026-11-24T03:00:00Z", "finished_at": nil, "wait": nil,
	})
	path := made.Header().Get("Location")
	if path != "/api/v1/broadcasts/"+b["id"].(string) {
		t.Errorf("Location = %q, want the broadcast", path)
	}
	wantAt(t, "GET broadcast", h.do(call{method: "GET", path: path + "?chunks=true"}).want(200), map[string]any{"id": b["id"], "chunks.by_state.planned": 1})
	wantAt(t, "POST again", h.do(send).want(202), map[string]any{"id": b["id"], "state": "running"})
	wantAt(t, "GET broadcasts", h.do(call{method: "GET", path: "/api/v1/broadcasts?wallet=" + walletID}).want(200), map[string]any{"items.0.id": b["id"], "items.1": nil})
	wantAt(t, "GET broadcasts of another", h.do(call{method: "GET", path: "/api/v1/broadcasts?bot=none"}).want(200), map[string]any{"items.0": nil})
	wantAt(t, "GET chunks", h.do(call{method: "GET", path: path + "/chunks"}).want(200), map[string]any{
		"items.0.id": b["id"].(string) + "-000001", "items.0.state": "planned", "items.0.people": 3, "items.0.task_id": nil, "items.1": nil,
	})
	wantAt(t, "GET settled chunks", h.do(call{method: "GET", path: path + "/chunks?state=settled"}).want(200), map[string]any{"items.0": nil})
	h.do(call{method: "GET", path: path + "/chunks?state=lost"}).wantProblem(422, "INVALID", "query.state")
	wantAt(t, "pause", h.do(call{method: "POST", path: path + "/pause"}).want(200), map[string]any{"state": "paused", "wait.reason": "paused"})
	wantAt(t, "pause again", h.do(call{method: "POST", path: path + "/pause"}).want(200), map[string]any{"state": "paused"})
	wantAt(t, "resume", h.do(call{method: "POST", path: path + "/resume"}).want(200), map[string]any{"state": "running", "wait": nil})
	wantAt(t, "cancel", h.do(call{method: "POST", path: path + "/cancel"}).want(200), map[string]any{"state": "cancelled", "counts.skipped": 3, "progress": 1})
	h.do(call{method: "POST", path: path + "/resume"}).wantProblem(409, "WRONG_STATE", "")
	for _, step := range []string{"/seal", "/pause", "/resume", "/cancel"} {
		h.do(call{method: "POST", path: "/api/v1/broadcasts/brd_9" + step}).wantProblem(404, "NOT_FOUND", "")
	}
	for _, list := range []string{"", "/chunks", "/failures"} {
		h.do(call{method: "GET", path: "/api/v1/broadcasts/brd_9" + list}).wantProblem(404, "NOT_FOUND", "")
	}
}

func TestBroadcasts_refused(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "poor", "name": "a", "rest_api_key": "k"}}).want(201)
	tests := map[string]struct {
		more     map[string]any
		status   int
		code     string
		location string
	}{
		"no such bot":             {map[string]any{"bot": "none"}, 404, "NOT_FOUND", ""},
		"a bot without a wallet":  {map[string]any{"bot": "poor"}, 409, "NO_WALLET", ""},
		"a third channel":         {map[string]any{"channel": "test"}, 422, "INVALID", "body.channel"},
		"an event without a name": {map[string]any{"event": map[string]any{"name": ""}}, 422, "INVALID", "body.event.name"},
		"event data of numbers":   {map[string]any{"event": map[string]any{"name": "e", "data": map[string]any{"n": 1}}}, 422, "INVALID", "body.event.data.n"},
		"a start in the past":     {map[string]any{"start_at": "2026-11-24T02:00:00Z"}, 422, "INVALID", "body.start_at"},
		"an end before the start": {map[string]any{"expires_at": "2026-11-24T02:00:00Z"}, 422, "INVALID", "body.expires_at"},
		"a start that is no time": {map[string]any{"start_at": "tomorrow"}, 422, "INVALID", "body.start_at"},
		"nobody":                  {map[string]any{"recipients": []any{}}, 422, "INVALID", "body.recipients"},
		"an unknown kind of id":   {map[string]any{"recipients": []any{map[string]any{"type": "appUserKey", "id": "1"}}}, 422, "INVALID", "body.recipients[0].type"},
		"an empty id":             {map[string]any{"recipients": append(people(2), map[string]any{"type": "appUserId", "id": ""})}, 422, "INVALID", "body.recipients[2].id"},
		"another number":          {map[string]any{"recipients": people(3), "confirm": 2}, 409, "CONFIRMATION_NEEDED", "body.confirm"},
		"the reserved param":      {map[string]any{"params": map[string]any{"malgil_chunk": "x"}}, 422, "INVALID", "body.params.malgil_chunk"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h.on(t).do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, tt.more)}).wantProblem(tt.status, tt.code, tt.location)
		})
	}
	h.do(call{method: "POST", path: "/api/v1/broadcasts", body: order(botID, nil)}).wantProblem(422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key")
	wantAt(t, "GET broadcasts", h.do(call{method: "GET", path: "/api/v1/broadcasts"}).want(200), map[string]any{"items.0": nil})
}

// A wallet that cannot pay does not refuse an order.
func TestBroadcasts_takenWithoutMoney(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	wantAt(t, "POST broadcasts", h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, map[string]any{"recipients": people(1)})}).want(202),
		map[string]any{"state": "running"})
}

func TestBroadcasts_repeatedAtOnce(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	h.token(allScopes)
	ids := make([]any, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			// The same order in two spellings.
			body := `{"bot":"` + botID + `","event":{"name":"e"},"params":{"a":1,"b":2}}`
			if i%2 == 0 {
				body = `{ "params": {"b": 2, "a": 1}, "event": {"name": "e"}, "bot": "` + botID + `" }`
			}
			got := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: body})
			if got.Code != 202 {
				t.Errorf("call %d = %d %s, want 202", i, got.Code, got.Body)
				return
			}
			ids[i] = got.want(202)["id"]
		})
	}
	group.Wait()
	for i, id := range ids {
		if id == nil || id != ids[0] {
			t.Errorf("call %d got broadcast %v, call 0 %v, want one for all", i, id, ids[0])
		}
	}
	wantAt(t, "GET broadcasts", h.do(call{method: "GET", path: "/api/v1/broadcasts"}).want(200), map[string]any{"items.0.id": ids[0], "items.1": nil})
	h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, nil)}).wantProblem(422, "IDEMPOTENCY_KEY_REUSED", "header.Idempotency-Key")
	_, other, err := h.gate.Issue(t.Context(), access.NewToken{Name: "other", Scopes: []string{"send"}, ExpiresAt: noon.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", token: other, body: order(botID, nil)}).want(202); got["id"] == ids[0] {
		t.Error("another token with the same key got the first token's broadcast")
	}
}

// failing reads failures from a store that has some.
type failing struct{ Reader }

func (failing) FailedChunks(_ context.Context, _ broadcast.ID, after, limit int) ([]store.FailedChunk, error) {
	all := []store.FailedChunk{
		{ID: "brd_1-000001", Seq: 1, Result: []byte(`{"allRequestCount":100,"fail":{"count":2,"list":[
			{"userId":"u1","reqUserType":"botUserKey","createdAt":1795490003,"errorMsg":{"errorType":201,"msg":"Bot skill server responded with an HTTP error."}},
			{"userId":"u2","reqUserType":"appUserId","errorMsg":"NotFriend"}]}}`)},
		{ID: "brd_1-000004", Seq: 4, Result: []byte(`not JSON`)},
		{ID: "brd_1-000007", Seq: 7, Result: []byte(`{"allRequestCount":100,"fail":{"count":1,"list":[{"userId":"u3"}]}}`)},
	}
	var page []store.FailedChunk
	for _, c := range all {
		if c.Seq > after && len(page) < limit {
			page = append(page, c)
		}
	}
	return page, nil
}

func TestFailures(t *testing.T) {
	h := newHouse(t, func(s *Services) { s.Read = failing{s.Read} })
	const path = "/api/v1/broadcasts/brd_1/failures"
	first := h.do(call{method: "GET", path: path + "?limit=2"}).want(200)
	wantAt(t, "GET failures", first, map[string]any{
		"items.0.chunk": "brd_1-000001", "items.0.type": "botUserKey", "items.0.id": "u1", "items.0.error_type": 201,
		"items.0.message": "Bot skill server responded with an HTTP error.", "items.0.at": "2026-11-24T03:13:23Z",
		"items.1.id": "u2", "items.1.message": "NotFriend", "items.1.error_type": nil, "items.2": nil,
	})
	second := h.do(call{method: "GET", path: path + "?limit=2&cursor=" + first["next_cursor"].(string)}).want(200)
	wantAt(t, "GET failures, second page", second, map[string]any{"items.0.id": "u3", "items.0.message": nil, "items.1": nil, "next_cursor": nil})
}

// uploading makes a broadcast that waits for its recipients and returns its path.
func (h *house) uploading(botID string) string {
	h.t.Helper()
	made := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "upload", body: order(botID, nil)})
	wantAt(h.t, "POST broadcasts", made.want(202), map[string]any{"state": "uploading", "wait.reason": "uploading"})
	return made.Header().Get("Location")
}

var csvHeader = map[string]string{"Content-Type": "text/csv; charset=utf-8"}

func TestUpload(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	upload := func(text, query string) response {
		return h.do(call{method: "PUT", path: path + "/recipients" + query, body: text, header: csvHeader})
	}
	upload("type,id\nbotUserKey,u1\nbotUserKey,\n", "").wantProblem(422, "INVALID", "body.line[3]")
	h.do(call{method: "POST", path: path + "/seal"}).wantProblem(409, "NO_RECIPIENTS", "") // nothing of the refused file was taken over
	wantAt(t, "PUT recipients", upload("\ufefftype,id,grade\nbotUserKey,u1,gold\nappUserId,22,\nbotUserKey,u1,gold\n", "").want(200),
		map[string]any{"audience": 2, "duplicates": 1, "bad_rows": 0, "problems": nil})

	p := upload("type,id\nbotUserKey,u1\nbotUserKey,\nphone,u3\nbotUserKey,u4,x\n", "").wantProblem(422, "INVALID", "body.line[3]")
	want := []ProblemField{
		{Location: "body.line[3]", Line: 3, Column: "id", Message: "is empty"},
		{Location: "body.line[4]", Line: 4, Column: "type", Message: "must be botUserKey, plusfriendUserKey, appUserId or botGroupKey"},
		{Location: "body.line[5]", Line: 5, Message: "has 3 columns, the first line has 2"},
	}
	if fmt.Sprint(p.Errors) != fmt.Sprint(want) {
		t.Errorf("errors = %+v, want %+v", p.Errors, want)
	}
	// A refused file leaves the one before as it was.
	wantAt(t, "GET broadcast", h.do(call{method: "GET", path: path}).want(200), map[string]any{"state": "uploading", "counts.audience": 2, "sealed_at": nil})

	wantAt(t, "PUT recipients, skipping", upload("type,id\nbotUserKey,u1\nbotUserKey,\nbotUserKey,u2\n", "?skip_bad_rows=true").want(200),
		map[string]any{"audience": 2, "bad_rows": 1, "problems.0.line": 3, "problems.0.column": "id"})
	refused := map[string]struct {
		call     call
		status   int
		code     string
		location string
	}{
		"an empty file":         {call{body: ""}, 422, "INVALID", "body.recipients"},
		"no column id":          {call{body: "type,name\n"}, 422, "INVALID", "body.recipients"},
		"JSON":                  {call{body: "{}", header: map[string]string{"Content-Type": "application/json"}}, 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"another character set": {call{body: "id\n", header: map[string]string{"Content-Type": "text/csv; charset=shift_jis"}}, 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"an unknown query":      {call{path: "?skip=true", body: "id\n"}, 422, "INVALID", "query.skip"},
		"a query twice":         {call{path: "?map=id:a&map=id:b", body: "id\n"}, 422, "INVALID", "query.map"},
		"a map of nothing":      {call{path: "?map=phone:a", body: "id\n"}, 422, "INVALID", "query.map"},
		"a map of no column":    {call{path: "?map=id:phone", body: "id\n"}, 422, "INVALID", "query.map"},
		"no workbook":           {call{body: "id\n", header: map[string]string{"Content-Type": recipient.XLSX.MediaType()}}, 422, "INVALID", "body.recipients"},
		"an odd query":          {call{path: "?skip_bad_rows=maybe", body: "id\n"}, 422, "INVALID", "query.skip_bad_rows"},
		"a quote left open":     {call{body: "id\nu1\n\"u2\n" + strings.Repeat("u,3\n", 600_000)}, 422, "INVALID", "body.recipients"},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			c := tt.call
			c.method, c.path = "PUT", path+"/recipients"+c.path
			if c.header == nil {
				c.header = csvHeader
			}
			h.on(t).do(c).wantProblem(tt.status, tt.code, tt.location)
		})
	}
	wantAt(t, "the last upload", upload("id\nu1\nu2\nu3\n", "").want(200), map[string]any{"audience": 3})
	wantAt(t, "seal", h.do(call{method: "POST", path: path + "/seal"}).want(200), map[string]any{"state": "running", "counts.audience": 3})
	wantAt(t, "seal again", h.do(call{method: "POST", path: path + "/seal"}).want(200), map[string]any{"state": "running"})
	upload("id\nu9\n", "").wantProblem(409, "SEALED", "")
	h.do(call{method: "PUT", path: "/api/v1/broadcasts/brd_9/recipients", body: "id\nu1\n", header: csvHeader}).wantProblem(404, "NOT_FOUND", "")
}

// Every format is taken, and its columns go by a map.
func TestUpload_formats(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	book := excelize.NewFile()
	for cell, text := range map[string]string{"A1": "회원번호", "B1": "등급", "A2": "u1", "B2": "금"} {
		must(t, book.SetCellStr("Sheet1", cell, text))
	}
	var workbook strings.Builder
	must(t, book.Write(&workbook))
	const table = "회원번호;등급\nu1;금\n"
	korean, err := korean.EUCKR.NewEncoder().String(table)
	must(t, err)
	for name, tt := range map[string]struct{ media, query, body string }{
		"CSV":              {"text/csv", "?map=id:회원번호", table},
		"CP949":            {"text/csv", "?map=id:회원번호,properties:등급", korean},
		"CP949 as it says": {"text/csv; charset=euc-kr", "?map=id:회원번호", korean},
		"a workbook":       {recipient.XLSX.MediaType(), "?map=id:회원번호", workbook.String()},
		"NDJSON":           {recipient.NDJSON.MediaType(), "", `{"id":"u1","properties":{"등급":"금"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.on(t)
			wantAt(t, "PUT recipients", h.do(call{method: "PUT", path: path + "/recipients" + tt.query, body: tt.body, header: map[string]string{"Content-Type": tt.media}}).want(200),
				map[string]any{"audience": 1, "bad_rows": 0})
			people, err := h.store.People(t.Context(), broadcast.ID(strings.TrimPrefix(path, "/api/v1/broadcasts/")), store.PeopleFilter{}, 10)
			if want := `[{"type":"botUserKey","id":"u1","properties":{"등급":"금"}}]`; err != nil || len(people) != 1 || string(people[0].Recipients) != want {
				t.Errorf("stored %+v, %v, want %s", people, err, want)
			}
		})
	}
}

// rowSource makes CSV as it is read and knows how far it was.
type rowSource struct {
	rows int
	made atomic.Int64
	rest []byte
}

func (s *rowSource) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		n := int(s.made.Load())
		if n > s.rows {
			return 0, io.EOF
		}
		if n == 0 {
			s.rest = []byte("type,id,grade\n")
		} else {
			s.rest = fmt.Appendf(nil, "botUserKey,user-%08d,gold\n", n)
		}
		s.made.Add(1)
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// uploadWitness notes how far the source was when each batch of chunks was stored.
type uploadWitness struct {
	broadcast.Uploads
	source *rowSource
	begun  int64
	stored int
	lag    int64 // most rows read and not stored yet
}

func (w *uploadWitness) BeginUpload(ctx context.Context, id broadcast.ID) (int, error) {
	w.begun = w.source.made.Load()
	return w.Uploads.BeginUpload(ctx, id)
}

func (w *uploadWitness) StoreChunks(ctx context.Context, id broadcast.ID, epoch int, chunks []broadcast.Packed) error {
	w.lag = max(w.lag, w.source.made.Load()-int64(w.stored))
	for _, c := range chunks {
		w.stored += c.People
	}
	return w.Uploads.StoreChunks(ctx, id, epoch, chunks)
}

// An audience goes to the database while it comes in: what is read and not stored yet never
// exceeds two batches of 1,000 chunks and what the buffers hold.
func TestUpload_isReadAsItComes(t *testing.T) {
	source := &rowSource{rows: 500_000}
	witness := &uploadWitness{source: source}
	h := newHouse(t, func(s *Services) {
		db := s.Read.(*store.Store)
		witness.Uploads = db
		s.Broadcasts = broadcast.NewDesk(db, witness, db, db, atNoon, func(prefix string) string { return prefix + "_1" })
	})
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	got := h.do(call{method: "PUT", path: path + "/recipients", body: source, header: csvHeader}).want(200)
	wantAt(t, "PUT recipients", got, map[string]any{"audience": 500_000, "duplicates": 0})
	if witness.begun > 10_000 {
		t.Errorf("%d rows were read before the upload began, want no more than a buffer of them", witness.begun)
	}
	if witness.lag > 210_000 {
		t.Errorf("%d rows were read and not stored, want at most two batches of 100,000 and buffers", witness.lag)
	}
	wantAt(t, "seal", h.do(call{method: "POST", path: path + "/seal"}).want(200), map[string]any{"counts.audience": 500_000, "chunks.total": 5000})
}

// brokenBody ends in the middle.
type brokenBody struct{ text *bytes.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	if b.text.Len() == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return b.text.Read(p)
}

func TestUpload_brokenOff(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	body := brokenBody{bytes.NewReader([]byte("id\nu1\nu2\n"))}
	h.do(call{method: "PUT", path: path + "/recipients", body: body, header: csvHeader}).wantProblem(http.StatusBadRequest, "MALFORMED", "")
	h.do(call{method: "POST", path: path + "/seal"}).wantProblem(409, "NO_RECIPIENTS", "")
	if strings.Contains(h.log.String(), "request failed") {
		t.Errorf("the log %s blames us for a sender who went away", h.log)
	}
}

// brokenUploads fails as a database does.
type brokenUploads struct{ broadcast.Uploads }

func (brokenUploads) StoreChunks(context.Context, broadcast.ID, int, []broadcast.Packed) error {
	return sql.ErrConnDone
}

func TestUpload_ourMistake(t *testing.T) {
	h := newHouse(t, func(s *Services) {
		db := s.Read.(*store.Store)
		s.Broadcasts = broadcast.NewDesk(db, brokenUploads{db}, db, db, atNoon, func(prefix string) string { return prefix + "_1" })
	})
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	h.do(call{method: "PUT", path: path + "/recipients", body: "id\nu1\n", header: csvHeader}).wantProblem(500, "INTERNAL", "")
	if !strings.Contains(h.log.String(), sql.ErrConnDone.Error()) {
		t.Errorf("the log %s lacks the cause", h.log)
	}
}
