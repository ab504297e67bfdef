package recipient

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// readCSV reads a whole file.
func readCSV(t *testing.T, text string) (people []broadcast.Recipient, bad []broadcast.BadRow) {
	t.Helper()
	return readAll(t, strings.NewReader(text), CSV, Options{})
}

// readAll reads a whole file of a format.
func readAll(t *testing.T, from io.Reader, f Format, o Options) (people []broadcast.Recipient, bad []broadcast.BadRow) {
	t.Helper()
	rows, err := Open(from, f, o)
	if err != nil {
		t.Fatalf("Open error = %v", err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Errorf("Close error = %v", err)
		}
	}()
	for {
		person, err := rows.Next()
		var row *broadcast.BadRow
		switch {
		case errors.Is(err, io.EOF):
			return people, bad
		case errors.As(err, &row):
			bad = append(bad, *row)
		case err != nil:
			t.Fatalf("Next error = %v", err)
		default:
			people = append(people, person)
		}
	}
}

func one(kind, id string, properties map[string]string) broadcast.Recipient {
	return broadcast.Recipient{Type: kind, ID: id, Properties: properties}
}

func TestCSV(t *testing.T) {
	gold := map[string]string{"grade": "gold"}
	tests := map[string]struct {
		text string
		want []broadcast.Recipient
	}{
		"type, id and a property":       {"type,id,grade\nbotUserKey,u1,gold\nappUserId,7,\n", []broadcast.Recipient{one("botUserKey", "u1", gold), one("appUserId", "7", nil)}},
		"id alone is a botUserKey":      {"id\nu1\nu2", []broadcast.Recipient{one("botUserKey", "u1", nil), one("botUserKey", "u2", nil)}},
		"a byte order mark":             {"\uFEFFid\nu1\n", []broadcast.Recipient{one("botUserKey", "u1", nil)}},
		"Korean headers":                {"수신자유형,수신자ID,등급\nplusfriendUserKey,p1,금\n", []broadcast.Recipient{one("plusfriendUserKey", "p1", map[string]string{"등급": "금"})}},
		"Korean header in lower case":   {"수신자id\nu1\n", []broadcast.Recipient{one("botUserKey", "u1", nil)}},
		"headers in any case, spaces":   {" ID , Type \n u1 , appUserId \n", []broadcast.Recipient{one("appUserId", "u1", nil)}},
		"lines that end in CR LF":       {"id,grade\r\nu1,gold\r\n", []broadcast.Recipient{one("botUserKey", "u1", gold)}},
		"quotes":                        {"id,grade\n\"u,1\",\"go\"\"ld\"\n\"u2\",\"two\nlines\"\n", []broadcast.Recipient{one("botUserKey", "u,1", map[string]string{"grade": "go\"ld"}), one("botUserKey", "u2", map[string]string{"grade": "two\nlines"})}},
		"semicolons":                    {"type;id;grade\nbotUserKey;u,1;go,ld\n", []broadcast.Recipient{one("botUserKey", "u,1", map[string]string{"grade": "go,ld"})}},
		"tabs":                          {"type\tid\tgrade\r\nbotUserKey\tu1\t\"go\tld\"\r\n", []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"grade": "go\tld"})}},
		"a separator within quotes":     {"\"grade;a;b\",id\ngold,u1\n", []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"grade;a;b": "gold"})}},
		"a header of two lines":         {"id,\"grade\nof all\"\nu1,gold\n", []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"grade\nof all": "gold"})}},
		"empty lines before the header": {"\n\nid;grade\nu1;gold\n", []broadcast.Recipient{one("botUserKey", "u1", gold)}},
		"Korean synonyms":               {"수신자 타입,아이디\nappUserId,7\n", []broadcast.Recipient{one("appUserId", "7", nil)}},
		"a synonym beside the name":     {"수신자ID,아이디\nu1,hong\n", []broadcast.Recipient{one("botUserKey", "u1", map[string]string{"아이디": "hong"})}},
		"empty lines are passed over":   {"id\n\nu1\n\n", []broadcast.Recipient{one("botUserKey", "u1", nil)}},
		"a header alone":                {"id\n", nil},
		"a header without a line's end": {"id", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, bad := readCSV(t, tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || bad != nil {
				t.Errorf("rows, bad %v (-want +got):\n%s", bad, diff)
			}
		})
	}
}

// Every bad row is told by its line, and reading goes on behind it.
func TestCSV_badRows(t *testing.T) {
	text := "type,id,grade\n" +
		"botUserKey,u1,gold\n" +
		"botUserKey,u2\n" + // line 3
		"botUserKey,u3,gold,extra\n" + // line 4
		"appUserKey,u4,gold\n" + // line 5
		"botUserKey,,gold\n" + // line 6
		"botUserKey,\"two\nlines\",gold\n" + // lines 7 and 8
		"botUserKey,u\"6,gold\n" + // line 9
		"botUserKey,\xff\xa1,gold\n" + // line 10, which is not CP949 either
		"botUserKey,u8,gold\n"
	got, bad := readCSV(t, text)
	var ids []string
	for _, person := range got {
		ids = append(ids, person.ID)
	}
	if diff := cmp.Diff([]string{"u1", "two\nlines", "u8"}, ids); diff != "" {
		t.Errorf("good rows (-want +got):\n%s", diff)
	}
	want := []broadcast.BadRow{
		{Line: 3, Reason: "has 2 columns, the first line has 3"},
		{Line: 4, Reason: "has 4 columns, the first line has 3"},
		{Line: 5, Column: "type", Reason: "must be botUserKey, plusfriendUserKey, appUserId or botGroupKey"},
		{Line: 6, Column: "id", Reason: "is empty"},
		{Line: 9, Reason: "is not CSV: bare \" in non-quoted-field"},
		{Line: 10, Column: "id", Reason: "is not UTF-8"},
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
	if got := want[2].Error(); got != "line 5, type: must be botUserKey, plusfriendUserKey, appUserId or botGroupKey" {
		t.Errorf("Error() = %q", got)
	}
}

// The cells of a row stay as they are when the next one is read.
func TestCSV_rowsAreTheirOwn(t *testing.T) {
	got, _ := readCSV(t, "id,grade\naaaa,gold\nbbbb,iron\n")
	want := []broadcast.Recipient{one("botUserKey", "aaaa", map[string]string{"grade": "gold"}), one("botUserKey", "bbbb", map[string]string{"grade": "iron"})}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestOpenCSV_refuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"an empty file":              {"", "the file is empty"},
		"a mark alone":               {"\uFEFF", "the file is empty"},
		"no id":                      {"type,name\n", "no column id"},
		"a column without a name":    {"id,,grade\n", "column 2 has no name"},
		"a column that stands twice": {"id,grade,grade\n", `"grade" stands twice`},
		"two columns for the id":     {"id,수신자ID\n", `"수신자ID" stands twice`},
		"two cases of type":          {"Type,id,TYPE\n", `"TYPE" stands twice`},
		"neither encoding":           {"\xff\xf6\xbd\xc5\xc0\xda,id\n", "neither UTF-8 nor CP949"},
		"UTF-16":                     {"\xff\xfei\x00d\x00\n\x00", "UTF-16"},
		"no CSV":                     {"i\"d\n", "is not CSV"},
	}
	for name, tt := range tests {
		_, err := Open(strings.NewReader(tt.text), CSV, Options{})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open of %s error = %v, want Invalid with %q", name, err, tt.want)
		}
	}
}

func TestOpenCSV_readError(t *testing.T) {
	broken := errors.New("connection reset")
	rows, err := Open(io.MultiReader(strings.NewReader("id\nu1\nu2"), errorReader{broken}), CSV, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); !errors.Is(err, broken) {
		t.Errorf("Next error = %v, want %v: half a row is no row", err, broken)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
