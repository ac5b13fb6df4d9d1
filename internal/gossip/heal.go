package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A cluster that fell apart, or a node that fell out of it, finds together again without the application:
// every node speaks now and then to one that is dead to it, and to the seeds that no member lives at.
const (
	healLeast  = 30 * time.Second // between two contacts of a node with a dead one,
	healMost   = 60 * time.Second // drawn anew each time;
	healAlone  = 5 * time.Second  // of a node that has nobody but the dead: so long to three times that
	healSpare  = 8                // nodes of a cluster that contact a dead one in such a time, beyond one for each dead
	meetFor    = 10 * time.Second // after which a contact is given up
	meetsMax   = 8                // seeds contacted at once
	reachedMax = 256              // addresses remembered with who was reached there

	reunionWithin = 10 * time.Second // a dead node returned: one such is compared with in this time,
	reunionPause  = 30 * time.Second // but none so soon after the last
)

// healing is what a node does to find the lost.
type healing struct {
	timer    timer.Timer // the next contact with a dead node; not set when there is none
	reunion  timer.Timer // the next full sync with one that returned
	returned wire.NodeID
	count    int                            // that have returned since the last
	last     time.Time                      // full sync
	reached  map[netip.AddrPort]wire.NodeID // who answered at the address of a Join
}

// seekDead makes the next contact with a dead node due, if none is.
func (c *Core) seekDead(now time.Time) {
	wait := healLeast + time.Duration(c.rng.Int64N(int64(healMost-healLeast)))
	if c.members.Count() == 1 {
		wait = healAlone + time.Duration(c.rng.Int64N(int64(2*healAlone)))
	}
	c.timers.Advance(&c.heal.timer, now.Add(wait))
}

// meetDead makes contact with a node that is dead to us: it, or one that was started in its place, may be
// there again. The more of us there are for each dead one, the fewer do it.
func (c *Core) meetDead(now time.Time) {
	lost, dead := c.members.DrawReserved(now, c.rng)
	if lost == nil {
		return // until the next death
	}
	c.seekDead(now)
	if lost.Legacy() && !c.admitsLegacy() {
		return
	}
	if c.self.Live() && c.rng.IntN(c.members.Count()) < dead+healSpare && !c.inhabited(lost.Addr) {
		c.meet(now, lost.Addr)
	}
}

// meet makes contact with whoever is at an address, as a Join does that nobody waits for.
func (c *Core) meet(now time.Time, to netip.AddrPort) {
	if !slices.ContainsFunc(c.joins, func(j *join) bool { return j.to == to }) {
		c.beginJoin(now, 0, to, now.Add(meetFor))
	}
}

// meetNode makes contact with one node at an address, and with no other that may be there.
func (c *Core) meetNode(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if !slices.ContainsFunc(c.joins, func(j *join) bool { return j.to == to }) {
		c.beginJoinOf(now, id, &join{to: to, until: now.Add(dialFor), wantsState: c.cfg.State})
	}
}

// Seek makes contact with those of the seeds' addresses at which there is no live member.
func (c *Core) Seek(now time.Time, seeds []netip.AddrPort) {
	if !c.self.Live() {
		return
	}
	free := slices.DeleteFunc(slices.Clone(seeds), func(a netip.AddrPort) bool { return c.inhabited(a) || c.speaks(now, a) })
	c.rng.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, to := range free[:min(len(free), meetsMax)] {
		c.meet(now, to)
	}
}

// inhabited reports whether a live member is at an address, or was reached there.
func (c *Core) inhabited(a netip.AddrPort) bool {
	if m := c.members.Get(c.heal.reached[a]); m != nil && m.Live() {
		return true
	}
	for m := range c.members.Each {
		if m.Addr == a {
			return true
		}
	}
	return false
}

// speaks reports whether there is a link with a node at an address, be it no member.
func (c *Core) speaks(now time.Time, a netip.AddrPort) bool {
	return slices.ContainsFunc(c.links, func(p *peer) bool { return p.set.Path().Remote == a && p.set.Current(now) != nil })
}

// noteReached remembers who answered at the address of a Join: it may advertise another.
func (c *Core) noteReached(to netip.AddrPort, id wire.NodeID) {
	if c.heal.reached == nil || len(c.heal.reached) >= reachedMax {
		c.heal.reached = make(map[netip.AddrPort]wire.NodeID)
	}
	c.heal.reached[to] = id
}

// noteReturn takes note that a dead node lives after all: so may others that this node could not hear, and
// one of them is compared with soon.
func (c *Core) noteReturn(now time.Time, m *members.Entry) {
	if m.Legacy() { // which has nothing to compare
		return
	}
	h := &c.heal
	if h.count++; h.count > 1 {
		if c.rng.IntN(h.count) == 0 {
			h.returned = m.ID
		}
		return
	}
	h.returned = m.ID
	at := now
	if pause := h.last.Add(reunionPause); pause.After(at) {
		at = pause
	}
	c.timers.Set(&h.reunion, at.Add(time.Duration(c.rng.Int64N(int64(reunionWithin)))))
}

// reunite begins the full sync with one that returned.
func (c *Core) reunite(now time.Time) {
	h := &c.heal
	h.count, h.last = 0, now
	m := c.members.Get(h.returned)
	if m == nil || !m.Live() || !c.self.Live() {
		return
	}
	if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
		c.pushPull(now, p, false)
	} else {
		c.dial(now, wire.Path{Remote: m.Addr}, dial{member: m.ID, full: true}, now.Add(meetFor))
	}
}

// wakeUp follows a time in which this node did not run, so long that the others took it for dead. They
// have closed its sessions, and a box of a session that is closed is never answered.
func (c *Core) wakeUp(now time.Time) {
	if !c.self.Live() || c.members.Count() < 2 {
		return
	}
	c.warn(now, "asleep", "this node did not run for a while: shaking hands anew")
	c.refute(now, 0)
	for _, p := range c.links {
		if !p.legacy && !c.dialing(p.id) {
			c.dial(now, p.set.Path(), dial{member: p.id, greets: true}, now.Add(meetFor))
		}
	}
}

// asleepFor is the lateness of a timer from which on a node counts as dead to the others.
func (c *Core) asleepFor() time.Duration {
	return silenceOf(c.cfg.Heartbeat, c.cfg.ProbeInterval, silenceLost)
}
