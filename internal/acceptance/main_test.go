// Package acceptance_test shows the whole program, row by row, through its public face.
package acceptance_test

import (
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }
