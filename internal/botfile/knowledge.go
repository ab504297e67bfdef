package botfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/sheet"
)

const (
	knowledgeCSV  = "knowledge.csv"
	knowledgeXLSX = "knowledge.xlsx"
)

// column is what a column of a knowledge base holds.
type column struct {
	name  string   // in a header
	path  string   // of the check
	other []string // names that it may have too, folded
	cell  func(*knowledge.Item) *string
}

var columns = []column{
	category(0, "분류1", "카테고리1", "대분류"), category(1, "분류2", "카테고리2", "중분류"),
	category(2, "분류3", "카테고리3", "소분류"), category(3, "분류4", "카테고리4", "세분류"),
	{"question", "question", []string{"질문"}, func(i *knowledge.Item) *string { return &i.Question }},
	{"answer", "answer", []string{"답변", "답", "대답"}, func(i *knowledge.Item) *string { return &i.Answer }},
	{"imageUrl", "image_url", []string{"이미지", "이미지url", "이미지주소"}, func(i *knowledge.Item) *string { return &i.ImageURL }},
	{"landingUrl", "landing_url", []string{"링크", "링크url", "랜딩url", "더보기", "더보기링크"}, func(i *knowledge.Item) *string { return &i.LandingURL }},
}

func category(i int, other ...string) column {
	return column{fmt.Sprintf("category%d", i+1), fmt.Sprintf("categories[%d]", i), other, func(item *knowledge.Item) *string { return &item.Categories[i] }}
}

// items is where the items of a knowledge base stand.
type items struct {
	lines []int            // of each item
	at    map[string]place // the columns by the path of the check; line is unused
}

// knowledge reads a knowledge base. Rows that are empty are passed over; those that cannot be read are left out.
func (f *file) knowledge(fsys fs.FS) (read []knowledge.Item) {
	opened, err := fsys.Open(f.name)
	if err != nil {
		f.add(place{}, "", "cannot be read")
		return nil
	}
	defer opened.Close()
	var rows sheet.Rows
	if f.name == knowledgeXLSX {
		rows, err = sheet.NewXLSX(opened, sheet.Limits{Rows: scenario.MaxKnowledge, Unzipped: 4 * MaxBytes}, nil)
	} else {
		rows, err = sheet.NewCSV(opened, "")
	}
	if err != nil {
		f.addSheet(err)
		return nil
	}
	defer rows.Close()
	of, ok := f.columns(rows.Header())
	for ok && !f.over() {
		cells, err := rows.Next()
		var bad *sheet.BadRow
		switch {
		case errors.Is(err, io.EOF):
			return read
		case errors.As(err, &bad):
			if f.name == knowledgeCSV && (strings.HasPrefix(bad.Reason, "has ") || strings.HasPrefix(bad.Reason, "is not CSV")) {
				bad.Reason += inQuotes
			}
			f.add(place{bad.Line, max(1, bad.Column)}, "", "%s", bad.Reason)
			continue
		case err != nil:
			f.addSheet(err)
			return read
		}
		item, empty := f.item(rows.Line(), cells, of)
		if empty {
			continue
		}
		if len(read) == scenario.MaxKnowledge {
			f.add(place{rows.Line(), 1}, "", "is one row too many; at most %d are kept", scenario.MaxKnowledge)
			return read
		}
		read, f.items.lines = append(read, item), append(f.items.lines, rows.Line())
	}
	return read
}

// inQuotes is what to do about a row that falls apart.
const inQuotes = "; put text that has a comma, a quote or a new line in quotes, and write a quote in it twice"

// item reads a row.
func (f *file) item(line int, cells []string, of []column) (item knowledge.Item, empty bool) {
	empty = true
	for i, cell := range cells {
		cell = strings.ReplaceAll(strings.TrimSpace(cell), "\r\n", "\n")
		empty = empty && cell == ""
		*of[i].cell(&item) = cell
		if f.name == knowledgeXLSX {
			if wrong := sheet.WrongCell(cell); wrong != "" {
				f.add(place{line, i + 1}, of[i].name, "%s", wrong)
			}
		}
	}
	return item, empty
}

// columns returns what the columns of a header are.
func (f *file) columns(header []string, line int) (of []column, ok bool) {
	ok = true
	f.items.at = map[string]place{}
	for i, name := range header {
		found := slices.IndexFunc(columns, func(c column) bool {
			folded := sheet.Folded(strings.TrimSpace(name))
			return folded == strings.ToLower(c.name) || slices.Contains(c.other, folded)
		})
		at := place{line, i + 1}
		switch {
		case found < 0:
			f.add(at, "", "%q is no column of a knowledge base; there are %s", name, strings.Join(names(), ", "))
			ok = false
			continue
		case f.items.at[columns[found].path] != place{}:
			f.add(at, columns[found].name, "stands twice in the header")
			ok = false
		}
		f.items.at[columns[found].path] = at
		of = append(of, columns[found])
	}
	for _, needed := range []string{"question", "answer"} {
		if f.items.at[needed] == (place{}) {
			f.add(place{line, 1}, needed, "is a column that is missing")
			ok = false
		}
	}
	return of, ok
}

func names() (all []string) {
	for _, c := range columns {
		all = append(all, c.name)
	}
	return all
}

// addSheet adds why a table cannot be read.
func (f *file) addSheet(err error) {
	var wrong *fault.Error
	switch {
	case errors.Is(err, sheet.ErrEmpty):
		f.add(place{1, 1}, "", "is empty; its first line names the columns: %s", strings.Join(names(), ","))
	case errors.As(err, &wrong):
		f.add(place{}, "", "%s", wrong.Message)
	default:
		f.add(place{}, "", "cannot be read")
	}
}

// locate returns the column and the place of an item that a check is about, by its path.
func (f *file) locate(i int, path string) (string, place) {
	name := path
	for _, c := range columns {
		if c.path == path {
			name = c.name
		}
	}
	return name, place{f.items.lines[i], max(1, f.items.at[path].column)}
}

// asCSV writes a knowledge base. The mark at its beginning is for spreadsheet programs.
func asCSV(all []knowledge.Item) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	row := names()
	for i := -1; i < len(all); i++ {
		if i >= 0 {
			for j, c := range columns {
				row[j] = *c.cell(&all[i])
			}
		}
		if err := w.Write(row); err != nil {
			panic("botfile: " + err.Error()) // memory takes everything
		}
	}
	w.Flush()
	return b.Bytes()
}
