package netns

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A Space is a network namespace. It has a loopback interface that is up, and whatever the test adds. It ends
// with the test, unless a socket that was opened in it lives longer.
type Space struct {
	t    testing.TB
	file *os.File
}

// New makes a Space. The test fails if the system does not allow that.
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

// Do runs f in the namespace: the sockets that f opens itself belong to it. What other goroutines open does not.
func (s *Space) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that nothing else uses, and which ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: another goroutine must not get a thread that is elsewhere
		done <- f()
	}()
	return <-done
}
