package broadcast

import (
	"errors"
	"sync/atomic"
)

// ahead reads rows on a core of its own, a batch before they are asked for: reading and checking a row is most of
// what an upload does.
type ahead struct {
	full, empty chan []row
	batch       []row // what is asked for next, from at on
	at          int
	stopped     atomic.Bool
	panicked    any // what the rows panicked with
}

// row is what [Rows] returned, and its line.
type row struct {
	person Recipient
	line   int
	err    error
}

// aheadBatch is how many rows one batch has.
const aheadBatch = 128

// readAhead reads rows until they end. They are the caller's again after stop.
func readAhead(rows Rows) *ahead {
	a := &ahead{full: make(chan []row, 2), empty: make(chan []row, 2)}
	for range cap(a.empty) {
		a.empty <- make([]row, 0, aheadBatch)
	}
	go a.read(rows)
	return a
}

func (a *ahead) read(rows Rows) {
	defer close(a.full)
	defer func() { a.panicked = recover() }() // for whoever asks for the next row: he may know what to do
	for ended := false; !ended; {
		batch, more := <-a.empty
		if !more {
			return
		}
		for !ended && len(batch) < aheadBatch {
			if a.stopped.Load() {
				return
			}
			person, err := rows.Next()
			batch = append(batch, row{person, rows.Line(), err})
			_, bad := errors.AsType[*BadRow](err)
			ended = err != nil && !bad
		}
		a.full <- batch
	}
}

// next returns the next row, and the last one again when there is none behind it.
func (a *ahead) next() row {
	if a.at == len(a.batch) {
		batch, more := <-a.full
		if !more {
			if a.panicked != nil {
				panic(a.panicked)
			}
			return a.batch[a.at-1]
		}
		if a.batch != nil {
			clear(a.batch) // their people are in chunks by now
			a.empty <- a.batch[:0]
		}
		a.batch, a.at = batch, 0
	}
	a.at++
	return a.batch[a.at-1]
}

// stop returns when the rows are read no more.
func (a *ahead) stop() {
	a.stopped.Store(true)
	close(a.empty)
	for range a.full { // until it is closed
	}
}
