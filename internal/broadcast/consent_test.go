package broadcast_test

import (
	"strings"
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

func TestPeopleList_StanceOf(t *testing.T) {
	row := func(kind, id string, cells ...string) broadcast.Recipient {
		r := broadcast.Recipient{Type: kind, ID: id}
		for i := 0; i < len(cells); i += 2 {
			if r.Properties == nil {
				r.Properties = map[string]string{}
			}
			r.Properties[cells[i]] = cells[i+1]
		}
		return r
	}
	const user = "botUserKey"
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, clock.Seoul).UTC()
	good := map[string]struct {
		list broadcast.PeopleList
		row  broadcast.Recipient
		want broadcast.Stance
	}{
		"a refusal, no more said": {broadcast.Suppressions, row(user, "u1"), broadcast.Stance{Type: user, ID: "u1", Scope: "ad", At: noon}},
		"of everything":           {broadcast.Suppressions, row("appUserId", "1", "scope", "all", "at", "2026-01-02"), broadcast.Stance{Type: "appUserId", ID: "1", Scope: "all", At: day}},
		"a consent":               {broadcast.Consents, row(user, "u1", "at", "2026-01-02 00:00:00"), broadcast.Stance{Type: user, ID: "u1", At: day}},
		"with the night":          {broadcast.Consents, row(user, "u1", "at", "2026-01-01T15:00:00Z", "night_at", "2026-01-02 09:00"), broadcast.Stance{Type: user, ID: "u1", At: day, NightAt: day.Add(9 * time.Hour)}},
	}
	for name, tt := range good {
		t.Run(name, func(t *testing.T) {
			if got, err := tt.list.StanceOf(tt.row, noon); err != nil || got != tt.want {
				t.Errorf("StanceOf(%v) = %+v, %v, want %+v", tt.row, got, err, tt.want)
			}
		})
	}
	bad := map[string]struct {
		list  broadcast.PeopleList
		row   broadcast.Recipient
		field string
	}{
		"no id":                   {broadcast.Suppressions, row(user, ""), "id"},
		"a zero byte":             {broadcast.Suppressions, row(user, "u\x00"), "id"},
		"no such type":            {broadcast.Suppressions, row("phone", "1"), "type"},
		"a room":                  {broadcast.Suppressions, row("botGroupKey", "r1"), "type"},
		"no such scope":           {broadcast.Suppressions, row(user, "u1", "scope", "night"), "scope"},
		"no such column":          {broadcast.Suppressions, row(user, "u1", "night_at", "2026-01-02"), "night_at"},
		"a scope of a consent":    {broadcast.Consents, row(user, "u1", "at", "2026-01-02", "scope", "ad"), "scope"},
		"a consent at no time":    {broadcast.Consents, row(user, "u1"), "at"},
		"no time":                 {broadcast.Consents, row(user, "u1", "at", "yesterday"), "at"},
		"a spreadsheet's number":  {broadcast.Consents, row(user, "u1", "at", "46350"), "at"},
		"the future":              {broadcast.Suppressions, row(user, "u1", "at", noon.Add(time.Second).Format(time.RFC3339)), "at"},
		"a night in the future":   {broadcast.Consents, row(user, "u1", "at", "2026-01-02", "night_at", "2030-01-01"), "night_at"},
		"before there was a talk": {broadcast.Consents, row(user, "u1", "at", "1900-01-01"), "at"},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.list.StanceOf(tt.row, noon); err == nil || err.Field != tt.field || strings.Contains(err.Message, tt.row.ID+"1") {
				t.Errorf("StanceOf(%v) error = %v, want one of %s", tt.row, err, tt.field)
			}
		})
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
