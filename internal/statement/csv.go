package statement

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/store"
)

// writeCSV writes three tables, an empty line between them: the month, its days, its broadcasts.
func writeCSV(w io.Writer, st store.Statement) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // as Excel writes it
	row := func(texts []string, amounts ...int64) error {
		cells := make([]string, 0, len(texts)+len(amounts))
		for _, text := range texts {
			cells = append(cells, Harmless(text))
		}
		for _, amount := range amounts {
			cells = append(cells, strconv.FormatInt(amount, 10))
		}
		return out.Write(cells)
	}
	if err := row([]string{title}); err != nil {
		return err
	}
	for _, f := range headFacts(st) {
		if err := row([]string{f.name, f.text}); err != nil {
			return err
		}
	}
	for _, f := range totalFacts(st) {
		if err := row([]string{f.name}, f.amount); err != nil {
			return err
		}
	}
	for _, texts := range [][]string{nil, dayTitles()} {
		if err := row(texts); err != nil {
			return err
		}
	}
	for _, d := range dayRows(st) {
		if err := row([]string{d.name}, d.amounts...); err != nil {
			return err
		}
	}
	for _, texts := range [][]string{nil, broadcastTitles} {
		if err := row(texts); err != nil {
			return err
		}
	}
	of := clock.Month(st.Month)
	for line, err := range st.Lines {
		if err != nil {
			return err
		}
		texts, amounts := broadcastCells(line, of)
		if err := row(texts, amounts...); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Harmless keeps a spreadsheet from reading a text that people chose as a formula.
func Harmless(text string) string {
	if strings.IndexAny(text, "=+-@\t\r") == 0 {
		return "'" + text
	}
	return text
}
