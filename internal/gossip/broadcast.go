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
	case c.broadcast.congested(now, len(data) > c.BroadcastMax()), len(data) > c.BroadcastMax() && c.broadcast.crowded(now):
		return ErrQueueFull
	}
	id := c.ids.Broadcast()
	c.broadcast.Seen.First(now, &id)
	if len(c.links) == 0 {
		c.broadcast.Held.Add(now, id, data)
		c.broadcast.sweepLater(now)
	} else if err := c.broadcast.send(now, id, data); err != nil {
		return err
	}
	c.stats.BroadcastsSent++
	if len(data) > legacyMessage && c.members.CountLegacy() > 0 {
		c.gateway.warnSize(now, len(data))
	}
	return nil
}

func (ds *dissemination) send(now time.Time, id wire.MessageID, data []byte) error {
	c := ds.core
	if len(data) > c.BroadcastMax() {
		return ds.broadcastLarge(now, id, data)
	}
	ds.flood(now, id, data, nil)
	return nil
}

// slowShare is what part of the rate of the fastest link another has to have to hold up messages of this node.
const slowShare = 1. / 32

// congested reports whether a message of this node is not taken now, because links that it would go along in full have no
// room. A peer that is silent, and may be dead, holds nothing up, nor does one that is far slower than others.
func (ds *dissemination) congested(now time.Time, large bool) bool {
	c := ds.core
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
func (ds *dissemination) backlog(now time.Time) (most int) {
	c := ds.core
	for _, p := range c.links {
		if b := p.packets.Backlog(); p.neighbor.Eager && b > most && !p.swim.Silent(now) {
			most = b
		}
	}
	return most
}

// handleBroadcast delivers the first copy of a message and passes it on; the first copy took the
// quickest path. Others are counted.
func (ds *dissemination) handleBroadcast(now time.Time, p *peer, m *wire.Message) {
	c := ds.core
	if p.zone != c.cfg.Zone {
		c.stats.BroadcastsCrossZone++
	}
	if !ds.Seen.First(now, &m.ID) {
		c.stats.BroadcastsDuplicate++
		p.packets.Spare(m.ID)
		ds.disseminate(now, ds.Duplicate(ds.outcomes, now, &p.neighbor))
		return
	}
	c.stats.BroadcastsDelivered++
	ds.disseminate(now, ds.First(ds.outcomes, now, &p.neighbor, &m.ID))
	if a := ds.store.Get(m.ID); a != nil {
		a.Delivered = true
	}
	ds.flood(now, m.ID, m.Data, p)
	c.events.add(Event{Kind: EventMessage, Data: bytes.Clone(m.Data)})
}

// flood sends a message along every link except the one that it came by, or announces it there, as dissemination
// decides.
func (ds *dissemination) flood(now time.Time, id wire.MessageID, data []byte, from *peer) {
	c := ds.core
	c.transport.plain = wire.AppendBroadcast(c.transport.plain[:0], wire.Bin, id, data)
	m := c.transport.newSmall(now, c.transport.plain)
	ds.Lately.Put(now, &id, m.ref)
	spread := ds.Spread(from == nil)
	var large *assembly.Assembly
	for _, p := range c.links {
		switch {
		case p == from:
		case p.legacy:
			c.gateway.sendBroadcast(now, p, id, data)
		case len(m.plain) > p.packets.Room():
			large = ds.cutFor(now, p, large, id, data, spread.FullCut(&p.neighbor))
			p.packets.Widen(now)
			c.transport.pump(now, p)
		case spread.Full(now, &p.neighbor, p.queueState()):
			c.stats.BroadcastsForwarded++
			c.transport.sendSmall(now, p, m)
		default:
			ds.announceSmall(now, p, m, &id)
		}
	}
}

// releaseHeld sends what waited for the first link.
func (ds *dissemination) releaseHeld(now time.Time) {
	c := ds.core
	for _, h := range ds.Held.Take(now) {
		if ds.send(now, h.ID, h.Data) != nil {
			c.drop(DropStoreFull)
		}
	}
}
