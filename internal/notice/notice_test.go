package notice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

var t0 = time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC)

func TestReceivers(t *testing.T) {
	member := func(id, address string, role notice.Role) notice.Member {
		return notice.Member{AccountID: id, Name: "이름 " + id, Address: address, Role: role}
	}
	tests := map[string]struct {
		members []notice.Member
		want    []string
	}{
		"nobody": {nil, nil},
		"everybody who is to hear, and nobody else": {[]notice.Member{
			member("1", "master@example.com", notice.WalletMaster),
			member("2", "worker@example.com", notice.WalletWorker),
			member("3", "bot@example.com", notice.BotMaster),
			member("4", "operator@example.com", notice.BotOperator),
			member("5", "stranger@example.com", "auditor"),
		}, []string{"1 master@example.com", "2 worker@example.com", "3 bot@example.com"}},
		"two roles are one mail": {[]notice.Member{
			member("1", "kim@example.com", notice.WalletMaster),
			member("1", "kim@example.com", notice.BotMaster),
		}, []string{"1 kim@example.com"}},
		"an operator who is also a worker hears": {[]notice.Member{
			member("1", "kim@example.com", notice.BotOperator),
			member("1", "kim@example.com", notice.WalletWorker),
		}, []string{"1 kim@example.com"}},
		"letter case and spaces make no second person": {[]notice.Member{
			member("1", " Kim@Example.com ", notice.WalletMaster),
			member("2", "kim@example.COM", notice.BotMaster),
		}, []string{"1 Kim@Example.com"}},
		"no address, no mail": {[]notice.Member{member("1", "  ", notice.WalletMaster)}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range notice.Receivers(tt.members) {
				got = append(got, r.AccountID+" "+r.Address)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Receivers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode_readsWhatEncodeWrote(t *testing.T) {
	amount := notice.Amount{Supply: 500000, VAT: 50000, Total: 550000}
	cards := []notice.CardTry{{Slot: 1, Number: "5365-10**-****-1234", Issuer: "신한카드", Outcome: notice.CardDeclined, Reason: "한도초과"}}
	for _, data := range []notice.Data{
		notice.TopUp{WalletName: "한빛서점", Amount: amount, Method: "카카오페이", Settled: 1, Balance: 2, PaidAt: t0, Reconnect: true, Path: "/w"},
		notice.AutoPaySuccess{WalletName: "한빛서점", Amount: amount, Cards: cards, PaidAt: t0, Reconnect: true, Path: "/w"},
		notice.AutoPayFailure{WalletName: "한빛서점", Amount: amount, Cards: cards, FailedAt: t0, NextTryAt: t0.Add(time.Hour), Path: "/w"},
		notice.Unpaid{WalletName: "한빛서점", Due: amount, Bots: []string{"봇"}, Since: t0, NextTryAt: t0.Add(time.Hour), Path: "/w"},
		notice.ChannelConnected{WalletName: "한빛서점", Bot: "봇", Channel: "채널", Development: true, ConnectedAt: t0, Path: "/w"},
		notice.LongTermFailure{WalletName: "한빛서점", Due: amount, Days: 5, Since: t0, NextTryAt: t0.Add(time.Hour), Path: "/w"},
		notice.BroadcastReport{BroadcastID: "brd_1", Broadcast: "재입고", Bot: "봇", Development: true, WalletName: "한빛서점", Cancelled: true, OrderedAt: t0, StartedAt: t0,
			FinishedAt: t0.Add(time.Hour), Audience: 15, Delivered: 1, Failed: 2, Unknown: 3, Skipped: 4, InDoubt: 5, Price: 15, Amount: amount, Path: "/b"},
		notice.ScheduleMissed{ScheduleID: "sch_1", Schedule: "소식", Bot: "봇", Cron: "0 9 * * *", Zone: "Asia/Seoul", Earlier: 3, Paused: true, NextAt: t0, Path: "/s",
			Times: []notice.LostTime{{At: t0, Causes: []string{"channel.state"}, Reason: "connect it", InsteadAt: t0.Add(time.Hour)}}},
	} {
		t.Run(string(data.Case()), func(t *testing.T) {
			body, err := notice.Encode(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := notice.Decode(data.Case(), body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(data, got); diff != "" {
				t.Errorf("Decode(Encode(data)) (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode_refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		c    notice.Case
		body string
	}{
		"a case of another program": {"birthday", "{}"},
		"a body that is not JSON":   {notice.CaseTopUp, "{"},
		"a body of another shape":   {notice.CaseTopUp, `{"amount":"much"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := notice.Decode(tt.c, []byte(tt.body)); fault.KindOf(err) != fault.Internal || err == nil {
				t.Errorf("Decode(%s, %s) = %v, %v, want an Internal error", tt.c, tt.body, got, err)
			}
		})
	}
}

// Case names are stored with mails, so they never change.
func TestCase_storedNames(t *testing.T) {
	for got, want := range map[notice.Case]string{
		notice.TopUp{}.Case():          "topup",
		notice.AutoPaySuccess{}.Case(): "auto_pay_success",
		notice.AutoPayFailure{}.Case(): "auto_pay_failure",
		notice.Unpaid{}.Case():         "unpaid",

		notice.ChannelConnected{}.Case(): "channel_connected",
		notice.LongTermFailure{}.Case():  "long_term_failure",
		notice.BroadcastReport{}.Case():  "broadcast_report",
		notice.ScheduleMissed{}.Case():   "schedule_missed",
	} {
		if string(got) != want {
			t.Errorf("Case() = %q, want %q", got, want)
		}
	}
}

func TestEvent_MailID(t *testing.T) {
	event := notice.Event{WalletID: "wal_1", Subject: "chg_1", Data: notice.AutoPayFailure{}, At: t0}
	kim := notice.Receiver{Address: "kim@example.com"}
	first := event.MailID(kim)
	if !strings.HasPrefix(first, "mail_") || len(first) != len("mail_")+26 {
		t.Errorf("MailID = %q, want mail_ and a ULID", first)
	}
	if again := event.MailID(notice.Receiver{Address: "Kim@Example.com"}); again != first {
		t.Errorf("MailID of the same person = %q, want %q", again, first)
	}
	other := map[string]string{"another person": event.MailID(notice.Receiver{Address: "lee@example.com"})}
	for name, change := range map[string]func(*notice.Event){
		"another wallet":  func(e *notice.Event) { e.WalletID = "wal_2" },
		"another subject": func(e *notice.Event) { e.Subject = "chg_2" },
		"another case":    func(e *notice.Event) { e.Data = notice.Unpaid{} },
	} {
		changed := event
		change(&changed)
		other[name] = changed.MailID(kim)
	}
	for name, id := range other {
		if id == first {
			t.Errorf("MailID of %s = %q, the same as the first", name, id)
		}
	}
	later := event
	later.At = t0.Add(time.Millisecond)
	if id := later.MailID(kim); id <= first {
		t.Errorf("MailID a millisecond later = %q, want it after %q", id, first)
	}
}
