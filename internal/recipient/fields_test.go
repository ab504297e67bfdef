package recipient

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// signup are fields as the tests have them.
var signup = map[string][]string{"at": {"가입일", "등록일"}, "source": {"출처"}}

// A file of fields has columns by their names, in Korean too, or as it is stated; NDJSON has them beside the id.
func TestFields(t *testing.T) {
	want := []broadcast.Recipient{one("appUserId", "7", map[string]string{"at": "2026-01-02", "source": "앱"}), one("appUserId", "8", nil)}
	tests := map[string]struct {
		format       Format
		text, stated string
	}{
		"by their names":    {CSV, "AT,type,id,source\n2026-01-02,appUserId,7,앱\n,appUserId,8,\n", ""},
		"in Korean":         {CSV, "수신자ID;수신자유형;가입 일;출처\n7;appUserId;2026-01-02;앱\n8;appUserId;;\n", ""},
		"stated":            {CSV, "회원,구분,한 날,출처,이름\n7,appUserId,2026-01-02,앱,하늘\n8,appUserId,,,바다\n", "id:회원,type:구분,at:한 날"},
		"NDJSON":            {NDJSON, `{"id":"7","type":"appUserId","at":"2026-01-02","source":"앱"}` + "\n" + `{"type":"appUserId","id":"8","source":""}`, ""},
		"the stated counts": {CSV, "id,type,at,등록일,source\n7,appUserId,x,2026-01-02,앱\n8,appUserId,y,,\n", "at:등록일"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMapping(tt.stated, "at", "source")
			if err != nil {
				t.Fatal(err)
			}
			got, bad := readAll(t, strings.NewReader(tt.text), tt.format, Options{Columns: m, Fields: signup})
			if diff := cmp.Diff(want, got); diff != "" || bad != nil {
				t.Errorf("rows, bad %v (-want +got):\n%s", bad, diff)
			}
		})
	}
	_, bad := readAll(t, strings.NewReader(`{"id":"7","at":3}`+"\n"+`{"id":"8","properties":{}}`), NDJSON, Options{Fields: signup})
	if diff := cmp.Diff([]broadcast.BadRow{{Line: 1, Column: "at", Reason: "must be a text"}, {Line: 2, Column: "properties", Reason: "is not known; there are type, id, at, source"}}, bad); diff != "" {
		t.Errorf("bad rows of NDJSON (-want +got):\n%s", diff)
	}
}

func TestFields_mistakes(t *testing.T) {
	for name, tt := range map[string]struct{ header, stated, want string }{
		"a column that is no field": {"id,이름", "", `line 1: column "이름" is not known; there are id, type, at, source; say with map=at:NAME`},
		"a column without a name":   {"id,", "", `column "" is not known`},
		"a field twice":             {"id,가입일,등록일", "", `column "등록일" stands twice`},
		"no such word":              {"id", "properties:id", `there are id, type, at and source; write it as id:NAME,type:NAME,at:NAME,source:NAME`},
		"no such column":            {"id", "at:한 날", `names the column "한 날", which the file does not have`},
		"a column of two fields":    {"id,출처", "at:출처", `column "출처" cannot be source and something else`},
		"two columns of a field":    {"id,a,b", "at:a|b", "names 2 columns for at"},
	} {
		m, err := ParseMapping(tt.stated, "at", "source")
		if err == nil {
			_, err = Open(strings.NewReader(tt.header+"\n"), CSV, Options{Columns: m, Fields: signup})
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v, want Invalid with %q", name, err, tt.want)
		}
	}
}
