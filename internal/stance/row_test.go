package stance

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
)

// noon is the moment at which the rows of these tests are read.
var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func TestOf(t *testing.T) {
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
		"a refusal, no more said":  {broadcast.Suppressions, row(user, "u1"), broadcast.Stance{Type: user, ID: "u1", At: noon}},
		"as an export has it":      {broadcast.Suppressions, row(user, "'-u1", "scope", "광고", "source", "'=1"), broadcast.Stance{Type: user, ID: "-u1", Scope: "ad", At: noon, Source: "=1"}},
		"an apostrophe of its own": {broadcast.Suppressions, row(user, "'u1", "scope", "광고"), broadcast.Stance{Type: user, ID: "'u1", Scope: "ad", At: noon}},
		"of everything":            {broadcast.Suppressions, row("appUserId", "1", "scope", "all", "at", "2026-01-02"), broadcast.Stance{Type: "appUserId", ID: "1", Scope: "all", At: day}},
		"a consent":                {broadcast.Consents, row(user, "u1", "at", "2026-01-02 00:00:00"), broadcast.Stance{Type: user, ID: "u1", At: day}},
		"all, in Korean":           {broadcast.Suppressions, row(user, "u1", "scope", "전체", "at", "2026. 1. 2.", "source", "고객센터 전화"), broadcast.Stance{Type: user, ID: "u1", Scope: "all", At: day, Source: "고객센터 전화"}},
		"a night that says yes":    {broadcast.Consents, row(user, "u1", "at", "2026/1/2 0:00", "night_at", "Y"), broadcast.Stance{Type: user, ID: "u1", At: day, NightAt: day}},
		"a night that says no":     {broadcast.Consents, row(user, "u1", "at", "2026.01.02", "night_at", "미동의"), broadcast.Stance{Type: user, ID: "u1", At: day}},
		"with the night":           {broadcast.Consents, row(user, "u1", "at", "2026-01-01T15:00:00Z", "night_at", "2026-01-02 09:00"), broadcast.Stance{Type: user, ID: "u1", At: day, NightAt: day.Add(9 * time.Hour)}},
	}
	for name, tt := range good {
		t.Run(name, func(t *testing.T) {
			if got, err := of(tt.list, tt.row, noon); err != nil || got != tt.want {
				t.Errorf("of(%v) = %+v, %v, want %+v", tt.row, got, err, tt.want)
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
		"a consent at no time":    {broadcast.Consents, row(user, "u1"), "at"},
		"no time":                 {broadcast.Consents, row(user, "u1", "at", "yesterday"), "at"},
		"a spreadsheet's number":  {broadcast.Consents, row(user, "u1", "at", "46350"), "at"},
		"neither yes nor a time":  {broadcast.Consents, row(user, "u1", "at", "2026-01-02", "night_at", "maybe"), "night_at"},
		"a night of no time":      {broadcast.Consents, row(user, "u1", "night_at", "Y"), "at"},
		"a long source":           {broadcast.Suppressions, row(user, "u1", "source", strings.Repeat("가", 201)), "source"},
		"the future":              {broadcast.Suppressions, row(user, "u1", "at", noon.Add(time.Second).Format(time.RFC3339)), "at"},
		"a night in the future":   {broadcast.Consents, row(user, "u1", "at", "2026-01-02", "night_at", "2030-01-01"), "night_at"},
		"before there was a talk": {broadcast.Consents, row(user, "u1", "at", "1900-01-01"), "at"},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			if _, err := of(tt.list, tt.row, noon); err == nil || err.Field != tt.field || strings.Contains(err.Message, tt.row.ID+"1") {
				t.Errorf("of(%v) error = %v, want one of %s", tt.row, err, tt.field)
			}
		})
	}
}
