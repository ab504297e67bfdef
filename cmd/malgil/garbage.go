package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// collectFrom has a process collect garbage once its heap has a size in bytes, and when it has grown by so many percent of what
// is in use, whichever is later. Go's own measure is the percentage alone, so that a process which holds little collects many
// times a second what is not worth it. GOGC says otherwise.
func collectFrom(size uint64, percent int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	c := &collector{size: size, percent: percent}
	c.adjust()
	c.afterEach()
}

// collector sets the percentage anew after each collection.
type collector struct {
	size    uint64
	percent int
	set     int
}

// afterEach has every collection find something to finalize.
func (c *collector) afterEach() {
	type garbage struct{ of *collector }
	runtime.SetFinalizer(&garbage{c}, func(g *garbage) {
		g.of.adjust()
		g.of.afterEach()
	})
}

func (c *collector) adjust() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if percent := percentFor(live[0].Value.Uint64(), c.size, c.percent); percent != c.set { // setting it stops the world
		c.set = percent
		debug.SetGCPercent(percent)
	}
}

const (
	coarse      = 25   // percent: what is in use changes a little every time
	mostPercent = 1000 // of a process that holds next to nothing
)

// percentFor is the growth in percent that makes a heap with so much in use as large as size, and least at least.
func percentFor(live, size uint64, least int) int {
	if live >= size {
		return least
	}
	growth := min((size-live)*100/max(live, 1), mostPercent)
	return max(least, int(growth)/coarse*coarse)
}
