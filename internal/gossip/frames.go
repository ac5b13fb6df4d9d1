package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// MessageMax is the largest message in bytes.
const MessageMax = assembly.MessageMax

// largeOf is what dissemination knows of a large message; nil for a direct message.
func largeOf(a *assembly.Assembly) *broadcast.Large {
	l, _ := a.Spread.(*broadcast.Large)
	return l
}

// crowded reports whether half of the room is taken by messages that others may still want.
func (c *Core) crowded(now time.Time) bool {
	return c.store.Crowded(now, func(a *assembly.Assembly) bool { return c.largeExpected(now, a) })
}

// largeWanted is the bytes of large messages that others may still want, or less than half of the room.
func (c *Core) largeWanted(now time.Time) int {
	return c.store.Wanted(now, func(a *assembly.Assembly) bool { return c.largeExpected(now, a) })
}

// largeExpected reports whether a neighbor that may still request the message is one that messages are held up for: a
// silent peer is not.
func (c *Core) largeExpected(now time.Time, a *assembly.Assembly) bool {
	for n := range largeOf(a).Awaiting {
		if p := c.peers[n.ID]; p != nil && !p.swim.Silent(now) {
			return true
		}
	}
	return false
}

// broadcastLarge cuts a message of our own into frames, for all links.
func (c *Core) broadcastLarge(now time.Time, id wire.MessageID, data []byte) error {
	a := c.addLarge(now, id, data)
	if a == nil {
		return ErrQueueFull
	}
	a.Ours = true
	c.sweepLater(now)
	c.passOn(now, a, data)
	for _, p := range c.links {
		if !p.legacy {
			c.pump(now, p)
		}
	}
	return nil
}

// passOnFrom is how many bytes of a message are here before it is passed on: a declaration that nothing
// follows costs the neighbours of its author only, and takes nothing of what they may begin elsewhere.
const passOnFrom = 16 << 10

// passOn queues a large message for each link whose peer wants it in full, and announces it on the others.
// A link that has too much waiting gets no more than that. A message of our own goes along a few links at
// least, for nobody else has it; sooner along those of our sources, whose messages come the other way. gwyh
// 0.1 nodes, which know no frames, get it in one packet once it is complete and if it fits.
func (c *Core) passOn(now time.Time, a *assembly.Assembly, whole []byte) {
	a.PassedOn = true
	var spread broadcast.LargeSpread
	for _, p := range c.links {
		switch {
		case p.legacy && whole != nil:
			c.gateway.sendBroadcast(now, p, a.ID, whole)
		case p.legacy:
		case p.packets.Transfer(a) != nil:
			spread.Sending()
		case p.packets.Full(true):
			c.announce(now, a, p)
		case spread.Full(&p.neighbor):
			c.stats.BroadcastsForwarded++
			p.packets.Begin(now, a, 0)
		}
	}
	full, lazy := spread.Rest(whole != nil)
	for _, n := range full {
		c.stats.BroadcastsForwarded++
		c.peers[n.ID].packets.Begin(now, a, 0)
	}
	c.announce(now, a, c.peersOf(lazy)...)
}

// peersOf returns the peers of neighbors.
func (c *Core) peersOf(list []*broadcast.Neighbor) (peers []*peer) {
	for _, n := range list {
		peers = append(peers, c.peers[n.ID])
	}
	return peers
}

// handleFrame takes in a piece of a large message and passes it on as it comes. The sender has it, and
// needs it not.
func (c *Core) handleFrame(now time.Time, p *peer, ch *packets.Channel, m *wire.Message) {
	c.reportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: its counter was all it had to say
		return
	case m.Total > MessageMax || len(m.Data) == 0 || uint64(m.Offset)+uint64(len(m.Data)) > uint64(m.Total):
		c.drop(DropOversize)
		return
	}
	a := c.store.Get(m.ID)
	switch {
	case a != nil && a.Total != m.Total:
		c.drop(DropUnexpected)
		return
	case a == nil && c.broadcast.Seen.Has(&m.ID):
		c.stats.FramesDuplicate++
		c.duplicatePiece(now, p, m.ID, nil)
		return
	case a == nil:
		if a = c.beginReceiving(now, p, m.ID, m.Total, false); a == nil {
			return
		}
	}
	c.broadcast.Piece(now, &p.neighbor, largeOf(a))
	c.has(now, p, a, m.Offset, m.Offset+uint32(len(m.Data)))
	fresh, ok := c.store.Write(now, a, m.Offset, m.Data)
	switch {
	case !ok:
		c.drop(DropStoreFull)
		return
	case !fresh:
		c.stats.FramesDuplicate++
		c.duplicatePiece(now, p, m.ID, largeOf(a))
		return
	}
	largeOf(a).NewPiece(now)
	c.stats.FramesReceived++
	c.complete(now, a)
	if !a.PassedOn && a.Have.Size() >= min(a.Total, passOnFrom) {
		c.passOn(now, a, nil)
	}
	for _, o := range c.links {
		if o != p && len(o.packets.Transfers()) > 0 && !o.packets.Paused() {
			c.pump(now, o)
		}
	}
}

func (c *Core) duplicatePiece(now time.Time, p *peer, id wire.MessageID, l *broadcast.Large) {
	c.disseminate(now, c.broadcast.DuplicatePiece(c.broadcast.outcomes, now, &p.neighbor, id, l))
}

// cutFor queues a message that came in one datagram as frames for a link that takes only smaller ones. It is announced
// instead where it need not go in full, or where too much waits.
func (c *Core) cutFor(now time.Time, p *peer, a *assembly.Assembly, id wire.MessageID, data []byte, full bool) *assembly.Assembly {
	if a == nil {
		a = c.store.Get(id)
	}
	if a == nil {
		a = c.addLarge(now, id, data)
	}
	switch {
	case a == nil:
		c.drop(DropStoreFull)
	case p.packets.Transfer(a) != nil:
	case full && !p.packets.Full(true):
		c.stats.BroadcastsForwarded++
		p.packets.Begin(now, a, 0)
	default:
		c.announce(now, a, p)
	}
	if a != nil {
		a.PassedOn = true
		c.sweepLater(now)
	}
	return a
}

// addLarge keeps a whole message that goes along links in pieces; nil when there is no room.
func (c *Core) addLarge(now time.Time, id wire.MessageID, data []byte) *assembly.Assembly {
	a := c.store.Add(now, id, data, false)
	if a != nil {
		c.track(a)
	}
	return a
}

// track has dissemination know of a large message, unless it is for one node alone.
func (c *Core) track(a *assembly.Assembly) *assembly.Assembly {
	if !a.Direct {
		a.Spread = c.broadcast.Begin(a.ID, a.Total, &a.Have)
	}
	return a
}

// beginReceiving makes room for a message of p; nil when p has begun too much.
func (c *Core) beginReceiving(now time.Time, p *peer, id wire.MessageID, total uint32, direct bool) *assembly.Assembly {
	evicted, ok := p.receiving.Admit(now, total)
	if !ok || !c.store.Room() {
		c.drop(DropStoreFull)
		return nil
	}
	for _, old := range evicted {
		c.store.Remove(old)
		c.drop(DropIncomplete)
	}
	c.sweepLater(now)
	a := c.track(c.store.Begin(now, id, total, direct))
	p.receiving = append(p.receiving, a)
	return a
}

// complete hands a message that has come whole to the application, once.
func (c *Core) complete(now time.Time, a *assembly.Assembly) {
	if !a.Complete() || a.Delivered {
		return
	}
	a.Delivered = true
	c.stats.BroadcastsDelivered++
	c.disseminate(now, c.broadcast.Complete(c.broadcast.outcomes, now, largeOf(a)))
	data := a.Copy()
	for _, p := range c.links {
		if p.legacy {
			c.gateway.sendBroadcast(now, p, a.ID, data)
		}
	}
	c.events = append(c.events, Event{Kind: EventMessage, Data: data})
}

// sweepLater sees to it that large messages are forgotten in time.
func (c *Core) sweepLater(now time.Time) {
	if !c.sweepTimer.Pending() {
		c.timers.Set(&c.sweepTimer, now.Add(assembly.SweepInterval))
	}
}

func (c *Core) sweepStore(now time.Time) {
	promised := func(a *assembly.Assembly) bool { return c.broadcast.IsAnnounced(a.ID) }
	for range c.store.Sweep(now, promised) {
		c.drop(DropIncomplete)
	}
	if more := c.broadcast.Sweep(now); more || c.store.Len() > 0 {
		c.sweepLater(now)
	}
}
