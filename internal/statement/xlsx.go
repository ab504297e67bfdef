package statement

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"

	"github.com/rivo/uniseg"
	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/store"
)

// The sheets of a workbook.
const (
	monthSheet     = "요약"
	daySheet       = "일별"
	broadcastSheet = "발송별"
)

// maxRows is the most broadcasts in a workbook; a sheet of Excel has 1,048,576 rows.
const maxRows = 1_000_000

// workbook is a workbook that is written row by row. Its first error stays.
type workbook struct {
	*excelize.File
	bold, amount, boldAmount int // styles
	most                     int // broadcasts
}

// writeXLSX writes a workbook: the month with two charts, its days, its broadcasts. Rows are
// streamed, through temporary files where there are many. More than so many broadcasts are [ErrTooLong].
func writeXLSX(w io.Writer, st store.Statement, most int) error {
	file := excelize.NewFile()
	defer func() { _ = file.Close() }() // removes its temporary files
	b := &workbook{File: file, most: most}
	for _, step := range []func(store.Statement) error{b.styles, b.writeMonth, b.writeDays, b.writeBroadcasts, b.writeCharts} {
		if err := step(st); err != nil {
			return fmt.Errorf("make a workbook: %w", err)
		}
	}
	b.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(w) }) // not into memory first
	if _, err := b.WriteToBuffer(); err != nil {
		return fmt.Errorf("write a workbook: %w", err)
	}
	return nil
}

func (b *workbook) styles(store.Statement) error {
	krw := "#,##0"
	if err := b.SetSheetName("Sheet1", monthSheet); err != nil {
		return err
	}
	for _, name := range []string{daySheet, broadcastSheet} {
		if _, err := b.NewSheet(name); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		to    *int
		style excelize.Style
	}{
		{&b.bold, excelize.Style{Font: &excelize.Font{Bold: true}}},
		{&b.amount, excelize.Style{CustomNumFmt: &krw}},
		{&b.boldAmount, excelize.Style{Font: &excelize.Font{Bold: true}, CustomNumFmt: &krw}},
	} {
		style, err := b.NewStyle(&s.style)
		if err != nil {
			return err
		}
		*s.to = style
	}
	return nil
}

// writeMonth writes the sheet that is seen first. It is short, and not streamed: charts stand on it.
func (b *workbook) writeMonth(st store.Statement) error {
	row := 0
	put := func(name string, value any, style int) error {
		row++
		cell := fmt.Sprintf("B%d", row)
		if err := b.SetCellStr(monthSheet, fmt.Sprintf("A%d", row), name); err != nil {
			return err
		}
		if err := b.SetCellValue(monthSheet, cell, value); err != nil {
			return err
		}
		return b.SetCellStyle(monthSheet, cell, cell, style)
	}
	if err := put(title, nil, 0); err != nil {
		return err
	}
	if err := b.SetCellStyle(monthSheet, "A1", "A1", b.bold); err != nil {
		return err
	}
	for _, f := range headFacts(st) {
		if err := put(f.name, f.text, 0); err != nil {
			return err
		}
	}
	row++
	for _, f := range totalFacts(st) {
		if err := put(f.name, f.amount, b.amount); err != nil {
			return err
		}
	}
	if err := b.SetColWidth(monthSheet, "A", "A", 38); err != nil {
		return err
	}
	return b.SetColWidth(monthSheet, "B", "B", 34)
}

func (b *workbook) writeDays(st store.Statement) error {
	titles := dayTitles()
	rows := [][]any{b.header(titles)}
	days := dayRows(st)
	for i, d := range days {
		style := b.amount
		if i == len(days)-1 {
			style = b.boldAmount
		}
		row := []any{d.name}
		for _, amount := range d.amounts {
			row = append(row, excelize.Cell{StyleID: style, Value: amount})
		}
		rows = append(rows, row)
	}
	widths := make([]float64, len(titles))
	for i, title := range titles {
		widths[i] = max(14, width(title))
	}
	return b.sheet(daySheet, widths, slices.Values(rows))
}

func (b *workbook) writeBroadcasts(st store.Statement) error {
	of := clock.Month(st.Month)
	var failed error
	rows := func(yield func([]any) bool) {
		if !yield(b.header(broadcastTitles)) {
			return
		}
		n := 0
		for line, err := range st.Lines {
			if n++; err == nil && n > b.most {
				err = ErrTooLong
			}
			if err != nil {
				failed = err
				return
			}
			texts, amounts := broadcastCells(line, of)
			row := make([]any, 0, len(broadcastTitles))
			for _, text := range texts {
				row = append(row, text)
			}
			for _, amount := range amounts {
				row = append(row, excelize.Cell{StyleID: b.amount, Value: amount})
			}
			if !yield(row) {
				return
			}
		}
	}
	err := b.sheet(broadcastSheet, []float64{34, 30, 24, 11, 10, 20, 20, 12, 8, 16, 16}, rows)
	if failed != nil {
		return failed
	}
	return err
}

// sheet streams rows onto a sheet whose columns have widths, in letters. Its first row and column stay
// in sight.
func (b *workbook) sheet(name string, widths []float64, rows func(yield func([]any) bool)) error {
	out, err := b.NewStreamWriter(name)
	if err != nil {
		return err
	}
	for i, width := range widths {
		if err := out.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"}); err != nil {
		return err
	}
	n := 0
	for row := range rows {
		n++
		if err := out.SetRow(fmt.Sprintf("A%d", n), row); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (b *workbook) header(titles []string) []any {
	row := make([]any, len(titles))
	for i, title := range titles {
		row[i] = excelize.Cell{StyleID: b.bold, Value: title}
	}
	return row
}

// writeCharts draws the balance at the end of each day as lines and its consumption as columns,
// beside the amounts of the month.
func (b *workbook) writeCharts(st store.Statement) error {
	last := len(st.Days) + 1
	series := func(titles ...string) (all []excelize.ChartSeries, err error) {
		for _, title := range titles {
			letters, err := excelize.ColumnNumberToName(slices.Index(dayTitles(), title) + 1)
			if err != nil {
				return nil, err
			}
			all = append(all, excelize.ChartSeries{
				Name:       fmt.Sprintf("'%s'!$%s$1", daySheet, letters),
				Categories: fmt.Sprintf("'%s'!$A$2:$A$%d", daySheet, last),
				Values:     fmt.Sprintf("'%s'!$%s$2:$%s$%d", daySheet, letters, letters, last),
				Marker:     excelize.ChartMarker{Symbol: "none"},
			})
		}
		return all, nil
	}
	for _, c := range []struct {
		cell, title string
		kind        excelize.ChartType
		of          []string
	}{
		{"D2", "일별 마감 잔액 (원)", excelize.Line, []string{closingCash, closingAccrual}},
		{"D20", "일별 소진액 (원)", excelize.Col, []string{consumption}},
	} {
		lines, err := series(c.of...)
		if err != nil {
			return err
		}
		err = b.AddChart(monthSheet, c.cell, &excelize.Chart{
			Type: c.kind, Series: lines, Title: excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: c.title}}},
			Legend: excelize.ChartLegend{Position: "bottom"}, Dimension: excelize.ChartDimension{Width: 760, Height: 330},
			YAxis: excelize.ChartAxis{NumFmt: excelize.ChartNumFmt{CustomNumFmt: "#,##0"}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// width is how wide a column has to be for a text, in letters.
func width(text string) float64 { return float64(uniseg.StringWidth(text)) + 2 }
