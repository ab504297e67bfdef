package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process of this program: what it costs is told apart from what measuring costs.
type child struct {
	name    string
	listen  string // where it answers, if it does: host:port
	url     string // the same as a URL
	metrics string // where it tells what it uses
	cmd     *exec.Cmd
	told    sync.Once // to end; a second word would not let it end in order
	ended   chan error
	said    *tail
}

// tail keeps the end of what a child says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 8 << 10 // bytes

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if cut := len(t.text) - tailSize; cut > 0 {
		t.text = bytes.Clone(t.text[cut:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// spawn runs this program with other arguments and settings; of its own settings it passes on none.
// A setting "{listen}" or "{metrics}" stands for a free address.
func spawn(ctx context.Context, program, name string, args, settings []string) (*child, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	places := strings.NewReplacer("{listen}", listen, "{metrics}", metrics)
	c := &child{name: name, listen: listen, url: "http://" + listen, metrics: "http://" + metrics, ended: make(chan error, 1), said: &tail{}}
	for i := range args {
		args[i] = places.Replace(args[i])
	}
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Cancel = c.tell
	c.cmd.WaitDelay = childTime
	c.cmd.Stderr = c.said
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "MALGIL_") {
			c.cmd.Env = append(c.cmd.Env, setting)
		}
	}
	for _, setting := range settings {
		c.cmd.Env = append(c.cmd.Env, places.Replace(setting))
	}
	dieWithParent(c.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // a parent, in the eyes of the system, is a thread
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.ended <- c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// freeAddress returns one of loopback that nobody listens on.
func freeAddress() (string, error) {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free address: %w", err)
	}
	return door.Addr().String(), door.Close()
}

const childTime = 30 * time.Second // to start

// up waits until an address of the child answers.
func (c *child) up(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, childTime)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-c.ended:
			c.ended <- err
			return fmt.Errorf("%s ended (%v): %s", c.name, err, c.said)
		case <-ctx.Done():
			return fmt.Errorf("%s did not start: %w: %s", c.name, ctx.Err(), c.said)
		case <-tick.C:
		}
		if answer, err := get(ctx, address); err == nil {
			_ = answer.Body.Close()
			return nil
		}
	}
}

func get(ctx context.Context, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err == nil && answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		err = fmt.Errorf("it answers %s", answer.Status)
	}
	return answer, err
}

// processor returns how many seconds of a processor the child has used.
func (c *child) processor(ctx context.Context) (float64, error) {
	answer, err := get(ctx, c.metrics+"/metrics")
	if err != nil {
		return 0, fmt.Errorf("ask %s what it uses: %w", c.name, err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), "process_cpu_seconds_total "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("%s does not tell what it uses of a processor: this can be measured on Linux only", c.name), lines.Err())
}

// tell has the child end.
func (c *child) tell() (err error) {
	c.told.Do(func() { err = c.cmd.Process.Signal(syscall.SIGTERM) })
	return err
}

// stop ends the child.
func (c *child) stop() error {
	_ = c.tell() // it may have ended
	select {
	case err := <-c.ended:
		c.ended <- err
		if err != nil {
			return fmt.Errorf("%s: %w: %s", c.name, err, c.said)
		}
		return nil
	case <-time.After(childTime):
		return errors.Join(fmt.Errorf("%s did not end", c.name), c.cmd.Process.Kill())
	}
}
