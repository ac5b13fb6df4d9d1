// Package notify tells systemd what a service does, as sd_notify(3) describes. Without NOTIFY_SOCKET in the environment it does nothing.
package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// The states that a service tells.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	watchdog = "WATCHDOG=1"
)

// Status is a line that `systemctl status` shows.
func Status(format string, args ...any) string { return "STATUS=" + fmt.Sprintf(format, args...) }

// Send sends states. It returns an error only if there is a socket and it takes nothing.
func Send(states ...string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer func() { _ = conn.Close() }()
	text := ""
	for _, s := range states {
		text += s + "\n"
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// Watchdog tells systemd twice in each WatchdogSec that the service works, while works returns true, until ctx is done.
// Without WATCHDOG_USEC in the environment it returns at once.
func Watchdog(ctx context.Context, works func() bool) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return
	}
	t := time.NewTicker(max(time.Duration(usec)*time.Microsecond/2, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if works() {
				_ = Send(watchdog)
			}
		}
	}
}
