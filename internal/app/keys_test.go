package app_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
)

// installation is a database file that processes are started on, one after another.
type installation struct {
	t    *testing.T
	path string
	app.Config
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, path: filepath.Join(t.TempDir(), "malgil.db")}
	parser, err := kong.New(&i.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--db=sqlite:" + i.path, "--listen=127.0.0.1:0", "--metrics-listen=", "--kakaopay-secret=x"}); err != nil {
		t.Fatal(err)
	}
	return i
}

// start starts a process; a test that ends with it running has it closed.
func (i *installation) start() (*app.App, error) {
	i.t.Helper()
	return app.Start(i.t.Context(), i.Config, app.Roles{Intake: true, Scheduler: true}, &clock.Clock{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// run starts a process that must come up, and ends it after use.
func (i *installation) run(use func(api *apiclient.Client)) {
	i.t.Helper()
	a, err := i.start()
	if err != nil {
		i.t.Fatalf("Start() error = %v", err)
	}
	_, secret, err := a.IssueToken(i.t.Context(), "test", []string{string(access.Admin), string(access.Read)})
	if err != nil {
		i.t.Fatal(err)
	}
	use(apiclient.New(a.IntakeURL, secret))
	if err := i.look(); err != nil {
		i.t.Errorf("Installation().Keys() = %v, want nil as the start", err)
	}
	if err := a.Close(context.WithoutCancel(i.t.Context())); err != nil {
		i.t.Fatalf("Close() error = %v", err)
	}
}

// refused starts a process that must not come up.
func (i *installation) refused(words ...string) {
	i.t.Helper()
	a, err := i.start()
	if err == nil {
		i.t.Fatalf("Start() came up, want it refused for %v: %v", words, a.Close(context.WithoutCancel(i.t.Context())))
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			i.t.Errorf("Start() error = %v, want it to say %q", err, word)
		}
	}
	if fault.KindOf(err) != fault.Invalid {
		return // it is not about keys
	}
	if looked := i.look(); looked == nil || looked.Error() != err.Error() || fault.KindOf(looked) != fault.Invalid {
		i.t.Errorf("Installation().Keys() = %v, want what the start says, %v", looked, err)
	}
}

// look tells what somebody finds who looks at the keys and starts nothing.
func (i *installation) look() error {
	i.t.Helper()
	db, err := store.OpenToLook(i.t.Context(), i.DB)
	if err != nil {
		i.t.Fatal(err)
	}
	defer db.Close()
	return i.Installation(nil).Keys(i.t.Context(), db)
}

// Fresh keys in place of lost ones would make every secret unreadable, silently.
func TestStart_keysAreMadeOnce(t *testing.T) {
	i := newInstallation(t)
	keys := i.path + ".keys"
	i.run(func(*apiclient.Client) {})
	info, err := os.Stat(keys)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the keys of a new database = %v, %v, want a file of its owner", info, err)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	i.run(func(api *apiclient.Client) { // nothing was sealed yet
		if err := api.Call(t.Context(), "POST", "/api/v1/bots", map[string]any{"id": "b1", "name": "책방", "rest_api_key": "4f1c9a7e"}, nil); err != nil {
			t.Fatal(err)
		}
	})
	right, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	i.refused(keys+" is missing", "MALGIL_SEAL_KEYS")
	if _, err := os.Stat(keys); !os.IsNotExist(err) {
		t.Errorf("the refused start left %s behind (%v)", keys, err)
	}
	if err := os.WriteFile(keys, right[:len(right)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	i.refused(keys + " is damaged")

	if err := os.WriteFile(keys, right, 0o600); err != nil {
		t.Fatal(err)
	}
	i.run(func(*apiclient.Client) {})
}

func TestStart_otherKeys(t *testing.T) {
	i := newInstallation(t)
	i.run(func(api *apiclient.Client) {
		if err := api.Call(t.Context(), "POST", "/api/v1/bots", map[string]any{"id": "b1", "name": "책방", "rest_api_key": "4f1c9a7e"}, nil); err != nil {
			t.Fatal(err)
		}
	})
	other, err := app.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	i.SealKeys = other.Seal
	i.refused("does not open what this database holds", "bot b1")
	_, err = i.start()
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("Start() with other keys error = %v, want an Invalid one", err)
	}
}

// A second process does not get so far as to touch keys: the database is taken.
func TestStart_keysOfARunningProcess(t *testing.T) {
	i := newInstallation(t)
	i.run(func(*apiclient.Client) {
		if err := os.Remove(i.path + ".keys"); err != nil {
			t.Fatal(err)
		}
		i.refused("another malgil process uses")
		if _, err := os.Stat(i.path + ".keys"); !os.IsNotExist(err) {
			t.Errorf("the second process wrote keys (%v)", err)
		}
	})
}
