package carrier

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/inbox"
)

// Write hands b, which is the transport's own from then on, to a foreign transport. It may block. It is called
// by several goroutines, but never for one destination by two at once. An error is counted.
type Write func(to netip.AddrPort, b []byte) error

// NewForeign makes a Carrier over a transport that is written to by write, and whose datagrams somebody
// hands to Put, of which at most depth wait. It is of use until stop is closed.
func NewForeign(write Write, depth int, stop <-chan struct{}) *Carrier {
	w := &writers{write: write, stop: stop, to: make(map[netip.AddrPort]*destination)}
	return &Carrier{foreign: w, in: inbox.New(depth), stop: stop}
}

// Flushed returns a channel that is closed when what was sent so far has been handed to the system, or to
// the foreign transport. A destination to which one write takes longer than a second is not waited for. The
// channel may stay open when stop is closed.
func (c *Carrier) Flushed() <-chan struct{} {
	if c.foreign != nil {
		return c.foreign.flushed()
	}
	done := make(chan struct{})
	close(done)
	return done
}

// EndWrites waits until no write to the foreign transport is in progress, at most so long. No write begins
// any more, because stop has been closed before.
func (c *Carrier) EndWrites(atMost time.Duration) {
	if c.foreign != nil {
		c.foreign.ended(atMost)
	}
}

// Unsent reports whether something that was sent to an address waits for the foreign transport, or is being
// written. It waits for nothing.
func (c *Carrier) Unsent(to netip.AddrPort) bool {
	if c.foreign == nil {
		return false
	}
	c.foreign.mu.Lock()
	defer c.foreign.mu.Unlock()
	return c.foreign.to[to] != nil
}
