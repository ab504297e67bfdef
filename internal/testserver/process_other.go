//go:build !linux

package testserver

import (
	"errors"
	"os/exec"
	"syscall"
)

// dieWithParent does nothing: only Linux has a death signal. Servers are then stopped by the
// test's clean-up, and stay behind when the test process is killed.
func dieWithParent(*exec.Cmd, syscall.Signal) {}

// confine makes the command fail: only Linux can show another file system here.
func confine(cmd *exec.Cmd, _ string) {
	cmd.Err = errors.New("only Linux can confine a program to an image")
}

// waitStopped does nothing: a stop signal is as good as done when it has been sent.
func waitStopped(int) error { return nil }

// memoryFolder returns none: only Linux has one for certain.
func memoryFolder() string { return "" }
