package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pool that there is not is told with everything else that is wrong, before anything starts.
func TestWorker_unknownPool(t *testing.T) {
	for _, name := range []string{"MALGIL_DB", "MALGIL_REDIS", "MALGIL_SMTP"} {
		t.Setenv(name, "")
	}
	for pools, want := range map[string]string{
		"push":       `no pool "push"; there are reply, echo, broadcast, result, billing, mail, webhook`,
		"mail,mail":  `pool "mail" is named twice`,
		"mail,repli": `no pool "repli"`,
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), []string{"worker", "--pools=" + pools}, &stdout, &stderr)
		if said := stderr.String(); code != exitUsage || !strings.Contains(said, want) || !strings.Contains(said, "MALGIL_DB is missing") {
			t.Errorf("worker --pools=%s = exit %d, %q, want %d, %q and what else is missing", pools, code, said, exitUsage, want)
		}
	}
}

// What is printed is a file that MALGIL_HOLIDAYS takes.
func TestConfigHolidays(t *testing.T) {
	var first, again, stderr bytes.Buffer
	if code := run(t.Context(), []string{"config", "holidays"}, &first, &stderr); code != exitOK {
		t.Fatalf("config holidays = exit %d, %s", code, stderr.String())
	}
	path := filepath.Join(t.TempDir(), "holidays.csv")
	if err := os.WriteFile(path, append(first.Bytes(), "2026-12-24,임시공휴일,temporary\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"config", "holidays", "--holidays", path}, &again, &stderr); code != exitOK {
		t.Fatalf("config holidays of a file = exit %d, %s", code, stderr.String())
	}
	if want := "2026-12-24,임시공휴일,temporary\n2026-12-25,성탄절,public\n"; !strings.Contains(again.String(), want) {
		t.Errorf("config holidays of a file = %s, want in it %s", again.String(), want)
	}
	if code := run(t.Context(), []string{"config", "holidays", "--holidays", path + ".gone"}, &again, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "MALGIL_HOLIDAYS cannot be opened") {
		t.Errorf("config holidays of no file = exit %d, %s, want %d and why", code, stderr.String(), exitUsage)
	}
}
