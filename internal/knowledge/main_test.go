package knowledge

import (
	"os"
	"testing"
)

// No test waits for the dictionary.
func TestMain(m *testing.M) {
	Load()
	os.Exit(m.Run())
}
