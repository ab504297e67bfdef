package broadcast

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

func TestCaution_check(t *testing.T) {
	tests := map[string]struct {
		in    Caution
		field string // at fault, or empty
		want  int    // StopAbove
	}{
		"nothing is said":            {Caution{}, "", 50},
		"it never stops":             {Caution{StopAbove: 100}, "", 100},
		"more than everybody":        {Caution{StopAbove: 101}, "stop_above_percent", 0},
		"less than nobody":           {Caution{StopAbove: -1}, "stop_above_percent", 0},
		"a canary":                   {Caution{Canary: Canary{People: 100, Wait: time.Hour, MaxMissed: 10}}, "", 50},
		"a canary of nobody":         {Caution{Canary: Canary{Wait: time.Hour}}, "canary.people", 0},
		"a canary of less":           {Caution{Canary: Canary{People: -1}}, "canary.people", 0},
		"a canary waits a week":      {Caution{Canary: Canary{People: 1, Wait: 7 * 24 * time.Hour}}, "", 50},
		"a canary waits longer":      {Caution{Canary: Canary{People: 1, Wait: 7*24*time.Hour + 1}}, "canary.wait_seconds", 0},
		"a canary waits backward":    {Caution{Canary: Canary{People: 1, Wait: -1}}, "canary.wait_seconds", 0},
		"more of it than all missed": {Caution{Canary: Canary{People: 1, MaxMissed: 101}}, "canary.max_missed_percent", 0},
	}
	for name, tt := range tests {
		got, err := tt.in.check()
		if field := fieldOf(err); field != tt.field || err == nil && got.StopAbove != tt.want {
			t.Errorf("%s: check() = %+v, %v, want field %q, stop above %d", name, got, err, tt.field, tt.want)
		}
	}
}

func fieldOf(err error) string {
	if e, is := err.(*fault.Error); is {
		return e.Field
	}
	return ""
}

func TestBroadcast_LookBack(t *testing.T) {
	tests := map[string]struct {
		audience  int
		stopAbove int
		state     State
		looked    Watch
		counts    Counts
		stops     bool
		told      int // after it
	}{
		"too few to tell":          {audience: 900, stopAbove: 50, counts: Counts{Failed: 499}},
		"half of them":             {audience: 900, stopAbove: 50, counts: Counts{Delivered: 250, Failed: 250}, told: 500},
		"more than half of them":   {audience: 900, stopAbove: 50, counts: Counts{Delivered: 249, Failed: 251}, stops: true, told: 500},
		"of every kind":            {audience: 900, stopAbove: 50, counts: Counts{Delivered: 249, Failed: 160, Unknown: 91}, stops: true, told: 500},
		"who was skipped is none":  {audience: 900, stopAbove: 50, counts: Counts{Delivered: 249, Failed: 250, Skipped: 400}},
		"who is in doubt is none":  {audience: 900, stopAbove: 50, counts: Counts{Delivered: 249, Failed: 250, InDoubt: 400}},
		"three fifths of few":      {audience: 400, stopAbove: 50, counts: Counts{Failed: 239}},
		"of few, reached":          {audience: 400, stopAbove: 50, counts: Counts{Delivered: 100, Failed: 140}, stops: true, told: 240},
		"less than a request":      {audience: 110, stopAbove: 50, counts: Counts{Failed: 99}},
		"a request of two":         {audience: 110, stopAbove: 50, counts: Counts{Failed: 100}, stops: true, told: 100},
		"nobody is left":           {audience: 100, stopAbove: 50, counts: Counts{Failed: 100}, told: 100},
		"a tenth of many":          {audience: 8_000, stopAbove: 50, counts: Counts{Failed: 799}},
		"a tenth of many, reached": {audience: 8_000, stopAbove: 50, counts: Counts{Failed: 800}, stops: true, told: 800},
		"a thousand of millions":   {audience: 3_000_000, stopAbove: 50, counts: Counts{Failed: 1_000}, stops: true, told: 1_000},
		"the latest alone":         {audience: 900, stopAbove: 20, looked: Watch{Told: 100, Missed: 90}, counts: Counts{Delivered: 490, Failed: 110}, told: 600},
		"the latest are bad":       {audience: 5_000, stopAbove: 20, looked: Watch{Told: 1_000}, counts: Counts{Delivered: 1_399, Failed: 101}, stops: true, told: 1_500},
		"it never stops":           {audience: 900, stopAbove: 100, counts: Counts{Failed: 600}, told: 600},
		"it does not run":          {audience: 900, stopAbove: 50, state: Cancelled, counts: Counts{Failed: 600}, told: 600},
		"doubts were resolved":     {audience: 900, stopAbove: 50, looked: Watch{Told: 500, Missed: 500}, counts: Counts{Delivered: 40}, told: 500},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := Broadcast{State: tt.state, Caution: Caution{StopAbove: tt.stopAbove}, Watch: tt.looked, Counts: tt.counts}
			if b.Counts.Audience = tt.audience; b.State == "" {
				b.State = Running
			}
			stop := b.LookBack()
			if (stop != "") != tt.stops || b.Watch.Told != tt.told {
				t.Errorf("LookBack() = %q, looked at %d, want a stop: %v, %d", stop, b.Watch.Told, tt.stops, tt.told)
			}
			if again := b.LookBack(); again != "" {
				t.Errorf("LookBack() again = %q, want nothing new", again)
			}
		})
	}
}

func TestBroadcast_AfterCanary(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	byTime := Canary{People: 100, Wait: time.Hour, MaxMissed: 10}
	byPerson := Canary{People: 100, MaxMissed: 10}
	tests := map[string]struct {
		canary Canary
		doneAt time.Time
		counts Counts
		wait   Wait
		until  time.Time
		passed bool
		stops  string
	}{
		"some have no outcome":         {canary: byTime, counts: Counts{Delivered: 99}, wait: WaitCanary},
		"it went well a moment ago":    {canary: byTime, counts: Counts{Delivered: 90, Failed: 10}, wait: WaitCanary, until: now.Add(time.Hour)},
		"nearly an hour ago":           {canary: byTime, doneAt: now.Add(-time.Hour + 1), counts: Counts{Delivered: 100}, wait: WaitCanary, until: now.Add(1)},
		"an hour ago":                  {canary: byTime, doneAt: now.Add(-time.Hour), counts: Counts{Delivered: 100}, passed: true},
		"a person has to say":          {canary: byPerson, doneAt: now.Add(-time.Hour), counts: Counts{Delivered: 100}, wait: WaitCanary},
		"too many were missed":         {canary: byTime, counts: Counts{Delivered: 89, Failed: 5, Unknown: 5, InDoubt: 1}, passed: true, stops: "11 of the first 100"},
		"too many, and a person waits": {canary: byPerson, counts: Counts{Delivered: 89, Failed: 11}, passed: true, stops: "11 of the first 100"},
		"missed later":                 {canary: byTime, doneAt: now.Add(-time.Minute), counts: Counts{Delivered: 80, Failed: 20}, passed: true, stops: "20 of the first 100"},
		"nobody was left to send to":   {canary: byTime, doneAt: now.Add(-time.Hour), counts: Counts{Skipped: 100}, passed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := Broadcast{State: Running, Caution: Caution{Canary: tt.canary}, Watch: Watch{CanarySeq: 1, CanaryDoneAt: tt.doneAt}, Counts: tt.counts}
			b.Counts.Audience = 1_000
			stop := b.AfterCanary(now)
			if !strings.Contains(stop, tt.stops) || (stop == "") != (tt.stops == "") {
				t.Errorf("AfterCanary() = %q, want %q", stop, tt.stops)
			}
			if b.Wait != tt.wait || !b.WaitUntil.Equal(tt.until) || b.Watch.CanaryPassed != tt.passed || b.CanaryHolds() == tt.passed {
				t.Errorf("it waits for %q until %v, passed %v, want %q, %v, %v", b.Wait, b.WaitUntil, b.Watch.CanaryPassed, tt.wait, tt.until, tt.passed)
			}
		})
	}
}

func TestBroadcast_Resume(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	canary, done := Watch{CanarySeq: 1}, Watch{CanarySeq: 1, CanaryDoneAt: now}
	tests := map[string]struct {
		in     Broadcast
		state  State
		wait   Wait
		passed bool
		fails  bool
	}{
		"paused":                   {in: Broadcast{State: Paused, Wait: WaitPaused, Note: "why", Refusals: 5}, state: Running},
		"paused before its start":  {in: Broadcast{State: Paused, Wait: WaitPaused, StartAt: now.Add(1)}, state: Running, wait: WaitScheduled},
		"running":                  {in: Broadcast{State: Running, Wait: WaitFunds}, state: Running, wait: WaitFunds},
		"behind its canary":        {in: Broadcast{State: Running, Wait: WaitCanary, Watch: done}, state: Running, passed: true},
		"while its canary is sent": {in: Broadcast{State: Running, Wait: WaitCanary, Watch: canary}, state: Running, wait: WaitCanary},
		"within its canary":        {in: Broadcast{State: Running, Watch: canary}, state: Running},
		"paused within its canary": {in: Broadcast{State: Paused, Wait: WaitPaused, Watch: canary}, state: Running},
		"that is not sealed":       {in: Broadcast{State: Uploading}, state: Uploading, fails: true},
		"that is over":             {in: Broadcast{State: Finished}, state: Finished, fails: true},
		"that somebody has ended":  {in: Broadcast{State: Cancelled}, state: Cancelled, fails: true},
	}
	for name, tt := range tests {
		b := tt.in
		err := b.Resume(now)
		if (err != nil) != tt.fails || b.State != tt.state || b.Wait != tt.wait && !tt.fails || b.Watch.CanaryPassed != tt.passed {
			t.Errorf("Resume of one %s = %v: %s, waits for %q, canary passed %v; want %s, %q, %v", name, err, b.State, b.Wait, b.Watch.CanaryPassed, tt.state, tt.wait, tt.passed)
		}
		if tt.state == Running && tt.in.State == Paused && (b.Note != "" || b.Refusals != 0) {
			t.Errorf("Resume of one %s left %q and %d refusals", name, b.Note, b.Refusals)
		}
	}
}
