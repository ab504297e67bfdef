package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A part that heeds nothing is left behind after its limit, and the others still get theirs.
func TestApp_Close_partsThatGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a App
		var ended []string
		never := make(chan struct{})
		end := func(name string, wait func(ctx context.Context) error) {
			a.onClose(name, 3*time.Second, func(ctx context.Context) error {
				err := wait(ctx)
				ended = append(ended, name)
				return err
			})
		}
		end("first", func(context.Context) error { return nil })
		end("stubborn", func(context.Context) error { <-never; return nil })
		end("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		end("last", func(context.Context) error { return nil })
		grace, began := a.Grace(), time.Now()
		err := a.Close(t.Context())
		if took := time.Since(began); took != 6*time.Second+closeSlack || took > grace {
			t.Errorf("Close took %v, want 3 s for the slow part, 3.5 s for the stubborn one, and no more than %v", took, grace)
		}
		for _, part := range []string{"stop slow: ", "stop stubborn: it goes on"} {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), part) {
				t.Errorf("Close = %v, want it to say %q", err, part)
			}
		}
		if !slices.Equal(ended, []string{"last", "slow", "first"}) {
			t.Errorf("ended are %v, want all but the stubborn part, the last started first", ended)
		}
		close(never)
	})
}
