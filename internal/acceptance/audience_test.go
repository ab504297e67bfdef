package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	hangul "golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/apiclient"
)

// Who is sent to: files of every format, tried first, without those who have it already, and audiences
// that are uploaded once.
func TestAudience(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"formats":  formatsArrive,
		"bad_line": oneBadLine,
		"exclude":  reachedOnce,
	})
}

const xlsxMedia = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// workbook writes rows of cells as a workbook.
func workbook(t *testing.T, rows ...[]any) io.Reader {
	t.Helper()
	book := excelize.NewFile()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err == nil {
			err = book.SetSheetRow("Sheet1", cell, &row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := book.Write(&file); err != nil {
		t.Fatal(err)
	}
	return &file
}

// uploading orders a broadcast that waits for its people.
func (s *shop) uploading() (b broadcast) {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "event": map[string]any{"name": event}}, &b, apiclient.IdempotencyKey(rand.Text()))
	return b
}

// sealed lets an uploaded broadcast go and waits for its end.
func (s *shop) sealed(b broadcast) broadcast {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/broadcasts/"+b.ID+"/seal", nil, &b)
	return s.finish(b)
}

// What a Korean office saves arrives: CP949 with semicolons, a workbook with numbers as ids and names of
// its own, and what programs write.
func formatsArrive(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	f := s.friends(5)
	old, err := hangul.EUCKR.NewEncoder().String("수신자유형;수신자ID;등급\r\nbotUserKey;" + f[0] + ";금\r\nbotUserKey;" + f[1] + ";은\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct {
		name, media, query string
		body               io.Reader
		people             int
	}{
		{"CP949", "text/csv; charset=euc-kr", "", strings.NewReader(old), 2},
		{"CP949 that nobody names", "text/csv", "", strings.NewReader(strings.NewReplacer(f[0], f[2], f[1], f[4]).Replace(old)), 2},
		{"a workbook", xlsxMedia, "?map=id:%ED%9A%8C%EC%9B%90,type:%EA%B5%AC%EB%B6%84", workbook(t,
			[]any{"회원", "구분", "이름"}, []any{10_000_000_001, "appUserId", "하늘"}, []any{10_000_000_002, "appUserId", "바다"}), 2},
		{"NDJSON", "application/x-ndjson", "", strings.NewReader(`{"type":"botUserKey","id":"` + f[3] + `","properties":{"등급":"금"}}` + "\n"), 1},
	} {
		b := s.uploading()
		h.do("PUT", "/api/v1/broadcasts/"+b.ID+"/recipients"+file.query, file.body, nil, apiclient.ContentType(file.media))
		if b = s.sealed(b); b.Counts.Delivered != file.people {
			t.Errorf("%s: %d were delivered, want %d", file.name, b.Counts.Delivered, file.people)
		}
	}
	for _, id := range []string{"10000000001", "10000000002", f[3]} {
		var list struct {
			Items []struct{ Times int }
		}
		if h.ask("/sandbox/truth/people?bot="+s.bot+"&id="+id, &list); len(list.Items) != 1 || list.Items[0].Times != 1 {
			t.Errorf("%s was reached %+v, want once", id, list.Items)
		}
	}
	h.balance()
}

// A file with one bad line is refused with that line, whatever its format, and nothing of it is stored; a dry
// run tells it beforehand.
func oneBadLine(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	b := s.uploading()
	path := "/api/v1/broadcasts/" + b.ID + "/recipients"
	for media, file := range map[string]func() io.Reader{
		"text/csv": func() io.Reader { return csv("id", "reader-1", `""`, "reader-3") },
		xlsxMedia: func() io.Reader {
			return workbook(t, []any{"id", "등급"}, []any{"reader-1"}, []any{nil, "금"}, []any{"reader-3"})
		},
		"application/x-ndjson": func() io.Reader { return csv(`{"id":"reader-1"}`, "", `{"id":""}`, `{"id":"reader-3"}`) },
	} {
		var tried struct {
			Audience int `json:"audience"`
			BadRows  int `json:"bad_rows"`
			Problems []struct {
				Line   int
				Column string
			} `json:"problems"`
		}
		h.do("PUT", path+"?dry_run=true", file(), &tried, apiclient.ContentType(media))
		if tried.Audience != 2 || tried.BadRows != 1 || len(tried.Problems) != 1 || tried.Problems[0].Line != 3 {
			t.Errorf("%s: a dry run tells %+v, want 2 people and line 3", media, tried)
		}
		p := h.refused("PUT", path, file(), apiclient.ContentType(media))
		if p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Line != 3 || p.Errors[0].Column != "id" {
			t.Errorf("%s: the file is answered %+v, want line 3 and its id", media, p)
		}
	}
	if p := h.refused("POST", "/api/v1/broadcasts/"+b.ID+"/seal", nil); p == nil || p.Code != "NO_RECIPIENTS" {
		t.Errorf("sealing after refused files is answered %+v, want NO_RECIPIENTS", p)
	}
	if n := len(s.look(b).Chunks.ByState); n != 0 {
		t.Errorf("the broadcast has chunks in %d states, want none", n)
	}
}

// An audience is uploaded once; the second broadcast to it leaves out whom the first has reached.
func reachedOnce(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	var audience struct{ ID string }
	h.do("POST", "/api/v1/audiences", map[string]any{"bot": s.bot, "name": "단골"}, &audience)
	people := append(s.friends(120), "stranger-1", "stranger-2")
	h.do("PUT", "/api/v1/audiences/"+audience.ID+"/recipients", csv(append([]string{"id"}, people...)...), nil)
	var took struct {
		Audience, Excluded int
	}
	first := s.uploading()
	h.do("POST", "/api/v1/broadcasts/"+first.ID+"/recipients/from-audience", map[string]any{"audience": audience.ID}, &took)
	if first = s.sealed(first); took.Audience != 122 || first.Counts.Delivered != 120 || first.Counts.Failed != 2 {
		t.Fatalf("the first took %+v and is %+v, want 120 delivered and 2 strangers", took, first.Counts)
	}
	h.tell("POST", "/sandbox/people", map[string]any{"ids": []string{"stranger-1"}, "friend": true}, nil)
	second := s.uploading()
	h.do("POST", "/api/v1/broadcasts/"+second.ID+"/recipients/from-audience", map[string]any{"audience": audience.ID, "exclude": "broadcast:" + first.ID}, &took)
	h.do("DELETE", "/api/v1/audiences/"+audience.ID, nil, nil)
	if second = s.sealed(second); took.Audience != 2 || took.Excluded != 120 || second.Counts.Delivered != 1 || second.Counts.Failed != 1 {
		t.Errorf("the second took %+v and is %+v, want the 2 strangers, of whom one is a friend by now", took, second.Counts)
	}
	if people := h.truth().Kakao.People; people.Again != 0 || people.Reached != 121 {
		t.Errorf("%d people were reached, %d of them again; want 121, each once", people.Reached, people.Again)
	}
	h.balance()
}
