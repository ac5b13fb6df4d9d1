package node

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/carrier"
)

// troubles says for each cause of write errors when they are worth a warning. A single datagram that could not be written
// means nothing: an address or a route changes, or a buffer is full for a moment. A burst that fills a buffer for longer
// lasts seconds.
// carrier.TooBig has no entry, because it is how a node measures paths.
var troubles = [carrier.Causes]struct {
	seconds int           // seconds with errors before a warning; zero means never
	pause   time.Duration // a pause without errors of this length ends the trouble
}{
	carrier.Forbidden: {2, time.Minute},
	carrier.NoRoute:   {2, time.Minute},
	carrier.NoRoom:    {10, 2 * time.Second},
	carrier.Other:     {2, time.Minute},
}

// describe returns the warning about write errors of a cause.
func describe(cause int, f *carrier.Failure) string {
	switch carrier.Cause(cause) {
	case carrier.Forbidden:
		return fmt.Sprintf("this machine forbids the node to send: look at the rules for output in its firewall (%d datagrams so far, the last one to %s: %v)", f.Count, f.To, f.Err)
	case carrier.NoRoute:
		return fmt.Sprintf("this machine has no route to an address that the node sends to (%d datagrams so far, the last one to %s: %v)", f.Count, f.To, f.Err)
	case carrier.NoRoom:
		return fmt.Sprintf("the system has no room for what the node sends: the network of this machine is too slow (%d datagrams so far, the last one to %s: %v)", f.Count, f.To, f.Err)
	}
	return fmt.Sprintf("sending fails (%d datagrams so far, the last one to %s: %v)", f.Count, f.To, f.Err)
}

// troubleAgain is the time between two lines about a trouble that goes on.
const troubleAgain = time.Minute

// A sendWatch warns when the system, or the transport, goes on not taking datagrams: otherwise a node whose own firewall
// drops what it sends looks like a node that nobody answers. All fields are owned by the loop.
type sendWatch struct {
	log    Log
	causes [carrier.Causes]trouble
}

// A trouble is what is known about the write errors of one cause.
type trouble struct {
	last    carrier.Failure
	grew    time.Time // when the number of errors last grew
	seconds int       // calls of every in which it grew, without a long pause
	logged  time.Time // when the last line was written
	written uint64    // errors up to that line
	warning string    // empty while there is no reason to warn
}

// every takes the present failures. It is called about once a second. It lets another goroutine write the lines.
func (w *sendWatch) every(now time.Time, failures [carrier.Causes]carrier.Failure, call func(func()) bool) {
	for cause := range w.causes {
		t, of := &w.causes[cause], troubles[cause]
		if t.update(now, failures[cause], of.pause); of.seconds == 0 || t.seconds < of.seconds {
			t.warning = ""
			continue
		}
		t.warning = describe(cause, &t.last)
		if t.last.Count == t.written || now.Sub(t.logged) < troubleAgain && !t.logged.IsZero() {
			continue
		}
		line := t.warning
		if call(func() { w.log.Warnf("%s", line) }) {
			t.logged, t.written = now, t.last.Count
		}
	}
}

// update counts a second in which errors occurred. A long pause without errors ends the trouble.
func (t *trouble) update(now time.Time, f carrier.Failure, pause time.Duration) {
	if f.Count == t.last.Count {
		if now.Sub(t.grew) >= pause {
			t.seconds = 0
		}
		return
	}
	t.last, t.grew = f, now
	t.seconds++
}

// present returns the present warnings.
func (w *sendWatch) present() (warnings []string) {
	for cause := range w.causes {
		if text := w.causes[cause].warning; text != "" {
			warnings = append(warnings, text)
		}
	}
	return warnings
}
