package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// heartbeat tells p that this node lives. Each component appends its part to the heartbeat of a Go node: antientropy the
// root of the member table, swim a Ping if it is this link's turn, the peer's delivery report if one is useful.
func (o *overlaying) heartbeat(now time.Time, p *peer) {
	c := o.core
	if p.beat = o.nextBeat(now); p.legacy {
		p.beat = now.Add(c.jittered(legacy.Interval))
	}
	b := wire.AppendRequest(c.transport.plain[:0], c.newID(), wire.KindHeartbeat)
	if !p.legacy {
		b = wire.AppendSyncRoot(b, c.newID(), c.sync.rootFor(now, p))
		b = c.pings.appendTurn(b, now, p)
		if ch := p.packets.Channel(now); ch != nil {
			b = ch.AppendChatter(b)
		}
	}
	c.transport.plain = b
	c.transport.sendPlain(now, p, c.transport.plain)
}

// heartbeatLinkUp sends the first heartbeat of a link at once, with the timer of p.
func (o *overlaying) heartbeatLinkUp(now time.Time, p *peer) {
	c := o.core
	p.beat = now
	c.timers.Set(&p.timer, now)
}

// nextBeat is when the next heartbeats of this node are due. The heartbeats of all its links go out together, so that
// the loop wakes once for all of them.
func (o *overlaying) nextBeat(now time.Time) time.Time {
	c := o.core
	if !o.beat.After(now) {
		o.beat = now.Add(c.jittered(c.cfg.Heartbeat))
		c.rest(now)
	}
	return o.beat
}

// rest gives memory back that a burst took. It is called once per heartbeat interval.
func (c *Core) rest(now time.Time) {
	if c.transport.arena.Rest(now) {
		c.transport.smallMsg, c.broadcast.announcement = smallMessage{}, smallMessage{} // which lie in what was given back
	}
	c.out.Rest()
	c.events.rest()
}

// jittered is d, a tenth more or less.
func (c *Core) jittered(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(c.rng.Int64N(int64(d/5)))
}
