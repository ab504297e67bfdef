package recipient

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A workbook that a spreadsheet program (Gnumeric 1.12) has saved comes in as it looks there; of a formula its
// result is a text.
func TestXLSX_ofASpreadsheetProgram(t *testing.T) {
	file, err := os.Open("testdata/spreadsheet.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, bad := readAll(t, file, XLSX, Options{})
	var lines []string
	for _, r := range got {
		lines = append(lines, fmt.Sprintf("%s %s %q", r.Type, r.ID, r.Properties))
	}
	want := `appUserId 10000000000 map["식":"2" "이름":"하늘" "점수":"12.5"]
botUserKey 7c1e5d90aa43 map["식":"u2" "이름":"바다"]
botUserKey 9f00 map["이름":"김, \"별\"" "점수":"3"]`
	if text := strings.Join(lines, "\n"); len(bad) != 0 || text != want {
		t.Errorf("rows\n%s\nbad %v, want\n%s", text, bad, want)
	}
}
