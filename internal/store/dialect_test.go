package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The file holds people, cards and keys: nobody but its owner reads it or what lies beside it.
func TestOpen_aFileOfItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "malgil.db") // not there yet
	s := openTest(t, "sqlite:"+path)
	newAccount(t, s, "acc_1") // the write-ahead log holds something
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != fs.FileMode(0o600) {
			t.Errorf("%s has mode %v, want -rw-------", strings.TrimPrefix(name, path), got)
		}
	}
}
