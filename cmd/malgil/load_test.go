package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	var r struct {
		People           int
		SentPerSecond    float64 `json:"sent_per_second"`
		SettledPerSecond float64 `json:"settled_per_second"`
		NaivePerSecond   float64 `json:"naive_per_second"`
		Database, Queue  string
	}
	out := ok(t, "load", "--people=300", "--naive=10", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.People != 300 || r.SentPerSecond <= 0 || r.SettledPerSecond <= 0 || r.NaivePerSecond <= 0 || r.Database != "sqlite" || r.Queue != "embedded" {
		t.Errorf("load --json = %s, %v", out, err)
	}
	if out := ok(t, "load", "--people=300", "--naive=10"); !strings.Contains(out, "people/s") || !strings.Contains(out, " times") {
		t.Errorf("load says %q, want rates and how many times as fast it is", out)
	}
	if got := malgil(t, "load", "--people=0"); got.code != exitUsage || !strings.Contains(got.stderr, "--people") {
		t.Errorf("load of nobody = exit %d, %q, want 2 and which flag", got.code, got.stderr)
	}
}
