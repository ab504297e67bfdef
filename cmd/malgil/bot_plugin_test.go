package main

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/retention"
)

// An operator asks for plugins, lets the development channel go, sets them up again, and sees what was purged.
func TestBotPlugin(t *testing.T) {
	d := wholeProgram(t)
	t.Setenv("MALGIL_BOT_REST_API_KEY", "4f1c9a7e5b3d2f60")
	const bot = "77b2f1"
	says := func(want []string, args ...string) {
		t.Helper()
		got := ok(t, args...)
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("malgil %s = %s, want %q", strings.Join(args, " "), got, text)
			}
		}
	}
	refuses := func(want []string, args ...string) {
		t.Helper()
		got := malgil(t, args...)
		for _, text := range want {
			if got.code != exitFailed || !strings.Contains(got.stderr, text) {
				t.Errorf("malgil %s = exit %d, %s, want 1 and %q", strings.Join(args, " "), got.code, got.stderr, text)
			}
		}
	}
	ok(t, "bot", "create", bot, "새벽서점 도우미")
	refuses([]string{"channel.verified", "channel.app", "app.verified", "development.app", "3 to 5 business days"}, "bot", "plugin", "request", bot, "profile")
	if got := malgil(t, "bot", "plugin", "request", bot, "profile").stderr; strings.Count(got, "channel.verified") != 1 || !strings.HasPrefix(got, "malgil: the bot may not use the plugin profile yet\n") {
		t.Errorf("malgil bot plugin request tells %q, want what is missing once, a line each", got)
	}
	says([]string{"profile", "off", "development.app", "app.terms_reviewed (3-5 days)"}, "bot", "plugin", "list", bot)

	ok(t, "bot", "app", "1043277", "새벽서점", "--verified", "--terms-reviewed", "--personal-data-needed", "--personal-data-reviewed")
	for _, side := range []string{"live", "development"} {
		ok(t, "bot", "channel", bot, side, "새벽서점", "--verified", "--app", "1043277")
	}
	says([]string{"profile ready since"}, "bot", "plugin", "request", bot, "profile")
	refuses([]string{"plugin.reviewed", "2 to 3 business days"}, "bot", "plugin", "request", bot, "location")
	ok(t, "bot", "plugin", "review", bot, "location")
	says([]string{"location ready"}, "bot", "plugin", "request", bot, "location")
	ok(t, "bot", "plugin", "review", bot, "location", "--no-passed")
	refuses([]string{"plugin.reviewed"}, "bot", "plugin", "request", bot, "location")

	says([]string{"c1 approved"}, "bot", "plugin", "certify", bot, "c1", "회원가입", "--plugin", "profile", "--approved")
	refuses([]string{"plugins.profile", "회원가입"}, "bot", "channel", bot, "development", "--disconnect")
	refuses([]string{"plugins.profile"}, "bot", "channel", bot, "development", "--app", "")
	refuses([]string{"c1"}, "bot", "plugin", "remove", bot, "profile")
	says([]string{"disconnected by operator"}, "bot", "channel", bot, "development", "--disconnect", "--force")
	says([]string{"approved; profile needs setup (development disconnected) since"}, "bot", "plugin", "blocks", bot)
	ok(t, "bot", "channel", bot, "development", "--connect")
	says([]string{"needs setup (development disconnected)"}, "bot", "plugin", "list", bot)
	says([]string{"profile ready"}, "bot", "plugin", "request", bot, "profile")
	ok(t, "bot", "channel", bot, "development", "--app", "", "--force")
	says([]string{"development unlinked"}, "bot", "plugin", "blocks", bot)

	ok(t, "bot", "plugin", "certify", bot, "c1", "--remove")
	ok(t, "bot", "plugin", "remove", bot, "profile")
	if listed := ok(t, "bot", "plugin", "blocks", bot); strings.Contains(listed, "c1") {
		t.Errorf("bot plugin blocks = %s, want none", listed)
	}

	// What is removed of its utterances has a receipt each morning, also for nothing.
	outside := apiclient.New(d.Ready.Sandbox, "")
	if err := outside.Call(t.Context(), "PUT", "/sandbox/clock", map[string]any{"advance": "24h"}, nil); err != nil {
		t.Fatal(err)
	}
	var clock struct{ Now time.Time }
	if err := outside.Call(t.Context(), "GET", "/sandbox/clock", nil, &clock); err != nil {
		t.Fatal(err)
	}
	says([]string{"REMOVED", retention.Day(retention.Moment(clock.Now))}, "bot", "purges", bot)
}
