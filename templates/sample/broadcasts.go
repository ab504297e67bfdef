package sample

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

// broadcastMails are about what broadcasts came to, and about schedules that sent nothing.
func broadcastMails() []Mail {
	morning := time.Date(2026, 11, 24, 10, 0, 0, 0, clock.Seoul).UTC()
	report := notice.BroadcastReport{
		BroadcastID: "brd_01JD9Z6Q3M", Broadcast: "가을 신간 안내", Bot: "한빛서점 챗봇", WalletName: shop,
		OrderedAt: morning.Add(-18 * time.Hour), StartedAt: morning, FinishedAt: morning.Add(6*time.Minute + 20*time.Second),
		Audience: 12000, Delivered: 11682, Failed: 203, Unknown: 15, Skipped: 100, Price: 15,
		Amount: notice.Amount{Supply: 175230, VAT: 17523, Total: 192753}, Path: "/console/broadcasts/brd_01JD9Z6Q3M",
		Failures: []notice.Reason{
			{Why: notice.FailedAtKakao, Code: 100, Words: "Not a friend of the channel.", People: 191},
			{Why: notice.FailedAtKakao, Code: 201, Words: "Bot skill server responded with an HTTP error.", People: 12},
		},
		LeftOut: []notice.Reason{{Why: notice.LeftOptedOut, People: 84}, {Why: notice.LeftCapped, People: 16}},
	}
	cancelled := report
	cancelled.Cancelled, cancelled.FinishedAt = true, morning.Add(2*time.Minute)
	cancelled.Delivered, cancelled.Failed, cancelled.Unknown, cancelled.InDoubt, cancelled.Skipped = 4212, 88, 0, 100, 7600
	cancelled.Amount = notice.Amount{Supply: 63180, VAT: 6318, Total: 69498}
	cancelled.Failures = []notice.Reason{{Why: notice.FailedAtKakao, Code: 100, Words: "Not a friend of the channel.", People: 88}}
	cancelled.LeftOut = []notice.Reason{{Why: notice.LeftByCancel, People: 7600}}
	expired := report
	expired.FinishedAt, expired.Delivered, expired.Failed, expired.Unknown, expired.Skipped = morning.Add(2*time.Hour), 9000, 0, 0, 3000
	expired.Amount = notice.Amount{Supply: 135000, VAT: 13500, Total: 148500}
	expired.Failures, expired.LeftOut = nil, []notice.Reason{{Why: notice.LeftByExpiry, People: 3000}}

	missed := notice.ScheduleMissed{
		ScheduleID: "sch_01JD9Z6Q3M", Schedule: "아침 소식", Bot: "한빛서점 챗봇", Cron: "0 9 * * *", Zone: "Asia/Seoul", NextAt: morning.Add(23 * time.Hour),
		Path: "/console/schedules/sch_01JD9Z6Q3M",
		Times: []notice.LostTime{
			{At: morning.Add(-49 * time.Hour), InsteadAt: morning.Add(-time.Hour)}, {At: morning.Add(-25 * time.Hour), InsteadAt: morning.Add(-time.Hour)},
		},
	}
	failed := missed
	failed.Times = []notice.LostTime{{At: morning.Add(-time.Hour), Causes: []string{"channel.state", "bot.paused"}, Reason: "the bot may not send on its live channel yet"}}
	return []Mail{
		{"broadcast_report", report},
		{"broadcast_report_cancelled", cancelled},
		{"broadcast_report_expired", expired},
		{"schedule_missed", missed},
		{"schedule_missed_obstacle", failed},
	}
}
