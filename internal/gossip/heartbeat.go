package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// heartbeat tells p that this node lives. Each component appends its part to the heartbeat of a Go node: antientropy the
// root of the member table, swim a Ping if it is this link's turn, the peer's delivery report if one is useful.
func (c *Core) heartbeat(now time.Time, p *peer) {
	if p.beat = c.nextBeat(now); p.legacy {
		p.beat = now.Add(c.jittered(legacy.Interval))
	}
	b := wire.AppendRequest(c.plain[:0], c.newID(), wire.KindHeartbeat)
	if !p.legacy {
		b = wire.AppendSyncRoot(b, c.newID(), c.rootFor(now, p))
		b = c.appendTurn(b, now, p)
		if ch := p.packets.Channel(now); ch != nil {
			b = ch.AppendChatter(b)
		}
	}
	c.plain = b
	c.sendPlain(now, p, c.plain)
}

// heartbeatLinkUp sends the first heartbeat of a link at once, with the timer of p.
func (c *Core) heartbeatLinkUp(now time.Time, p *peer) {
	p.beat = now
	c.timers.Set(&p.timer, now)
}

// nextBeat is when the next heartbeats of this node are due. The heartbeats of all its links go out together, so that
// the loop wakes once for all of them.
func (c *Core) nextBeat(now time.Time) time.Time {
	if !c.beat.After(now) {
		c.beat = now.Add(c.jittered(c.cfg.Heartbeat))
		c.rest(now)
	}
	return c.beat
}

// rest gives memory back that a burst took. It is called once per heartbeat interval.
func (c *Core) rest(now time.Time) {
	if c.arena.Rest(now) {
		c.smallMsg, c.broadcast.announcement = smallMessage{}, smallMessage{} // which lie in what was given back
	}
	c.out.Rest()
	c.restEvents()
}

// jittered is d, a tenth more or less.
func (c *Core) jittered(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(c.rng.Int64N(int64(d/5)))
}
