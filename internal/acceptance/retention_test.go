package acceptance_test

import (
	"strings"
	"testing"
	"time"
)

// How long what people say is kept.
func TestRetention(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"as_long_as_the_level_says": keptByLevel,
		"a_lower_level_takes_more":  lowerLevel,
	})
}

// purge is a receipt as the API shows it.
type purge struct {
	Day     string    `json:"day"`
	Level   int       `json:"level"`
	Removed int       `json:"removed"`
	Oldest  time.Time `json:"oldest"`
	EndedAt time.Time `json:"ended_at"`
}

// wantPurges checks how much was removed on the latest days, the last first.
func (s *shop) wantPurges(level int, removed ...int) {
	h := s.house
	h.t.Helper()
	var list struct{ Items []purge }
	h.get(s.botPath()+"/purges", &list)
	if len(list.Items) < len(removed) {
		h.t.Fatalf("purges are %+v, want at least %d", list.Items, len(removed))
	}
	day := h.now().In(seoul)
	for i, n := range removed {
		got := list.Items[i]
		if got.Day != day.AddDate(0, 0, -i).Format(time.DateOnly) || got.Removed != n || got.EndedAt.IsZero() || got.Oldest.IsZero() != (n == 0) || got.Level != level {
			h.t.Errorf("purge %d is %+v, want %d removed at level %d, and ended", i, got, n, level)
		}
	}
}

// hears has a user say something, and ends when that is recorded.
func (s *shop) hears(user, words, answer string) {
	s.house.t.Helper()
	if err := s.house.saysAndHears(s, user, words, answer); err != nil {
		s.house.t.Fatal(err)
	}
	s.house.restart() // whoever closes writes what is to be recorded
	for _, each := range s.house.shops {
		each.skillURL = s.house.url + each.skillURL[strings.Index(each.skillURL, "/skill/"):]
	}
}

func (s *shop) securityLevel(n int) {
	s.house.t.Helper()
	s.house.do("PATCH", s.botPath(), map[string]any{"talking": map[string]any{"security_level": n}}, nil)
}

// At level 1 what was said on a day is removed at 04:00 of the fourth day after it, and no earlier. Whoever said it is
// no stranger afterwards.
func keptByLevel(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.securityLevel(1)
	s.hears("u-1", gibberish, greeting)
	h.to(3, 4, 0)
	s.wantPurges(1, 0, 0, 0)
	h.to(1, 3, 59)
	h.to(0, 4, 0)
	s.wantPurges(1, 1, 0, 0, 0)
	h.counted(1, "malgil_utterances_purged_total")
	h.to(1, 4, 0)
	s.wantPurges(1, 0, 1)
	s.hears("u-1", hoursName, hours)
	s.hears("u-2", gibberish, greeting)
}

// A level that is lowered counts from the next morning, for what was said before, too; that of another bot does not change.
func lowerLevel(t *testing.T) {
	h := open(t, plan{})
	s, other := h.openShop(0), h.openShop(0)
	s.hears("u-1", gibberish, greeting)
	other.hears("u-1", gibberish, greeting)
	h.to(10, 4, 0)
	s.wantPurges(4, 0, 0)
	s.securityLevel(1)
	h.to(0, 23, 0)
	s.wantPurges(4, 0)
	h.to(1, 4, 0)
	s.wantPurges(1, 1)
	other.wantPurges(4, 0)
}
