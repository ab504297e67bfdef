package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		live uint64
		want int
	}{
		"before the first collection": {0, mostPercent},
		"next to nothing":             {1 * mib, mostPercent},
		"little":                      {20 * mib, 200}, // 60 MiB
		"nearly as much":              {60 * mib, 50},
		"as much":                     {64 * mib, 50},
		"more":                        {200 * mib, 50},
	} {
		if got := percentFor(tt.live, 64*mib, 50); got != tt.want {
			t.Errorf("%s: percentFor(%d) = %d, want %d", name, tt.live, got, tt.want)
		}
	}
}

// inForce is the percentage of now.
func inForce() int {
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(percent)
	return int(percent[0].Value.Uint64())
}

// What a process holds counts from the next collection on.
func TestCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	c := &collector{size: 1 << 40, percent: 50} // more than a test holds
	c.adjust()
	if got := inForce(); got != mostPercent {
		t.Errorf("%d%% with next to nothing, want %d", got, mostPercent)
	}
	held := make([]byte, 8<<20)
	runtime.GC()
	c.size = 1 << 20
	c.adjust()
	if got := inForce(); got != 50 {
		t.Errorf("%d%% with more than its size, want 50", got)
	}
	runtime.KeepAlive(held)
}

// Every collection has the percentage looked at again, and not the first alone; GOGC is left as it is.
func TestCollectFrom(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	becomes := func(what string, want func(percent int) bool) {
		t.Helper()
		for range 500 { // what is to be finalized waits for a collection, and its finalizer for its turn
			runtime.GC()
			if want(inForce()) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s: %d%% are in force", what, inForce())
	}
	const size = 128 << 20
	t.Setenv("GOGC", "77")
	collectFrom(size, 50)
	runtime.GC()
	if got := inForce(); got != 100 {
		t.Errorf("%d%% with GOGC set, want what was in force, 100", got)
	}

	t.Setenv("GOGC", "")
	collectFrom(size, 50)
	for range 2 {
		becomes("little is held", func(percent int) bool { return percent > 100 })
		held := make([]byte, size)
		becomes("all of its size is held", func(percent int) bool { return percent == 50 })
		runtime.KeepAlive(held)
	}
}
