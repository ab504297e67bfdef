package store

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// The file holds people, cards and keys: nobody but its owner reads it or what lies beside it.
func TestOpen_aFileOfItsOwner(t *testing.T) {
	address := sqliteAddress(t)
	s := openTest(t, address)
	newAccount(t, s, "acc_1") // the write-ahead log holds something
	path := strings.TrimPrefix(address, "sqlite:")
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
