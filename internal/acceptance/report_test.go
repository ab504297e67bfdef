package acceptance_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/app"
)

var muteLink = regexp.MustCompile(`그만 받기: (http\S+/mute/\S+)`)

// mute follows the link at the end of a letter with one click, as mail programs do.
func (h *house) mute(l letter) {
	h.t.Helper()
	link := muteLink.FindStringSubmatch(l.Text)
	if link == nil {
		h.t.Fatalf("the letter %q has no link that mutes:\n%s", l.Subject, l.Text)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, link[1], strings.NewReader(url.Values{"List-Unsubscribe": {"One-Click"}}.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("the link that mutes answers %d, want 200", answer.StatusCode)
	}
}

// crew is who might hear of what a shop sends: the master of its bot, two operators, a worker of its wallet.
type crew struct{ master, author, operator, worker account }

func (s *shop) crew() crew {
	h := s.house
	h.t.Helper()
	c := crew{s.master, h.account("author"), h.account("operator"), h.account("worker")}
	s.staff(c.author, c.operator)
	s.member(c.worker, "worker")
	return c
}

// hear checks how many letters about something everybody has.
func (h *house) hear(c crew, subject string, master, author int) {
	h.t.Helper()
	h.mails(c.master, subject, master)
	h.mails(c.author, subject, author)
	h.mails(c.operator, subject, 0)
	h.mails(c.worker, subject, 0)
}

// Whoever sends to many people hears once what it came to: who ordered it, and the master of the bot.
func finishReport(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) { c.ReportAbove = 100 }})
	s := h.openShop(0)
	people := s.crew()
	s.topUp(10_000)
	his := *s
	his.house = h.as(people.author)
	ordered := h.now()
	b := s.finish(his.order(append(s.friends(250), "stranger-1", "stranger-2")...))
	if b.Counts.Delivered != 250 || b.Counts.Failed != 2 {
		t.Fatalf("it counts %+v, want 250 of 252 delivered", b.Counts)
	}
	s.deliver(100) // not more than the setting says
	const about = "발송 완료: ‘재입고’ 252명 중 250명에게 전달"
	for _, to := range []account{people.master, people.author} {
		for _, l := range h.mails(to, about, 1) {
			h.mentions(l, "99.2%", "전달 250명", "전달 실패 2명", "카카오 오류 100", "15원 × 전달 250명", "4,125원", "공급가액 3,750원", "부가세 375원",
				"malgil broadcast results "+b.ID+" --out results.csv", "한빛서점 도우미 (운영채널)", korean(ordered)[:len("2026년")])
		}
	}
	s.posted()
	h.hear(people, "[말길] 발송 ", 1, 1)

	// One who does without gets none of the next, which is cancelled before its time.
	letters := h.mails(people.author, about, 1)
	if len(letters) != 1 {
		t.FailNow()
	}
	h.mute(letters[0])
	second := his.orderWith(map[string]any{"name": "취소할 소식", "start_at": h.now().Add(time.Hour)}, s.friends(150)...)
	h.do("POST", "/api/v1/broadcasts/"+second.ID+"/cancel", nil, nil)
	for _, l := range h.mails(people.master, "발송 취소: ‘취소할 소식’ 150명 중 0명에게 전달", 1) {
		h.mentions(l, "0.0%", "보내지 않음 150명", "차례가 오기 전에 취소함: 150명", "0원")
	}
	h.advance(time.Minute)
	s.mailed()
	h.hear(people, "[말길] 발송 ", 2, 1)
	h.balance()
}

// Times of a schedule at which nothing was sent are told of, once a day: missed while nobody was there, and failed
// for what stood in the way.
func lostTimes(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	people := s.crew()
	s.topUp(10_000)
	his := *s
	his.house = h.as(people.author)
	daily := his.schedule(s.audience(s.friends(3)...), "0 12 * * *", nil)
	h.at(2026, 12, 12, 12, 30) // midnights are looked at on the way, each half a day late
	h.ran(daily, 3, "started")
	const about = "예약 발송 누락: ‘월요일 소식’"
	letters := h.mails(people.author, about, 2)
	h.hear(people, about, 2, 2)
	if len(letters) == 2 {
		h.mentions(letters[0], "2026년 12월 10일 12:00", "2026년 12월 11일 12:00", "malgil schedule runs "+daily, "정해진 시간 안에 시작하지 못했습니다")
	}
	h.do("POST", "/api/v1/schedules/"+daily+"/pause", nil, nil)

	hourly := his.schedule(s.audience(s.friends(3)...), "0 14,15 * * *", map[string]any{"name": "끊긴 소식", "catch_up_seconds": 600})
	live := "/api/v1/bots/" + s.bot + "/channels/live"
	h.do("POST", live+"/disconnect", nil, nil)
	for _, hour := range []int{14, 15} {
		h.at(2026, 12, 12, hour, 0)
		h.ran(hourly, hour-13, "waiting")
		h.at(2026, 12, 12, hour, 11)
		h.ran(hourly, hour-13, "failed")
	}
	h.at(2026, 12, 12, 15, 30)
	s.mailed()
	const failed = "예약 발송 누락: ‘끊긴 소식’ 1번"
	for _, l := range h.mails(people.author, failed, 1) {
		h.mentions(l, "2026년 12월 12일 14:00: 채널이 연결되어 있지 않습니다", "챗봇의 채널을 다시 연결해 주세요.")
	}
	h.hear(people, failed, 1, 1)
	h.balance()
}
