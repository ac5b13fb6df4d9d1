//go:build !windows

package notify

import (
	"context"
	"net"
	"path/filepath"
	"testing"
)

// manager returns systemd's end of the socket.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func read(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestStatesArriveAtTheManagerInOneDatagram(t *testing.T) {
	conn := manager(t)
	if err := Send(Ready, Status("%d members", 3)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, conn); got != "READY=1\nSTATUS=3 members\n" {
		t.Errorf("%q", got)
	}
}

func TestWithoutAManagerNothingIsSent(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Send(Ready); err != nil {
		t.Error(err)
	}
}

func TestManagerThatIsGoneIsAnError(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := Send(Ready); err == nil {
		t.Error("no error")
	}
}

func TestWatchdogIsFedWhileTheServiceWorks(t *testing.T) {
	conn := manager(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watchdog(ctx, func() bool { calls++; return calls > 2 })
	}()
	if got := read(t, conn); got != "WATCHDOG=1\n" {
		t.Errorf("%q", got)
	}
	cancel()
	<-done
	if calls < 3 {
		t.Errorf("fed after %d questions, of which two were answered by no", calls)
	}
}

func TestWithoutAWatchdogNothingIsFed(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "")
	Watchdog(t.Context(), func() bool { t.Error("asked"); return true })
}
