package gossip

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the messages that are kept while there is no link (docs/DESIGN.md, "Broadcast").
const (
	heldMax   = 1024
	heldBytes = 1 << 20
	heldAge   = 30 * time.Second
)

// held is a message of our own that waits for the first link.
type held struct {
	id   wire.MessageID
	data []byte
	at   time.Time
}

// TooLargeError says that a message does not fit into what carries it.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes is larger than %d", e.Size, e.Max)
}

// BroadcastMax is the largest message in bytes that one datagram of the configured size carries.
func (c *Core) BroadcastMax() int {
	return c.cfg.DatagramSize - wire.BoxOverhead - wire.BroadcastOverhead
}

// Broadcast sends data to every member. Without a link it is kept for a while; data is not retained
// otherwise. It returns a *TooLargeError without sending anything when data does not fit.
func (c *Core) Broadcast(now time.Time, data []byte) error {
	c.now = now
	if limit := c.BroadcastMax(); len(data) > limit {
		return &TooLargeError{Size: len(data), Max: limit}
	}
	id := c.newID()
	c.seen.first(now, &id)
	c.stats.BroadcastsSent++
	if len(c.links) == 0 {
		c.hold(now, id, data)
		return nil
	}
	c.flood(now, id, data, nil)
	return nil
}

// handleBroadcast delivers the first copy of a message and passes it on; the first copy took the
// quickest path. Others are counted.
func (c *Core) handleBroadcast(now time.Time, p *peer, m *wire.Message) {
	if p.zone != c.cfg.Zone {
		c.stats.BroadcastsCrossZone++
	}
	if !c.seen.first(now, &m.ID) {
		c.stats.BroadcastsDuplicate++
		return
	}
	c.stats.BroadcastsDelivered++
	c.flood(now, m.ID, m.Data, p)
	c.events = append(c.events, Event{Kind: EventMessage, Data: bytes.Clone(m.Data)})
}

// flood sends a message along every link but the one that it came by.
func (c *Core) flood(now time.Time, id wire.MessageID, data []byte, from *peer) {
	c.plain = wire.AppendBroadcast(c.plain[:0], wire.Bin, id, data)
	for _, p := range c.links {
		switch {
		case p == from:
		case p.legacy:
			c.sendLegacyBroadcast(now, p, id, data)
		case len(c.plain) > c.room(p):
			c.drop(DropOversize)
		default:
			c.stats.BroadcastsForwarded++
			c.sendPlain(now, p, c.plain)
		}
	}
}

func (c *Core) hold(now time.Time, id wire.MessageID, data []byte) {
	size := len(data)
	for _, h := range c.held {
		size += len(h.data)
	}
	for len(c.held) > 0 && (len(c.held) >= heldMax || size > heldBytes) {
		size -= len(c.held[0].data)
		c.held[0] = held{}
		c.held = c.held[1:]
		c.drop(DropHeldOld)
	}
	c.stats.BroadcastsHeld++
	c.held = append(c.held, held{id: id, data: bytes.Clone(data), at: now})
}

// releaseHeld sends what waited for the first link.
func (c *Core) releaseHeld(now time.Time) {
	waiting := c.held
	c.held = nil
	for _, h := range waiting {
		if now.Sub(h.at) > heldAge {
			c.drop(DropHeldOld)
			continue
		}
		c.flood(now, h.id, h.data, nil)
	}
}
