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
func (ds *dissemination) crowded(now time.Time) bool {

	return ds.store.Crowded(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeWanted is the bytes of large messages that others may still want, or less than half of the room.
func (ds *dissemination) largeWanted(now time.Time) int {

	return ds.store.Wanted(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeExpected reports whether a neighbor that may still request the message is one that messages are held up for: a
// silent peer is not.
func (ds *dissemination) largeExpected(now time.Time, a *assembly.Assembly) bool {
	c := ds.core
	for n := range largeOf(a).Awaiting {
		if p := c.peers[n.ID]; p != nil && !p.swim.Silent(now) {
			return true
		}
	}
	return false
}

// broadcastLarge cuts a message of our own into frames, for all links.
func (ds *dissemination) broadcastLarge(now time.Time, id wire.MessageID, data []byte) error {
	c := ds.core
	a := ds.addLarge(now, id, data)
	if a == nil {
		return ErrQueueFull
	}
	a.Ours = true
	ds.sweepLater(now)
	ds.passOn(now, a, data)
	for _, p := range c.links {
		if !p.legacy {
			c.transport.pump(now, p)
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
func (ds *dissemination) passOn(now time.Time, a *assembly.Assembly, whole []byte) {
	c := ds.core
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
			ds.announce(now, a, p)
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
	ds.announce(now, a, ds.peersOf(lazy)...)
}

// peersOf returns the peers of neighbors.
func (ds *dissemination) peersOf(list []*broadcast.Neighbor) (peers []*peer) {
	c := ds.core
	for _, n := range list {
		peers = append(peers, c.peers[n.ID])
	}
	return peers
}

// handleFrame takes in a piece of a large message and passes it on as it comes. The sender has it, and
// needs it not.
func (ds *dissemination) handleFrame(now time.Time, p *peer, ch *packets.Channel, m *wire.Message) {
	c := ds.core
	c.transport.reportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: its counter was all it had to say
		return
	case m.Total > MessageMax || len(m.Data) == 0 || uint64(m.Offset)+uint64(len(m.Data)) > uint64(m.Total):
		c.drop(DropOversize)
		return
	}
	a := ds.store.Get(m.ID)
	switch {
	case a != nil && a.Total != m.Total:
		c.drop(DropUnexpected)
		return
	case a == nil && ds.Seen.Has(&m.ID):
		c.stats.FramesDuplicate++
		ds.duplicatePiece(now, p, m.ID, nil)
		return
	case a == nil:
		if a = ds.beginReceiving(now, p, m.ID, m.Total, false); a == nil {
			return
		}
	}
	ds.Piece(now, &p.neighbor, largeOf(a))
	ds.has(now, p, a, m.Offset, m.Offset+uint32(len(m.Data)))
	fresh, ok := ds.store.Write(now, a, m.Offset, m.Data)
	switch {
	case !ok:
		c.drop(DropStoreFull)
		return
	case !fresh:
		c.stats.FramesDuplicate++
		ds.duplicatePiece(now, p, m.ID, largeOf(a))
		return
	}
	largeOf(a).NewPiece(now)
	c.stats.FramesReceived++
	ds.complete(now, a)
	if !a.PassedOn && a.Have.Size() >= min(a.Total, passOnFrom) {
		ds.passOn(now, a, nil)
	}
	for _, o := range c.links {
		if o != p && len(o.packets.Transfers()) > 0 && !o.packets.Paused() {
			c.transport.pump(now, o)
		}
	}
}

func (ds *dissemination) duplicatePiece(now time.Time, p *peer, id wire.MessageID, l *broadcast.Large) {

	ds.disseminate(now, ds.DuplicatePiece(ds.outcomes, now, &p.neighbor, id, l))
}

// cutFor queues a message that came in one datagram as frames for a link that takes only smaller ones. It is announced
// instead where it need not go in full, or where too much waits.
func (ds *dissemination) cutFor(now time.Time, p *peer, a *assembly.Assembly, id wire.MessageID, data []byte, full bool) *assembly.Assembly {
	c := ds.core
	if a == nil {
		a = ds.store.Get(id)
	}
	if a == nil {
		a = ds.addLarge(now, id, data)
	}
	switch {
	case a == nil:
		c.drop(DropStoreFull)
	case p.packets.Transfer(a) != nil:
	case full && !p.packets.Full(true):
		c.stats.BroadcastsForwarded++
		p.packets.Begin(now, a, 0)
	default:
		ds.announce(now, a, p)
	}
	if a != nil {
		a.PassedOn = true
		ds.sweepLater(now)
	}
	return a
}

// addLarge keeps a whole message that goes along links in pieces; nil when there is no room.
func (ds *dissemination) addLarge(now time.Time, id wire.MessageID, data []byte) *assembly.Assembly {

	a := ds.store.Add(now, id, data, false)
	if a != nil {
		ds.track(a)
	}
	return a
}

// track has dissemination know of a large message, unless it is for one node alone.
func (ds *dissemination) track(a *assembly.Assembly) *assembly.Assembly {

	if !a.Direct {
		a.Spread = ds.Begin(a.ID, a.Total, &a.Have)
	}
	return a
}

// beginReceiving makes room for a message of p; nil when p has begun too much.
func (ds *dissemination) beginReceiving(now time.Time, p *peer, id wire.MessageID, total uint32, direct bool) *assembly.Assembly {
	c := ds.core
	evicted, ok := p.receiving.Admit(now, total)
	if !ok || !ds.store.Room() {
		c.drop(DropStoreFull)
		return nil
	}
	for _, old := range evicted {
		ds.store.Remove(old)
		c.drop(DropIncomplete)
	}
	ds.sweepLater(now)
	a := ds.track(ds.store.Begin(now, id, total, direct))
	p.receiving = append(p.receiving, a)
	return a
}

// complete hands a message that has come whole to the application, once.
func (ds *dissemination) complete(now time.Time, a *assembly.Assembly) {
	c := ds.core
	if !a.Complete() || a.Delivered {
		return
	}
	a.Delivered = true
	c.stats.BroadcastsDelivered++
	ds.disseminate(now, ds.Complete(ds.outcomes, now, largeOf(a)))
	data := a.Copy()
	for _, p := range c.links {
		if p.legacy {
			c.gateway.sendBroadcast(now, p, a.ID, data)
		}
	}
	c.events.add(Event{Kind: EventMessage, Data: data})
}

// sweepLater sees to it that large messages are forgotten in time.
func (ds *dissemination) sweepLater(now time.Time) {
	c := ds.core
	if !ds.sweepTimer.Pending() {
		c.timers.Set(&ds.sweepTimer, now.Add(assembly.SweepInterval))
	}
}

func (ds *dissemination) sweepStore(now time.Time) {
	c := ds.core
	promised := func(a *assembly.Assembly) bool { return ds.IsAnnounced(a.ID) }
	for range ds.store.Sweep(now, promised) {
		c.drop(DropIncomplete)
	}
	if more := ds.Sweep(now); more || ds.store.Len() > 0 {
		ds.sweepLater(now)
	}
}
