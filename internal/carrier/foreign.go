package carrier

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/inbox"
)

// Write passes b, which the transport then owns, to a foreign transport. It may block. Several goroutines call it, but
// never two at once for one destination. Errors are counted.
type Write func(to netip.AddrPort, b []byte) error

// NewForeign returns a Carrier over a transport that write writes to. The caller passes received datagrams to Put.
// room limits the datagrams of both directions. The Carrier may be used until stop is closed.
func NewForeign(write Write, room Room, stop <-chan struct{}) *Carrier {
	c := &Carrier{in: inbox.New(room.Depth, room.Received), stop: stop}
	c.foreign = &writers{write: write, stop: stop, failed: &c.failed, max: room.Written, to: make(map[netip.AddrPort]*destination)}
	return c
}

// Flushed returns a channel that is closed when all datagrams sent so far have been passed to the system or to the
// foreign transport. It does not wait for a destination where one write takes longer than a second. The channel may
// stay open after stop is closed.
func (c *Carrier) Flushed() <-chan struct{} {
	if c.foreign != nil {
		return c.foreign.flushed()
	}
	done := make(chan struct{})
	close(done)
	return done
}

// EndWrites waits until no write to the foreign transport is in progress, for at most atMost. No new write begins,
// because stop was closed before.
func (c *Carrier) EndWrites(atMost time.Duration) {
	if c.foreign != nil {
		c.foreign.ended(atMost)
	}
}

// Unsent reports whether a datagram for an address is queued at the foreign transport or is being written. It does not
// block.
func (c *Carrier) Unsent(to netip.AddrPort) bool {
	if c.foreign == nil {
		return false
	}
	c.foreign.mu.Lock()
	defer c.foreign.mu.Unlock()
	return c.foreign.to[to] != nil
}
