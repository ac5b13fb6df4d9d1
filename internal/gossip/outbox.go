package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Drain hands every waiting datagram to send, in order. now is the time of the last input. The bytes are valid during the call.
func (c *Core) Drain(now time.Time, send func(to wire.Path, b []byte)) {
	c.drain(now, 1, func(r outbox.Run) { send(r.To, r.Bytes) })
}

// DrainRuns is Drain with datagrams of one size that follow each other to one peer handed over together.
func (c *Core) DrainRuns(now time.Time, send func(outbox.Run)) {
	c.drain(now, outbox.RunMax, send)
}

func (c *Core) drain(now time.Time, most int, send func(outbox.Run)) {
	c.transport.sealDue(now, false)
	c.out.Drain(most, func(r outbox.Run) {
		c.stats.SentDatagrams += uint64(r.Count)
		c.stats.SentBytes += uint64(len(r.Bytes))
		if c.cfg.Trace != nil {
			c.reporter.traceSent(now, &r)
		}
		send(r)
	})
}
