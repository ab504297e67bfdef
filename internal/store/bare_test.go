package store

import (
	"path/filepath"
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

// A row moves once, and nothing is left of the table.
func TestBare(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "bare.db"), "postgres": testserver.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // again: it begins empty
				b, err := OpenBare(t.Context(), address)
				must(t, err)
				must(t, b.Add(t.Context(), []string{"a", "b"}))
				moved, err := b.Move(t.Context(), "a", "queued", "sending")
				must(t, err)
				again, err := b.Move(t.Context(), "a", "queued", "sending")
				must(t, err)
				n, err := b.Count(t.Context(), "queued")
				if must(t, err); !moved || again || n != 1 {
					t.Errorf("Move = %v, again %v, %d are left, want true, false and 1", moved, again, n)
				}
				must(t, b.Close())
			}
		})
	}
}
