package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideEnv marks a process that has its own network namespace.
const insideEnv = "GOSSIPBENCH_INSIDE"

// inNamespace runs this program again with the same arguments in a new process and network namespace, so that
// counters see only this run and no packet leaves the machine. Without permission to create a namespace, the process
// uses the loopback of the machine.
func inNamespace(args []string) error {
	err := again(args, syscall.CLONE_NEWNET)
	if pathErr, ok := err.(*os.PathError); ok && pathErr.Err == syscall.EPERM {
		fmt.Fprintln(os.Stderr, "gossipbench: no network namespace without root: on the machine's own loopback")
		err = again(args, 0)
	}
	return err
}

func again(args []string, flags uintptr) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append([]string{"run"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", insideEnv, flags))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// loopbackUp brings up lo, the only interface of a new namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}
