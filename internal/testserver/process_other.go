//go:build !linux

package testserver

import (
	"os/exec"
	"syscall"
)

// dieWithParent does nothing: only Linux has a death signal. Servers are then stopped by the
// test's clean-up, and stay behind when the test process is killed.
func dieWithParent(*exec.Cmd, syscall.Signal) {}

// waitStopped does nothing: a stop signal is as good as done when it has been sent.
func waitStopped(int) error { return nil }
