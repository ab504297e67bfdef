package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
)

func look(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.OpenToLook(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Whoever looks sees how far the migrations are, and leaves nothing behind.
func TestOpenToLook(t *testing.T) {
	for name, address := range map[string]string{
		"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "malgil.db"), "PostgreSQL": testserver.Postgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			owner, err := store.Open(t.Context(), store.Config{Address: address})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = owner.Close() })
			if got := schema(t, look(t, address)); got.Applied != 0 || got.Pending == 0 || got.Unknown != 0 || got.Server == "" {
				t.Errorf("Schema before migrations = %+v, want all of them pending", got)
			}
			if again := schema(t, look(t, address)); again.Applied != 0 {
				t.Errorf("Schema looked at again = %+v, want that the look wrote nothing", again)
			}
			ran, err := owner.Migrate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			beside := look(t, address) // while its owner has it
			if got := schema(t, beside); got.Applied != ran || got.Pending != 0 || got.Unknown != 0 {
				t.Errorf("Schema after %d migrations = %+v, want as many applied", ran, got)
			}
			if now, err := beside.Clock(t.Context()); err != nil || time.Since(now).Abs() > time.Minute {
				t.Errorf("Clock = %v, %v, want this machine's", now, err)
			}
			if last, due, err := beside.Compared(t.Context()); err != nil || !last.IsZero() || !due.IsZero() {
				t.Errorf("Compared without wallets = %v, %v, %v, want zero times", last, due, err)
			}
		})
	}
}

func schema(t *testing.T, s *store.Store) store.Schema {
	t.Helper()
	got, err := s.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOpenToLook_makesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "malgil.db")
	if _, err := store.OpenToLook(t.Context(), "sqlite:"+path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenToLook of no file: %v, want that there is none", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("OpenToLook made a folder")
	}
	damaged := filepath.Join(t.TempDir(), "malgil.db")
	if err := os.WriteFile(damaged, []byte("this is no database, but a text of some length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenToLook(t.Context(), "sqlite:"+damaged); err == nil {
		t.Error("OpenToLook of a text succeeds")
	}
}

// Beside a file that nobody uses nothing is put: it may belong to another user.
func TestOpenToLook_leavesNothing(t *testing.T) {
	folder := t.TempDir()
	address := "sqlite:" + filepath.Join(folder, "malgil.db")
	owner, err := store.Open(t.Context(), store.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	ran, err := owner.Migrate(t.Context())
	if err := errors.Join(err, owner.Close()); err != nil {
		t.Fatal(err)
	}
	before := files(t, folder)
	s := look(t, address)
	if got := schema(t, s); got.Applied != ran {
		t.Errorf("Schema after %d migrations = %+v", ran, got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := files(t, folder); !slices.Equal(after, before) {
		t.Errorf("a look leaves %v, want %v as before", after, before)
	}
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestInUse(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "malgil.db")
	used := func(want bool) {
		t.Helper()
		if got, err := store.InUse(address); err != nil || got != want {
			t.Errorf("InUse = %v, %v, want %v", got, err, want)
		}
	}
	used(false)
	s, err := store.Open(t.Context(), store.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	used(true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	used(false)
}
