//go:build unix

package handler

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// withChildren makes the end of a command's context end the programs that the command started, too: a shell does not.
func withChildren(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error {
		if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
}
