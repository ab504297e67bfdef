package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

func TestSetWebhookSecret(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		if w, err := s.WebhookSecret(t.Context(), botID); err != nil || w.Current != nil || !w.FormerUntil().IsZero() {
			t.Errorf("WebhookSecret of a new bot = %+v, %v, want none", w, err)
		}
		rotate := func(plain string, now time.Time) {
			t.Helper()
			sealed, err := s.keys.Seal([]byte(plain), bot.WebhookSecretTable, botID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.SetWebhookSecret(t.Context(), botID, sealed, now); err != nil {
				t.Fatal(err)
			}
		}
		want := func(current, former string, until time.Time) {
			t.Helper()
			w, err := s.WebhookSecret(t.Context(), botID)
			if err != nil || !w.FormerUntil().Equal(until) {
				t.Errorf("WebhookSecret = former until %v, %v, want %v", w.FormerUntil(), err, until)
			}
			for sealed, want := range map[*[]byte]string{&w.Current: current, &w.Former: former} {
				if want == "" {
					if len(*sealed) > 0 {
						t.Errorf("there is a former secret of a first one")
					}
					continue
				}
				if got, err := s.keys.Open(*sealed, bot.WebhookSecretTable, botID); err != nil || string(got) != want {
					t.Errorf("a secret opens as %s, %v, want %s", got, err, want)
				}
			}
		}
		rotate("one", t0)
		want("one", "", time.Time{})
		rotate("two", t0.Add(time.Hour))
		want("two", "one", t0.Add(25*time.Hour))
		rotate("three", t0.Add(2*time.Hour)) // the first ends
		want("three", "two", t0.Add(26*time.Hour))

		if _, err := s.SetWebhookSecret(t.Context(), "none", []byte("x"), t0); fault.KindOf(err) != fault.NotFound {
			t.Errorf("SetWebhookSecret of no bot error = %v, want NotFound", err)
		}
		other := testKeys(t)
		if err := s.UseKeys(t.Context(), boxOf(t, "9:"+"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")); fault.KindOf(err) != fault.Invalid {
			t.Errorf("UseKeys(others) error = %v, want Invalid", err)
		}
		if err := s.UseKeys(t.Context(), other); err != nil {
			t.Errorf("UseKeys(its own) error = %v", err)
		}
	})
}
