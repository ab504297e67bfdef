package main

import (
	"runtime"
	"runtime/debug"
	"testing"
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

// What a process holds counts from the next collection on.
func TestCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	inForce := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
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
