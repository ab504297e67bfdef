package statement

import (
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// fact is a line of the first sheet: a text, or an amount when the text is empty.
type fact struct {
	name, text string
	amount     int64
}

// title is what stands over a statement.
const title = "월렛 이용명세서"

// headFacts say whose statement it is, and of which time.
func headFacts(st store.Statement) []fact {
	facts := []fact{{name: "월렛", text: st.Wallet.Name}}
	if st.Wallet.Kind == access.Business {
		facts = append(facts, fact{name: "사업자등록번호", text: businessNumber(st.Wallet.BusinessNumber)})
	}
	facts = append(facts, fact{name: "월렛 번호", text: st.Wallet.ID}, fact{name: "기간", text: day(st.Month) + " ~ " + day(lastDay(st))})
	if !st.SoFar.IsZero() {
		facts = append(facts, fact{name: "기준", text: moment(st.SoFar) + " 현재 (월 진행 중)"})
	}
	return facts
}

// totalFacts are the amounts of the month in KRW, and how many messages it had.
func totalFacts(st store.Statement) []fact {
	krw := func(name string, amount wallet.KRW) fact { return fact{name: name, amount: int64(amount)} }
	t, invoice := st.Total, invoiceOf(st.Total)
	return []fact{
		krw("월초 무상캐시", st.Opening.Free), krw("월초 유상캐시", st.Opening.Paid), krw("월초 자동결제 예정액", st.Opening.Accrual+st.Opening.Charging),
		{name: "발송 건수", amount: t.Messages},
		krw("소진", t.Used()), krw("소진 중 무상캐시", t.UsedFree), krw("소진 중 유상캐시", t.UsedPaid), krw("소진 중 자동결제 예정액", t.UsedAccrual),
		krw("세금계산서 공급가액 (무상캐시 제외)", invoice.Supply), krw("세금계산서 부가세", invoice.VAT), krw("세금계산서 합계", invoice.Total),
		krw("충전 (공급가액)", t.TopUps), krw("충전 부가세", t.TopUpVAT),
		krw("무상캐시 사용 시작", t.GrantedFree), krw("유상캐시 지급", t.GrantedPaid), krw("무상캐시 소멸", t.Expired),
		krw("자동결제 (공급가액)", t.ChargesPaid), krw("자동결제 부가세", t.ChargeVAT),
		krw("환불 (공급가액)", t.Refunded), krw("환불 부가세", t.RefundVAT),
		krw("월말 무상캐시", st.Closing.Free), krw("월말 유상캐시", st.Closing.Paid), krw("월말 자동결제 예정액", st.Closing.Accrual+st.Closing.Charging),
		krw("월말 환불 진행 중", st.Closing.Refunding),
	}
}

// column is a column of amounts by day.
type column struct {
	title string
	of    func(d wallet.DaySummary) int64
}

func krw(title string, of func(d wallet.DaySummary) wallet.KRW) column {
	return column{title, func(d wallet.DaySummary) int64 { return int64(of(d)) }}
}

// What the charts show of the columns by day.
const (
	closingCash    = "마감 총 캐시 잔액"
	closingAccrual = "마감 자동결제 예정액"
	consumption    = "소진 합계"
)

// dayColumns are the columns after the day. Opening and movements give closing.
var dayColumns = []column{
	krw("시작 무상캐시", func(d wallet.DaySummary) wallet.KRW { return d.Opening.Free }),
	krw("시작 유상캐시", func(d wallet.DaySummary) wallet.KRW { return d.Opening.Paid }),
	krw("시작 자동결제 예정액", func(d wallet.DaySummary) wallet.KRW { return d.Opening.Accrual }),
	{"발송 건수", func(d wallet.DaySummary) int64 { return d.Messages }},
	krw("소진 무상캐시", func(d wallet.DaySummary) wallet.KRW { return d.UsedFree }),
	krw("소진 유상캐시", func(d wallet.DaySummary) wallet.KRW { return d.UsedPaid }),
	krw("소진 예정액", func(d wallet.DaySummary) wallet.KRW { return d.UsedAccrual }),
	krw(consumption, func(d wallet.DaySummary) wallet.KRW { return d.Used() }),
	krw("충전", func(d wallet.DaySummary) wallet.KRW { return d.TopUps }),
	krw("충전 부가세", func(d wallet.DaySummary) wallet.KRW { return d.TopUpVAT }),
	krw("충전 중 예정액 변제", func(d wallet.DaySummary) wallet.KRW { return d.TopUpOwed }),
	krw("무상캐시 사용 시작", func(d wallet.DaySummary) wallet.KRW { return d.GrantedFree }),
	krw("무상캐시 소멸", func(d wallet.DaySummary) wallet.KRW { return d.Expired }),
	krw("유상캐시 지급", func(d wallet.DaySummary) wallet.KRW { return d.GrantedPaid }),
	krw("지급 중 예정액 변제", func(d wallet.DaySummary) wallet.KRW { return d.GrantedOwed }),
	krw("자동결제 요청", func(d wallet.DaySummary) wallet.KRW { return d.ChargesOpened }),
	krw("자동결제", func(d wallet.DaySummary) wallet.KRW { return d.ChargesPaid }),
	krw("자동결제 부가세", func(d wallet.DaySummary) wallet.KRW { return d.ChargeVAT }),
	krw("자동결제 실패", func(d wallet.DaySummary) wallet.KRW { return d.ChargesFailed }),
	krw("환불 요청", func(d wallet.DaySummary) wallet.KRW { return d.RefundsOpened }),
	krw("환불", func(d wallet.DaySummary) wallet.KRW { return d.Refunded }),
	krw("환불 부가세", func(d wallet.DaySummary) wallet.KRW { return d.RefundVAT }),
	krw("환불 실패 (환급)", func(d wallet.DaySummary) wallet.KRW { return d.RefundsFailed }),
	krw("마감 무상캐시", func(d wallet.DaySummary) wallet.KRW { return d.Closing.Free }),
	krw("마감 유상캐시", func(d wallet.DaySummary) wallet.KRW { return d.Closing.Paid }),
	krw(closingCash, func(d wallet.DaySummary) wallet.KRW { return d.Closing.Cash() }),
	krw(closingAccrual, func(d wallet.DaySummary) wallet.KRW { return d.Closing.Accrual }),
	krw("마감 결제 중", func(d wallet.DaySummary) wallet.KRW { return d.Closing.Charging }),
	krw("마감 환불 진행 중", func(d wallet.DaySummary) wallet.KRW { return d.Closing.Refunding }),
}

func dayTitles() []string {
	titles := []string{"일자"}
	for _, c := range dayColumns {
		titles = append(titles, c.title)
	}
	return titles
}

// dayRow is a day in the columns of [dayColumns].
type dayRow struct {
	name    string
	amounts []int64
}

// dayRows are the days of a statement, and the whole month as if it were one.
func dayRows(st store.Statement) []dayRow {
	rowOf := func(name string, d wallet.DaySummary) dayRow {
		r := dayRow{name: name}
		for _, c := range dayColumns {
			r.amounts = append(r.amounts, c.of(d))
		}
		return r
	}
	var rows []dayRow
	for _, d := range st.Days {
		rows = append(rows, rowOf(day(d.Start), d))
	}
	return append(rows, rowOf("합계", wallet.DaySummary{Opening: st.Opening, Flow: st.Total, Closing: st.Closing}))
}

// broadcastTitles are the columns of [broadcastCells].
var broadcastTitles = []string{"발송 번호", "이름", "봇", "채널", "귀속 월", "첫 정산", "마지막 정산", "건수", "단가", "공급가액", "무상캐시 사용액"}

var channels = map[broadcast.Side]string{broadcast.Live: "운영채널", broadcast.Development: "개발채널"}

// broadcastCells are a broadcast as texts, then amounts.
func broadcastCells(l store.BroadcastLine, of string) (texts []string, amounts []int64) {
	return []string{string(l.ID), l.Name, l.Bot, channels[l.Side], of, moment(l.First), moment(l.Last)},
		[]int64{l.Messages, int64(l.Price), int64(l.Used), int64(l.Free)}
}

// businessNumber writes a business registration number (사업자등록번호) as people do.
func businessNumber(digits string) string {
	if len(digits) != 10 {
		return digits
	}
	return digits[:3] + "-" + digits[3:5] + "-" + digits[5:]
}

func moment(t time.Time) string { return t.In(clock.Seoul).Format("2006-01-02 15:04:05") }
