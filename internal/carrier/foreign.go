package carrier

import "net/netip"

// Write hands b, which is the transport's own from then on, to a foreign transport. It may block; it is
// called by one goroutine. An error is counted.
type Write func(to netip.AddrPort, b []byte) error

// outDepth is how many datagrams wait for a foreign transport.
const outDepth = 1024

// outbound is a datagram for the writer, or a mark that it passes.
type outbound struct {
	to     netip.AddrPort
	b      []byte
	passed chan struct{}
}

// write hands the queue to the foreign transport.
func (c *Carrier) write() {
	for {
		select {
		case <-c.stop:
			return
		case o := <-c.out:
			if o.passed != nil {
				close(o.passed)
				continue
			}
			if err := c.foreign(o.to, o.b); err != nil {
				c.failed.Add(1)
			}
		}
	}
}

// Flushed returns a channel that is closed when what was sent so far has been handed to the system, or to
// the foreign transport. It stays open if stop is closed before.
func (c *Carrier) Flushed() <-chan struct{} {
	passed := make(chan struct{})
	if c.foreign == nil {
		close(passed)
		return passed
	}
	go func() {
		select {
		case c.out <- outbound{passed: passed}:
		case <-c.stop:
		}
	}()
	return passed
}
