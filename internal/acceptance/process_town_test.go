package acceptance_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/testserver"
)

// town is an installation on real parts: a Redis and a PostgreSQL of the test's own, and every
// role of malgil as a process of its own. Its clock never moves.
type town struct {
	*house
	image             string // where every role runs; empty for this machine
	redis             *testserver.RedisServer
	env               []string // what every role is told
	intake, scheduler *testserver.Program
	workers           []*testserver.Program
	everyone          []*testserver.Program // who was started
}

// settle starts a town with so many workers. settings are added to what every role is told.
func settle(t *testing.T, workers int, settings ...string) *town {
	t.Helper()
	return settleIn(t, "", workers, settings...)
}

// settleIn is settle, with every role in an image.
func settleIn(t *testing.T, image string, workers int, settings ...string) *town {
	t.Helper()
	town := &town{image: image, redis: testserver.Redis(t)}
	database := testserver.Postgres(t)
	outside := testserver.StartProgram(t, testserver.Command{
		Args: []string{"sandbox"}, Ready: `"sandbox":`,
		Env: []string{"MALGIL_SANDBOX_LISTEN={address}", "MALGIL_SANDBOX_SMTP_LISTEN=127.0.0.1:0", "MALGIL_KAKAOPAY_SECRET=" + paySecret},
	})
	var at struct{ Sandbox, SMTP string }
	if err := json.Unmarshal([]byte(outside.ReadyLine()), &at); err != nil {
		t.Fatalf("the sandbox says %q: %v", outside.ReadyLine(), err)
	}
	keys, err := app.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	town.env = append([]string{
		"MALGIL_DB=" + database, "MALGIL_REDIS=" + town.redis.URL(), "MALGIL_METRICS_LISTEN=127.0.0.1:0",
		"MALGIL_KAKAO_URL=" + at.Sandbox, "MALGIL_KAKAOPAY_URL=" + at.Sandbox, "MALGIL_KAKAOPAY_SECRET=" + paySecret,
		"MALGIL_SMTP=smtp://" + at.SMTP + "?tls=none&from=no-reply@malgil.example",
		"MALGIL_SEAL_KEYS=" + keys.Seal, "MALGIL_HASH_KEY=" + keys.Hash,
	}, settings...)

	command(t, town.env, "migrate")
	token := command(t, town.env, "token", "create", "--first", "acceptance")
	town.scheduler = town.start(t, "scheduler")
	for range workers {
		town.workers = append(town.workers, town.start(t, "worker"))
	}
	town.intake = town.start(t, "intake", "MALGIL_LISTEN={address}", "MALGIL_PUBLIC_URL=http://{address}")
	town.house = enter(t, "http://"+town.intake.Address, at.Sandbox, "", token)
	town.keepsSecrets(t, func() (said string) {
		for _, p := range town.everyone {
			said += p.Said()
		}
		return said
	}, town.redis.URL())
	return town
}

// start starts a role as a process.
func (town *town) start(t *testing.T, role string, settings ...string) *testserver.Program {
	t.Helper()
	p := testserver.StartProgram(t, testserver.Command{
		Args: []string{role}, Ready: `"malgil is up"`, Env: append(settings, town.env...), Image: town.image,
	})
	town.everyone = append(town.everyone, p)
	return p
}

// command runs a command of malgil that is to succeed, and returns what it prints.
func command(t *testing.T, env []string, args ...string) string {
	t.Helper()
	ended := testserver.RunProgram(t, testserver.Command{Args: args, Env: env})
	if ended.Exit != 0 {
		t.Fatalf("malgil %s exits %d:\n%s", strings.Join(args, " "), ended.Exit, ended.Stderr)
	}
	return strings.TrimSpace(ended.Stdout)
}
