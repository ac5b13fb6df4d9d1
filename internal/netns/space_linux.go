package netns

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A Space is a network namespace. Initially it has a loopback interface, which is up. It exists until the end of
// the test, or longer if a socket that was opened in it is still open.
type Space struct {
	t    testing.TB
	file *os.File
}

// New creates a Space. The test fails if the system does not permit it.
func New(t testing.TB) *Space {
	t.Helper()
	s := &Space{t: t}
	err := onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		s.file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		return err
	})
	if err != nil {
		t.Fatalf("make a network namespace (this test needs root): %v", err)
	}
	t.Cleanup(func() { _ = s.file.Close() })
	s.Up("lo")
	return s
}

// Do runs f in the namespace. The sockets that f opens on its own goroutine belong to the namespace.
func (s *Space) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on an OS thread of its own, which ends with f.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: no other goroutine may get a thread in another namespace
		done <- f()
	}()
	return <-done
}
