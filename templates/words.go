package templates

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// mailFuncs are the words that the mail templates have beside those of Go. Text that people or
// providers wrote passes [line] before it is shown.
var mailFuncs = map[string]any{
	"won":    won,
	"kst":    kst,
	"day":    day,
	"line":   line,
	"names":  names,
	"number": func(i int) int { return i + 1 },
	"list":   list,
	"when":   when,
	"row":    func(label, value string) labelled { return labelled{label, value} },
	"rows":   rows,
	"amount": amount,
	"wayOut": func(total wallet.KRW, next time.Time) wayOut { return wayOut{total, next} },
	"slot":   slot,
	"ways":   ways,
	"card":   card,
	"result": result,
	"side":   side,
	"pick":   pick,
	"month":  month,
	"people": func(n int64) string { return grouped(n) + "명" },

	"whenSet":  whenSet,
	"business": businessNumber,

	"share":  share,
	"missed": missed,
	"lost":   lost,
	"remedy": remedies,

	"paid": func(c notice.CardTry) bool { return c.Outcome == notice.CardPaid },
}

type labelled struct{ Label, Value string }

type wayOut struct {
	Total     wallet.KRW
	NextTryAt time.Time
}

// won returns an amount as people read it: 1,234,500원.
func won(amount wallet.KRW) string { return grouped(int64(amount)) + "원" }

// grouped returns a number with a comma before every three digits: 1,234,500.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// kst returns a time as people in Korea read it: 2026년 11월 24일 00:00.
func kst(t time.Time) string { return t.In(clock.Seoul).Format("2006년 1월 2일 15:04") }

// day returns the day in Korea that a time falls in: 2026년 11월 24일.
func day(t time.Time) string { return t.In(clock.Seoul).Format("2006년 1월 2일") }

// month returns the month in Korea that a time falls in: 2026년 11월.
func month(t time.Time) string { return t.In(clock.Seoul).Format("2006년 1월") }

// whenSet is [kst], and nothing for a time that is not set.
func whenSet(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return kst(t)
}

// businessNumber returns a 사업자등록번호 as people write it, 123-45-67890. What does not have ten
// digits is shown as it is.
func businessNumber(number string) string {
	number = line(number)
	if len(number) != 10 || strings.Trim(number, "0123456789") != "" {
		return number
	}
	return number[:3] + "-" + number[3:5] + "-" + number[5:]
}

func pick(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// line returns text that somebody else wrote as one line, without characters that would break
// a header or turn the reading direction of what follows.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

func names(all []string) string {
	clean := make([]string, len(all))
	for i, name := range all {
		clean[i] = line(name)
	}
	return strings.Join(clean, ", ")
}

// list returns the texts that are not empty.
func list(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// side names a channel of a bot.
func side(development bool) string {
	if development {
		return "개발채널"
	}
	return "운영채널"
}

// rows returns the rows that have a value.
func rows(all ...labelled) []labelled {
	var kept []labelled
	for _, r := range all {
		if r.Value != "" {
			kept = append(kept, r)
		}
	}
	return kept
}

// when returns the text if the condition holds: true, or a list with something in it.
func when(condition any, text string) string {
	switch c := condition.(type) {
	case bool:
		if c {
			return text
		}
	case []string:
		if len(c) > 0 {
			return text
		}
	}
	return ""
}

func amount(label string, a notice.Amount) map[string]string {
	return map[string]string{
		"Label": label,
		"Total": won(a.Total),
		"Parts": fmt.Sprintf("공급가액 %s + 부가세 %s", won(a.Supply), won(a.VAT)),
	}
}

// ways tells how each payment of a refund went back.
func ways(all []notice.RefundWay) []string {
	texts := make([]string, len(all))
	for i, w := range all {
		texts[i] = fmt.Sprintf("%s %s (%s 결제)", line(w.Method), won(w.Total), kst(w.PaidAt))
	}
	return texts
}

func slot(n int) string {
	if n <= 1 {
		return "결제 카드"
	}
	return fmt.Sprintf("예비카드 %d", n-1)
}

func card(c notice.CardTry) string { return line(c.Issuer + " " + c.Number) }

func result(c notice.CardTry) string {
	switch c.Outcome {
	case notice.CardPaid:
		return "승인"
	case notice.CardDeclined:
		return "승인 거절"
	case notice.CardDormant:
		return "휴면 카드"
	case notice.CardDead:
		return "사용할 수 없는 카드"
	}
	return "결제되지 않음"
}
