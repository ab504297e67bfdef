package recipient

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

func TestNDJSON(t *testing.T) {
	text := "\uFEFF" + `{"type":"appUserId","id":"7","properties":{"등급":"금"}}` + "\r\n" +
		`{"id":"u2"}` + "\n\n" + // and an empty line
		`{"id":""}` + "\n" + // line 4
		`{"id":7}` + "\n" +
		`{"id":"u6","phone":"1"}` + "\n" +
		`{"id":"u7","ID":"u8"}` + "\n" +
		`{"id":"u8","properties":{"n":1}}` + "\n" +
		`["u9"]` + "\n" +
		`null` + "\n" +
		`{"id":"u11"} {"id":"u12"}` + "\n" +
		"{\"id\":\"\xff\"}\n" +
		`{"id":"u13","type":"botUserKey","properties":null}`
	got, bad := readAll(t, strings.NewReader(text), NDJSON, Options{})
	want := []broadcast.Recipient{one("appUserId", "7", map[string]string{"등급": "금"}), one("botUserKey", "u2", nil), one("botUserKey", "u13", nil)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	const noObject = "is not a JSON object on a line of its own"
	wantBad := []broadcast.BadRow{
		{Line: 4, Column: "id", Reason: "is empty"},
		{Line: 5, Column: "id", Reason: "must be a text"},
		{Line: 6, Column: "phone", Reason: "is not known; a recipient has type, id and properties"},
		{Line: 7, Column: "ID", Reason: "is not known; a recipient has type, id and properties"},
		{Line: 8, Column: "properties", Reason: "must be an object of texts"},
		{Line: 9, Reason: noObject}, {Line: 10, Reason: noObject}, {Line: 11, Reason: noObject}, {Line: 12, Reason: "is not UTF-8"},
	}
	if diff := cmp.Diff(wantBad, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
}

func TestNDJSON_refuses(t *testing.T) {
	if _, err := Open(strings.NewReader(""), NDJSON, Options{Columns: Mapping{ID: "a"}}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Open with columns error = %v, want Invalid", err)
	}
	rows, err := Open(strings.NewReader(`{"id":"u1"}`+"\n"+strings.Repeat("x", maxLine+1)), NDJSON, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Next of a line that is too long error = %v, want Invalid", err)
	}
}
