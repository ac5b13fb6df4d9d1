package node

import (
	"fmt"
	"time"
)

// leaveMax bounds how long a node waits for the others to confirm its departure. The core needs less.
const leaveMax = 2 * time.Second

// departure holds the calls of Leave that wait for a confirmation. It is owned by the loop.
type departure struct {
	waiting []chan<- struct{}
}

// confirmed ends the wait of all calls.
func (d *departure) confirmed() {
	for _, c := range d.waiting {
		close(c)
	}
	d.waiting = nil
}

// awaitConfirmation waits for the confirmation of a Leave that began at begin. Zero timeout means no limit of the
// application; leaveMax always applies. A missing confirmation is not an error.
func (l *loop) awaitConfirmation(confirmed <-chan struct{}, begin time.Time, timeout time.Duration) {
	limit := leaveMax
	if timeout > 0 {
		limit = max(0, min(timeout-time.Since(begin), leaveMax))
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-confirmed:
	case <-t.C:
	case <-l.stop:
	}
}

// flush waits until the datagrams sent so far have left this node. It returns an error if that takes longer than
// timeout. Zero timeout means no limit.
func (l *loop) flush(what string, timeout time.Duration) error {
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-l.carrier.Flushed():
	case <-late:
		return fmt.Errorf("gwyh: %s: not sent after %v", what, timeout)
	case <-l.stop:
	}
	return nil
}
