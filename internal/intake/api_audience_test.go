package intake

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/recipient"
	"github.com/malgil/malgil/internal/store"
)

// A dry run says what would become of a file, and stores nothing.
func TestUpload_dryRun(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	const text = "type,id\nbotUserKey,u1\nbotUserKey,\nbotUserKey,u1\nappUserId,=1+1\nappUserId,=1+1\nphone,7\n"
	put := func(query, accept string) response {
		return h.do(call{method: "PUT", path: path + "/recipients" + query, body: text, header: map[string]string{"Content-Type": "text/csv", "Accept": accept}})
	}
	wantAt(t, "a dry run", put("?dry_run=true", "application/json").want(200), map[string]any{
		"dry_run": true, "audience": 2, "duplicates": 2, "bad_rows": 2, "excluded": 0,
		"problems.0.line": 3, "problems.0.column": "id", "problems.0.message": "is empty", "problems.1.line": 7, "problems.2": nil,
		"dropped.0.line": 4, "dropped.0.message": "is named before", "dropped.1.line": 6, "dropped.2": nil,
	})
	list := put("?dry_run=true", "text/html, text/csv;q=0.9")
	want := "\uFEFF" + strings.ReplaceAll(`line,dropped,column,reason,type,id
3,bad,id,is empty,,
4,duplicate,id,is named before,botUserKey,u1
6,duplicate,id,is named before,appUserId,'=1+1
7,bad,type,"must be botUserKey, plusfriendUserKey, appUserId or botGroupKey",,
`, "\n", "\r\n")
	if list.Code != 200 || list.Body.String() != want || list.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.Contains(list.Header().Get("Content-Disposition"), "attachment") || list.Header().Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("the list of a dry run = %d %v\n%s\nwant\n%s", list.Code, list.Header(), list.Body, want)
	}
	h.do(call{method: "POST", path: path + "/seal"}).wantProblem(409, "NO_RECIPIENTS", "")
	put("?dry_run=maybe", "").wantProblem(422, "INVALID", "query.dry_run")
	put("", "text/csv").wantProblem(422, "INVALID", "body.line[3]") // no dry run
	put("?exclude=brd_1", "").wantProblem(422, "INVALID", "query.exclude")
	put("?exclude=broadcast:brd_1", "").wantProblem(422, "INVALID", "query.exclude")
	broken := h.do(call{method: "PUT", path: path + "/recipients?dry_run=true", body: "name\n", header: map[string]string{"Content-Type": "text/csv", "Accept": "text/csv"}})
	broken.wantProblem(422, "INVALID", "body.recipients")
}

func TestAudiences(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	made := h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}})
	id := made.want(201)["id"].(string)
	path := made.Header().Get("Location")
	if path != "/api/v1/audiences/"+id {
		t.Errorf("Location = %q, want the audience", path)
	}
	h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}}).wantProblem(409, "AUDIENCE_EXISTS", "body.name")
	h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": ""}}).wantProblem(422, "INVALID", "body.name")
	b := h.uploading(botID)
	use := func(body map[string]any) response {
		return h.do(call{method: "POST", path: b + "/recipients/from-audience", body: body})
	}
	use(map[string]any{"audience": id}).wantProblem(409, "NO_RECIPIENTS", "")
	file := map[string]string{"Content-Type": recipient.NDJSON.MediaType()}
	text := `{"id":"u1"}` + "\n" + `{"id":"u2"}` + "\n" + `{"id":"u1"}` + "\n" + `{"id":""}` + "\n"
	h.do(call{method: "PUT", path: path + "/recipients", body: text, header: file}).wantProblem(422, "INVALID", "body.line[4]")
	wantAt(t, "PUT recipients", h.do(call{method: "PUT", path: path + "/recipients?skip_bad_rows=true", body: text, header: file}).want(200),
		map[string]any{"audience": 2, "duplicates": 1, "bad_rows": 1})
	wantAt(t, "GET audience", h.do(call{method: "GET", path: path}).want(200), map[string]any{
		"id": id, "bot": botID, "name": "단골", "people": 2, "duplicates": 1, "bad_rows": 1, "excluded": 0, "uploaded_at": "2026-11-24T03:00:00Z",
	})
	wantAt(t, "GET audiences", h.do(call{method: "GET", path: "/api/v1/audiences?bot=" + botID}).want(200), map[string]any{"items.0.id": id, "items.1": nil})

	wantAt(t, "a dry run", use(map[string]any{"audience": id, "dry_run": true}).want(200), map[string]any{"audience": 2, "dry_run": true})
	h.do(call{method: "POST", path: b + "/seal"}).wantProblem(409, "NO_RECIPIENTS", "")
	use(map[string]any{"audience": id, "exclude": "brd_1"}).wantProblem(422, "INVALID", "body.exclude")
	use(map[string]any{"audience": "aud_9"}).wantProblem(404, "NOT_FOUND", "")
	use(map[string]any{"audience": ""}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "using it", use(map[string]any{"audience": id}).want(200), map[string]any{"audience": 2, "duplicates": 0, "excluded": 0})
	wantAt(t, "using it again", use(map[string]any{"audience": id}).want(200), map[string]any{"audience": 2})
	wantAt(t, "seal", h.do(call{method: "POST", path: b + "/seal"}).want(200), map[string]any{"state": "running", "counts.audience": 2, "counts.excluded": 0})
	use(map[string]any{"audience": id}).wantProblem(409, "SEALED", "")
	if got := h.do(call{method: "DELETE", path: path}); got.Code != 204 {
		t.Errorf("DELETE = %d %s, want 204", got.Code, got.Body)
	}
	h.do(call{method: "GET", path: path}).wantProblem(404, "NOT_FOUND", "")
	people, err := h.store.People(t.Context(), broadcast.ID(strings.TrimPrefix(b, "/api/v1/broadcasts/")), store.PeopleFilter{}, 10)
	if err != nil || len(people) != 1 {
		t.Errorf("the broadcast has %d chunks, %v, want the people of the audience that is gone", len(people), err)
	}
}

// Who may order broadcasts of one bot learns nothing of the audiences of another.
func TestAudiences_ofAnotherBot(t *testing.T) {
	h := newHouse(t)
	own, foreign := newTown(h, "own"), newTown(h, "foreign")
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + own.broadcast + "/recipients/from-audience", token: own.people['O'].token,
		body: map[string]any{"audience": foreign.audience()}}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + own.broadcast + "/recipients/from-audience",
		body: map[string]any{"audience": foreign.audience()}}).wantProblem(422, "INVALID", "body.audience") // the platform sees both
	got := h.do(call{method: "PUT", path: "/api/v1/broadcasts/" + own.broadcast + "/recipients?exclude=broadcast:" + foreign.broadcast, token: own.people['O'].token,
		body: "id\nu1\n", header: csvHeader}).wantProblem(422, "INVALID", "query.exclude")
	none := h.do(call{method: "PUT", path: "/api/v1/broadcasts/" + own.broadcast + "/recipients?exclude=broadcast:brd_9", token: own.people['O'].token,
		body: "id\nu1\n", header: csvHeader}).wantProblem(422, "INVALID", "query.exclude")
	if strings.ReplaceAll(got.Detail, foreign.broadcast, "") != strings.ReplaceAll(none.Detail, "brd_9", "") {
		t.Errorf("a foreign broadcast is told %q, one that is not there %q; want no difference", got.Detail, none.Detail)
	}
}

// What an upload had in temporary files is gone with its answer.
func TestUpload_leavesNoFiles(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	t.Setenv("TMPDIR", t.TempDir())
	h.do(call{method: "PUT", path: path + "/recipients", body: "no workbook", header: map[string]string{"Content-Type": recipient.XLSX.MediaType()}}).wantProblem(422, "INVALID", "body.recipients")
	h.do(call{method: "PUT", path: path + "/recipients?dry_run=true", body: "id\n\"\"\n", header: map[string]string{"Content-Type": "text/csv", "Accept": "text/csv"}})
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}
