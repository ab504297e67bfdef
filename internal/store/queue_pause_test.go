package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
)

// A pause stands in SQL until its end, and in the audit log.
func TestPauses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		pauses := func() []backlog.Pause {
			t.Helper()
			got, err := s.Pauses(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		first := backlog.Pause{Queue: "mail", Until: t0.Add(time.Hour), Reason: "the mail server moves", By: "acc_1", Since: t0}
		put := func(p backlog.Pause) backlog.Pause {
			t.Helper()
			stands, err := s.PutPause(doing(t, "pause-queue"), p)
			must(err)
			return stands
		}
		put(first)
		put(backlog.Pause{Queue: "billing", Until: t0.Add(time.Minute), Reason: "r", By: "tok_1", Since: t0})
		longer := first
		longer.Until, longer.Reason, longer.By, longer.Since = t0.Add(2*time.Hour), "still", "acc_2", t0.Add(time.Minute)
		prolonged := put(longer)
		longer.Since = t0 // since when it stands, whoever prolonged it
		if got := pauses(); len(got) != 2 || got[1] != longer || prolonged != longer {
			t.Errorf("Pauses = %+v, PutPause = %+v, want billing and %+v", got, prolonged, longer)
		}
		if e := audited(t, s, AuditFilter{})[0]; e.Action != "pause-queue" || e.Reason != "연습" || !strings.Contains(e.Before, "2026") || e.Subject.Kind != access.Platform {
			t.Errorf("the audit log has %+v, want the pause before and after", e)
		}
		for _, tt := range []struct {
			at        time.Time
			want, let int
		}{{t0.Add(time.Minute - time.Millisecond), 0, 2}, {t0.Add(time.Minute), 1, 1}, {t0.Add(time.Minute), 0, 1}} {
			if n, err := s.EndPauses(t.Context(), tt.at); err != nil || n != tt.want || len(pauses()) != tt.let {
				t.Errorf("EndPauses(%v) = %d, %v with %d left, want %d, %d", tt.at, n, err, len(pauses()), tt.want, tt.let)
			}
		}
		must(s.DropPause(doing(t, "resume-queue"), "mail"))
		wantConflict(t, "DropPause of a queue that works", s.DropPause(context.Background(), "mail"), "QUEUE_NOT_PAUSED", "mail is not paused")
		if e := audited(t, s, AuditFilter{}); len(pauses()) != 0 || len(e) != 4 || e[0].Action != "resume-queue" {
			t.Errorf("the audit log has %d entries, the latest %+v, want three pauses and a resume", len(e), e[0])
		}
	})
}
