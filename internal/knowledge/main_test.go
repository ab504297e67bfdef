package knowledge

import (
	"os"
	"testing"
)

// What was heard is known from the first test on.
func TestMain(m *testing.M) {
	Load()
	os.Exit(m.Run())
}
