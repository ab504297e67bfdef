package invoice_test

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/invoice"
)

func TestParseApproval(t *testing.T) {
	const number = "202612021234567800000001"
	for text, want := range map[string]string{
		number:                           number,
		" 20261202-12345678-00000001\n":  number,
		"20261202-12345678-0000000a":     "20261202123456780000000a",
		"":                               "",
		number[1:]:                       "",
		number + "1":                     "",
		strings.Repeat("가", 8):           "", // of 24 bytes
		"20261202 12345678 00000001":     "",
		"20261202-12345678-0000\x000001": "",
	} {
		if got, ok := invoice.ParseApproval(text); ok != (want != "") || ok && got != want {
			t.Errorf("ParseApproval(%q) = %q, %t, want %q", text, got, ok, want)
		}
	}
}
