// Package notify reports the state of a service to systemd (sd_notify(3)). Without NOTIFY_SOCKET it does nothing.
package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// The states of a service.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	watchdog = "WATCHDOG=1"
)

// Status returns the state that sets the line shown by `systemctl status`.
func Status(format string, args ...any) string { return "STATUS=" + fmt.Sprintf(format, args...) }

// Send sends states. It returns an error only if there is a socket and writing to it fails.
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

// Watchdog reports to systemd twice per WatchdogSec that the service works, as long as works returns true, until ctx
// is done. Without WATCHDOG_USEC in the environment it returns immediately.
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
