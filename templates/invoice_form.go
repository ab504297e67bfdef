package templates

import (
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/wallet"
)

// A form is the tax invoice as people know it on paper (공급받는자 보관용): cells on a sheet. It is laid
// out once, and then drawn as HTML and as PDF.
type form struct {
	Title  string
	Height float64 // in millimetres
	Cells  []cell
}

// cell is one cell. Lengths are in millimetres from the top left corner of the form, sizes of letters in points.
type cell struct {
	X, Y, W, H float64
	Kind       kind
	text       string
	size       float64 // of letters, when there is room
	align      align
	oneLine    bool // shrinks rather than wraps

	Lines []textLine // the text as it fits
}

type kind int

// Labels are tinted and bold, notes stand outside of the frame.
const (
	value kind = iota
	label
	title
	note
)

type align int

const (
	left align = iota
	centre
	right
)

const (
	formWidth  = 186.0 // of a sheet of A4 with margins of 12 mm
	half       = formWidth / 2
	labelSize  = 8.0
	valueSize  = 9.0
	itemRows   = 4
	unapproved = "(발행 전)"
)

// add puts cells beside each other, from x on, and returns where they end.
func (f *form) add(x, y, h float64, cells ...cell) float64 {
	for _, c := range cells {
		c.X, c.Y, c.H = x, y, h
		f.Cells = append(f.Cells, c)
		x += c.W
	}
	return y + h
}

func named(w float64, text string) cell {
	return cell{W: w, Kind: label, text: text, size: labelSize, align: centre}
}

func holding(w float64, text string) cell { return cell{W: w, text: line(text), size: valueSize} }

func centred(w float64, text string) cell {
	return cell{W: w, text: line(text), size: valueSize, align: centre, oneLine: true}
}

// sum is a cell of won: a number with commas, as the form says what it is.
func sum(w float64, amount wallet.KRW) cell {
	return cell{W: w, text: grouped(int64(amount)), size: 9.5, align: right, oneLine: true}
}

func titleOf(i invoice.Invoice) string {
	if i.Revision > 1 {
		return "수정전자세금계산서"
	}
	return "전자세금계산서"
}

// layOut returns the form of an invoice, its texts fitted into their cells.
func layOut(i invoice.Invoice, m measure) form {
	f := form{Title: titleOf(i)}
	approval := approvalNumber(i.ApprovalNumber)
	if approval == "" {
		approval = unapproved
	}
	y := f.add(0, 0, 15,
		cell{W: 110, Kind: title, text: f.Title + " (공급받는자 보관용)", size: 15, align: centre, oneLine: true},
		named(20, "승인번호"), centred(56, approval))
	end := f.party(0, y, "공급자", i.Supplier)
	f.party(half, y, "공급받는자", i.Recipient)
	y = f.amounts(end, i)
	y = f.items(y, i)
	f.totals(y, i)
	f.notes(i)
	for n := range f.Cells {
		f.Cells[n].fit(m)
	}
	return f
}

// party draws one side and returns where it ends.
func (f *form) party(x, y float64, side string, p invoice.Party) float64 {
	const height = 53
	down := cell{W: 7, Kind: label, text: strings.Join(strings.Split(side, ""), "\n"), size: labelSize, align: centre}
	f.add(x, y, height, down)
	x += down.W
	number := centred(38, businessNumber(p.Number))
	number.size = 11.5
	y = f.add(x, y, 10, named(17, "등록번호"), number, named(17, "종사업장\n번호"), centred(14, ""))
	y = f.add(x, y, 11, named(17, "상호\n(법인명)"), holding(36, p.Name), named(9, "성명"), holding(24, p.Representative))
	y = f.add(x, y, 12, named(17, "사업장\n주소"), holding(69, p.Address))
	y = f.add(x, y, 11, named(17, "업태"), holding(29, p.Type), named(9, "종목"), holding(31, p.Item))
	return f.add(x, y, 9, named(17, "이메일"), holding(69, p.Email))
}

func (f *form) amounts(y float64, i invoice.Invoice) float64 {
	y = f.add(0, y, 7, named(32, "작성일자"), named(44, "공급가액"), named(40, "세액"), named(70, "수정사유"))
	y = f.add(0, y, 10, centred(32, i.WrittenOn.In(clock.Seoul).Format("2006/01/02")), sum(44, i.Supply), sum(40, i.VAT), holding(70, i.Why))
	return f.add(0, y, 10, named(24, "비고"), holding(formWidth-24, i.Remark()))
}

// items draws the rows of what was consumed, of which there is one a month.
func (f *form) items(y float64, i invoice.Invoice) float64 {
	widths := []float64{8, 8, 48, 12, 16, 14, 26, 22, 32}
	row := make([]cell, len(widths))
	for n, name := range []string{"월", "일", "품목", "규격", "수량", "단가", "공급가액", "세액", "비고"} {
		row[n] = named(widths[n], name)
	}
	y = f.add(0, y, 7, row...)
	written := i.WrittenOn.In(clock.Seoul)
	remark := holding(32, fmt.Sprintf("전달 %s건\n무상캐시 제외", grouped(i.Messages)))
	remark.text, remark.size = fmt.Sprintf("전달 %s건\n무상캐시 제외", grouped(i.Messages)), 7.5
	y = f.add(0, y, 10, centred(8, written.Format("01")), centred(8, written.Format("02")), holding(48, i.ItemName()),
		holding(12, ""), holding(16, ""), holding(14, ""), sum(26, i.Supply), sum(22, i.VAT), remark)
	for range itemRows - 1 {
		for n, w := range widths {
			row[n] = holding(w, "")
		}
		y = f.add(0, y, 8, row...)
	}
	return y
}

func (f *form) totals(y float64, i invoice.Invoice) {
	const claim = 40
	f.add(formWidth-claim, y, 17, cell{W: claim, text: "이 금액을 (청구) 함", size: 10, align: centre, oneLine: true})
	y = f.add(0, y, 7, named(38, "합계금액"), named(27, "현금"), named(27, "수표"), named(27, "어음"), named(27, "외상미수금"))
	f.Height = f.add(0, y, 10, sum(38, i.Total()), holding(27, ""), holding(27, ""), holding(27, ""), holding(27, ""))
}

// notes says below the frame what the paper is.
func (f *form) notes(i invoice.Invoice) {
	text := "국세청에 전송된 전자세금계산서를 옮긴 문서입니다. 홈택스(hometax.go.kr)에서 승인번호로 확인하실 수 있습니다."
	if i.ApprovalNumber == "" {
		text = "아직 발행되지 않은 세금계산서입니다. 증빙으로 쓰실 수 없습니다."
	}
	const gap = 2
	f.Height = f.add(0, f.Height+gap, 6, cell{W: formWidth, Kind: note, text: text, size: 7.5})
}

// approvalNumber returns a 승인번호 as the tax office writes it: the date, who issued it, and a number.
func approvalNumber(number string) string {
	number = line(number)
	if len(number) != 24 || strings.Trim(number, "0123456789") != "" {
		return number
	}
	return number[:8] + "-" + number[8:16] + "-" + number[16:]
}
