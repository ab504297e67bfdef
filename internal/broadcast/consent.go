package broadcast

import (
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// PeopleList is one of the lists that a bot has of what people said about its messages. The words are
// those of addresses and of the audit log.
type PeopleList string

// The lists. Nobody stands on both: what he said last counts.
const (
	Suppressions PeopleList = "suppressions" // opt-out (수신거부): who refused
	Consents     PeopleList = "consents"     // consent (수신동의): who agreed
)

// RefusalScope is what somebody refuses. The words are stored.
type RefusalScope string

// The scopes of refusals.
const (
	RefusesAds RefusalScope = "ad"  // advertising; this when none is said
	RefusesAll RefusalScope = "all" // everything that the bot sends
)

// Stance is what a person said last about the messages of a bot.
type Stance struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	// Scope is what a refusal is about; empty for a consent, and for a refusal that does not say so: it is then
	// about what stood there, or advertising.
	Scope RefusalScope `json:"scope,omitempty"`
	// At is when he refused, or agreed or confirmed it last.
	At time.Time `json:"at"`
	// NightAt is likewise when he agreed to messages from 21:00 to 08:00; zero for not.
	NightAt time.Time `json:"night_at,omitzero"`
	// Source is where he said so, as whoever noted it tells: a form, an event, a call. One line.
	Source string `json:"source,omitempty"`
}

// Said is when he spoke last.
func (s Stance) Said() time.Time {
	if s.NightAt.After(s.At) {
		return s.NightAt
	}
	return s.At
}

// consentYears is for how many years a consent counts, unless it is confirmed (정보통신망법 제50조).
const consentYears = 2

// lasts reports whether what was agreed to at a time still counts: less than two years ago, by the
// calendar of Korea. What was agreed to on 29 February counts until 28 February. Zero is never.
func lasts(agreed, now time.Time) bool {
	if agreed.IsZero() {
		return false
	}
	from := agreed.In(clock.Seoul)
	until := from.AddDate(consentYears, 0, 0)
	if until.Day() != from.Day() { // there is no such day
		until = until.AddDate(0, 0, -until.Day())
	}
	return now.Before(until)
}

// Valid reports whether a consent counts.
func (s Stance) Valid(now time.Time) bool { return lasts(s.At, now) }

// ValidAtNight reports whether a consent counts for the night.
func (s Stance) ValidAtNight(now time.Time) bool { return lasts(s.NightAt, now) }

// CheckStance returns what is wrong with a stance that is to stand on a list, nil when nothing is.
func (l PeopleList) CheckStance(s Stance, now time.Time) *fault.Error {
	if err := (Recipient{Type: s.Type, ID: s.ID}).Check(); err != nil {
		return err
	}
	switch {
	case s.Type == Room:
		return fault.Field("type", "must be that of a person; rooms neither refuse nor agree")
	case l == Suppressions && s.Scope != RefusesAds && s.Scope != RefusesAll && s.Scope != "":
		return fault.Field("scope", "must be ad or all")
	case s.At.IsZero():
		return fault.Field("at", "is missing; say when")
	case s.At.After(now):
		return fault.Field("at", "is in the future")
	case s.NightAt.After(now):
		return fault.Field("night_at", "is in the future")
	case !known(s.At):
		return fault.Field("at", "is before KakaoTalk")
	case !s.NightAt.IsZero() && !known(s.NightAt):
		return fault.Field("night_at", "is before KakaoTalk")
	case !plain(s.Source) || utf8.RuneCountInString(s.Source) > maxSource:
		return fault.Field("source", "must be one line of at most %d characters", maxSource)
	}
	return nil
}

// maxSource is how long it may take to say where somebody said something.
const maxSource = 200

// known reports whether there was KakaoTalk at a time: an earlier one is a slip, or a spreadsheet's zero.
func known(t time.Time) bool { return t.Year() >= 2010 }

// Prevails reports whether what is said now changes what stands on its list (own) and on the other
// one; nil for nothing there. What was said earlier changes nothing. Where somebody refused and agreed at the
// same moment he has refused, and where he refused advertising and everything, everything.
func (l PeopleList) Prevails(s Stance, own, other *Stance) bool {
	switch {
	case own != nil && (*own == s || own.Said().After(s.Said())):
		return false
	case own != nil && own.Scope == RefusesAll && s.Scope == RefusesAds && own.Said().Equal(s.Said()):
		return false
	case other == nil:
		return true
	case l == Suppressions:
		return !other.Said().After(s.Said())
	}
	return s.Said().After(other.Said())
}

// Noted counts what becomes of people who are put on a list.
type Noted struct {
	New       int // did not stand on it
	Changed   int // stood on it, and say something later or something else
	Unchanged int // have said something later, on either list, or just this before
}

// Put is how many people something changes of.
func (n Noted) Put() int { return n.New + n.Changed }
