package scenario_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// log is a store of utterances that can be blocked and can fail.
type log struct {
	mu      sync.Mutex
	batches []int
	err     error
	block   chan struct{} // nil, or closed to let writes go on
	deaf    bool          // it does not heed its context
}

func (l *log) RecordUtterances(ctx context.Context, utterances []scenario.Utterance) error {
	switch {
	case l.deaf:
		<-l.block
	case l.block != nil:
		select {
		case <-l.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, len(utterances))
	return l.err
}

func (l *log) written() (batches, rows int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.batches {
		rows += n
	}
	return len(l.batches), rows
}

type loss struct {
	mu  sync.Mutex
	n   int
	err error
}

func (l *loss) add(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += n
	l.err = err
}

func (l *loss) total() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n, l.err
}

func TestRecorder_batches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, lost := &log{}, &loss{}
		r := scenario.NewRecorder(store, lost.add)
		for range 3 {
			r.Record(scenario.Utterance{})
		}
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if batches, _ := store.written(); batches != 0 {
			t.Errorf("after 199 ms %d batches are written, want 0", batches)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if batches, rows := store.written(); batches != 1 || rows != 3 {
			t.Errorf("after 200 ms %d batches of %d rows are written, want 1 of 3", batches, rows)
		}
		for range 1200 {
			r.Record(scenario.Utterance{})
		}
		synctest.Wait()
		if batches, rows := store.written(); batches != 3 || rows != 1003 {
			t.Errorf("without waiting %d batches of %d rows are written, want 3 of 1003", batches, rows)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if _, rows := store.written(); rows != 1203 {
			t.Errorf("after Close %d rows are written, want 1203", rows)
		}
		r.Record(scenario.Utterance{})
		if n, _ := lost.total(); n != 1 {
			t.Errorf("after Close a record is lost %d times, want 1", n)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("second Close = %v, want nil", err)
		}
	})
}

func TestRecorder_saysWhatItLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, lost := &log{block: make(chan struct{})}, &loss{}
		r := scenario.NewRecorder(store, lost.add)
		r.Record(scenario.Utterance{})
		time.Sleep(200 * time.Millisecond)
		synctest.Wait() // the first batch now hangs in the store
		for range 20_000 + 7 {
			r.Record(scenario.Utterance{})
		}
		if n, err := lost.total(); n != 7 || !errors.Is(err, scenario.ErrRecorderFull) {
			t.Errorf("lost %d, %v, want 7 for a full buffer", n, err)
		}
		time.Sleep(5 * time.Second) // one batch is given up
		synctest.Wait()
		if n, err := lost.total(); n != 8 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("lost %d, %v, want 8 and the deadline", n, err)
		}
		close(store.block)
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if _, rows := store.written(); rows != 20_000 {
			t.Errorf("%d rows are written, want 20000", rows)
		}
	})
}

// Stopping does not wait for a database that is away, and says what that costs.
func TestRecorder_Close_whileTheStoreHangs(t *testing.T) {
	tests := map[string]struct {
		allowed time.Duration // by the caller
		deaf    bool          // the store does not heed its context
		took    time.Duration
		lost    int // told to the callback
		says    string
	}{
		"ten seconds in all":         {time.Hour, false, 10 * time.Second, 20_000, "00 utterances are not recorded"},
		"less when the caller says":  {2 * time.Second, false, 2 * time.Second, 20_000, "20000 utterances are not recorded"},
		"a store that heeds nothing": {time.Hour, true, 11 * time.Second, 0, "up to 20000 utterances are not recorded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, lost := &log{block: make(chan struct{}), deaf: tt.deaf}, &loss{}
				r := scenario.NewRecorder(store, lost.add)
				for range 20_000 {
					r.Record(scenario.Utterance{})
				}
				synctest.Wait() // the first batch hangs in the store
				ctx, cancel := context.WithTimeout(t.Context(), tt.allowed)
				defer cancel()
				began := time.Now()
				err := r.Close(ctx)
				if took := time.Since(began); took != tt.took || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("Close = %v after %v, want %q after %v", err, took, tt.says, tt.took)
				}
				if n, _ := lost.total(); n != tt.lost {
					t.Errorf("lost %d, want %d", n, tt.lost)
				}
				close(store.block)
				synctest.Wait()
				if n, _ := lost.total(); tt.deaf && n != 20_000-500 {
					t.Errorf("at last lost %d, want all but the batch that the store took", n)
				}
			})
		})
	}
}

func TestRecorder_failingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, lost := &log{err: errors.New("disk is full")}, &loss{}
		r := scenario.NewRecorder(store, lost.add)
		r.Record(scenario.Utterance{})
		r.Record(scenario.Utterance{})
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if n, err := lost.total(); n != 2 || err == nil {
			t.Errorf("lost %d, %v, want 2 with the store's error", n, err)
		}
	})
}
