package stance

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/malgil/malgil/internal/broadcast"
)

// runLength is how many stances a pile holds in memory: about 5 MiB.
const runLength = 20_000

// pile puts stances in the order of people, however many there are: it sorts them in runs, writes every run
// but the last to a temporary file, and merges them. So each person is met once, and a database is written
// in the order of its index.
type pile struct {
	file  *os.File // nil while all are in memory
	ends  []int64  // of the runs in it
	run   []broadcast.Stance
	limit int // of run
}

func (p *pile) add(s broadcast.Stance) error {
	if len(p.run) == p.limit {
		if err := p.spill(); err != nil {
			return fmt.Errorf("keep people in a temporary file: %w", err)
		}
	}
	p.run = append(p.run, s)
	return nil
}

// spill writes the run in memory behind those in the file.
func (p *pile) spill() (err error) {
	if p.file == nil {
		if p.file, err = os.CreateTemp("", "malgil-*"); err != nil {
			return err
		}
		_ = os.Remove(p.file.Name()) // it lives as long as it is open
	}
	sortRun(p.run)
	to := bufio.NewWriter(p.file)
	lines := json.NewEncoder(to)
	for _, s := range p.run {
		if err := lines.Encode(s); err != nil {
			return err
		}
	}
	if err := to.Flush(); err != nil {
		return err
	}
	end, err := p.file.Seek(0, io.SeekEnd)
	p.ends, p.run = append(p.ends, end), p.run[:0]
	return err
}

// sortRun sorts stances by person, and those of one person by when he spoke. At the same moment they stay as
// they stood.
func sortRun(run []broadcast.Stance) { slices.SortStableFunc(run, compare) }

func compare(a, b broadcast.Stance) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID), a.Said().Compare(b.Said()))
}

// each calls do once for everybody, in order, with what he said last; at the same moment, what was added last.
func (p *pile) each(do func(broadcast.Stance) error) error {
	runs, err := p.merge()
	if err != nil {
		return err
	}
	var last *broadcast.Stance
	for len(runs) > 0 {
		s := runs[0].head
		if last != nil && (last.Type != s.Type || last.ID != s.ID) {
			if err := do(*last); err != nil {
				return err
			}
		}
		last = &s
		more, err := runs[0].advance()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&runs, 0)
		default:
			heap.Pop(&runs)
		}
	}
	if last == nil {
		return nil
	}
	return do(*last)
}

// merge begins to read every run.
func (p *pile) merge() (all runs, err error) {
	if len(p.run) == 0 { // then there is no other: a run is written when one more comes
		return nil, nil
	}
	begin := int64(0)
	for _, end := range p.ends {
		lines := json.NewDecoder(bufio.NewReaderSize(io.NewSectionReader(p.file, begin, end-begin), 16<<10))
		all = append(all, &run{place: len(all), lines: lines})
		begin = end
	}
	sortRun(p.run)
	all = append(all, &run{place: len(all), memory: p.run})
	for _, r := range all {
		if _, err := r.advance(); err != nil {
			return nil, err
		}
	}
	heap.Init(&all)
	return all, nil
}

// close gives the file free.
func (p *pile) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// run is a sorted run that is read.
type run struct {
	place  int // a later one was added later
	head   broadcast.Stance
	memory []broadcast.Stance // or else
	lines  *json.Decoder
}

// advance reads the next of a run.
func (r *run) advance() (more bool, err error) {
	r.head = broadcast.Stance{}
	if r.lines != nil {
		err := r.lines.Decode(&r.head)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read people from a temporary file: %w", err)
		}
		return true, nil
	}
	if len(r.memory) == 0 {
		return false, nil
	}
	r.head, r.memory = r.memory[0], r.memory[1:]
	return true, nil
}

// runs is a heap of runs, the first person in front.
type runs []*run

// Len implements [heap.Interface], as do the others.
func (r runs) Len() int { return len(r) }

// Less tells which comes first.
func (r runs) Less(i, j int) bool {
	return cmp.Or(compare(r[i].head, r[j].head), cmp.Compare(r[i].place, r[j].place)) < 0
}

// Swap swaps two.
func (r runs) Swap(i, j int) { r[i], r[j] = r[j], r[i] }

// Push adds one.
func (r *runs) Push(x any) { *r = append(*r, x.(*run)) }

// Pop takes off the last.
func (r *runs) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
