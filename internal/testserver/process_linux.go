package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel signal the command when the thread that starts it dies.
func dieWithParent(cmd *exec.Cmd, signal syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = signal
}

// imageUser is whom the image runs as (Dockerfile).
const imageUser = 65532

// confine makes a folder all that the command sees, and takes its rights. What it may write to is what
// that folder lets others, or for a test that is not root its owner, write to.
func confine(cmd *exec.Cmd, root string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: imageUser, Gid: imageUser}
		return
	}
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getgid(), Size: 1}}
}

// waitStopped returns when the process has stopped after SIGSTOP: until then it still answers.
func waitStopped(pid int) error {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait until process %d has stopped: %w", pid, err)
		}
		return nil
	}
}

// memoryFolder returns a folder that lies in memory, empty where none has 4 GiB free: a cluster takes
// 0.1 GiB and up to 1 GiB of log, beside what the tests write, and some run at a time.
func memoryFolder() string {
	var fs unix.Statfs_t
	if err := unix.Statfs(inMemory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < 4<<30 || unix.Access(inMemory, unix.W_OK) != nil {
		return ""
	}
	return inMemory
}
