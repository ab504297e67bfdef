package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/fault"
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

func TestRecognise(t *testing.T) {
	long := cp949(t, strings.Repeat("한빛서점 ", 100))
	tests := map[string]struct {
		sample string
		want   Charset
	}{
		"UTF-8":                       {"가나다", UTF8},
		"UTF-8 cut off":               {"가나다"[:8], UTF8},
		"CP949":                       {long, CP949},
		"CP949 cut off":               {long[:len(long)-2], CP949},
		"CP949 of one letter":         {cp949(t, "김"), CP949},
		"neither":                     {"\xff\xfe\xfd", UTF8},
		"one broken letter in UTF-8":  {"가나\xff다라마바사", UTF8},
		"one cut letter within UTF-8": {"가나\xea\xb0 다라마바사", UTF8},
	}
	for name, tt := range tests {
		if got := recognise([]byte(tt.sample)); got != tt.want {
			t.Errorf("recognise(%s) = %s, want %s", name, got, tt.want)
		}
	}
}

func TestCSV(t *testing.T) {
	c, err := NewCSV(strings.NewReader(strings.Replace(cp949(t, "\n질문;답\n\n언제;\"일곱 시\n까지\"\n\"x\ny\";1;2\n끝;?\n반품;7일\n"), "?", "\xff", 1)), CP949)
	if err != nil {
		t.Fatal(err)
	}
	header, line := c.Header()
	got := fmt.Sprintf("%d %q\n", line, header)
	for {
		cells, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		got += fmt.Sprintf("%d %q %v\n", c.Line(), cells, err)
	}
	want := `2 ["질문" "답"]
4 ["언제" "일곱 시\n까지"] <nil>
6 [] line 6 has 3 columns, the first line has 2
8 [] line 8 is not CP949
9 ["반품" "7일"] <nil>
`
	if got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
}

func TestNewCSV_empty(t *testing.T) {
	for _, text := range []string{"", "\uFEFF"} {
		if _, err := NewCSV(strings.NewReader(text), ""); !errors.Is(err, ErrEmpty) {
			t.Errorf("NewCSV(%q) error = %v, want ErrEmpty", text, err)
		}
	}
}

func TestXLSX_tooManyRows(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	for i := range 6 {
		if err := f.SetCellValue("Sheet1", fmt.Sprintf("A%d", 2*i+1), "x"); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	x, err := NewXLSX(&file, Limits{Rows: 4, Unzipped: 64 << 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for i := range 4 {
		if cells, err := x.Next(); err != nil || len(cells) != 1 || x.Line() != 2*i+3 {
			t.Fatalf("Next() = %q, %v in line %d, want a cell in line %d", cells, err, x.Line(), 2*i+3)
		}
	}
	if _, err := x.Next(); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "at most 4 rows") {
		t.Errorf("Next of row 5 of 4 error = %v, want Invalid", err)
	}
}
