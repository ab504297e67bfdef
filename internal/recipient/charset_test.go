package recipient

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sheet"
)

// cp949 writes a text as a Korean Excel does.
func cp949(t *testing.T, text string) string {
	t.Helper()
	out, err := korean.EUCKR.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCSV_charsets(t *testing.T) {
	korean := "수신자유형,수신자ID,등급\nbotUserKey,u1,금\n"
	want := []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"등급": "금"})}
	tests := map[string]struct {
		text string
		set  sheet.Charset
		want []broadcast.Recipient // nil for that of korean
	}{
		"UTF-8":                     {text: korean},
		"UTF-8 that is named":       {text: korean, set: sheet.UTF8},
		"UTF-8 with a mark":         {text: "\uFEFF" + korean},
		"a mark against a name":     {text: "\uFEFF" + korean, set: sheet.CP949},
		"CP949":                     {text: cp949(t, korean)},
		"CP949 that is named":       {text: cp949(t, korean), set: sheet.CP949},
		"CP949 with semicolons":     {text: cp949(t, strings.ReplaceAll(korean, ",", ";"))},
		"CP949 with tabs and CR LF": {text: cp949(t, strings.NewReplacer(",", "\t", "\n", "\r\n").Replace(korean))},
		"a letter of Windows alone": {text: cp949(t, "id,a\nu1,똠방각하\n"), want: []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"a": "똠방각하"})}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.want == nil {
				tt.want = want
			}
			got, bad := readAll(t, iotest.OneByteReader(strings.NewReader(tt.text)), CSV, Options{Charset: tt.set})
			if diff := cmp.Diff(tt.want, got); diff != "" || bad != nil {
				t.Errorf("rows, bad %v (-want +got):\n%s", bad, diff)
			}
		})
	}
}

// The first letter beyond ASCII may come late: it decides.
func TestCSV_charsetFarBehind(t *testing.T) {
	text := "id,name\n" + strings.Repeat("u1,x\n", 50_000) + "u2,한빛서점\n"
	for set, text := range map[sheet.Charset]string{sheet.UTF8: text, sheet.CP949: cp949(t, text)} {
		got, bad := readAll(t, strings.NewReader(text), CSV, Options{})
		if len(got) != 50_001 || bad != nil || got[50_000].Properties["name"] != "한빛서점" {
			t.Errorf("%s: %d rows, bad %v, the last %v; want 한빛서점 in the last of 50001", set, len(got), bad, got[len(got)-1])
		}
	}
}

// A file of one character set with a broken letter in it is not taken for one of the other.
func TestCSV_brokenLetters(t *testing.T) {
	text := "id,name\nu1,가나다\nu2,라" + "?" + "마\nu3,바사아\n"
	got, bad := readAll(t, strings.NewReader(strings.Replace(text, "?", "\xff", 1)), CSV, Options{})
	if len(got) != 2 || got[0].Properties["name"] != "가나다" || cmp.Diff([]broadcast.BadRow{{Line: 3, Column: "properties", Reason: "are not UTF-8"}}, bad) != "" {
		t.Errorf("UTF-8: rows %v, bad %v, want line 3 bad", got, bad)
	}
	got, bad = readAll(t, strings.NewReader(strings.Replace(cp949(t, text), "?", "\xff", 1)), CSV, Options{Charset: sheet.CP949})
	if len(got) != 2 || got[1].Properties["name"] != "바사아" || cmp.Diff([]broadcast.BadRow{{Line: 3, Column: "name", Reason: "is not CP949"}}, bad) != "" {
		t.Errorf("CP949: rows %v, bad %v, want line 3 bad", got, bad)
	}
}

func TestOfContentType(t *testing.T) {
	tests := map[string]struct {
		f     Format
		set   sheet.Charset
		known bool
	}{
		"text/csv":                             {CSV, "", true},
		"text/csv; charset=UTF-8":              {CSV, sheet.UTF8, true},
		"text/csv; charset=EUC-KR":             {CSV, sheet.CP949, true},
		"text/csv; charset=ms949":              {CSV, sheet.CP949, true},
		"text/csv; charset=shift_jis":          {CSV, "", false},
		"application/x-ndjson":                 {NDJSON, "", true},
		XLSX.MediaType():                       {XLSX, "", true},
		"application/json":                     {"", "", false},
		"application/vnd.ms-excel":             {"", "", false},
		"":                                     {"", "", false},
		NDJSON.MediaType() + ";charset=utf-8":  {NDJSON, sheet.UTF8, true},
		NDJSON.MediaType() + ";charset=euc-kr": {NDJSON, sheet.CP949, false},
	}
	for header, want := range tests {
		f, set, known := OfContentType(header)
		if known != want.known || known && (f != want.f || set != want.set) {
			t.Errorf("OfContentType(%q) = %q, %q, %v, want %q, %q, %v", header, f, set, known, want.f, want.set, want.known)
		}
	}
	for name, want := range map[string]Format{"a.csv": CSV, "b/C.XLSX": XLSX, "x.y.ndjson": NDJSON, "a.xls": "", "csv": "", "": ""} {
		if got, err := OfName(name); got != want || (err != nil) != (want == "") || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("OfName(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
}
