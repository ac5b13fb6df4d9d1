package gossip

import (
	"bytes"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newDissemination(c *Core) dissemination {
	d := broadcast.New(broadcast.Config{Self: c.ids.Origin(), Heartbeat: c.cfg.Heartbeat, Keep: c.keepFor()})
	return dissemination{core: c, Disseminator: d, timer: timer.Timer{Fire: c.broadcast.tick}, sweepTimer: timer.Timer{Fire: c.broadcast.sweepStore}}
}

// BroadcastMax returns the size in bytes of the largest message that fits in one datagram of the configured size. A
// larger message is cut into frames.
func (c *Core) BroadcastMax() int {
	return c.cfg.DatagramSize - wire.BoxOverhead - wire.CastOverhead
}

// Broadcast sends data to every member. Without a link, a copy is kept until there is one or it expires; otherwise data
// is not retained. If Broadcast returns a *TooLargeError or ErrQueueFull, nothing was sent.
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
	c.broadcast.Seen.First(now, &id, nil)
	if len(c.links) == 0 {
		c.broadcast.Held.Add(now, id, data)
		c.broadcast.sweepLater(now)
	} else if err := c.broadcast.send(now, id, data); err != nil {
		return err
	}
	c.stats.BroadcastsSent++
	if len(data) > legacyMessage && c.members.CountLegacy() > 0 {
		c.report.LegacyLimit(now, len(data), legacyMessage)
	}
	return nil
}

func (ds *dissemination) send(now time.Time, id wire.MessageID, data []byte) error {
	c := ds.core
	if len(data) > c.BroadcastMax() {
		return ds.broadcastLarge(now, id, data)
	}
	ds.Own(now, &id)
	ds.flood(now, id, 0, data, nil)
	return nil
}

// slowShare is the share of the fastest link's rate below which a link causes no backpressure on messages of this node.
const slowShare = 1. / 32

// congested reports whether a message of this node is refused now because the links that would carry it whole are full.
// A silent peer, which may be dead, causes no backpressure, and neither does one that is far slower than others.
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
		silent := !p.legacy && !p.holdsUp(now)
		if silent || pace.Rate() < slowShare*fastest {
			continue
		}
		eager := ds.Eager(&p.neighbor)
		if large {
			eager = ds.SendsLarge(&p.neighbor)
		}
		a.Link(eager, full)
	}
	return a.Refused()
}

// backlog returns the bytes of small messages queued for the neighbor with the largest backlog.
func (ds *dissemination) backlog(now time.Time) (most int) {
	for _, p := range ds.core.links {
		if p.holdsUp(now) {
			most = max(most, p.packets.Backlog())
		}
	}
	return most
}

// handleBroadcast delivers the first copy of a message and passes it on. The first copy took the fastest path.
// Duplicates are counted (PROTOCOL.md D1).
func (ds *dissemination) handleBroadcast(now time.Time, p *peer, m *wire.Message) {
	c := ds.core
	if p.sessions.Zone != c.cfg.Zone {
		c.stats.BroadcastsCrossZone++
	}
	if !ds.Seen.First(now, &m.ID, &p.neighbor.Source) {
		c.stats.BroadcastsDuplicate++
		p.packets.Spare(m.ID)
		if ds.watched {
			c.events.Add(event.Event{Kind: event.Duplicate, From: p.id, ID: m.ID, Size: len(m.Data)})
		}
		ds.Duplicate(now, &p.neighbor, &m.ID, m.Delay)
		ds.schedule()
		return
	}
	c.stats.BroadcastsDelivered++
	if a := ds.store.Get(m.ID); a != nil {
		a.Delivered = true
	}
	ds.flood(now, m.ID, ds.First(now, &p.neighbor, &m.ID, m.Delay), m.Data, p)
	c.events.Add(event.Event{Kind: event.Message, Data: bytes.Clone(m.Data), From: p.id, ID: m.ID, Size: len(m.Data)})
}

// flood sends a message along the links that dissemination chooses, but never along the one that it arrived on.
func (ds *dissemination) flood(now time.Time, id wire.MessageID, delay wire.Delay, data []byte, from *peer) {
	c := ds.core
	c.transport.plain = wire.AppendCast(c.transport.plain[:0], id, delay, data)
	m := c.transport.newSmall(now, c.transport.plain)
	ds.Kept(now, &id, m.ref)
	ds.sweepLater(now)
	ds.schedule()
	spread, pieces := ds.Spread(&id), ds.SpreadLarge(from == nil)
	var large *assembly.Assembly
	for _, p := range c.links {
		switch {
		case p == from:
		case p.legacy:
			c.transport.sendLegacy(now, p, id, data)
		case len(m.plain) > p.packets.Room():
			large = ds.cutFor(now, p, large, id, data, pieces.FullLarge(&p.neighbor))
			p.packets.Widen(now)
			c.transport.pump(now, p)
		case spread.Full(now, &p.neighbor, p.queueState()):
			c.stats.BroadcastsForwarded++
			c.transport.sendSmall(now, p, m)
		}
	}
}

// releaseHeld sends the messages that waited for the first link.
func (ds *dissemination) releaseHeld(now time.Time) {
	c := ds.core
	for _, h := range ds.Held.Take(now) {
		if ds.send(now, h.ID, h.Data) != nil {
			c.drop(stats.DropStoreFull)
		}
	}
}

// What the core does for dissemination (internal/broadcast): it hands messages of neighbors to it, and it encodes,
// queues and sends what dissemination decides to send.

// disseminate acts on the outcomes of one input to c.broadcast.
func (ds *dissemination) disseminate(now time.Time, out []broadcast.Outcome) {
	ds.outcomes.Work(out, func(o *broadcast.Outcome) { ds.actOnBroadcast(now, o) })
	ds.schedule()
}

// schedule sets the timer that calls tick to the time that dissemination wants.
func (ds *dissemination) schedule() {
	if at := ds.Next(); !at.IsZero() {
		ds.core.timers.Advance(&ds.timer, at)
	}
}

// tick handles the timeouts of dissemination that are due.
func (ds *dissemination) tick(now time.Time) {
	ds.disseminate(now, ds.Tick(ds.outcomes, now))
}

func (ds *dissemination) actOnBroadcast(now time.Time, o *broadcast.Outcome) {
	c := ds.core
	p := c.peers[o.To.ID]
	if p == nil {
		return
	}
	b := c.transport.plain[:0]
	switch o.Kind {
	case broadcast.SendPrune:
		b = wire.AppendPrune(b, c.newID(), &o.Steer)
	case broadcast.SendGraft:
		b = wire.AppendGraft(b, c.newID(), &o.Steer)
	case broadcast.SendStop:
		b = wire.AppendStop(b, c.newID(), o.Message)
	case broadcast.SendRequest:
		b = wire.AppendWant(b, c.newID(), o.Want)
	case broadcast.SendDigest:
		b = wire.AppendHave(b, c.newID(), o.Have.Bytes())
	case broadcast.ServeRequest:
		ds.serve(now, p, o)
		return
	}
	c.transport.plain = b
	c.transport.sendPlain(now, p, b)
}

// digestsFor returns the announcements for the next heartbeat to p: the messages that passed since the last one.
// Announcements that do not fit in the heartbeat are sent separately.
func (ds *dissemination) digestsFor(now time.Time, p *peer) *digest.List {
	p.neighbor.Missed = p.packets.Missed()
	out, with := ds.Heartbeat(ds.outcomes, now, &p.neighbor)
	ds.disseminate(now, out)
	return with
}

// broadcastLinkUp begins to exchange broadcasts with p, and announces recent messages to it. A node that joins receives
// the application state before it has links, and would miss messages sent in between.
func (ds *dissemination) broadcastLinkUp(now time.Time, p *peer) {
	c := ds.core
	if !p.legacy {
		ds.LinkUp(&p.neighbor, p.id, p.packets.RoundTrip())
	}
	if len(c.links) == 1 {
		ds.releaseHeld(now)
	}
	ds.carry(now, p)
	if !p.legacy {
		ds.disseminate(now, ds.Welcome(ds.outcomes, now, &p.neighbor))
	}
}

// broadcastLinkDown ends the exchange of broadcasts with p. Messages queued for p alone are sent to other neighbors.
func (ds *dissemination) broadcastLinkDown(now time.Time, p *peer) {
	ds.LinkDown(now, &p.neighbor)
	ds.schedule()
	p.deaf = p.swim.Silent(now)
	ds.redirect(now, p)
}

// handlePrune handles the origins for which p asks to become lazy. Large messages of these origins whose transfer has
// begun continue, because p may receive them from no other node.
func (ds *dissemination) handlePrune(now time.Time, p *peer, data []byte) {
	ds.HandlePrune(&p.neighbor, data)
	ds.endTransfers(p, func(t *packets.Transfer) bool {
		return t.Begun() || ds.SendsLarge(&p.neighbor)
	})
}

// handleStop stops sending p a large message.
func (ds *dissemination) handleStop(p *peer, data []byte) {
	if stop, ok := ds.HandleStop(&p.neighbor, data); ok {
		ds.endTransfers(p, func(t *packets.Transfer) bool { return t.Message().ID != stop })
	}
}

// endTransfers ends the transfers of broadcasts to p that may stop. Messages that p requested continue, and so do
// messages of this node that few links carry. A message whose transfer has not begun is announced to p instead.
func (ds *dissemination) endTransfers(p *peer, goesOn func(*packets.Transfer) bool) {
	p.packets.EndTransfers(func(t *packets.Transfer) bool {
		a := t.Message()
		rare := a.Ours && a.Pending < broadcast.OwnLinks
		needed := a.Direct || t.Asked() || rare
		if needed || t.Whole() || goesOn(t) {
			return false
		}
		if !t.Begun() {
			ds.Tell(largeOf(a), &p.neighbor)
		}
		return true
	})
}

// handleHave handles announcements.
func (ds *dissemination) handleHave(now time.Time, p *peer, data []byte) {
	ds.HandleAnnouncements(now, &p.neighbor, data)
	ds.schedule()
}

// handleWant sends p what it requests, as far as it is stored here, and the rest as it arrives.
func (ds *dissemination) handleWant(now time.Time, p *peer, data []byte) {
	c := ds.core
	ds.disseminate(now, ds.HandleRequests(ds.outcomes, &p.neighbor, data))
	c.transport.pump(now, p)
}

func (ds *dissemination) serve(now time.Time, p *peer, o *broadcast.Outcome) {
	c := ds.core
	a := ds.store.Get(o.Message)
	switch {
	case a == nil:
		ds.serveSmall(now, p, &o.Message)
		return
	case !a.PassedOn:
		c.drop(stats.DropForgotten)
		return
	case o.From >= a.Total:
		c.drop(stats.DropUnexpected)
		return
	}
	t := p.packets.Transfer(a)
	if t == nil {
		t = p.packets.Begin(now, a, 0)
		t.Has(0, a.Total)
	}
	if t.Ranges() > assembly.RangesMax {
		c.drop(stats.DropOversize)
		return
	}
	p.packets.Prefer(t)
	t.Lacks(o.From, min(o.Until, a.Total))
}

// serveSmall sends p a small message that p requested.
func (ds *dissemination) serveSmall(now time.Time, p *peer, id *wire.MessageID) {
	c := ds.core
	m, ok := ds.Place(id)
	plain := c.transport.arena.Get(m)
	if !ok || plain == nil || packets.IDOf(plain) != *id {
		c.drop(stats.DropForgotten)
		return
	}
	switch p.packets.SendUrgent(now, m) {
	case packets.Opened:
		c.transport.list(p)
	case packets.Unfit:
		c.transport.recut(now, p, plain)
	}
}

// largeOf returns the dissemination state of a large message, or nil for a direct message.
func largeOf(a *assembly.Assembly) *broadcast.Large {
	l, _ := a.Spread.(*broadcast.Large)
	return l
}

// crowded reports whether messages that neighbors may still request take half of the store.
func (ds *dissemination) crowded(now time.Time) bool {

	return ds.store.Crowded(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeWanted returns the bytes of large messages that neighbors may still request, or less than half of the store.
func (ds *dissemination) largeWanted(now time.Time) int {

	return ds.store.Wanted(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeExpected reports whether a neighbor that may still request the message causes backpressure. A silent peer does
// not.
func (ds *dissemination) largeExpected(now time.Time, a *assembly.Assembly) bool {
	c := ds.core
	for n := range largeOf(a).Awaiting {
		if p := c.peers[n.ID]; p != nil && !p.swim.Silent(now) {
			return true
		}
	}
	return false
}

// broadcastLarge cuts a message of this node into frames for all links (PROTOCOL.md D3).
func (ds *dissemination) broadcastLarge(now time.Time, id wire.MessageID, data []byte) error {
	c := ds.core
	a := ds.addLarge(now, id, data)
	if a == nil {
		return ErrQueueFull
	}
	a.Ours = true
	ds.sweepLater(now)
	ds.Own(now, &id)
	ds.passOn(now, a, data)
	ds.schedule()
	for _, p := range c.links {
		if !p.legacy {
			c.transport.pump(now, p)
		}
	}
	return nil
}

// passOnFrom is how many bytes of a message must have arrived before it is passed on. A first frame that no other frame
// follows therefore costs only the neighbors of its origin, and does not use up what they may begin elsewhere.
const passOnFrom = 16 << 10

// passOn queues a large message for each eager link that is not full, and announces it to all. It is kept for peers that have
// not shown that they have it. Legacy nodes get it in one packet once it is complete, if it fits (PROTOCOL.md F2).
func (ds *dissemination) passOn(now time.Time, a *assembly.Assembly, whole []byte) {
	c := ds.core
	a.PassedOn = true
	spread := ds.SpreadLarge(a.Ours)
	for _, p := range c.links {
		switch {
		case p.legacy && whole != nil:
			c.transport.sendLegacy(now, p, a.ID, whole)
		case p.legacy, p.packets.Transfer(a) != nil:
		case !p.packets.Full(true) && spread.FullLarge(&p.neighbor):
			c.stats.BroadcastsForwarded++
			p.packets.Begin(now, a, 0)
		}
		if !p.legacy {
			ds.Tell(largeOf(a), &p.neighbor)
		}
	}
}

// handleFrame stores a frame of a large message and passes it on as it arrives. The sender has that frame and is not
// sent it.
func (ds *dissemination) handleFrame(now time.Time, p *peer, ch *packets.Channel, m *wire.Message) {
	c := ds.core
	c.transport.reportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: only its packet number matters
		return
	case m.Total > MessageMax || len(m.Data) == 0 || uint64(m.Offset)+uint64(len(m.Data)) > uint64(m.Total):
		c.drop(stats.DropOversize)
		return
	}
	a := ds.store.Get(m.ID)
	switch {
	case a != nil && a.Total != m.Total:
		c.drop(stats.DropUnexpected)
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
		c.drop(stats.DropStoreFull)
		return
	case !fresh:
		c.stats.FramesDuplicate++
		ds.duplicatePiece(now, p, m.ID, largeOf(a))
		return
	}
	largeOf(a).NewPiece(now)
	c.stats.FramesReceived++
	ds.complete(now, p, a)
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

// cutFor queues a message that arrived in one datagram as frames for a link with a smaller datagram size. It only
// announces the message if it need not go in full, or if the link is full.
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
		c.drop(stats.DropStoreFull)
	case p.packets.Transfer(a) != nil:
	case full && !p.packets.Full(true):
		c.stats.BroadcastsForwarded++
		p.packets.Begin(now, a, 0)
	}
	if a != nil {
		ds.Tell(largeOf(a), &p.neighbor)
		a.PassedOn = true
		ds.sweepLater(now)
	}
	return a
}

// addLarge keeps a whole message that is sent in frames. It returns nil if there is no room.
func (ds *dissemination) addLarge(now time.Time, id wire.MessageID, data []byte) *assembly.Assembly {

	a := ds.store.Add(now, id, data, false)
	if a != nil {
		ds.track(a)
	}
	return a
}

// track registers a large message with dissemination, unless it is a direct message.
func (ds *dissemination) track(a *assembly.Assembly) *assembly.Assembly {

	if !a.Direct {
		a.Spread = ds.Begin(a.ID, a.Total, &a.Have)
	}
	return a
}

// beginReceiving makes room for a message of p. It returns nil if p has begun too many.
func (ds *dissemination) beginReceiving(now time.Time, p *peer, id wire.MessageID, total uint32, direct bool) *assembly.Assembly {
	c := ds.core
	evicted, ok := p.receiving.Admit(now, total)
	if !ok || !ds.store.Room() {
		c.drop(stats.DropStoreFull)
		return nil
	}
	for _, old := range evicted {
		ds.store.Remove(old)
		c.drop(stats.DropIncomplete)
	}
	ds.sweepLater(now)
	a := ds.track(ds.store.Begin(now, id, total, direct))
	p.receiving = append(p.receiving, a)
	return a
}

// complete delivers a complete message, whose last piece came from p, to the application once.
func (ds *dissemination) complete(now time.Time, p *peer, a *assembly.Assembly) {
	c := ds.core
	if !a.Complete() || a.Delivered {
		return
	}
	a.Delivered = true
	c.stats.BroadcastsDelivered++
	ds.Complete(now, largeOf(a))
	ds.schedule()
	data := a.Copy()
	for _, o := range c.links {
		if o.legacy {
			c.transport.sendLegacy(now, o, a.ID, data)
		}
	}
	c.events.Add(event.Event{Kind: event.Message, Data: data, From: p.id, ID: a.ID, Size: len(data)})
}

// sweepLater schedules the sweep that removes large messages.
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
		c.drop(stats.DropIncomplete)
	}
	if more := ds.Sweep(now); more || ds.store.Len() > 0 {
		ds.sweepLater(now)
	}
}

// carry queues the large messages in progress at this node on the new link to p. A peer that was silent also gets the
// messages still kept for repair. If p was a member already when a message arrived, p may have lost the links that
// announced the message, so the message is announced to p.
func (ds *dissemination) carry(now time.Time, p *peer) {
	c := ds.core
	if p.legacy {
		return
	}
	m := c.members.Get(p.id)
	for a := range ds.store.All {
		switch {
		case !a.PassedOn || p.packets.Transfer(a) != nil:
		case !a.Complete() || a.Pending > 0 || p.deaf:
			p.packets.Begin(now, a, 0)
		case m != nil && m.Since.Before(a.Began):
			ds.Tell(largeOf(a), &p.neighbor)
		}
	}
	p.deaf = false
	c.transport.pump(now, p)
}

// redirect sends the messages that were queued for an ended link along another link, unless some node has them already:
// a message that few links carry would be lost otherwise.
func (ds *dissemination) redirect(now time.Time, p *peer) {
	c := ds.core
	for _, t := range p.packets.Transfers() {
		a := t.Message()
		if a.Direct || !a.Complete() {
			continue
		}
		if t.Whole() || largeOf(a).Owned() {
			continue
		}
		var to *peer
		for _, o := range c.links {
			shorter := to == nil || len(o.packets.Transfers()) < len(to.packets.Transfers())
			if !o.legacy && shorter && o.packets.Transfer(a) == nil {
				to = o
			}
		}
		if to != nil {
			to.packets.Begin(now, a, 0)
			c.transport.pump(now, to)
		}
	}
}

// has records that p has a piece of a message that is passed on.
func (ds *dissemination) has(now time.Time, p *peer, a *assembly.Assembly, from, to uint32) {
	largeOf(a).Shown(&p.neighbor)
	t := p.packets.Transfer(a)
	if t == nil && !a.PassedOn && ds.SendsLarge(&p.neighbor) {
		t = p.packets.Begin(now, a, 0)
	}
	if t != nil {
		t.Has(from, to)
	}
}
