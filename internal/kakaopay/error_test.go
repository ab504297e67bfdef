package kakaopay

import (
	"strings"
	"testing"
)

func TestClassOf_everyCode(t *testing.T) {
	// By hand from the table of error codes, not from the map under test.
	tests := map[Class][]int{
		Config:    {-400, -401, -403, -404, -429, -730, -731, -732, -733, -753, -798},
		Unknown:   {-500, -503, -1, -700, -709, -799, 0, 17},
		Permanent: {-701, -703, -704, -705, -706, -707, -708, -710, -711, -721, -722, -723, -724, -725, -726, -761},
		Lookup:    {-702, -781, -783, -784, -785},
		Dead:      {-750, -751},
		Declined:  {-752, -780, -782, -797},
	}
	seen := 0
	for want, codes := range tests {
		for _, code := range codes {
			if got := classOf(code, ""); got != want {
				t.Errorf("classOf(%d) = %s, want %s", code, got, want)
			}
			if _, ok := classes[code]; ok {
				seen++
			}
		}
	}
	if seen != len(classes) {
		t.Errorf("the table has %d codes, %d of them are tested", len(classes), seen)
	}
}

func TestClassOf_issuerCodes(t *testing.T) {
	tests := map[string]struct {
		code   int
		issuer string
		want   Class
	}{
		"over its limit":                     {-782, "8326", Declined},
		"recurring, user locked":             {-782, "USER_LOCKED", Lookup},
		"recurring, bank does not say":       {-782, "BANK_FIRM_UNKNOWN", Lookup},
		"approve, user locked":               {-780, "USER_LOCKED", Lookup},
		"approve, bank does not say":         {-780, "BANK_FIRM_UNKNOWN", Lookup},
		"approve, 9999":                      {-780, "9999", Declined},
		"another code with that issuer code": {-751, "USER_LOCKED", Dead},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := classOf(tt.code, tt.issuer); got != tt.want {
				t.Errorf("classOf(%d, %s) = %s, want %s", tt.code, tt.issuer, got, tt.want)
			}
		})
	}
}

func TestReadError(t *testing.T) {
	tests := map[string]struct {
		body string
		want int
		ok   bool
	}{
		"whole":                   {`{"error_code":-782,"error_message":"x","extras":{"method_result_code":"8326"}}`, -782, true},
		"extras of another type":  {`{"error_code":-780,"error_message":"approval failure!","extras":"none"}`, -780, true},
		"message of another type": {`{"error_code":-751,"error_message":{}}`, -751, true},
		"no code":                 {`{"tid":"T"}`, 0, false},
		"code as text":            {`{"error_code":"-782"}`, 0, false},
		"cut":                     {`{"error_code":-782,"err`, 0, false},
		"a page":                  {`<html>`, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := readError([]byte(tt.body))
			if ok != tt.ok || (ok && got.Code != tt.want) {
				t.Errorf("readError(%s) = %d, %t, want %d, %t", tt.body, got.Code, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestSecrets_hide(t *testing.T) {
	hidden := secrets{"", "S5A1C9D20E7F3B4810AA", "key-1"}
	if got, want := hidden.hide("no sid S5A1C9D20E7F3B4810AA for key-1"), "no sid *** for ***"; got != want {
		t.Errorf("hide() = %q, want %q", got, want)
	}
	if got := hidden.hide(strings.Repeat("가", 500)); len(got) > messageBytes+len("…") || strings.ContainsRune(got, '�') {
		t.Errorf("hide(long) = %q (%d bytes), want it cut between characters", got, len(got))
	}
}
