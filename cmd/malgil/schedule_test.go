package main

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// A schedule is tried, made, seen to send, paused and ended from a terminal.
func TestCommands_schedules(t *testing.T) {
	d := wholeProgram(t)
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s = %q, want %q in it", what, text, part)
			}
		}
	}
	first := func(text string) string { return strings.Fields(text)[1] }

	audience := first(ok(t, "audience", "create", "단골", "--bot", d.Ready.Bot))
	ok(t, "audience", "upload", audience, file(t, "people.csv", "id\nreader-1\nreader-2\n"))
	if got := ok(t, "schedule", "next", "--cron", "0 9 * * *", "--count", "2"); strings.Count(got, " 09:00:00 KST\n") != 2 {
		t.Errorf("schedule next = %q, want two mornings", got)
	}
	has("a wrong zone", malgil(t, "schedule", "next", "--cron", "0 9 * * *", "--zone", "Seoul").stderr, "zone is not known")
	if got := malgil(t, "schedule", "next"); got.code != exitUsage || !strings.Contains(got.stderr, "--cron") {
		t.Errorf("schedule next of nothing = exit %d, %q, want it told what is missing", got.code, got.stderr)
	}
	create := []string{"schedule", "create", "--bot", d.Ready.Bot, "--event", d.Ready.Event, "--audience", audience, "--name", "매시간 소식", "--cron", "0 * * * *", "--expires-after", "30m"}
	has("create --dry-run", ok(t, append(create, "--dry-run")...), ":00:00 KST", "nothing was made")
	has("an odd window", malgil(t, append(create, "--catch-up", "90500ms")...).stderr, "--catch-up must be whole seconds")
	has("no audience of the bot", malgil(t, "schedule", "create", "--bot", d.Ready.Bot, "--event", "e", "--audience", "aud_9", "--cron", "@daily").stderr, "audience names")
	made := ok(t, append(create, "--key", "hourly-1")...)
	if again := ok(t, append(create, "--key", "hourly-1")...); again != made {
		t.Errorf("create repeated = %q, want %q", again, made)
	}
	has("create", made, "매시간 소식", "0 * * * * in Asia/Seoul", "active", "within 1h0m0s", "30m0s after each begins", "tok_")
	id := first(made)
	has("audience delete", malgil(t, "audience", "delete", audience).stderr, id)

	sandbox := apiclient.New(d.Ready.Sandbox, "")
	var clock struct {
		Now time.Time `json:"now"`
	}
	if err := sandbox.Call(t.Context(), "GET", "/sandbox/clock", nil, &clock); err != nil {
		t.Fatal(err)
	}
	due := clock.Now.Truncate(time.Hour).Add(time.Hour)
	if err := sandbox.Call(t.Context(), "PUT", "/sandbox/clock", map[string]any{"now": due.Add(time.Second)}, nil); err != nil {
		t.Fatal(err)
	}
	has("runs", ok(t, "schedule", "runs", id), when(due), "started", "brd_")
	has("list", ok(t, "schedule", "list", "--bot", d.Ready.Bot), id, when(due.Add(time.Hour)))
	has("next", ok(t, "schedule", "next", id, "--count", "1"), when(due.Add(time.Hour)))
	has("pause", ok(t, "schedule", "pause", id), "paused")
	has("resume", ok(t, "schedule", "resume", id), "active", when(due.Add(time.Hour)))
	ok(t, "schedule", "delete", id)
	has("show", ok(t, "schedule", "show", id), "deleted")
	if got := ok(t, "schedule", "list"); strings.Contains(got, id) {
		t.Errorf("schedule list = %q, want the deleted one left out", got)
	}
}
