package templates

import (
	"fmt"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/notice"
)

// drawnWidth is how many marks the bar of a text mail has.
const drawnWidth = 20

// shared is what became of an audience, as a bar: in HTML a row of coloured cells, in text one of marks.
type shared struct {
	Label, Share string
	Parts        []sharedPart
	Drawn        string
}

// sharedPart is a part of the bar with its legend.
type sharedPart struct {
	Class, Colour string
	Mark          string
	Label, People string
	Width         int // percent
}

// share returns the bar of a report. Whoever is there has a part that can be seen.
func share(d notice.BroadcastReport) shared {
	s := shared{Label: "전달률", Share: percent(d.Delivered, d.Audience)}
	kinds := []struct {
		class, colour, mark, label string
		people                     int64
	}{
		{"part-delivered", "#0b6b5c", "█", "전달", d.Delivered},
		{"part-failed", "#c4362c", "▒", "전달 실패", d.Failed},
		{"part-failed", "#c4362c", "▒", "전달 실패, 누구인지 알 수 없음", d.Unknown},
		{"part-doubt", "#b87503", "▓", "확인 중", d.InDoubt},
		{"part-skipped", "#8d99a5", "░", "보내지 않음", d.Skipped},
	}
	var counts []int64
	for _, k := range kinds {
		if k.people > 0 {
			counts = append(counts, k.people)
			s.Parts = append(s.Parts, sharedPart{Class: k.class, Colour: k.colour, Mark: k.mark, Label: k.label, People: grouped(k.people) + "명"})
		}
	}
	for i, n := range parted(counts, 100) {
		s.Parts[i].Width = n
	}
	for i, n := range parted(counts, drawnWidth) {
		s.Drawn += strings.Repeat(s.Parts[i].Mark, n)
	}
	return s
}

// parted parts whole units by counts above 0: each gets at least one, and the largest what is left over.
func parted(counts []int64, units int) []int {
	if len(counts) == 0 {
		return nil
	}
	var sum float64
	for _, n := range counts {
		sum += float64(n)
	}
	parts, left := make([]int, len(counts)), units
	for i, n := range counts {
		parts[i] = max(int(float64(n)/sum*float64(units)), 1)
		left -= parts[i]
	}
	parts[slices.Index(counts, slices.Max(counts))] += left
	return parts
}

// percent returns a share with one decimal: 100 % is everybody, and 0 % nobody.
func percent(part, of int64) string {
	if of <= 0 {
		return "0%"
	}
	tenths := int64(float64(part)/float64(of)*1000 + 0.5)
	switch {
	case part >= of:
		return "100%"
	case part > 0:
		tenths = min(max(tenths, 1), 999)
	}
	return fmt.Sprintf("%d.%d%%", tenths/10, tenths%10)
}

// missed tells why people were not reached.
func missed(all []notice.Reason) []string {
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = fmt.Sprintf("%s: %s명", why(m), grouped(m.People))
	}
	return texts
}

// mostWords bounds in letters what is quoted of Kakao.
const mostWords = 120

func why(m notice.Reason) string {
	switch m.Why {
	case notice.FailedAtKakao:
		words := []rune(line(m.Words))
		if len(words) > mostWords {
			words = append(words[:mostWords], '…')
		}
		text := "카카오 오류"
		if m.Code != 0 {
			text += fmt.Sprintf(" %d", m.Code)
		}
		if len(words) > 0 {
			text += " “" + string(words) + "”"
		}
		return text
	case notice.FailedRefused:
		return "카카오가 요청을 받지 않음"
	case notice.FailedParked:
		return "요청을 보내지 못함"
	case notice.LeftByExpiry:
		return "마감까지 차례가 오지 않음"
	case notice.LeftByCancel:
		return "차례가 오기 전에 취소함"
	case notice.LeftOptedOut:
		return "수신을 거부함"
	case notice.LeftNoConsent:
		return "광고 수신에 동의하지 않음"
	case notice.LeftCapped:
		return "한 사람에게 보내는 횟수를 다 채움"
	case notice.FailedOther:
	}
	return "그 밖의 까닭"
}

// obstacles is what can stand in the way of a schedule, and what to do about it.
var obstacles = map[string]struct{ why, remedy string }{
	"bot.wallet":       {"챗봇에 연결된 월렛이 없습니다", "챗봇에 월렛을 연결해 주세요."},
	"channel.state":    {"채널이 연결되어 있지 않습니다", "챗봇의 채널을 다시 연결해 주세요."},
	"bot.paused":       {"카카오가 챗봇의 REST API 키를 받지 않거나 카카오 쪽 잔액이 비어 챗봇이 멈춰 있습니다", "REST API 키와 카카오 쪽 잔액을 확인한 뒤 챗봇을 다시 시작해 주세요."},
	"channel.verified": {"채널이 비즈니스 인증을 받지 않았습니다", "채널의 비즈니스 인증을 받아 주세요."},
	"app.verified":     {"앱이 비즈니스 인증을 받지 않았습니다", "앱의 비즈니스 인증을 받아 주세요."},
	"app.kakao_sync":   {"채널과 앱이 카카오싱크로 연결되어 있지 않습니다", "채널과 앱을 카카오싱크로 연결해 주세요."},
	"channel.deployed": {"챗봇 블록이 운영채널에 배포되지 않았습니다", "챗봇 블록을 운영채널에 배포해 주세요."},
	"NO_WALLET":        {"챗봇에 연결된 월렛이 없습니다", "챗봇에 월렛을 연결해 주세요."},
	"NO_RECIPIENTS":    {"받는 사람이 없습니다", "예약이 쓰는 받는 사람 목록을 다시 올려 주세요."},
	"not_found":        {"받는 사람 목록이 지워졌습니다", "예약에 다른 목록을 정해 주세요. (malgil schedule change --audience)"},
	"invalid":          {"광고 문구에 (광고) 표시나 수신 거부 안내가 없습니다", "예약의 문구를 고쳐 주세요. (malgil schedule change --event … --data …)"},
	"UNREADABLE":       {"저장된 메시지를 읽을 수 없습니다", "예약에 메시지를 새로 정해 주세요. (malgil schedule change --event …)"},
	"CANCELLED":        {"시작하기 전에 발송을 취소했습니다", ""},
}

// mostLost is how many lost times a mail tells of one by one.
const mostLost = 10

// lost tells of the times at which a schedule sent nothing, the latest last.
func lost(d notice.ScheduleMissed) []string {
	var texts []string
	times, earlier := d.Times, d.Earlier
	if len(times) > mostLost {
		times, earlier = times[len(times)-mostLost:], earlier+int64(len(times)-mostLost)
	}
	if earlier > 0 {
		texts = append(texts, fmt.Sprintf("그보다 앞서 %s번", grouped(earlier)))
	}
	for _, t := range times {
		var causes []string
		for _, c := range t.Causes {
			if o, known := obstacles[c]; known {
				causes = append(causes, o.why)
			}
		}
		switch {
		case !t.InsteadAt.IsZero():
			causes = []string{fmt.Sprintf("그때 서비스가 멈춰 있었습니다. %s의 발송이 대신 나갑니다", kst(t.InsteadAt))}
		case len(causes) == 0 && t.Reason == "":
			causes = []string{"그때 서비스가 멈춰 있어 정해진 시간 안에 시작하지 못했습니다"}
		case len(causes) == 0:
			causes = []string{line(t.Reason)}
		}
		texts = append(texts, fmt.Sprintf("%s: %s", kst(t.At), strings.Join(causes, ". ")))
	}
	return texts
}

// remedies tells what to do about lost times.
func remedies(d notice.ScheduleMissed) []string {
	var steps []string
	for _, t := range d.Times {
		for _, c := range t.Causes {
			if remedy := obstacles[c].remedy; remedy != "" && !slices.Contains(steps, remedy) {
				steps = append(steps, remedy)
			}
		}
	}
	steps = append(steps, "나가지 않은 발송은 저절로 다시 나가지 않습니다. 아직 필요하면 같은 내용을 지금 직접 보내 주세요.")
	if d.NextAt.IsZero() {
		return append(steps, "예약에 다음 때가 없습니다. 이어서 보내시려면 예약을 다시 시작하거나 새로 만들어 주세요.")
	}
	return append(steps, fmt.Sprintf("다음 발송은 %s에 나갑니다. 그 전에 위 까닭이 풀렸는지 확인해 주세요.", kst(d.NextAt)))
}
