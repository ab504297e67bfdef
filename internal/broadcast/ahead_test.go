package broadcast

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"
)

// numbered are rows of people who are called by their lines, every 7th of them bad, up to a line that ends them.
type numbered struct {
	line, last int
	end        error // what the last one says; nil to panic
	read       chan int
}

func (n *numbered) Next() (Recipient, error) {
	n.line++
	switch {
	case n.read != nil:
		n.read <- n.line
	case n.line == n.last && n.end == nil:
		panic("no such cell")
	}
	switch {
	case n.line == n.last:
		return Recipient{}, n.end
	case n.line%7 == 0:
		return Recipient{}, &BadRow{Line: n.line, Reason: "is the 7th"}
	}
	return Recipient{ID: strconv.Itoa(n.line)}, nil
}

func (n *numbered) Line() int { return n.line }

// Whatever their number, rows come in order, each once, with their lines and what is wrong with them.
func TestAhead(t *testing.T) {
	broken := errors.New("the connection broke")
	for _, rows := range []int{1, 2, aheadBatch, aheadBatch + 1, 2*aheadBatch + 1, 10 * aheadBatch} {
		for _, end := range []error{io.EOF, broken} {
			t.Run(fmt.Sprint(rows, end), func(t *testing.T) {
				a := readAhead(&numbered{last: rows, end: end})
				defer a.stop()
				for line := 1; line < rows; line++ {
					r := a.next()
					_, bad := errors.AsType[*BadRow](r.err)
					if r.line != line || bad != (line%7 == 0) || !bad && r.person.ID != strconv.Itoa(line) {
						t.Fatalf("row %d is %+v", line, r)
					}
				}
				for range 2 {
					if r := a.next(); r.err != end || r.line != rows {
						t.Errorf("the end is %+v, want %v in line %d", r, end, rows)
					}
				}
			})
		}
	}
}

// Whoever asks for a row panics with what reading it panicked with: a request dies then, and not the process.
func TestAhead_panic(t *testing.T) {
	a := readAhead(&numbered{last: aheadBatch + 5})
	defer a.stop()
	defer func() {
		if got := recover(); got != "no such cell" {
			t.Errorf("it panicked with %v, want what the rows panicked with", got)
		}
	}()
	for range aheadBatch + 5 {
		a.next()
	}
}

// Rows are not read any more once they are stopped, wherever they were.
func TestAhead_stop(t *testing.T) {
	rows := &numbered{last: -1, read: make(chan int)}
	a := readAhead(rows)
	<-rows.read
	stopped := make(chan struct{})
	go func() { a.stop(); close(stopped) }()
	for after := 0; ; {
		select {
		case <-rows.read:
			if a.stopped.Load() {
				after++
			}
		case <-stopped:
			if after > 2 {
				t.Errorf("%d rows were read after they were stopped, want at most the one before and the one that was being read", after)
			}
			return
		}
	}
}
