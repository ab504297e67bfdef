package store

import (
	"slices"
	"testing"
	"time"
)

// Of several schedulers the last sign of life counts, and what no loop gives any more is forgotten.
func TestBeats(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		put := func(beats ...Beat) {
			t.Helper()
			if err := s.PutBeats(t.Context(), beats); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, want ...Beat) {
			t.Helper()
			if got, err := s.Beats(t.Context()); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: Beats = %+v, %v, want %+v", what, got, err, want)
			}
		}
		want("at first")
		never := Beat{Loop: "books", Since: t0, Silent: time.Minute}
		swept := Beat{Loop: "sweep", At: t0.Add(time.Second), Since: t0, Silent: 90 * time.Second}
		put(swept, never)
		want("of one scheduler", never, swept)
		put(Beat{Loop: "sweep", Since: t0.Add(time.Hour), Silent: time.Hour}, Beat{Loop: "books", At: t0.Add(time.Minute), Since: t0.Add(time.Hour), Silent: time.Minute})
		swept.Silent, never.At = time.Hour, t0.Add(time.Minute)
		swept.Since, never.Since = t0.Add(time.Hour), t0.Add(time.Hour)
		want("of a second one, whose sweep has yet to end", never, swept)
		put(Beat{Loop: "sweep", Since: t0, Silent: time.Hour}, Beat{Loop: "books", Since: t0, Silent: time.Minute})
		want("when the first one tells of itself again", never, swept)
		put(swept)
		want("when there are no books any more", swept)
		put()
		want("of nobody", swept)
	})
}
