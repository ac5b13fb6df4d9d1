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

// BroadcastMax is the largest message in bytes that travels in one datagram of the configured size; a
// larger one is cut.
func (c *Core) BroadcastMax() int {
	return c.cfg.DatagramSize - wire.BoxOverhead - wire.CastOverhead
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

// backlog is how many bytes of small messages wait for the neighbor that is furthest behind.
func (ds *dissemination) backlog(now time.Time) (most int) {
	for _, p := range ds.core.links {
		if p.holdsUp(now) {
			most = max(most, p.packets.Backlog())
		}
	}
	return most
}

// handleBroadcast delivers the first copy of a message and passes it on; the first copy took the
// quickest path. Others are counted.
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

// flood sends a message along the links that dissemination decides on, but never along the one that it came by.
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

// releaseHeld sends what waited for the first link.
func (ds *dissemination) releaseHeld(now time.Time) {
	c := ds.core
	for _, h := range ds.Held.Take(now) {
		if ds.send(now, h.ID, h.Data) != nil {
			c.drop(stats.DropStoreFull)
		}
	}
}

// What the core does for dissemination (internal/broadcast): it passes messages of neighbors on to it, and encodes, queues
// and sends what it decides.

// disseminate acts on the outcomes of one input to c.broadcast.
func (ds *dissemination) disseminate(now time.Time, out []broadcast.Outcome) {
	ds.outcomes.Work(out, func(o *broadcast.Outcome) { ds.actOnBroadcast(now, o) })
	ds.schedule()
}

// schedule has tick called when dissemination wants it.
func (ds *dissemination) schedule() {
	if at := ds.Next(); !at.IsZero() {
		ds.core.timers.Advance(&ds.timer, at)
	}
}

// tick does what is due.
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

// digestsFor returns the digests of what has passed since the last heartbeat for p, for the next one. What has no room in it goes
// on its own.
func (ds *dissemination) digestsFor(now time.Time, p *peer) *digest.List {
	p.neighbor.Missed = p.packets.Missed()
	out, with := ds.Heartbeat(ds.outcomes, now, &p.neighbor)
	ds.disseminate(now, out)
	return with
}

// broadcastLinkUp begins to exchange broadcasts with p, and tells it what has passed lately: a node that joins has the state
// of the applications before it has links, and would miss what is sent in between.
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

// broadcastLinkDown ends the exchange of broadcasts with p. Others are sent what only p was about to be sent.
func (ds *dissemination) broadcastLinkDown(now time.Time, p *peer) {
	ds.LinkDown(now, &p.neighbor)
	ds.schedule()
	p.deaf = p.swim.Silent(now)
	ds.redirect(now, p)
}

// handlePrune takes in for which origins p is sent no full copies any more. Large messages of them that were begun go on,
// because p may have them from no other node.
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

// endTransfers ends the transfers of broadcasts to p that do not go on. What p has asked for goes on in any case, and messages of
// this node that go along few links. What was not begun is announced to p instead.
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

// handleHave takes in digests.
func (ds *dissemination) handleHave(now time.Time, p *peer, data []byte) {
	ds.HandleAnnouncements(now, &p.neighbor, data)
	ds.schedule()
}

// handleWant sends p what it requests, as far as it is here and as it comes.
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

// serveSmall sends p a small message that it requests.
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

// passOnFrom is how many bytes of a message are here before it is passed on: a declaration that nothing
// follows costs the neighbours of its author only, and takes nothing of what they may begin elsewhere.
const passOnFrom = 16 << 10

// passOn queues a large message for each link whose peer wants it in full, unless too much waits for it. All are told of it in
// digests, and it is kept for those that have not shown that they have it. Legacy nodes, which know no frames, get it in one packet once it is complete and if it fits.
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

// handleFrame takes in a piece of a large message and passes it on as it comes. The sender has it, and
// needs it not.
func (ds *dissemination) handleFrame(now time.Time, p *peer, ch *packets.Channel, m *wire.Message) {
	c := ds.core
	c.transport.reportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: its counter was all it had to say
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

// complete hands a message that has come whole, its last piece from p, to the application, once.
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
		c.drop(stats.DropIncomplete)
	}
	if more := ds.Sweep(now); more || ds.store.Len() > 0 {
		ds.sweepLater(now)
	}
}

// carry puts the large messages that are on their way through this node on a link that is new. A peer
// that was deaf for a while gets what is still here for repair, too. Another that was a member already when a message
// came, and may have lost the links that told it of that, is told of it.
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

// redirect sends what was to go along a link that has ended along another, unless somebody has it already: a message
// that few links carry would end with them.
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

// has notes that p has a piece of a message that is passed on.
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
