package bot

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// Sending is when and to whom a bot sends broadcasts. The zero value is a bot that sends at any time, but
// advertising not at night. It is stored as JSON.
type Sending struct {
	// Hours are the spans of the weekdays in Korea at which it sends: "mon": "09:00-18:00". A day that is
	// not named is closed; without any it sends at any time.
	Hours map[string]string `json:"hours,omitempty"`
	// Holidays says that hours count on public holidays too, which are closed otherwise.
	Holidays bool `json:"holidays,omitempty"`
	// Night is the span at which it sends no advertising to whoever has not agreed to that: "20:00-09:00".
	// That of the law when empty, and never shorter.
	Night string `json:"night,omitempty"`
	// AdConsent says who has agreed to advertising at all.
	AdConsent AdConsent `json:"ad_consent,omitempty"`
	// AdText is the key of event data under which the text of advertising stands; "text" when empty.
	AdText string `json:"ad_text,omitempty"`
	// Cap bounds how often it writes to one person.
	Cap *Cap `json:"cap,omitempty"`
}

// Cap is how many messages one person gets of a bot within some days in Korea, today being one of them. Who has
// got as many is left out.
type Cap struct {
	Messages int  `json:"messages"`
	Days     int  `json:"days"`
	All      bool `json:"all,omitempty"` // counts and leaves out notices too, not advertising alone
}

// CapFor is the cap that a message counts under, nil for none.
func (s Sending) CapFor(ad bool) *Cap {
	if s.Cap == nil || !ad && !s.Cap.All {
		return nil
	}
	return s.Cap
}

// MaxCapDays is the longest that a cap looks back.
const MaxCapDays = 31

const maxCapMessages = 100

// Since is the moment from which on messages count.
func (c Cap) Since(now time.Time) time.Time { return clock.Midnight(now).AddDate(0, 0, 1-c.Days) }

// Capped says what a bot's cap is about: "ad", "all", or nothing without one.
func (s Sending) Capped() string {
	switch {
	case s.Cap == nil:
		return ""
	case s.Cap.All:
		return "all"
	}
	return "ad"
}

// AdConsent says who has agreed to advertising. The words are stored.
type AdConsent string

// Who has agreed to advertising.
const (
	FriendsConsent  AdConsent = "friends"  // whoever has added the channel, and has not refused since; this when empty
	RecordedConsent AdConsent = "recorded" // only whom the list of consents names
)

// The night of the law: 21:00 is inside, 08:00 is not (정보통신망법 제50조).
const (
	nightFrom = 21 * 60
	nightTo   = 8 * 60
	midday    = 12 * 60
	wholeDay  = 24 * 60
)

const maxAdText = 60

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as [time.Weekday] counts

// check says what is wrong with settings.
func (s Sending) check() error {
	for day, span := range s.Hours {
		if !slices.Contains(weekdays, day) {
			return fault.Field("sending.hours", "names the day %q; the days are mon, tue, wed, thu, fri, sat and sun", day)
		}
		if from, to, ok := spanOf(span); !ok || from >= to {
			return fault.Field("sending.hours."+day, `must be a span such as "09:00-18:00", within the day; 24:00 is its end`)
		}
	}
	if s.Hours != nil && len(s.Hours) == 0 {
		return fault.Field("sending.hours", "names no day, so nothing would ever be sent; leave it out to send at any time")
	}
	if s.Night != "" {
		from, to, ok := spanOf(s.Night)
		switch {
		case !ok:
			return fault.Field("sending.night", `must be a span such as "21:00-08:00"`)
		case from > nightFrom || to < nightTo || from < midday || to > midday:
			return fault.Field("sending.night", "must begin between 12:00 and 21:00 and end between 08:00 and 12:00: the law's night is the shortest")
		}
	}
	switch {
	case s.Cap != nil && (s.Cap.Messages < 1 || s.Cap.Messages > maxCapMessages):
		return fault.Field("sending.cap.messages", "must be 1 to %d", maxCapMessages)
	case s.Cap != nil && (s.Cap.Days < 1 || s.Cap.Days > MaxCapDays):
		return fault.Field("sending.cap.days", "must be 1, for a day, to %d", MaxCapDays)
	case s.AdConsent != "" && s.AdConsent != FriendsConsent && s.AdConsent != RecordedConsent:
		return fault.Field("sending.ad_consent", "must be friends or recorded")
	case len(s.AdText) > maxAdText || strings.TrimSpace(s.AdText) != s.AdText:
		return fault.Field("sending.ad_text", "must be a key of event data, at most %d bytes", maxAdText)
	}
	return nil
}

// spanOf reads "09:00-18:00" as minutes of a day.
func spanOf(text string) (from, to int, ok bool) {
	first, last, found := strings.Cut(text, "-")
	from, okFrom := minuteOf(first)
	to, okTo := minuteOf(last)
	return from, to, found && okFrom && okTo && from < wholeDay
}

func minuteOf(text string) (int, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	hours, errHours := strconv.ParseUint(text[:2], 10, 8)
	minutes, errMinutes := strconv.ParseUint(text[3:], 10, 8)
	minute := int(hours*60 + minutes)
	return minute, errHours == nil && errMinutes == nil && minutes < 60 && minute <= wholeDay
}

func (s Sending) night() (from, to int) {
	if from, to, ok := spanOf(s.Night); ok {
		return from, to
	}
	return nightFrom, nightTo
}

// AdTextKey is the key of event data under which the text of advertising stands.
func (s Sending) AdTextKey() string {
	if s.AdText == "" {
		return "text"
	}
	return s.AdText
}

// aheadDays is how far [Sending.At] looks for a change: beyond the longest row of holidays.
const aheadDays = 21

// At reports whether the bot sends at a time, and when that changes: zero when it does not within three weeks.
// ad is for advertising to whoever has not agreed to it at night. holiday says what is a public holiday.
func (s Sending) At(now time.Time, ad bool, holiday func(day time.Time) bool) (open bool, until time.Time) {
	open = s.open(now, ad, holiday)
	for day, n := clock.Midnight(now), 0; n < aheadDays; day, n = clock.NextMidnight(day), n+1 {
		for _, minute := range s.turns(day) {
			if turn := day.Add(time.Duration(minute) * time.Minute); turn.After(now) && s.open(turn, ad, holiday) != open {
				return open, turn
			}
		}
	}
	return open, time.Time{}
}

// turns lists the minutes of a day at which something may begin or end, in order.
func (s Sending) turns(day time.Time) []int {
	from, to := s.night()
	minutes := []int{0, from, to}
	if from, to, ok := spanOf(s.Hours[weekdays[day.In(clock.Seoul).Weekday()]]); ok {
		minutes = append(minutes, from, to)
	}
	slices.Sort(minutes)
	return minutes
}

func (s Sending) open(t time.Time, ad bool, holiday func(day time.Time) bool) bool {
	local := t.In(clock.Seoul)
	minute := local.Hour()*60 + local.Minute()
	if s.Hours != nil {
		from, to, ok := spanOf(s.Hours[weekdays[local.Weekday()]])
		if !ok || minute < from || minute >= to || !s.Holidays && holiday(t) {
			return false
		}
	}
	from, to := s.night()
	return !ad || minute < from && minute >= to
}

// CheckAd says what is wrong with the text of advertising: it has to begin with the label of the law, and
// say at its end how to refuse more of it.
func CheckAd(field, text string) error {
	const label = "(광고)"
	if !strings.HasPrefix(text, label) {
		return fault.Field(field, "must begin with exactly %s: advertising carries the label, and no variant of it", label)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(strings.ReplaceAll(last, " ", ""), "수신거부") {
		return fault.Field(field, "must say in its last line how to refuse more of it free of charge, such as %q", "무료 수신거부: 채널 홈 > 채널 차단")
	}
	return nil
}
