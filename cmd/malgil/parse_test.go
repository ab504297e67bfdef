package main

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/app"
)

// Whoever sets ten things up wants to hear of all ten at once.
func TestRun_tellsEveryWrongSetting(t *testing.T) {
	for name, value := range map[string]string{
		"MALGIL_PRICE_KRW": "abc", "MALGIL_REPLY_BUDGET": "4", "MALGIL_QUEUED_CHUNKS": "2e3", // cannot be read
		"MALGIL_PUBLIC_URL": "nowhere", "MALGIL_SEND_LEASE": "1s", // can be read, and are wrong
		"MALGIL_KAKAOPAY_SECRET_FILE": "/nowhere/secret",
	} {
		t.Setenv(name, value)
	}
	got := malgil(t, "all", "--charge-slice=1,000")
	if got.code != exitUsage {
		t.Errorf("malgil all = exit %d, want 2", got.code)
	}
	for _, want := range []string{
		`MALGIL_PRICE_KRW must be a whole number, not "abc"`, `MALGIL_REPLY_BUDGET must be a duration such as 90s or 10m, not "4"`,
		`MALGIL_QUEUED_CHUNKS must be a whole number, not "2e3"`, `--charge-slice must be a whole number, not "1,000"`,
		"MALGIL_PUBLIC_URL must be", "MALGIL_SEND_LEASE must be", "MALGIL_SMTP is missing", "MALGIL_KAKAOPAY_SECRET_FILE cannot be read",
	} {
		if !strings.Contains(got.stderr, "malgil: "+want) {
			t.Errorf("malgil all does not say %q:\n%s", want, got.stderr)
		}
	}
	for _, not := range []string{"MALGIL_CALLBACK_BUDGET", "MALGIL_CHARGE_SLICE_KRW", "MALGIL_KAKAOPAY_SECRET is missing", "MALGIL_DB"} {
		if strings.Contains(got.stderr, not) {
			t.Errorf("malgil all says %q of what is right, or told already:\n%s", not, got.stderr)
		}
	}
}

func TestRun_unreadableValues(t *testing.T) {
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	tests := map[string]struct {
		env  string
		args []string
		says string
	}{
		"a time in words":              {"", []string{"broadcast", "send", "parse_test.go", "--bot=b", "--event=e", "--start-at=tomorrow"}, `--start-at must be a time such as 2026-11-24T10:00:00+09:00, or 2026-11-24 10:00 as it is in Korea, not "tomorrow"`},
		"an argument":                  {"", []string{"wallet", "topup", "wal_1", "lots"}, `must be a whole number, not "lots"`},
		"a setting of another command": {"abc", []string{"--version"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("MALGIL_PRICE_KRW", tt.env)
			}
			got := malgil(t, tt.args...)
			want := exitUsage
			if tt.says == "" {
				want = exitOK
			}
			if got.code != want || !strings.Contains(got.stderr, tt.says) {
				t.Errorf("malgil %s = exit %d, %q, want %d and %q", strings.Join(tt.args, " "), got.code, got.stderr, want, tt.says)
			}
		})
	}
}

func TestParseMoment(t *testing.T) {
	ten := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) // 10:00 in Korea
	tests := map[string]struct {
		text string
		want time.Time // zero for an error
	}{
		"RFC 3339 of Korea":           {"2026-11-24T10:00:00+09:00", ten},
		"RFC 3339 of UTC":             {"2026-11-24T01:00:00Z", ten},
		"without a zone":              {"2026-11-24 10:00", ten},
		"without a zone, to a second": {"2026-11-24T10:00:05", ten.Add(5 * time.Second)},
		"as commands print it":        {when(ten), ten},
		"words":                       {"tomorrow", time.Time{}},
		"a day":                       {"2026-11-24", time.Time{}},
		"nothing":                     {"", time.Time{}},
	}
	for name, tt := range tests {
		got, err := parseMoment(tt.text)
		if !got.Equal(tt.want) && err == nil || (err != nil) != tt.want.IsZero() {
			t.Errorf("%s: parseMoment(%q) = %v, %v, want %v", name, tt.text, got, err, tt.want)
		}
	}
}

func TestWhen(t *testing.T) {
	if got := when(time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)); got != "2026-11-24 10:00:00 KST" {
		t.Errorf("when(01:00 UTC) = %q, want it with its zone", got)
	}
	if got := when(time.Time{}); got != "" {
		t.Errorf("when(never) = %q, want nothing", got)
	}
}

func TestVersion(t *testing.T) {
	if got := malgil(t, "--version"); got.code != exitOK || got.stdout != "malgil "+app.Version+"\n" {
		t.Errorf("malgil --version = exit %d, %q%q, want the version", got.code, got.stdout, got.stderr)
	}
}

// The way to the first token leads past the server: it cannot be asked without one.
func TestTokenCreate_withoutAToken(t *testing.T) {
	t.Setenv("MALGIL_TOKEN", "")
	got := malgil(t, "token", "create", "x")
	if got.code != exitUsage || !strings.Contains(got.stderr, "malgil token create NAME --first") {
		t.Errorf("token create without a token = exit %d, %q, want 2 and --first", got.code, got.stderr)
	}
}
