package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/testserver"
)

// Utterances are measured on processes of the program, whose answers are all the right ones. That Redis makes a snapshot every
// second meanwhile is told.
func TestLoad_utterances(t *testing.T) {
	server := testserver.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "save", "1 1").Err(); err != nil {
		t.Fatal(err)
	}
	ran := testserver.RunProgram(t, testserver.Command{
		Args: []string{"load", "--utterances", "--length=2s", "--json"},
		Env:  []string{"MALGIL_DB=" + testserver.Postgres(t), "MALGIL_REDIS=" + server.URL()},
	})
	type latency struct {
		P50 float64 `json:"p50_ms"`
		P99 float64 `json:"p99_ms"`
	}
	type throughput struct {
		PerSecond float64 `json:"per_second"`
		PerCore   float64 `json:"per_core"`
	}
	var r struct {
		Bare, Intake throughput
		OfBare       float64 `json:"of_bare"`
		Most         float64 `json:"most_per_second"`
		Rate         float64 `json:"rate_per_second"`
		Direct       latency
		Rewritten    int     `json:"redis_rewritten"`
		BareDirect   latency `json:"bare_direct"`
		Callback     struct {
			Promise, Callback latency
			Missing           int
		}
		Wrong map[string]int
	}
	if err := json.Unmarshal([]byte(ran.Stdout), &r); err != nil {
		t.Fatalf("%v: exit %d, %s%s", err, ran.Exit, ran.Stdout, ran.Stderr)
	}
	for name, got := range map[string]float64{
		"bare": r.Bare.PerSecond, "bare, its own": r.Bare.PerCore, "intake": r.Intake.PerSecond, "intake, its own": r.Intake.PerCore, "of bare": r.OfBare,
		"most": r.Most, "half of it": r.Rate, "direct": r.Direct.P50, "direct, 99 %": r.Direct.P99, "callback": r.Callback.Callback.P99,
		"bare handler, 99 %": r.BareDirect.P99,
	} {
		if got <= 0 {
			t.Errorf("%s = %v, want more than nothing in %+v", name, got, r)
		}
	}
	if r.Rewritten == 0 {
		t.Error("Redis made snapshots, and none is told of")
	}
	if r.Wrong["direct"] != 0 || r.Wrong["callback"] != 0 || r.Callback.Missing != 0 || len(r.Wrong) != 3 {
		t.Errorf("wrong answers %v, callbacks missing %d, want none", r.Wrong, r.Callback.Missing)
	}
	if got := malgil(t, "load", "--utterances"); got.code != exitUsage || !strings.Contains(got.stderr, "MALGIL_DB") {
		t.Errorf("load --utterances without parts = exit %d, %q, want 2 and what is missing", got.code, got.stderr)
	}
	if got := malgil(t, "load", "--utterances", "--length=1ms"); got.code != exitUsage || !strings.Contains(got.stderr, "--length") {
		t.Errorf("load --utterances --length=1ms = exit %d, %q, want 2 and which flag", got.code, got.stderr)
	}
}

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
