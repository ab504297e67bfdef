package id_test

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/id"
)

// version7 is what strict readers of UUIDs let in.
var version7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestForUUID(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	source := id.New(func() time.Time { return at }, rand.Reader)
	seen := map[string]bool{}
	for range 1000 {
		made := id.ForUUID(source.Next("brd"))
		uuid := id.UUID(made)
		if !version7.MatchString(uuid) || seen[uuid] {
			t.Fatalf("UUID(%q) = %q, want one of version 7 that is new", made, uuid)
		}
		seen[uuid] = true
		for _, spelt := range []string{uuid, strings.ToUpper(uuid)} {
			if back, ok := id.OfUUID("brd", spelt); !ok || back != made {
				t.Fatalf("OfUUID(%q) = %q, %v, want %q", spelt, back, ok, made)
			}
		}
	}
	if got := id.ForUUID("brd_1"); got != "brd_1" {
		t.Errorf("ForUUID(brd_1) = %q, want it as it is", got)
	}
}

func TestUUID_ofAnyIdentifier(t *testing.T) {
	const made = "brd_01JD9Z6Q3MV8C2W4XK5T7N9PAB"
	uuid := id.UUID(made)
	if back, ok := id.OfUUID("brd", uuid); !ok || back != made {
		t.Errorf("OfUUID(UUID(%q)) = %q, %v", made, back, ok)
	}
	for _, text := range []string{"", "brd", "brd_1", "brd_01JD9Z6Q3MV8C2W4XK5T7N9PAB-000001"} {
		if got := id.UUID(text); got != "" {
			t.Errorf("UUID(%q) = %q, want none", text, got)
		}
	}
	for _, text := range []string{"", "none", "0193536b-8f4d-7c1e-9a57-3b1f1f6f7a1", "0193536b8f4d7c1e9a573b1f1f6f7a10", "{0193536b-8f4d-7c1e-9a57-3b1f1f6f7a10}"} {
		if got, ok := id.OfUUID("brd", text); ok {
			t.Errorf("OfUUID(%q) = %q, want none", text, got)
		}
	}
}
