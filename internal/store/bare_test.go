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
				other, err := b.Move(t.Context(), "b", "queued", "sending")
				if must(t, err); !moved || again || !other {
					t.Errorf("Move = %v, again %v, of another %v, want true, false and true", moved, again, other)
				}
				must(t, b.Close())
			}
		})
	}
}
