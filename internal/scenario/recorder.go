package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// UtteranceStore keeps utterances. One that it has already, by id, is left as it is.
type UtteranceStore interface {
	RecordUtterances(ctx context.Context, utterances []Utterance) error
}

const (
	recorderBuffer = 20_000 // utterances: a database may be away for some seconds at full load
	recorderBatch  = 500
	recorderDelay  = 200 * time.Millisecond
	recorderTime   = 5 * time.Second  // one batch
	recorderClose  = 10 * time.Second // all that is left when it closes
	recorderLetGo  = time.Second      // for a store to notice that its time is over
)

// ErrRecorderFull is why utterances were not kept when the store did not keep up.
var ErrRecorderFull = errors.New("the buffer of utterances to record is full")

// Recorder writes utterances in batches behind the answers. What it cannot write is lost, and
// said to be: an answer never waits for its log. It is safe for concurrent use.
type Recorder struct {
	store UtteranceStore
	lost  func(n int, err error)
	done  chan struct{}

	writing context.Context // ends when nothing more is written
	giveUp  context.CancelFunc
	left    atomic.Int64 // utterances that were not written because of that

	mu     sync.RWMutex
	closed bool
	queue  chan *Utterance // of pointers: a collector looks at all of the buffer, also when it is empty
}

// NewRecorder returns a running recorder. It calls lost, from any goroutine, for utterances
// that are not kept.
func NewRecorder(store UtteranceStore, lost func(n int, err error)) *Recorder {
	r := &Recorder{store: store, lost: lost, done: make(chan struct{}), queue: make(chan *Utterance, recorderBuffer)}
	r.writing, r.giveUp = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Record keeps an utterance within a moment. It never blocks.
func (r *Recorder) Record(u Utterance) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.closed {
		select {
		case r.queue <- &u:
			return
		default:
		}
	}
	r.lost(1, ErrRecorderFull)
}

// Close writes what is left and stops, within ten seconds and as long as ctx allows. What is not
// written by then is lost, and the error says how much. A second call waits for the first.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, recorderClose)
	defer cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	r.giveUp()
	letGo := time.NewTimer(recorderLetGo)
	defer letGo.Stop()
	select {
	case <-r.done:
		if left := r.left.Load(); left > 0 {
			return fmt.Errorf("%d utterances are not recorded: %w", left, ctx.Err())
		}
		return nil
	case <-letGo.C:
		return fmt.Errorf("up to %d utterances are not recorded: %w", len(r.queue)+recorderBatch, ctx.Err())
	}
}

func (r *Recorder) run() {
	defer close(r.done)
	for first := range r.queue {
		r.write(r.gather(*first))
	}
}

func (r *Recorder) write(batch []Utterance) {
	err := r.writing.Err()
	if err == nil {
		ctx, cancel := context.WithTimeout(r.writing, recorderTime)
		defer cancel()
		err = r.store.RecordUtterances(ctx, batch)
	}
	if err == nil {
		return
	}
	if r.writing.Err() != nil {
		r.left.Add(int64(len(batch)))
	}
	r.lost(len(batch), err)
}

// gather collects a batch until it is full, its time is over or the recorder closes.
func (r *Recorder) gather(first Utterance) []Utterance {
	batch := []Utterance{first}
	timer := time.NewTimer(recorderDelay)
	defer timer.Stop()
	for len(batch) < recorderBatch {
		select {
		case u, open := <-r.queue:
			if !open {
				return batch
			}
			batch = append(batch, *u)
		case <-timer.C:
			return batch
		}
	}
	return batch
}
