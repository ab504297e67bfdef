package scenario_test

import (
	"os"
	"testing"

	"github.com/malgil/malgil/internal/knowledge"
)

// No test waits for the dictionary.
func TestMain(m *testing.M) {
	knowledge.Load()
	os.Exit(m.Run())
}
