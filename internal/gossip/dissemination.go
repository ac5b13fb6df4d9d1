package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What the core does for dissemination (internal/broadcast): it passes messages of neighbors on to it, and encodes, queues
// and sends what it decides.

// dissemination is the component, and what the core needs beside it.
type dissemination struct {
	*broadcast.Disseminator
	outcomes     outcome.Buffer[broadcast.Outcome]
	announcement smallMessage // the one being sent, beside the message that may be on its way along the links
}

// disseminate acts on the outcomes of one input to c.broadcast.
func (c *Core) disseminate(now time.Time, out []broadcast.Outcome) {
	c.broadcast.outcomes.Work(out, func(o *broadcast.Outcome) { c.actOnBroadcast(now, o) })
}

func (c *Core) actOnBroadcast(now time.Time, o *broadcast.Outcome) {
	p := c.peers[o.To.ID]
	if p == nil {
		return
	}
	switch o.Kind {
	case broadcast.SendPrune:
		c.plain = wire.AppendPrune(c.plain[:0], c.newID(), o.Message)
		c.sendPlain(now, p, c.plain)
	case broadcast.SendGraft:
		c.plain = wire.AppendGraft(c.plain[:0], c.newID())
		c.sendPlain(now, p, c.plain)
	case broadcast.SendStop:
		c.plain = wire.AppendPrune(c.plain[:0], c.newID(), o.Message)
		c.plain = wire.AppendGraft(c.plain, c.newID())
		c.sendPlain(now, p, c.plain)
	case broadcast.SendRequest:
		c.plain = wire.AppendWant(c.plain[:0], c.newID(), o.Want)
		c.sendPlain(now, p, c.plain)
	case broadcast.SendAnnouncement:
		c.plain = wire.AppendHave(c.plain[:0], c.newID(), &o.Have)
		c.sendSmall(now, p, c.broadcast.announcement.set(now, &c.arena, c.plain))
	case broadcast.ServeRequest:
		c.serve(now, p, o)
	case broadcast.WakeAt:
		c.timers.Advance(&p.timer, o.At)
	}
}

// broadcastLinkUp begins to exchange broadcasts with p.
func (c *Core) broadcastLinkUp(now time.Time, p *peer) {
	if !p.legacy {
		c.broadcast.LinkUp(&p.neighbor, p.id, p.packets.RoundTrip())
	}
	if len(c.links) == 1 {
		c.releaseHeld(now)
	}
	c.carry(now, p)
	c.welcome(now, p)
}

// broadcastLinkDown ends the exchange of broadcasts with p. Others are sent what only p was about to be sent.
func (c *Core) broadcastLinkDown(now time.Time, p *peer) {
	c.broadcast.LinkDown(&p.neighbor)
	p.deaf = p.swim.Silent(now)
	c.redirect(now, p)
}

// tickBroadcast requests what p has announced and nobody sent. It returns when it is next needed.
func (c *Core) tickBroadcast(now time.Time, p *peer) time.Time {
	out, next := c.broadcast.Tick(c.broadcast.outcomes, now, &p.neighbor, p.packets.Room())
	c.disseminate(now, out)
	return next
}

// handlePrune stops sending p the message that it names. Other messages that were begun go on, because p may have
// them from no other node. Those that were not begun are announced to p, except messages of this node that go along few links.
func (c *Core) handlePrune(now time.Time, p *peer, data []byte) {
	stop, ok := c.broadcast.HandlePrune(&p.neighbor, data)
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
		c.announce(now, a, p)
	}
	c.announceQueued(now, p)
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
func (c *Core) announce(now time.Time, a *assembly.Assembly, to ...*peer) {
	for _, p := range to {
		largeOf(a).Tell(&p.neighbor)
	}
	c.mention(now, a, to...)
}

// mention announces a large message to peers that may have it already, and would not say so.
func (c *Core) mention(now time.Time, a *assembly.Assembly, to ...*peer) {
	if len(to) == 0 {
		return
	}
	var have wire.Have
	have.Add(&a.ID, a.Total)
	c.plain = wire.AppendHave(c.plain[:0], c.newID(), &have)
	m := c.newSmall(now, c.plain)
	for _, p := range to {
		c.broadcast.AnnouncedLarge(&p.neighbor)
		c.sendSmall(now, p, m)
	}
}

// handleHave takes in announcements.
func (c *Core) handleHave(now time.Time, p *peer, data []byte) {
	c.disseminate(now, c.broadcast.HandleAnnouncements(c.broadcast.outcomes, now, &p.neighbor, data))
}

// handleWant sends p what it requests, as far as it is here and as it comes.
func (c *Core) handleWant(now time.Time, p *peer, data []byte) {
	c.disseminate(now, c.broadcast.HandleRequests(c.broadcast.outcomes, &p.neighbor, data))
	c.pump(now, p)
}

func (c *Core) serve(now time.Time, p *peer, o *broadcast.Outcome) {
	a := c.store.Get(o.Message)
	switch {
	case a == nil:
		c.serveSmall(now, p, &o.Message)
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
func (c *Core) serveSmall(now time.Time, p *peer, id *wire.MessageID) {
	m, ok := c.broadcast.Recent.Get(id)
	plain := c.arena.Get(m)
	if !ok || plain == nil || packets.IDOf(plain) != *id {
		c.drop(DropForgotten)
		return
	}
	switch p.packets.SendUrgent(now, m) {
	case packets.Opened:
		c.list(p)
	case packets.Unfit:
		c.recut(now, p, plain)
	}
}

// announceSmall announces a small message to p, together with others.
func (c *Core) announceSmall(now time.Time, p *peer, m *smallMessage, id *wire.MessageID) {
	if !m.told {
		m.told = true
		c.broadcast.Recent.Put(now, id, m.ref)
		c.sweepLater(now)
	}
	c.list(p)
	c.disseminate(now, c.broadcast.Announce(c.broadcast.outcomes, now, &p.neighbor, id, len(m.plain)))
}

// announceQueued announces the broadcasts that wait for p, which is lazy now.
func (c *Core) announceQueued(now time.Time, p *peer) {
	var kept []packets.Queued
	var parsed wire.Message
	for _, q := range p.packets.TakeQueue(broadcast.BatchWorth) {
		m := smallMessage{plain: c.arena.Get(q.Ref), ref: q.Ref}
		if m.plain != nil {
			if _, err := wire.ParseMessage(&parsed, m.plain); err == nil && parsed.Kind == wire.KindBroadcast {
				c.announceSmall(now, p, &m, &parsed.ID)
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
func (c *Core) welcome(now time.Time, p *peer) {
	m := c.members.Get(p.id)
	if m == nil || p.legacy || now.Sub(m.Since) > newcomerFor {
		return
	}
	for id, ref := range c.broadcast.Lately.All(now) {
		if plain := c.arena.Get(ref); plain != nil {
			c.announceSmall(now, p, &smallMessage{plain: plain, ref: ref}, id)
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
