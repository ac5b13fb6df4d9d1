package gossip

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// TooLargeError says that a message does not fit into what carries it.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes is larger than %d", e.Size, e.Max)
}

// BroadcastMax is the largest message in bytes that travels in one datagram of the configured size; a
// larger one is cut.
func (c *Core) BroadcastMax() int {
	return c.cfg.DatagramSize - wire.BoxOverhead - wire.BroadcastOverhead
}

// Broadcast sends data to every member. Without a link it is kept for a while; data is not retained
// otherwise. A *TooLargeError or ErrQueueFull says that nothing was sent.
func (c *Core) Broadcast(now time.Time, data []byte) error {
	switch {
	case len(data) > MessageMax:
		return &TooLargeError{Size: len(data), Max: MessageMax}
	case len(c.links) > 0 && len(data) > legacyMessage && !slices.ContainsFunc(c.links, func(p *peer) bool { return !p.legacy }):
		return &TooLargeError{Size: len(data), Max: legacyMessage}
	case c.congested(now, len(data) > c.BroadcastMax()), len(data) > c.BroadcastMax() && c.crowded(now):
		return ErrQueueFull
	}
	id := c.ids.Broadcast()
	c.broadcast.Seen.First(now, &id)
	if len(c.links) == 0 {
		c.broadcast.Held.Add(now, id, data)
		c.sweepLater(now)
	} else if err := c.send(now, id, data); err != nil {
		return err
	}
	c.stats.BroadcastsSent++
	if len(data) > legacyMessage && c.members.CountLegacy() > 0 {
		c.gateway.warnSize(now, len(data))
	}
	return nil
}

func (c *Core) send(now time.Time, id wire.MessageID, data []byte) error {
	if len(data) > c.BroadcastMax() {
		return c.broadcastLarge(now, id, data)
	}
	c.flood(now, id, data, nil)
	return nil
}

// slowShare is what part of the rate of the fastest link another has to have to hold up messages of this node.
const slowShare = 1. / 32

// congested reports whether a message of this node is not taken now, because links that it would go along in full have no
// room. A peer that is silent, and may be dead, holds nothing up, nor does one that is far slower than others.
func (c *Core) congested(now time.Time, large bool) bool {
	fastest := 0.
	for _, p := range c.links {
		fastest = max(fastest, p.packets.Pace().Rate())
	}
	var a broadcast.Admission
	for _, p := range c.links {
		pace := p.packets.Pace()
		full := p.packets.Full(large) || !large && pace.Held(now)
		silent := !p.legacy && p.swim.Silent(now)
		if silent || pace.Rate() < slowShare*fastest {
			continue
		}
		a.Link(p.neighbor.Eager, full)
	}
	return a.Refused()
}

// backlog is how many bytes of small messages wait for the eager neighbor that is furthest behind.
func (c *Core) backlog(now time.Time) (most int) {
	for _, p := range c.links {
		if b := p.packets.Backlog(); p.neighbor.Eager && b > most && !p.swim.Silent(now) {
			most = b
		}
	}
	return most
}

// handleBroadcast delivers the first copy of a message and passes it on; the first copy took the
// quickest path. Others are counted.
func (c *Core) handleBroadcast(now time.Time, p *peer, m *wire.Message) {
	if p.zone != c.cfg.Zone {
		c.stats.BroadcastsCrossZone++
	}
	if !c.broadcast.Seen.First(now, &m.ID) {
		c.stats.BroadcastsDuplicate++
		p.packets.Spare(m.ID)
		c.disseminate(now, c.broadcast.Duplicate(c.broadcast.outcomes, now, &p.neighbor))
		return
	}
	c.stats.BroadcastsDelivered++
	c.disseminate(now, c.broadcast.First(c.broadcast.outcomes, now, &p.neighbor, &m.ID))
	if a := c.store.Get(m.ID); a != nil {
		a.Delivered = true
	}
	c.flood(now, m.ID, m.Data, p)
	c.events = append(c.events, Event{Kind: EventMessage, Data: bytes.Clone(m.Data)})
}

// flood sends a message along every link except the one that it came by, or announces it there, as dissemination
// decides.
func (c *Core) flood(now time.Time, id wire.MessageID, data []byte, from *peer) {
	c.plain = wire.AppendBroadcast(c.plain[:0], wire.Bin, id, data)
	m := c.newSmall(now, c.plain)
	c.broadcast.Lately.Put(now, &id, m.ref)
	spread := c.broadcast.Spread(from == nil)
	var large *assembly.Assembly
	for _, p := range c.links {
		switch {
		case p == from:
		case p.legacy:
			c.gateway.sendBroadcast(now, p, id, data)
		case len(m.plain) > p.packets.Room():
			large = c.cutFor(now, p, large, id, data, spread.FullCut(&p.neighbor))
			p.packets.Widen(now)
			c.pump(now, p)
		case spread.Full(now, &p.neighbor, p.queueState()):
			c.stats.BroadcastsForwarded++
			c.sendSmall(now, p, m)
		default:
			c.announceSmall(now, p, m, &id)
		}
	}
}

// releaseHeld sends what waited for the first link.
func (c *Core) releaseHeld(now time.Time) {
	for _, h := range c.broadcast.Held.Take(now) {
		if c.send(now, h.ID, h.Data) != nil {
			c.drop(DropStoreFull)
		}
	}
}
