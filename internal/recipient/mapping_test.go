package recipient

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

func TestMapping(t *testing.T) {
	const text = "회원번호,구분,이름,등급,\"a,b:c|d\",이름\n7,appUserId,하늘,금,x,y\n"
	all := strings.Replace(text, ",이름\n", ",별명\n", 1)
	tests := map[string]struct {
		text, stated string
		want         map[string]string
		kind         string
	}{
		"all parts":             {text, `id:회원번호,type:구분,properties:등급`, map[string]string{"등급": "금"}, "appUserId"},
		"with spaces":           {text, ` id : 회원번호 , type : 구분 , properties : 등급 | a\,b\:c\|d `, map[string]string{"등급": "금", "a,b:c|d": "x"}, "appUserId"},
		"no properties":         {text, `id:회원번호,type:구분,properties:`, nil, "appUserId"},
		"every other column":    {all, `id:회원번호,type:구분`, map[string]string{"이름": "하늘", "등급": "금", "a,b:c|d": "x", "별명": "y"}, "appUserId"},
		"no type":               {text, `id:회원번호,properties:등급|구분`, map[string]string{"등급": "금", "구분": "appUserId"}, "botUserKey"},
		"the id alone by name":  {"id,b\n7,x\n", `properties:b`, map[string]string{"b": "x"}, "botUserKey"},
		"the type alone stated": {"id,b\n7,appUserId\n", `type:b`, nil, "appUserId"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMapping(tt.stated)
			if err != nil {
				t.Fatal(err)
			}
			got, bad := readAll(t, strings.NewReader(tt.text), CSV, Options{Columns: m})
			if diff := cmp.Diff([]broadcast.Recipient{one(tt.kind, "7", tt.want)}, got); diff != "" || bad != nil {
				t.Errorf("rows, bad %v (-want +got):\n%s", bad, diff)
			}
		})
	}
}

func TestMapping_mistakes(t *testing.T) {
	for stated, want := range map[string]string{
		"회원번호":                  "not one word, a colon and columns",
		"id:a:b":                "not one word, a colon and columns",
		"id:a,":                 "not one word, a colon and columns",
		"phone:a":               "there are id, type and properties",
		"id:a,id:b":             "says twice what id is",
		"id:":                   "names no column for id",
		"type:a|b":              "names 2 columns for type",
		"properties:a||b":       "names no column for properties",
		"id:a,type:a":           `"a" twice`,
		"id:a,properties:b|a":   `"a" twice`,
		"properties:b|b":        `"b" twice`,
		`id:a\`:                 "ends within a name",
		"id:nobody":             `the column "nobody", which the file does not have; it has id, type, grade`,
		"type:nobody":           `the column "nobody"`,
		"properties:nobody":     `the column "nobody"`,
		"id:grade,properties:x": `the column "x"`,
		"properties:id":         "cannot be a property",
		"id:type":               "both id and type",
	} {
		m, err := ParseMapping(stated)
		if err == nil {
			_, err = Open(strings.NewReader("id,type,grade\n"), CSV, Options{Columns: m})
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.Contains(f.Message, want) || f.Field != "query.map" {
			t.Errorf("map %q error = %v, want Invalid with %q", stated, err, want)
		}
	}
	if m, err := ParseMapping(""); err != nil || m.Stated() {
		t.Errorf("ParseMapping of nothing = %+v, %v, want nothing stated", m, err)
	}
}
