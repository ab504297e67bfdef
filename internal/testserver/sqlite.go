package testserver

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var preparedSQLite struct {
	once sync.Once
	file []byte
	err  error
}

// SQLiteCopy returns the address of a SQLite database of the test's own, a copy of one that prepare
// filled and closed, as [PostgresCopy] has it.
func SQLiteCopy(t testing.TB, prepare func(address string) error) string {
	t.Helper()
	p := &preparedSQLite
	p.once.Do(func() {
		var dir string
		if dir, p.err = os.MkdirTemp("", "malgil-test-sqlite-"); p.err != nil {
			return
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "malgil.db")
		if p.err = prepare("sqlite:" + path); p.err == nil {
			p.file, p.err = os.ReadFile(path)
		}
	})
	path := filepath.Join(t.TempDir(), "malgil.db")
	if p.err != nil {
		t.Fatal(p.err)
	}
	if err := os.WriteFile(path, p.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}
