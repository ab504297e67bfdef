package load

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends a child also when this process is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
