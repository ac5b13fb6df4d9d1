package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What the core does for dissemination (internal/broadcast): it passes messages of neighbors on to it, and encodes, queues
// and sends what it decides.

// dissemination is the component, and what the core needs beside it.
type dissemination struct {
	*broadcast.Disseminator
	core         *Core
	store        assembly.Store // large messages
	sweepTimer   timer.Timer
	arrived      []*assembly.Assembly // scratch: large messages that a report confirms
	outcomes     outcome.Buffer[broadcast.Outcome]
	announcement smallMessage // the one being sent, beside the message that may be on its way along the links
}

// disseminate acts on the outcomes of one input to c.broadcast.
func (ds *dissemination) disseminate(now time.Time, out []broadcast.Outcome) {

	ds.outcomes.Work(out, func(o *broadcast.Outcome) { ds.actOnBroadcast(now, o) })
}

func (ds *dissemination) actOnBroadcast(now time.Time, o *broadcast.Outcome) {
	c := ds.core
	p := c.peers[o.To.ID]
	if p == nil {
		return
	}
	switch o.Kind {
	case broadcast.SendPrune:
		c.transport.plain = wire.AppendPrune(c.transport.plain[:0], c.newID(), o.Message)
		c.transport.sendPlain(now, p, c.transport.plain)
	case broadcast.SendGraft:
		c.transport.plain = wire.AppendGraft(c.transport.plain[:0], c.newID())
		c.transport.sendPlain(now, p, c.transport.plain)
	case broadcast.SendStop:
		c.transport.plain = wire.AppendPrune(c.transport.plain[:0], c.newID(), o.Message)
		c.transport.plain = wire.AppendGraft(c.transport.plain, c.newID())
		c.transport.sendPlain(now, p, c.transport.plain)
	case broadcast.SendRequest:
		c.transport.plain = wire.AppendWant(c.transport.plain[:0], c.newID(), o.Want)
		c.transport.sendPlain(now, p, c.transport.plain)
	case broadcast.SendAnnouncement:
		c.transport.plain = wire.AppendHave(c.transport.plain[:0], c.newID(), &o.Have)
		c.transport.sendSmall(now, p, ds.announcement.set(now, &c.transport.arena, c.transport.plain))
	case broadcast.ServeRequest:
		ds.serve(now, p, o)
	case broadcast.WakeAt:
		c.timers.Advance(&p.timer, o.At)
	}
}

// broadcastLinkUp begins to exchange broadcasts with p.
func (ds *dissemination) broadcastLinkUp(now time.Time, p *peer) {
	c := ds.core
	if !p.legacy {
		ds.LinkUp(&p.neighbor, p.id, p.packets.RoundTrip())
	}
	if len(c.links) == 1 {
		ds.releaseHeld(now)
	}
	ds.carry(now, p)
	ds.welcome(now, p)
}

// broadcastLinkDown ends the exchange of broadcasts with p. Others are sent what only p was about to be sent.
func (ds *dissemination) broadcastLinkDown(now time.Time, p *peer) {

	ds.LinkDown(&p.neighbor)
	p.deaf = p.swim.Silent(now)
	ds.redirect(now, p)
}

// tickBroadcast requests what p has announced and nobody sent. It returns when it is next needed.
func (ds *dissemination) tickBroadcast(now time.Time, p *peer) time.Time {

	out, next := ds.Tick(ds.outcomes, now, &p.neighbor, p.packets.Room())
	ds.disseminate(now, out)
	return next
}

// handlePrune stops sending p the message that it names. Other messages that were begun go on, because p may have
// them from no other node. Those that were not begun are announced to p, except messages of this node that go along few links.
func (ds *dissemination) handlePrune(now time.Time, p *peer, data []byte) {

	stop, ok := ds.HandlePrune(&p.neighbor, data)
	if !ok {
		return
	}
	var unsent []*assembly.Assembly
	p.packets.EndTransfers(func(t *packets.Transfer) bool {
		if goesOn(t, stop) {
			return false
		}
		if !t.Begun() {
			unsent = append(unsent, t.Message())
		}
		return true
	})
	for _, a := range unsent {
		ds.announce(now, a, p)
	}
	ds.announceQueued(now, p)
}

// goesOn reports whether a transfer goes on after a Prune that names a message.
func goesOn(t *packets.Transfer, stop wire.MessageID) bool {
	a := t.Message()
	needed := a.Direct || t.Asked() || t.Whole()
	coming := t.Begun() && a.ID != stop
	rare := a.Ours && a.Pending < broadcast.OwnLinks
	return needed || coming || rare
}

// announce announces a large message that is here, or comes. It is kept for those that it is announced to.
func (ds *dissemination) announce(now time.Time, a *assembly.Assembly, to ...*peer) {

	for _, p := range to {
		largeOf(a).Tell(&p.neighbor)
	}
	ds.mention(now, a, to...)
}

// mention announces a large message to peers that may have it already, and would not say so.
func (ds *dissemination) mention(now time.Time, a *assembly.Assembly, to ...*peer) {
	c := ds.core
	if len(to) == 0 {
		return
	}
	var have wire.Have
	have.Add(&a.ID, a.Total)
	c.transport.plain = wire.AppendHave(c.transport.plain[:0], c.newID(), &have)
	m := c.transport.newSmall(now, c.transport.plain)
	for _, p := range to {
		ds.AnnouncedLarge(&p.neighbor)
		c.transport.sendSmall(now, p, m)
	}
}

// handleHave takes in announcements.
func (ds *dissemination) handleHave(now time.Time, p *peer, data []byte) {

	ds.disseminate(now, ds.HandleAnnouncements(ds.outcomes, now, &p.neighbor, data))
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
		c.drop(DropForgotten)
		return
	case o.From >= a.Total, o.Until > a.Total+wire.BroadcastOverhead: // of a small message the whole plaintext was announced
		c.drop(DropUnexpected)
		return
	}
	t := p.packets.Transfer(a)
	if t == nil {
		t = p.packets.Begin(now, a, 0)
		t.Has(0, a.Total)
	}
	if t.Ranges() > assembly.RangesMax {
		c.drop(DropOversize)
		return
	}
	p.packets.Prefer(t)
	t.Lacks(o.From, min(o.Until, a.Total))
}

// serveSmall sends p a small message that it requests.
func (ds *dissemination) serveSmall(now time.Time, p *peer, id *wire.MessageID) {
	c := ds.core
	m, ok := ds.Recent.Get(id)
	plain := c.transport.arena.Get(m)
	if !ok || plain == nil || packets.IDOf(plain) != *id {
		c.drop(DropForgotten)
		return
	}
	switch p.packets.SendUrgent(now, m) {
	case packets.Opened:
		c.transport.list(p)
	case packets.Unfit:
		c.transport.recut(now, p, plain)
	}
}

// announceSmall announces a small message to p, together with others.
func (ds *dissemination) announceSmall(now time.Time, p *peer, m *smallMessage, id *wire.MessageID) {
	c := ds.core
	if !m.told {
		m.told = true
		ds.Recent.Put(now, id, m.ref)
		ds.sweepLater(now)
	}
	c.transport.list(p)
	ds.disseminate(now, ds.Announce(ds.outcomes, now, &p.neighbor, id, len(m.plain)))
}

// announceQueued announces the broadcasts that wait for p, which is lazy now.
func (ds *dissemination) announceQueued(now time.Time, p *peer) {
	c := ds.core
	var kept []packets.Queued
	var parsed wire.Message
	for _, q := range p.packets.TakeQueue(broadcast.BatchWorth) {
		m := smallMessage{plain: c.transport.arena.Get(q.Ref), ref: q.Ref}
		if m.plain != nil {
			if _, err := wire.ParseMessage(&parsed, m.plain); err == nil && parsed.Kind == wire.KindBroadcast {
				ds.announceSmall(now, p, &m, &parsed.ID)
				continue
			}
		}
		kept = append(kept, q)
	}
	p.packets.PutBack(kept)
}

// newcomerFor is how long a member counts as a newcomer.
const newcomerFor = 10 * time.Second

// welcome announces to a member that is new, or back, what was sent lately.
func (ds *dissemination) welcome(now time.Time, p *peer) {
	c := ds.core
	m := c.members.Get(p.id)
	if m == nil || p.legacy || now.Sub(m.Since) > newcomerFor {
		return
	}
	for id, ref := range ds.Lately.All(now) {
		if plain := c.transport.arena.Get(ref); plain != nil {
			ds.announceSmall(now, p, &smallMessage{plain: plain, ref: ref}, id)
		}
	}
}

// queueState tells dissemination of the queue of small messages.
func (p *peer) queueState() broadcast.Queue {
	return broadcast.Queue{Waits: p.packets.Waiting() > 0, Full: p.packets.Full(false), Bytes: p.packets.Backlog()}
}

// addBroadcast adds what dissemination counted.
func (s *Stats) addBroadcast(d *broadcast.Disseminator) {
	b := &d.Stats
	s.Announced, s.Wanted, s.Prunes, s.Grafts = b.Announced, b.Requested, b.Prunes, b.Grafts
	s.BroadcastsHeld = d.Held.Count
	s.Dropped[DropOutrun] = d.Seen.Outrun()
	s.Dropped[DropHeldOld] += d.Held.Dropped
	s.Dropped[DropMalformedBody] += b.Malformed
	s.Dropped[DropUnexpected] += b.Unexpected
	s.Dropped[DropOversize] += b.Oversize
	s.Dropped[DropQueueFull] += b.Overflow
	s.Dropped[DropAnnounced] += b.Abandoned
}
