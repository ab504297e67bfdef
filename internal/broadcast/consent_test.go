package broadcast_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
)

// noon is the moment at which the stances of these tests are read.
var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func TestLasts(t *testing.T) {
	korea := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, clock.Seoul)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	tests := map[string]struct {
		agreed, now string
		want        bool
	}{
		"its last millisecond":   {"2024-11-24 12:00:00.000", "2026-11-24 11:59:59.999", true},
		"two years":              {"2024-11-24 12:00:00.000", "2026-11-24 12:00:00.000", false},
		"29 February":            {"2024-02-29 12:00:00.000", "2026-02-28 11:59:59.999", true},
		"29 February, two years": {"2024-02-29 12:00:00.000", "2026-02-28 12:00:00.000", false},
		"by Korea's calendar":    {"2024-03-01 00:30:00.000", "2026-02-28 23:00:00.000", true}, // 29 February in UTC
		"this moment":            {"2026-11-24 12:00:00.000", "2026-11-24 12:00:00.000", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := korea(tt.agreed)
			for what, got := range map[string]bool{
				"Valid":        broadcast.Stance{At: at}.Valid(korea(tt.now)),
				"ValidAtNight": broadcast.Stance{At: at.AddDate(-5, 0, 0), NightAt: at}.ValidAtNight(korea(tt.now)),
			} {
				if got != tt.want {
					t.Errorf("%s of %s at %s = %v, want %v", what, tt.agreed, tt.now, got, tt.want)
				}
			}
		})
	}
	if (broadcast.Stance{At: noon}).ValidAtNight(noon) {
		t.Error("a consent without the night counts at night")
	}
}

func TestPeopleList_Prevails(t *testing.T) {
	at := func(minute int) *broadcast.Stance {
		return &broadcast.Stance{Type: "botUserKey", ID: "u1", At: noon.Add(time.Duration(minute) * time.Minute)}
	}
	night := at(1)
	night.NightAt = noon.Add(5 * time.Minute)
	tests := map[string]struct {
		list       broadcast.PeopleList
		said       *broadcast.Stance
		own, other *broadcast.Stance
		want       bool
	}{
		"the first":                       {broadcast.Suppressions, at(1), nil, nil, true},
		"later":                           {broadcast.Suppressions, at(2), at(1), nil, true},
		"earlier":                         {broadcast.Suppressions, at(1), at(2), nil, false},
		"the same again":                  {broadcast.Suppressions, at(1), at(1), nil, false},
		"a refusal after a consent":       {broadcast.Suppressions, at(2), nil, at(1), true},
		"a refusal before a consent":      {broadcast.Suppressions, at(1), nil, at(2), false},
		"a refusal before the night's":    {broadcast.Suppressions, at(4), nil, night, false},
		"a refusal at the same moment":    {broadcast.Suppressions, at(1), nil, at(1), true},
		"a consent after a refusal":       {broadcast.Consents, at(2), nil, at(1), true},
		"a consent at the same moment":    {broadcast.Consents, at(1), nil, at(1), false},
		"a consent before a refusal":      {broadcast.Consents, at(1), nil, at(2), false},
		"the night's comes later":         {broadcast.Consents, night, at(3), nil, true},
		"less at the same moment":         {broadcast.Suppressions, &broadcast.Stance{Type: "botUserKey", ID: "u1", Scope: "ad", At: at(1).At}, &broadcast.Stance{Type: "botUserKey", ID: "u1", Scope: "all", At: at(1).At}, nil, false},
		"less, later":                     {broadcast.Suppressions, &broadcast.Stance{Type: "botUserKey", ID: "u1", Scope: "ad", At: at(2).At}, &broadcast.Stance{Type: "botUserKey", ID: "u1", Scope: "all", At: at(1).At}, nil, true},
		"another word of the same moment": {broadcast.Suppressions, &broadcast.Stance{Type: "botUserKey", ID: "u1", Scope: "all", At: at(1).At}, at(1), nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.list.Prevails(*tt.said, tt.own, tt.other); got != tt.want {
				t.Errorf("Prevails = %v, want %v", got, tt.want)
			}
		})
	}
}
