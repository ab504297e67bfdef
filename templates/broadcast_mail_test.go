package templates_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/malgil/malgil/internal/notice"
)

// init adds mails about broadcasts and schedules.
func init() {
	hostile := "<img src=x>" + strings.Repeat("긴이름", 60) + "\r\nBcc: thief@example.com"
	report := notice.BroadcastReport{
		BroadcastID: "brd_" + strings.Repeat("X", 60), Broadcast: hostile, Bot: hostile, Development: true, WalletName: hostile, Cancelled: true,
		OrderedAt: midnight, StartedAt: midnight, FinishedAt: midnight, Audience: 1 << 50, Delivered: 1, Failed: 1, Unknown: 1, Skipped: 1 << 49, InDoubt: 1 << 40,
		Price: 10000, Amount: notice.Amount{Supply: 1 << 50, VAT: 1 << 47, Total: 1<<50 + 1<<47}, Path: "/b",
		Failures: []notice.Reason{{Why: notice.FailedAtKakao, Words: "</li><script>\r\n■ 가짜 안내" + strings.Repeat("W", 500), People: 1 << 50}, {Why: notice.FailedAtKakao, Code: 201, People: 1},
			{Why: notice.FailedRefused, People: 1}, {Why: notice.FailedParked, People: 1}, {Why: notice.FailedOther, People: 1}},
		LeftOut: []notice.Reason{{Why: notice.LeftByExpiry, People: 1}, {Why: notice.LeftNoConsent, People: 1}},
	}
	extremes["report of a hostile broadcast"] = report
	extremes["report of a broadcast that reached nobody"] = notice.BroadcastReport{
		BroadcastID: "brd_1", Broadcast: "소식", Bot: "봇", WalletName: "한빛서점", Cancelled: true, OrderedAt: midnight, FinishedAt: midnight,
		Audience: 10_000_000, Skipped: 10_000_000, Price: 15, Path: "/b",
	}
	missed := notice.ScheduleMissed{ScheduleID: "sch_" + strings.Repeat("X", 60), Schedule: hostile, Bot: hostile, Cron: strings.Repeat("1,", 200), Zone: "America/Argentina/ComodRivadavia",
		Earlier: 1 << 40, Paused: true, Path: "/s"}
	for range 12 {
		missed.Times = append(missed.Times, notice.LostTime{At: midnight, Causes: []string{"weather", "bot.wallet", "app.kakao_sync"}},
			notice.LostTime{At: midnight, Causes: []string{"weather"}, Reason: "<b>\r\n■ 가짜" + strings.Repeat("W", 300)})
	}
	extremes["many times of a hostile schedule"] = missed
}

// The bar is as wide as all, whatever there is in it, and whoever is there is seen.
func TestRender_bar(t *testing.T) {
	for name, tt := range map[string]struct {
		report notice.BroadcastReport
		share  string
		widths []string
		drawn  string
	}{
		"everybody":       {notice.BroadcastReport{Audience: 5000, Delivered: 5000}, "100%", []string{"100%"}, strings.Repeat("█", 20)},
		"nobody":          {notice.BroadcastReport{Audience: 5000, Failed: 5000}, "0.0%", []string{"100%"}, strings.Repeat("▒", 20)},
		"all but one":     {notice.BroadcastReport{Audience: 1_000_000, Delivered: 999_999, Failed: 1}, "99.9%", []string{"99%", "1%"}, strings.Repeat("█", 19) + "▒"},
		"one":             {notice.BroadcastReport{Audience: 1_000_000, Delivered: 1, Skipped: 999_999}, "0.1%", []string{"1%", "99%"}, "█" + strings.Repeat("░", 19)},
		"a third of each": {notice.BroadcastReport{Audience: 3, Delivered: 1, InDoubt: 1, Skipped: 1}, "33.3%", []string{"34%", "33%", "33%"}, strings.Repeat("█", 8) + "▓▓▓▓▓▓░░░░░░"},
		"one of every kind": {notice.BroadcastReport{Audience: 10_000_000, Delivered: 9_999_996, Failed: 1, Unknown: 1, InDoubt: 1, Skipped: 1}, "99.9%",
			[]string{"96%", "1%", "1%", "1%", "1%"}, strings.Repeat("█", 16) + "▒▒▓░"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.report.OrderedAt, tt.report.FinishedAt = midnight, midnight.Add(time.Hour)
			mail := render(t, tt.report)
			for _, want := range []string{"전달률: " + tt.share + "\n", "[" + tt.drawn + "]"} {
				if !strings.Contains(mail.Text, want) {
					t.Errorf("the text lacks %q:\n%s", want, mail.Text)
				}
			}
			if got := widths(t, mail.HTML); !slices.Equal(got, tt.widths) {
				t.Errorf("the cells of the bar are %q wide, want %q", got, tt.widths)
			}
		})
	}
}

// widths lists the widths of the cells of a bar.
func widths(t *testing.T, page string) (all []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Data != "td" {
			continue
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		if strings.HasPrefix(attr["class"], "part-") {
			all = append(all, attr["width"])
		}
	}
	return all
}

// What stands in the way of a schedule is said in Korean with what to do; what is new to the words is said as it came.
func TestRender_lostTimes(t *testing.T) {
	mail := render(t, notice.ScheduleMissed{Schedule: "소식", Cron: "0 * * * *", Zone: "UTC", Earlier: 2, Times: []notice.LostTime{
		{At: midnight}, {At: midnight.Add(time.Hour), InsteadAt: midnight.Add(2 * time.Hour)},
		{At: midnight.Add(3 * time.Hour), Causes: []string{"channel.state"}, Reason: "channel.state is disconnected"},
		{At: midnight.Add(4 * time.Hour), Causes: []string{"weather"}, Reason: "it rains"},
	}})
	if want := "[말길] 예약 발송 누락: ‘소식’ 6번이 나가지 않았습니다 ()"; mail.Subject != want {
		t.Errorf("Subject = %q, want %q", mail.Subject, want)
	}
	for _, want := range []string{
		"- 그보다 앞서 2번\n", "- 2026년 11월 24일 00:00: 그때 서비스가 멈춰 있어 정해진 시간 안에 시작하지 못했습니다\n",
		"- 2026년 11월 24일 01:00: 그때 서비스가 멈춰 있었습니다. 2026년 11월 24일 02:00의 발송이 대신 나갑니다\n",
		"- 2026년 11월 24일 03:00: 채널이 연결되어 있지 않습니다\n", "- 2026년 11월 24일 04:00: it rains\n", "1. 챗봇의 채널을 다시 연결해 주세요.\n",
		"예약에 다음 때가 없습니다",
	} {
		if !strings.Contains(mail.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, mail.Text)
		}
	}
}
