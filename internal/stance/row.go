package stance

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// fields are what a file of a list tells beside type and id, with the names that Korean offices give the
// columns, in small letters and without spaces.
var fields = map[broadcast.PeopleList]map[string][]string{
	broadcast.Suppressions: {
		"scope":  {"범위", "거부범위", "수신거부범위", "거부구분", "수신거부구분"},
		"at":     {"일시", "거부일시", "수신거부일시", "거부일", "수신거부일", "거부일자", "수신거부일자"},
		"source": {"출처", "경로", "거부경로", "수신거부경로"},
	},
	broadcast.Consents: {
		"at":       {"일시", "동의일시", "수신동의일시", "동의일", "수신동의일", "동의일자", "수신동의일자"},
		"night_at": {"야간동의일시", "야간수신동의일시", "야간동의일", "야간수신동의일", "야간동의일자", "야간동의", "야간수신동의"},
		"source":   {"출처", "경로", "동의경로", "수신동의경로", "수집경로"},
	},
}

// Fields are what a file of a list tells beside type and id, each with other names of its column.
func Fields(list broadcast.PeopleList) map[string][]string { return fields[list] }

// scopes are what cells say somebody refuses.
var scopes = map[string]broadcast.RefusalScope{
	"": "", "ad": broadcast.RefusesAds, "광고": broadcast.RefusesAds,
	"all": broadcast.RefusesAll, "전체": broadcast.RefusesAll, "모두": broadcast.RefusesAll,
}

// answers are what cells say of the night that have no time.
var answers = map[string]bool{
	"y": true, "yes": true, "o": true, "예": true, "동의": true,
	"": false, "n": false, "no": false, "x": false, "아니오": false, "아니요": false, "미동의": false,
}

// of reads a row of a file, whose fields are properties. Who refused at no time said did so now; a consent
// has to say when, and one for the night may say Y: then it is of the same time. The error is about one of
// the fields.
func of(list broadcast.PeopleList, row broadcast.Recipient, now time.Time) (broadcast.Stance, *fault.Error) {
	s := broadcast.Stance{Type: row.Type, ID: unquoted(row.ID), Source: unquoted(row.Properties["source"])}
	if list == broadcast.Suppressions {
		s.At = now
		known := false
		if s.Scope, known = scopes[strings.ToLower(row.Properties["scope"])]; !known {
			return s, fault.Field("scope", "must be ad (광고) or all (전체)")
		}
	}
	if text := row.Properties["at"]; text != "" {
		var ok bool
		if s.At, ok = saidAt(text); !ok {
			return s, fault.Field("at", "must be "+aTime)
		}
	}
	text := row.Properties["night_at"]
	agreed, answer := answers[strings.ToLower(text)]
	switch {
	case agreed:
		s.NightAt = s.At
	case !answer:
		var ok bool
		if s.NightAt, ok = saidAt(text); !ok {
			return s, fault.Field("night_at", "must be Y, N, or "+aTime)
		}
	}
	return s, list.CheckStance(s, now)
}

// unquoted takes the apostrophe off a cell that begins with one so that no spreadsheet runs it, as exports do.
func unquoted(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.IndexAny(cell[1:], "=+-@\t\r") == 0 {
		return cell[1:]
	}
	return cell
}

const aTime = "a time as 2026-11-24T12:00:00+09:00, or 2026-11-24 12:00:00 or 2026-11-24 in Korea"

// saidAt reads a time as files have it, which is Korea's where it does not say otherwise.
func saidAt(text string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly,
		"2006/1/2 15:04:05", "2006/1/2 15:04", "2006/1/2", "2006.1.2 15:04:05", "2006.1.2 15:04", "2006.1.2", "2006. 1. 2.",
	} {
		if at, err := time.ParseInLocation(layout, text, clock.Seoul); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
