package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// A pool that there is not is told with everything else that is wrong, before anything starts.
func TestWorker_unknownPool(t *testing.T) {
	for _, name := range []string{"MALGIL_DB", "MALGIL_REDIS", "MALGIL_SMTP"} {
		t.Setenv(name, "")
	}
	for pools, want := range map[string]string{
		"webhook":    `no pool "webhook"; there are reply, echo, broadcast, result, billing, mail`,
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
