package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// broadcastLarge cuts a message of our own into frames, for all links.
func (c *Core) broadcastLarge(now time.Time, id wire.MessageID, data []byte) error {
	a := c.addLarge(now, id, data)
	if a == nil {
		return ErrQueueFull
	}
	a.ours = true
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
func (c *Core) passOn(now time.Time, a *assembly, whole []byte) {
	a.passed = true
	var spread broadcast.LargeSpread
	for _, p := range c.links {
		switch {
		case p.legacy && whole != nil:
			c.sendLegacyBroadcast(now, p, a.id, whole)
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
func (c *Core) handleFrame(now time.Time, p *peer, ch *channel, m *wire.Message) {
	c.reportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: its counter was all it had to say
		return
	case m.Total > MessageMax || len(m.Data) == 0 || uint64(m.Offset)+uint64(len(m.Data)) > uint64(m.Total):
		c.drop(DropOversize)
		return
	}
	a := c.store.byID[m.ID]
	switch {
	case a != nil && a.total != m.Total:
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
	c.broadcast.Piece(now, &p.neighbor, a.large)
	c.has(now, p, a, m.Offset, m.Offset+uint32(len(m.Data)))
	fresh, ok := c.store.write(now, a, m.Offset, m.Data)
	switch {
	case !ok:
		c.drop(DropStoreFull)
		return
	case !fresh:
		c.stats.FramesDuplicate++
		c.duplicatePiece(now, p, m.ID, a.large)
		return
	}
	a.large.NewPiece(now)
	c.stats.FramesReceived++
	c.complete(now, a)
	if !a.passed && a.have.Size() >= min(a.total, passOnFrom) {
		c.passOn(now, a, nil)
	}
	for _, o := range c.links {
		if o != p && len(o.packets.Transfers()) > 0 && !o.packets.Paused() {
			c.pump(now, o)
		}
	}
}

func (c *Core) duplicatePiece(now time.Time, p *peer, id wire.MessageID, l *broadcast.Large) {
	c.disseminate(now, c.broadcast.DuplicatePiece(c.spreading, now, &p.neighbor, id, l))
}

// cutFor queues a message that came in one datagram as frames for a link that takes only smaller ones. It is announced
// instead where it need not go in full, or where too much waits.
func (c *Core) cutFor(now time.Time, p *peer, a *assembly, id wire.MessageID, data []byte, full bool) *assembly {
	if a == nil {
		a = c.store.byID[id]
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
		a.passed = true
		c.sweepLater(now)
	}
	return a
}

// addLarge keeps a whole message that goes along links in pieces; nil when there is no room.
func (c *Core) addLarge(now time.Time, id wire.MessageID, data []byte) *assembly {
	a := c.store.add(now, id, data, false)
	if a != nil {
		c.track(a)
	}
	return a
}

// track has dissemination know of a large message, unless it is for one node alone.
func (c *Core) track(a *assembly) *assembly {
	if !a.direct {
		a.large = c.broadcast.Begin(a.id, a.total, &a.have)
	}
	return a
}

// beginReceiving makes room for a message of p; nil when p has begun too much.
func (c *Core) beginReceiving(now time.Time, p *peer, id wire.MessageID, total uint32, direct bool) *assembly {
	evicted, ok := p.admit(now, total)
	if !ok || len(c.store.all) >= storeCount && !c.store.makePlace() {
		c.drop(DropStoreFull)
		return nil
	}
	for _, old := range evicted {
		c.store.remove(old)
		c.drop(DropIncomplete)
	}
	c.sweepLater(now)
	a := c.track(c.store.begin(now, id, total, direct))
	p.receiving = append(p.receiving, a)
	return a
}

// complete hands a message that has come whole to the application, once.
func (c *Core) complete(now time.Time, a *assembly) {
	if !a.complete() || a.met {
		return
	}
	a.met = true
	c.stats.BroadcastsDelivered++
	c.disseminate(now, c.broadcast.Complete(c.spreading, now, a.large))
	data := a.copy()
	for _, p := range c.links {
		if p.legacy {
			c.sendLegacyBroadcast(now, p, a.id, data)
		}
	}
	c.events = append(c.events, Event{Kind: EventMessage, Data: data})
}

// sweepLater sees to it that large messages are forgotten in time.
func (c *Core) sweepLater(now time.Time) {
	if !c.sweepTimer.Pending() {
		c.timers.Set(&c.sweepTimer, now.Add(sweepInterval))
	}
}

func (c *Core) sweepStore(now time.Time) {
	promised := func(a *assembly) bool { return c.broadcast.IsAnnounced(a.id) }
	for range c.store.sweep(now, promised) {
		c.drop(DropIncomplete)
	}
	if more := c.broadcast.Sweep(now); more || len(c.store.all) > 0 {
		c.sweepLater(now)
	}
}
