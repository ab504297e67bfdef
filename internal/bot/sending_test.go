package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

func korea(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSending_At(t *testing.T) {
	office := Sending{Hours: map[string]string{"mon": "09:00-18:00", "tue": "09:00-18:00", "wed": "09:00-18:00", "thu": "09:00-18:00", "fri": "09:00-24:00"}}
	onHolidays := office
	onHolidays.Holidays = true
	wide := Sending{Night: "20:00-09:30"}
	never := Sending{Hours: map[string]string{"mon": "09:00-10:00"}}
	holiday := func(day time.Time) bool {
		d := day.In(clock.Seoul).Format(time.DateOnly)
		return d == "2026-12-25" || d == "2027-01-01" // both are Fridays
	}
	closed := func(time.Time) bool { return true }
	tests := map[string]struct {
		s       Sending
		now     string
		ad      bool
		holiday func(time.Time) bool
		open    bool
		until   string // empty for never
	}{
		"a message at night":                 {Sending{}, "2026-11-24 23:00:00.000", false, holiday, true, ""},
		"an ad by day":                       {Sending{}, "2026-11-24 12:00:00.000", true, holiday, true, "2026-11-24 21:00:00.000"},
		"an ad at the last moment":           {Sending{}, "2026-11-24 20:59:59.999", true, holiday, true, "2026-11-24 21:00:00.000"},
		"an ad as the night begins":          {Sending{}, "2026-11-24 21:00:00.000", true, holiday, false, "2026-11-25 08:00:00.000"},
		"an ad as the night nearly ends":     {Sending{}, "2026-11-25 07:59:59.999", true, holiday, false, "2026-11-25 08:00:00.000"},
		"an ad as the night ends":            {Sending{}, "2026-11-25 08:00:00.000", true, holiday, true, "2026-11-25 21:00:00.000"},
		"an ad at the end of a month":        {Sending{}, "2026-11-30 21:00:00.000", true, holiday, false, "2026-12-01 08:00:00.000"},
		"an ad at the end of a year":         {Sending{}, "2026-12-31 23:59:59.999", true, holiday, false, "2027-01-01 08:00:00.000"},
		"a longer night begins":              {wide, "2026-11-24 20:00:00.000", true, holiday, false, "2026-11-25 09:30:00.000"},
		"a longer night ends":                {wide, "2026-11-25 09:29:59.999", true, holiday, false, "2026-11-25 09:30:00.000"},
		"within hours":                       {office, "2026-11-24 17:59:59.999", false, holiday, true, "2026-11-24 18:00:00.000"},
		"after hours":                        {office, "2026-11-24 18:00:00.000", false, holiday, false, "2026-11-25 09:00:00.000"},
		"before hours":                       {office, "2026-11-24 08:59:59.999", false, holiday, false, "2026-11-24 09:00:00.000"},
		"hours until midnight":               {office, "2026-11-27 22:00:00.000", false, holiday, true, "2026-11-28 00:00:00.000"},
		"hours until midnight, an ad":        {office, "2026-11-27 12:00:00.000", true, holiday, true, "2026-11-27 21:00:00.000"},
		"over a weekend":                     {office, "2026-11-28 12:00:00.000", false, holiday, false, "2026-11-30 09:00:00.000"},
		"a holiday and a weekend":            {office, "2026-12-24 18:00:00.000", false, holiday, false, "2026-12-28 09:00:00.000"},
		"a holiday is open too":              {onHolidays, "2026-12-24 18:00:00.000", false, holiday, false, "2026-12-25 09:00:00.000"},
		"hours that never come within weeks": {never, "2026-11-24 12:00:00.000", false, closed, false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := time.Time{}
			if tt.until != "" {
				want = korea(t, tt.until)
			}
			open, until := tt.s.At(korea(t, tt.now), tt.ad, tt.holiday)
			if open != tt.open || !until.Equal(want) {
				t.Errorf("At(%s) = %v until %v, want %v until %v", tt.now, open, until.In(clock.Seoul), tt.open, want)
			}
		})
	}
}

func TestSending_check(t *testing.T) {
	tests := map[string]struct {
		s     Sending
		field string
	}{
		"nothing":                  {Sending{}, ""},
		"everything":               {Sending{Hours: map[string]string{"mon": "00:00-24:00"}, Holidays: true, Night: "12:00-12:00", AdConsent: RecordedConsent, AdText: "body", Cap: &Cap{Messages: 1, Days: 31}}, ""},
		"a cap of nothing":         {Sending{Cap: &Cap{Days: 1}}, "sending.cap.messages"},
		"a cap of no days":         {Sending{Cap: &Cap{Messages: 1}}, "sending.cap.days"},
		"a cap of months":          {Sending{Cap: &Cap{Messages: 1, Days: 32}}, "sending.cap.days"},
		"the law's own night":      {Sending{Night: "21:00-08:00"}, ""},
		"no day":                   {Sending{Hours: map[string]string{}}, "sending.hours"},
		"a day nobody knows":       {Sending{Hours: map[string]string{"월": "09:00-18:00"}}, "sending.hours"},
		"no span":                  {Sending{Hours: map[string]string{"mon": "9-18"}}, "sending.hours.mon"},
		"a span that ends earlier": {Sending{Hours: map[string]string{"mon": "18:00-09:00"}}, "sending.hours.mon"},
		"a span of nothing":        {Sending{Hours: map[string]string{"mon": "09:00-09:00"}}, "sending.hours.mon"},
		"an hour too many":         {Sending{Hours: map[string]string{"mon": "09:00-24:01"}}, "sending.hours.mon"},
		"sixty minutes":            {Sending{Hours: map[string]string{"mon": "09:60-18:00"}}, "sending.hours.mon"},
		"a night that begins late": {Sending{Night: "21:01-08:00"}, "sending.night"},
		"a night that ends early":  {Sending{Night: "21:00-07:59"}, "sending.night"},
		"a night of a day":         {Sending{Night: "11:00-08:00"}, "sending.night"},
		"no night":                 {Sending{Night: "late"}, "sending.night"},
		"a consent nobody knows":   {Sending{AdConsent: "all"}, "sending.ad_consent"},
		"a key with a space":       {Sending{AdText: "text "}, "sending.ad_text"},
	}
	for name, tt := range tests {
		err := tt.s.check()
		var e *fault.Error
		field := ""
		if err != nil {
			e = err.(*fault.Error)
			field = e.Field
		}
		if field != tt.field {
			t.Errorf("%s: check() = %v, want field %q", name, err, tt.field)
		}
	}
}

func TestCap(t *testing.T) {
	for days, want := range map[int]string{1: "2026-11-24 00:00:00.000", 7: "2026-11-18 00:00:00.000", 31: "2026-10-25 00:00:00.000"} {
		if got := (Cap{Days: days}).Since(korea(t, "2026-11-24 23:59:59.999")); !got.Equal(korea(t, want)) {
			t.Errorf("a cap of %d days counts since %s, want %s", days, got.In(clock.Seoul), want)
		}
	}
	ads, all := &Cap{Messages: 1}, &Cap{Messages: 1, All: true}
	for _, tt := range []struct {
		cap  *Cap
		ad   bool
		want *Cap
	}{{nil, true, nil}, {nil, false, nil}, {ads, true, ads}, {ads, false, nil}, {all, true, all}, {all, false, all}} {
		if got := (Sending{Cap: tt.cap}).CapFor(tt.ad); got != tt.want {
			t.Errorf("CapFor(%v) of %+v = %v, want %v", tt.ad, tt.cap, got, tt.want)
		}
	}
	for want, s := range map[string]Sending{"": {}, "ad": {Cap: &Cap{}}, "all": {Cap: &Cap{All: true}}} {
		if got := s.Capped(); got != want {
			t.Errorf("Capped() = %q, want %q", got, want)
		}
	}
}

func TestCheckAd(t *testing.T) {
	const end = "\n한빛서점 02-123-4567\n무료 수신거부: 채널 홈 > 채널 차단"
	tests := map[string]struct {
		text string
		want string // of the message, empty for none
	}{
		"as it should be":        {"(광고) 겨울 할인" + end, ""},
		"an empty line after it": {"(광고)겨울 할인" + end + "\n\n", ""},
		"no label":               {"겨울 할인" + end, "(광고)"},
		"a space in it":          {"(광 고) 겨울 할인" + end, "(광고)"},
		"other brackets":         {"[광고] 겨울 할인" + end, "(광고)"},
		"a longer label":         {"(대출광고) 겨울 할인" + end, "(광고)"},
		"the label later":        {"겨울 할인 (광고)" + end, "(광고)"},
		"a space before it":      {" (광고) 겨울 할인" + end, "(광고)"},
		"no way out":             {"(광고) 겨울 할인", "수신거부"},
		"a way out before more":  {"(광고) 수신거부: 차단\n겨울 할인", "수신거부"},
	}
	for name, tt := range tests {
		err := CheckAd("event.data.text", tt.text)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: CheckAd = %v, want %q", name, err, tt.want)
		}
	}
}
