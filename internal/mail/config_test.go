package mail_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/mail"
)

func TestParseConfig(t *testing.T) {
	tests := map[string]struct {
		address string
		want    string // of String
	}{
		"everything": {
			"smtp://user:pa%23ss@smtp.example.com:2587?tls=starttls&from=no-reply@example.com",
			"smtp://user:***@smtp.example.com:2587?from=%3Cno-reply%40example.com%3E&tls=starttls",
		},
		"starttls and its port by default": {
			"smtp://smtp.example.com?from=no-reply@example.com",
			"smtp://smtp.example.com:587?from=%3Cno-reply%40example.com%3E&tls=starttls",
		},
		"tls has a port of its own": {
			"smtp://smtp.example.com?tls=tls&from=no-reply@example.com",
			"smtp://smtp.example.com:465?from=%3Cno-reply%40example.com%3E&tls=tls",
		},
		"clear text on loopback": {
			"smtp://127.0.0.1:1025?tls=none&from=no-reply@example.com",
			"smtp://127.0.0.1:1025?from=%3Cno-reply%40example.com%3E&tls=none",
		},
		"a name before the address": {
			"smtp://[::1]:1025?tls=none&from=Malgil%20%3Cno-reply@example.com%3E",
			"smtp://[::1]:1025?from=%22Malgil%22+%3Cno-reply%40example.com%3E&tls=none",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config, err := mail.ParseConfig(tt.address)
			if err != nil {
				t.Fatalf("ParseConfig(%q) error = %v, want nil", tt.address, err)
			}
			if got := config.String(); got != tt.want {
				t.Errorf("ParseConfig(%q) = %s, want %s", tt.address, got, tt.want)
			}
		})
	}
}

func TestParseConfig_wrong(t *testing.T) {
	tests := map[string]struct {
		address string
		want    []string // parts of the message
	}{
		"not a URL":                 {"smtp://user:hunter2@ho st", []string{"form smtp://"}},
		"another scheme":            {"http://user:hunter2@smtp.example.com?from=a@example.com", []string{"form smtp://"}},
		"clear text over the net":   {"smtp://smtp.example.com?tls=none&from=a@example.com", []string{"loopback"}},
		"unknown kind of tls":       {"smtp://smtp.example.com?tls=ssl&from=a@example.com", []string{`"ssl"`, "starttls"}},
		"no sender":                 {"smtp://smtp.example.com", []string{"from is missing"}},
		"a sender without a host":   {"smtp://smtp.example.com?from=malgil", []string{"from is not a mail address"}},
		"a header in the sender":    {"smtp://smtp.example.com?from=a@example.com%0D%0ABcc:b@example.com", []string{"from is not a mail address"}},
		"user without password":     {"smtp://user@smtp.example.com?from=a@example.com", []string{"go together"}},
		"a misspelt setting":        {"smtp://smtp.example.com?form=a@example.com&from=a@example.com", []string{`"form"`}},
		"a password not escaped":    {"smtp://user:hunter2/x@smtp.example.com?from=a@example.com", []string{"form smtp://"}},
		"port out of range":         {"smtp://smtp.example.com:70000?from=a@example.com", []string{"port"}},
		"several things at once":    {"smtp://user:hunter2@smtp.example.com:0?tls=none&tsl=1", []string{"loopback", "port", "from is missing", `"tsl"`}},
		"from twice":                {"smtp://smtp.example.com?from=a@example.com&from=b@example.com", []string{"more than once"}},
		"a path after the host":     {"smtp://user:hunter2@smtp.example.com/inbox?from=a@example.com", []string{"after the host"}},
		"unreadable settings":       {"smtp://user:hunter2@smtp.example.com?from=a@example.com&x=%zz", []string{"not readable"}},
		"unicode letters in sender": {"smtp://smtp.example.com?from=말길@example.com", []string{"from is not a mail address"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := mail.ParseConfig(tt.address)
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("ParseConfig(%q) error = %v, want Invalid", tt.address, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("ParseConfig(%q) error = %v, want it to say %q", tt.address, err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("ParseConfig error shows the password: %v", err)
			}
		})
	}
}

func TestConfig_neverShowsThePassword(t *testing.T) {
	config, err := mail.ParseConfig("smtp://user:hunter2@smtp.example.com?from=a@example.com")
	if err != nil || config.Password != "hunter2" {
		t.Fatalf("ParseConfig = password %q, %v, want hunter2", config.Password, err)
	}
	body, err := json.Marshal(map[string]any{"smtp": config})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(config), fmt.Sprintf("%+v", config), fmt.Sprintf("%#v", config), fmt.Sprint(&config), string(body)} {
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "***") {
			t.Errorf("shown as %s, want the password as ***", shown)
		}
	}
}
