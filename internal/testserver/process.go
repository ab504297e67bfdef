package testserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a server that this test process started.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *logWatch
	done chan struct{} // closed when the process has ended
	err  error         // why it ended; read after done
}

// start runs a server and waits until its log holds the ready text. The server gets signal
// death when the test process dies.
func start(name string, cmd *exec.Cmd, ready string, death syscall.Signal) (*process, error) {
	p := &process{name: name, cmd: cmd, log: newLogWatch(ready), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = time.Second // children of the server may hold its output open
	dieWithParent(cmd, death)

	started := make(chan error, 1)
	go func() {
		// The death signal is tied to the thread that starts the process, so that thread lives
		// as long as the process does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-p.log.ready:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended while starting: %w\n%s", name, p.err, p.log)
	case <-timeout.C:
		p.kill()
		return nil, fmt.Errorf("%s was not ready within %v\n%s", name, startTimeout, p.log)
	}
}

// stop asks the process to end with a signal, waits, and kills it when that takes too long.
// A second call does nothing.
func (p *process) stop(signal os.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = p.cmd.Process.Signal(signal) // fails only when it has ended already
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
	}
}

// kill ends the process at once, stopped ones too, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended already
	<-p.done
}

// logWatch keeps the end of a server's log and tells when a text has been seen.
// It is safe for concurrent use.
type logWatch struct {
	ready chan struct{}

	mu   sync.Mutex
	text []byte // what is looked for; nil once seen
	tail []byte
}

const logTail = 8 << 10 // bytes

func newLogWatch(text string) *logWatch {
	return &logWatch{ready: make(chan struct{}), text: []byte(text)}
}

func (w *logWatch) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, line...)
	if w.text != nil && bytes.Contains(w.tail, w.text) {
		w.text = nil
		close(w.ready)
	}
	if extra := len(w.tail) - logTail; extra > 0 {
		w.tail = append(w.tail[:0], w.tail[extra:]...)
	}
	return len(line), nil
}

func (w *logWatch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.tail)
}
