package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/recipient"
)

// What a Korean office keeps of refusals comes in whole, or not at all, and goes out as it came.
func TestListImport(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	bot := "/api/v1/bots/" + botID
	post := func(path, media, body string) response {
		return h.do(call{method: "POST", path: bot + path, body: body, header: map[string]string{"Content-Type": media}})
	}
	old, err := korean.EUCKR.NewEncoder().String("수신자ID;수신거부 일시;거부구분;경로\r\nu2;2026-11-01 12:00;전체;고객센터 전화\r\nu1;2026-11-02;;\r\nu2;2026-10-01;;먼저\r\n")
	if err != nil {
		t.Fatal(err)
	}
	const csv, ndjson = "text/csv", "application/x-ndjson"
	wantAt(t, "a dry run", post("/suppressions/import?dry_run=true", csv, old).want(200), map[string]any{"new": 2, "changed": 0, "unchanged": 0, "duplicates": 1, "bad_rows": 0, "dry_run": true})
	if got := h.do(call{method: "GET", path: bot + "/suppressions/export"}).Body.String(); got != "type,id,scope,at,source\r\n" {
		t.Errorf("after a dry run the export is %q, want nobody", got)
	}
	wantAt(t, "an import", post("/suppressions/import", csv, old).want(200), map[string]any{"new": 2, "duplicates": 1, "dry_run": nil, "problems": nil})
	wantAt(t, "the same again", post("/suppressions/import", csv, old).want(200), map[string]any{"new": 0, "changed": 0, "unchanged": 2})

	out := h.do(call{method: "GET", path: bot + "/suppressions/export?bom=true"})
	const table = "type,id,scope,at,source\r\nbotUserKey,u1,ad,2026-11-01T15:00:00Z,\r\nbotUserKey,u2,all,2026-11-01T03:00:00Z,고객센터 전화\r\n"
	if got := out.Body.String(); got != "\uFEFF"+table || out.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(out.Header().Get("Content-Disposition"), "malgil-"+botID+"-suppressions.csv") {
		t.Errorf("the export is %q, %v, want %q", got, out.Header(), table)
	}
	lines := h.do(call{method: "GET", path: bot + "/suppressions/export?format=ndjson"}).Body.String()
	for media, text := range map[string]string{csv: table, ndjson: lines} {
		wantAt(t, "what was exported as "+media, post("/suppressions/import", media, text).want(200), map[string]any{"new": 0, "changed": 0, "unchanged": 2})
	}

	// A consent of later takes u1 off; one bad line refuses the file.
	consents := "id,at,night_at\nu1,2026-11-03,Y\n=u3,2026-11-03,\nu4,,\nu5,2026-11-03,someday\n"
	p := post("/consents/import", csv, consents).wantProblem(422, "INVALID", "body.line[4]")
	if len(p.Errors) != 2 || p.Errors[0].Column != "at" || p.Errors[1].Line != 5 || p.Errors[1].Column != "night_at" {
		t.Errorf("bad lines are %+v, want line 4, at, and line 5, night_at", p.Errors)
	}
	wantAt(t, "a dry run of bad lines", post("/consents/import?dry_run=true", csv, consents).want(200), map[string]any{"new": 2, "bad_rows": 2, "problems.0.line": 4, "problems.1.column": "night_at"})
	dropped := h.do(call{method: "POST", path: bot + "/consents/import?dry_run=true", body: consents, header: map[string]string{"Content-Type": csv, "Accept": csv}})
	if got := dropped.Body.String(); dropped.Code != 200 || strings.Count(got, "\r\n") != 3 || !strings.Contains(got, "4,bad,at,is missing; say when,,\r\n") {
		t.Errorf("the bad lines as a file are %d %q", dropped.Code, got)
	}
	wantAt(t, "GET consents", h.do(call{method: "GET", path: bot + "/consents"}).want(200), map[string]any{"items.0": nil})
	wantAt(t, "without the bad lines", post("/consents/import?skip_bad_rows=true", csv, consents).want(200), map[string]any{"new": 2, "bad_rows": 2, "problems.0.line": 4})
	if got := h.do(call{method: "GET", path: bot + "/consents/export"}).Body.String(); got != "type,id,at,night_at,source\r\nbotUserKey,'=u3,2026-11-02T15:00:00Z,,\r\nbotUserKey,u1,2026-11-02T15:00:00Z,2026-11-02T15:00:00Z,\r\n" {
		t.Errorf("consents are %q, want u1 and one that no spreadsheet runs", got)
	}
	wantAt(t, "suppressions", h.do(call{method: "GET", path: bot + "/suppressions"}).want(200), map[string]any{"items.0.id": "u2", "items.1": nil})

	book := excelize.NewFile()
	for cell, value := range map[string]any{"A1": "수신자 ID", "B1": "동의일", "C1": "야간동의 일시", "A2": "u6", "B2": 46350, "C2": 46350.5} {
		if err := book.SetCellValue("Sheet1", cell, value); err != nil {
			t.Fatal(err)
		}
	}
	for cell, format := range map[string]int{"B2": 14, "C2": 22} { // a date, and a date with a time, as a spreadsheet has them
		style, err := book.NewStyle(&excelize.Style{NumFmt: format})
		if err == nil {
			err = book.SetCellStyle("Sheet1", cell, cell, style)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := book.Write(&file); err != nil {
		t.Fatal(err)
	}
	wantAt(t, "a workbook", post("/consents/import", recipient.XLSX.MediaType(), file.String()).want(200), map[string]any{"new": 1})
	wantAt(t, "who is in the workbook", h.do(call{method: "GET", path: bot + "/stance?id=u6"}).want(200),
		map[string]any{"consent.at": "2026-11-23T15:00:00Z", "consent.night_at": "2026-11-24T03:00:00Z"})

	post("/suppressions/import", csv, "id,이름\nu1,하늘\n").wantProblem(422, "INVALID", "body.recipients")
	wantAt(t, "a mapping", post("/suppressions/import?map=id:id,at:%ED%95%9C%20%EB%82%A0", csv, "id,이름,한 날\nu2,하늘,2026-11-20\n").want(200), map[string]any{"changed": 1})
	post("/suppressions/import?map=properties:x", csv, "id\n").wantProblem(422, "INVALID", "query.map")
	post("/suppressions/import?exclude=broadcast:brd_1", csv, "id\n").wantProblem(422, "INVALID", "query.exclude")
	post("/suppressions/import", "application/json", "[]").wantProblem(415, "UNSUPPORTED_MEDIA_TYPE", "")
	wantAt(t, "nobody", post("/suppressions/import", csv, "id\n").want(200), map[string]any{"new": 0, "unchanged": 0})

	audit := h.do(call{method: "GET", path: "/api/v1/audit?action=import-suppressions"}).want(200)
	wantAt(t, "the audit log", audit, map[string]any{"items.0.action": "import-suppressions", "items.0.after.list": "suppressions", "items.0.after.rows": 1, "items.0.after.changed": 1, "items.5": nil})
	wantAt(t, "the audit log of consents", h.do(call{method: "GET", path: "/api/v1/audit?action=import-consents"}).want(200),
		map[string]any{"items.0.after.rows": 1, "items.1.after.rows": 2, "items.1.after.bad_rows": 2, "items.1.after.new": 2, "items.2": nil})
}

// fullLists are lists whose disk is full behind the first people.
type fullLists struct {
	PeopleLists
	goes *int
}

func (l fullLists) PutStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance, tell func(broadcast.Noted) any) (broadcast.Noted, error) {
	if *l.goes++; *l.goes > 1 {
		return broadcast.Noted{}, errors.New("disk full")
	}
	return l.PeopleLists.PutStances(ctx, botID, list, said, tell)
}

// An import that breaks off says how far it came, and is told of in the audit log.
func TestListImport_cutShort(t *testing.T) {
	goes := 0
	h := newHouse(t, func(s *Services) { s.Lists = fullLists{s.Lists, &goes} })
	_, _, botID := h.seed(0)
	var file strings.Builder
	file.WriteString("id\n")
	for i := range 600 {
		fmt.Fprintf(&file, "u%d\n", i)
	}
	p := h.do(call{method: "POST", path: "/api/v1/bots/" + botID + "/suppressions/import", body: file.String(), header: map[string]string{"Content-Type": "text/csv"}}).wantProblem(503, "CUT_SHORT", "")
	if want := "the import broke off behind 500 people, who are stored; send the same file again"; p.Detail != want {
		t.Errorf("detail = %q, want %q", p.Detail, want)
	}
	wantAt(t, "the audit log", h.do(call{method: "GET", path: "/api/v1/audit?action=import-suppressions"}).want(200),
		map[string]any{"items.0.after.rows": 600, "items.0.after.new": nil, "items.1": nil})
}
