package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Small messages flood along all links while a node is at ease. On a link that carries many they go the way
// of large ones (docs/PROTOCOL.md, "Announcements"): in full to a peer that wants them, else announced, many
// at once. What comes back to ease floods again: each link counts for itself.
const (
	busySpan   = 20 * time.Millisecond  // in which
	busyCount  = 32                     // so many messages make a link busy, until a span with fewer
	corkFor    = 250 * time.Microsecond // a datagram on a busy link waits for company so long after the last one
	tellFor    = 5 * time.Millisecond   // an announcement on a busy link waits for others so long
	tellMost   = 48                     // and no longer than for so many
	recentMax  = 1 << 16                // announced messages of which it is known where they lie in the arena
	rankEvery  = 32                     // first copies of small messages that count as one large message
	rankStrays = 512                    // or further copies
	strayCount = 16                     // copies within that from a peer that was pruned: it has not heard it
	quietMost  = 40 * time.Millisecond  // longest time beyond a round trip that announced messages have to come by themselves
	quietCalm  = 4                      // of that time, without one asked for too early, before it is halved
	strayPause = time.Second            // before a peer is told again that it was pruned
)

// load is how much goes along a link, and what waits for company on it.
type load struct {
	began   time.Time // of the span
	count   int       // messages in it
	busy    bool
	listed  bool      // it is in Core.unsealed
	tell    wire.Have // announcements that wait
	telling time.Time // since when
	firsts  int       // first copies from the peer since the last rank
	strays  int       // and others
}

// note counts a message for the link and reports whether it is busy.
func (l *load) note(now time.Time) bool {
	if now.Sub(l.began) > busySpan {
		l.busy = l.count >= busyCount && now.Sub(l.began) < 2*busySpan
		l.began, l.count = now, 0
	}
	l.count++
	l.busy = l.busy || l.count >= busyCount
	return l.busy
}

// tellLater announces a small message, together with others.
func (c *Core) tellLater(now time.Time, p *peer, m *smallMessage, id *wire.MessageID) {
	if !m.told {
		m.told = true
		c.recent.put(now, id, m.stored())
		c.sweepLater(now)
	}
	if p.tell.Len() == 0 {
		p.telling = now
		c.list(p)
	}
	p.tell.Add(id, uint32(len(m.plain)))
	c.stats.Announced++
	p.credit = min(p.credit+askTries, offersMax)
	if p.tell.Len() >= tellMost {
		c.tellNow(now, p)
	}
}

// tellQueued announces the broadcasts that wait for p, which does not want them in full any more.
func (c *Core) tellQueued(now time.Time, p *peer) {
	var kept []queued
	var parsed wire.Message
	for _, q := range p.packets.TakeQueue(tellMost) {
		m := smallMessage{plain: c.arena.get(q.off, int(q.size)), off: q.off}
		if m.plain != nil {
			if _, err := wire.ParseMessage(&parsed, m.plain); err == nil && parsed.Kind == wire.KindBroadcast {
				c.tellLater(now, p, &m, &parsed.ID)
				continue
			}
		}
		kept = append(kept, q)
	}
	p.packets.PutBack(kept)
}

// tellNow sends the announcements that wait for p.
func (c *Core) tellNow(now time.Time, p *peer) {
	if p.tell.Len() == 0 {
		return
	}
	c.plain = wire.AppendHave(c.plain[:0], c.newID(), &p.tell)
	p.tell.Reset()
	c.sendSmall(now, p, c.tellMsg.set(now, &c.arena, c.plain)) // a message may be on its way along the links
}

// list sees to it that what is open for p is sealed.
func (c *Core) list(p *peer) {
	if !p.listed {
		p.listed = true
		c.unsealed = append(c.unsealed, p)
	}
}

// sealDue seals, at the end of a turn, what may not wait, or all of it: on a busy link a datagram may wait for
// company.
func (c *Core) sealDue(now time.Time, all bool) {
	var next time.Time
	c.unsealed = slices.DeleteFunc(c.unsealed, func(p *peer) bool {
		if p.tell.Len() > 0 && (all || !p.telling.Add(tellFor).After(now)) {
			c.tellNow(now, p)
		}
		if p.busy && !all && p.packets.HasOpen() && p.packets.SealedAt().Add(corkFor).After(now) {
			next = timer.Soonest(next, p.packets.SealedAt().Add(corkFor))
		} else {
			p.packets.Seal(now)
		}
		if p.tell.Len() > 0 {
			next = timer.Soonest(next, p.telling.Add(tellFor))
		}
		p.listed = p.packets.HasOpen() || p.tell.Len() > 0
		return !p.listed
	})
	if next.IsZero() {
		c.timers.Stop(&c.corkTimer)
	} else if !c.corkTimer.Pending() || !c.corkTimer.At().Equal(next) {
		c.timers.Set(&c.corkTimer, next)
	}
}

// Flush lets nothing wait for company any more.
func (c *Core) Flush(now time.Time) {
	c.sealDue(now, true)
}

// recent tells where announced messages lie in the arena: a ring, the oldest giving way.
type recent struct {
	places map[wire.MessageID]stored
	ring   []wire.MessageID
	next   int
	at     time.Time // when the last was put
}

// recentAge is how long after the last one the table of announced messages is kept.
const recentAge = 10 * time.Second

func (r *recent) put(now time.Time, id *wire.MessageID, s stored) {
	r.at = now
	if r.places == nil {
		r.places = make(map[wire.MessageID]stored)
	}
	if _, ok := r.places[*id]; ok {
		return
	}
	if len(r.ring) < recentMax {
		r.ring = append(r.ring, *id)
	} else {
		delete(r.places, r.ring[r.next])
		r.ring[r.next] = *id
		r.next = (r.next + 1) % recentMax
	}
	r.places[*id] = s
}

// serveSmall sends p a small message that it asks for.
func (c *Core) serveSmall(now time.Time, p *peer, id *wire.MessageID) {
	s, ok := c.recent.places[*id]
	plain := c.arena.get(s.off, int(s.size))
	if !ok || plain == nil || !startsWith(plain, id) {
		c.drop(DropForgotten)
		return
	}
	switch p.packets.SendUrgent(now, s) {
	case sendingOpened:
		c.list(p)
	case sendingUnfit:
		c.recut(now, p, plain)
	}
}

// first learns from the first copy of a small message: who brought it, and whether it was asked for too
// early, because the node is slow.
func (c *Core) first(now time.Time, p *peer, id *wire.MessageID) {
	p.firsts++
	if len(c.asked) > 0 {
		c.supplied(now, p, id)
		if ask, ok := c.asked[*id]; ok && ask.of != p && now.Sub(c.quieted) > c.quiet {
			c.quiet, c.quieted = min(2*c.quiet, quietMost), now
		}
		c.unask(*id)
	}
	if c.firsts++; c.firsts >= rankEvery {
		if now.Sub(c.quieted) > quietCalm*c.quiet {
			c.quiet, c.quieted = max(c.quiet/2, askQuiet), now
		}
		c.rankSmall(now)
	}
}

// again counts a further copy of a small message. Who gets nothing else, because all messages are his own, chooses
// too from whom he wants them.
func (c *Core) again(now time.Time, p *peer) {
	p.strays++
	if c.strays++; c.strays >= rankStrays {
		c.rankSmall(now)
	}
}

// rankSmall is rank for the small messages since it was last called.
func (c *Core) rankSmall(now time.Time) {
	c.firsts, c.strays = 0, 0
	order := slices.DeleteFunc(slices.Clone(c.links), func(p *peer) bool { return p.firsts == 0 || p.legacy })
	slices.SortStableFunc(order, func(p, q *peer) int { return q.firsts - p.firsts })
	c.award(order)
	for _, p := range c.links {
		if p.strays >= strayCount && !p.source && now.Sub(p.advised) > strayPause {
			c.demote(now, p, wire.MessageID{})
		}
		p.firsts, p.strays = 0, 0
	}
	c.chooseSources(now, wire.MessageID{})
}
