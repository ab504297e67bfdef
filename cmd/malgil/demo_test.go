package main

import (
	"strings"
	"testing"
)

// What a demo does not use it does not take: an address that is ignored misleads.
func TestDemo_takesNoAddresses(t *testing.T) {
	help := ok(t, "demo", "--help")
	for _, flag := range []string{"--listen", "--metrics-listen", "--public-url", "--kakao-url", "--kakaopay-url", "--smtp", "--bank-url", "--seal-keys", "--settlement-spread"} {
		if strings.Contains(help, flag) {
			t.Errorf("demo --help offers %s", flag)
		}
		if got := malgil(t, "demo", "--once", flag+"=x"); got.code != exitUsage || !strings.Contains(got.stderr, "unknown flag "+flag) {
			t.Errorf("demo %s=x = exit %d, %q, want 2 and that there is no such flag", flag, got.code, got.stderr)
		}
	}
	for _, flag := range []string{"--db", "--redis", "--price", "--once", "--json"} {
		if !strings.Contains(help, flag) {
			t.Errorf("demo --help lacks %s", flag)
		}
	}
}
