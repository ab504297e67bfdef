package testserver

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the malgil of this test process. It is built by the first test that asks.
var program builtProgram

type builtProgram struct {
	once sync.Once
	err  error
	dir  string
	lock *os.File
}

const (
	programPattern = "malgil-test-program-"
	buildTimeout   = 5 * time.Minute
)

func (b *builtProgram) build() {
	removeStale(programPattern)
	if b.dir, b.err = os.MkdirTemp("", programPattern); b.err != nil {
		return
	}
	if b.lock, b.err = lockFolder(b.dir); b.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", b.path(), "github.com/malgil/malgil/cmd/malgil")
	if out, err := build.CombinedOutput(); err != nil {
		b.err = fmt.Errorf("build malgil: %w\n%s", err, out)
	}
}

func (b *builtProgram) path() string { return filepath.Join(b.dir, "malgil") }

// remove is called at the end of the test process.
func (b *builtProgram) remove() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // what is left goes with the next process's removeStale
		_ = b.lock.Close()      // of a nil file, where locking failed, says only so
	}
}

// Command is one way to run malgil.
type Command struct {
	Args []string
	// Env is all that it sees of an environment, NAME=value, besides PATH. "{address}" in a value
	// stands for a free loopback address, the same one in all values.
	Env []string
	// Ready is a text that its output holds when it is up.
	Ready string
	// Image is a folder that is the whole file system to it. It has /malgil, which then runs without
	// any right, as the user 65532. When empty it runs on this machine's, as the user of the test.
	Image string
}

func (c Command) name() string { return "malgil " + strings.Join(c.Args, " ") }

func (c Command) exec(dir, address string) *exec.Cmd {
	cmd := exec.Command(program.path(), c.Args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if c.Image != "" {
		cmd = exec.Command("/malgil", c.Args...)
		cmd.Dir = "/"
		confine(cmd, c.Image)
	}
	for _, setting := range c.Env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(setting, "{address}", address))
	}
	return cmd
}

// Program is a malgil that runs as a process of its own. Its methods end the test when they
// fail, so they are called from the test's goroutine only.
type Program struct {
	// Address is the one that "{address}" stands for, as host:port. It stays over [Program.Restart].
	Address string

	t       testing.TB
	command Command
	dir     string
	process *process
}

// StartProgram runs malgil in a folder of its own and returns when it is up. It is killed at the
// end of the test; when the test has failed, the end of what it said is logged.
func StartProgram(t testing.TB, command Command) *Program {
	t.Helper()
	buildProgram(t)
	p := &Program{t: t, command: command, dir: t.TempDir()}
	var err error
	for range 5 {
		var port int
		if port, err = freePort(); err != nil {
			break
		}
		p.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if err = p.start(); !portTaken(err) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.process.kill()
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", command.name(), p.process.log)
		}
	})
	return p
}

// ProgramFolder returns the folder of the built malgil, for a PATH.
func ProgramFolder(t testing.TB) string {
	t.Helper()
	buildProgram(t)
	return program.dir
}

func buildProgram(t testing.TB) {
	t.Helper()
	program.once.Do(program.build)
	if program.err != nil {
		t.Fatal(program.err)
	}
}

func (p *Program) start() error {
	process, err := start(p.command.name(), p.command.exec(p.dir, p.Address), p.command.Ready, syscall.SIGKILL)
	if err == nil {
		p.process = process
	}
	return err
}

// ReadyLine returns the line of its output that said that it is up. It is kept for as long as
// the program has not said much more.
func (p *Program) ReadyLine() string {
	for line := range strings.Lines(p.process.log.String()) {
		if strings.Contains(line, p.command.Ready) {
			return strings.TrimSpace(line)
		}
	}
	p.t.Fatalf("%s has said too much to find %q", p.command.name(), p.command.Ready)
	return ""
}

// Kill ends the program as a crash would.
func (p *Program) Kill() { p.process.kill() }

// Stop ends the program in good order.
func (p *Program) Stop() { p.process.stop(syscall.SIGTERM) }

// Signal sends a signal to the program.
func (p *Program) Signal(signal os.Signal) {
	p.t.Helper()
	if err := p.process.cmd.Process.Signal(signal); err != nil {
		p.t.Fatalf("send %s the signal %v: %v", p.command.name(), signal, err)
	}
}

// PeakMemory returns the most bytes of memory that the program has had, as Linux counts them, without the pages of
// its own file.
func (p *Program) PeakMemory() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var peak, file int64 // KiB
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
		_, _ = fmt.Sscanf(line, "RssFile: %d kB", &file)
	}
	if peak <= file {
		p.t.Fatalf("%s has a peak of %d KiB, of which %d are of files", p.command.name(), peak, file)
	}
	return (peak - file) << 10
}

// Says waits until the program has said a text and returns the line that holds it. It is looked
// for in the end of what was said.
func (p *Program) Says(text string) string {
	p.t.Helper()
	limit := time.NewTimer(startTimeout)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for line := range strings.Lines(p.process.log.String()) {
			if strings.Contains(line, text) {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-tick.C:
		case <-limit.C:
			p.t.Fatalf("%s does not say %q within %v", p.command.name(), text, startTimeout)
		}
	}
}

// Said returns the end of what the program has said since it was last started.
func (p *Program) Said() string { return p.process.log.String() }

// Wait returns how the program ended, which it does soon.
func (p *Program) Wait() *os.ProcessState {
	p.t.Helper()
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-p.process.done:
	case <-limit.C:
		p.t.Fatalf("%s does not end within %v", p.command.name(), stopTimeout)
	}
	return p.process.cmd.ProcessState
}

// Restart starts the program again with the same command and address, after killing it when it
// runs, and returns when it is up.
func (p *Program) Restart() {
	p.t.Helper()
	p.Kill()
	if err := p.start(); err != nil {
		p.t.Fatal(err)
	}
}

// Freeze stops the program while its connections stay open. It returns when it has stopped.
func (p *Program) Freeze() {
	p.t.Helper()
	if err := p.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatalf("freeze %s: %v", p.command.name(), err)
	}
	if err := waitStopped(p.process.cmd.Process.Pid); err != nil {
		p.t.Fatal(err)
	}
}

// Thaw lets a frozen program go on.
func (p *Program) Thaw() {
	p.t.Helper()
	if err := p.process.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatalf("thaw %s: %v", p.command.name(), err)
	}
}

// Ended is a run of malgil that came to its end.
type Ended struct {
	Exit           int
	Stdout, Stderr string
}

// RunProgram runs malgil to its end, which comes within a minute.
func RunProgram(t testing.TB, command Command) Ended {
	t.Helper()
	buildProgram(t)
	cmd := command.exec(t.TempDir(), "127.0.0.1:0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	dieWithParent(cmd, syscall.SIGKILL)
	runtime.LockOSThread() // the death signal is tied to this thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // its exit code tells
	if !limit.Stop() {
		t.Fatalf("%s did not end within %v\n%s%s", command.name(), startTimeout, stdout.String(), stderr.String())
	}
	return Ended{Exit: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}
