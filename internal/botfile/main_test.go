package botfile_test

import (
	"os"
	"testing"

	"github.com/malgil/malgil/internal/knowledge"
)

// What was heard is known from the first test on.
func TestMain(m *testing.M) {
	knowledge.Load()
	os.Exit(m.Run())
}
