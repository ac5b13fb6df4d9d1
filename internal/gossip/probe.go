package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of probes (docs/PROTOCOL.md, "Failure detection").
const (
	patrolInterval = 10 * time.Second // between probes of members that need not be linked, or two heartbeats if that is longer
	helpsMax       = 256              // members that are probed for others at once
	helpAskers     = 16               // nodes that one of these is probed for
	helpRate       = 32               // requests answered per peer and second
)

// A probe finds out whether a member lives that should have been heard, or that does not hear this node, or whose
// turn it is. What answers it shows that the member heard this node, or another that asked it, since the probe began.
type probe struct {
	m       *members.Entry
	refuted uint64    // accusations that m had refuted when the probe began
	began   time.Time // when m was asked first
	seq     uint64
	patrol  bool          // it began without cause: helpers are not asked before the member was
	helpers []wire.NodeID // asked, and not heard from yet
	asked   int
	askedAt time.Time // when they were
	half    bool      // the second half of the time has begun
	timer   timer.Timer
}

func (c *Core) probeOf(id wire.NodeID) *probe {
	for _, pr := range c.swim.probes {
		if pr.m.ID == id {
			return pr
		}
	}
	return nil
}

// startProbe asks m, and others about m unless it is a patrol's.
func (c *Core) startProbe(now time.Time, m *members.Entry, patrol bool) {
	if c.probeOf(m.ID) != nil || !c.self.Live() || m.Legacy() {
		return
	}
	c.swim.probeSeq++
	pr := &probe{m: m, refuted: m.Refuted, began: now, seq: c.swim.probeSeq, patrol: patrol}
	pr.timer.Fire = func(now time.Time) { c.stepProbe(now, pr) }
	c.swim.probes = append(c.swim.probes, pr)
	if !patrol { // those without cause are too many
		c.logProbe(now, m, "probing member %s, which is silent or does not hear this node")
	}
	if patrol {
		c.reachOut(now, m.ID, m.Addr, false)
	} else {
		c.probeAll(now, pr)
	}
	c.timers.Set(&pr.timer, now.Add(c.probeTimeout(now)/2))
}

// probeTimeout is how long a probe waits for an answer. A node in ill health waits longer, to spare others a false
// accusation. One that hears nobody has nobody to spare.
func (c *Core) probeTimeout(now time.Time) time.Duration {
	if c.hearsNobody(now) {
		return c.cfg.ProbeTimeout
	}
	return c.swim.aware.stretch(c.cfg.ProbeTimeout)
}

// probeAll asks m once more, and helpers for the first time.
func (c *Core) probeAll(now time.Time, pr *probe) {
	if p := c.peers[pr.m.ID]; p != nil {
		p.set.CheckPath(now)
		c.wake(p)
	}
	c.reachOut(now, pr.m.ID, pr.m.Addr, false)
	pr.patrol, pr.half, pr.askedAt = false, false, now
	for _, p := range c.helpersFor(now, pr.m) {
		c.stats.ProbesIndirect++
		pr.helpers = append(pr.helpers, p.id)
		c.plain = wire.AppendProbeFor(c.plain[:0], c.newID(), wire.ProbeFor{Seq: pr.seq, Target: pr.m.ID, Addr: pr.m.Addr})
		c.sendPlain(now, p, c.plain)
	}
	pr.asked = len(pr.helpers)
	c.logHelpers(now, pr)
}

// reachOut asks a member for a sign of life: by a Ping, and by a handshake where there is no session or
// the Ping has no answer, for the member may have closed its side.
func (c *Core) reachOut(now time.Time, id wire.NodeID, addr netip.AddrPort, again bool) {
	p := c.peers[id]
	current := p != nil && p.set.Current(now) != nil
	if current {
		c.pingSilent(now, p)
	}
	if (!current || again) && addr.IsValid() && !c.dialing(id) {
		c.dial(now, wire.Path{Remote: addr}, dial{member: id}, now.Add(dialFor))
	}
}

// pingSilent sends a Ping that also says how long ago its receiver was heard: a node that does not hear its peers
// shall not be believed by them until its next heartbeat.
func (c *Core) pingSilent(now time.Time, p *peer) {
	if p.legacy || !p.linked {
		c.ping(now, p)
		return
	}
	c.plain = wire.AppendSyncRoot(c.appendPing(c.plain[:0], now, p, nil), c.newID(), c.rootFor(now, p))
	c.sendPlain(now, p, c.plain)
}

// helpersFor draws the linked members that are asked about m.
func (c *Core) helpersFor(now time.Time, m *members.Entry) (helpers []*peer) {
	for _, p := range c.links {
		o := c.members.Get(p.id)
		if o != nil && o != m && o.State == wire.StateAlive && !p.legacy && now.Sub(p.mutual()) < p.silence(silenceCheck) {
			helpers = append(helpers, p)
		}
	}
	c.rng.Shuffle(len(helpers), func(i, j int) { helpers[i], helpers[j] = helpers[j], helpers[i] })
	return helpers[:min(len(helpers), c.cfg.IndirectChecks)]
}

// stepProbe asks again at half time, and ends a probe that nothing answered.
func (c *Core) stepProbe(now time.Time, pr *probe) {
	m := pr.m
	switch {
	case !m.Live() || m.Refuted != pr.refuted || !c.self.Live():
		c.endProbe(pr)
	case !pr.half:
		pr.half = true
		c.reachOut(now, m.ID, m.Addr, true)
		c.timers.Set(&pr.timer, now.Add(c.probeTimeout(now)/2))
	case pr.patrol:
		c.probeAll(now, pr)
		c.timers.Set(&pr.timer, now.Add(c.probeTimeout(now)/2))
	default:
		c.endProbe(pr)
		c.probeFailed(now, pr)
	}
}

// probeFailed accuses a member that answered nobody.
func (c *Core) probeFailed(now time.Time, pr *probe) {
	c.stats.ProbesFailed++
	c.logProbe(now, pr.m, "member %s did not answer the probe")
	if c.heardNobodySince(pr.began) {
		c.doubtAlone(now, pr.m)
	} else {
		c.swim.aware.note(c.silentHelpers(pr))
		c.accuseMyself(now, pr.m)
	}
	if c.linksFail(now) {
		c.startCensus(now)
	}
}

// silentHelpers is how many helpers tell that something is wrong with this node: they live, but what was asked of
// them, or what they answered, was lost. Helpers that fell silent themselves say nothing: many nodes may die at once.
func (c *Core) silentHelpers(pr *probe) (count int) {
	if pr.asked == 0 && c.members.CountGo() > 2 && c.swim.aware.score == 0 { // no other link is heard: it may be this node's fault
		return 1
	}
	for _, id := range pr.helpers {
		if p := c.peers[id]; p != nil && p.swim.heard.After(pr.askedAt) {
			count++
		}
	}
	return count
}

func (c *Core) endProbe(pr *probe) {
	c.timers.Stop(&pr.timer)
	c.swim.probes = slices.DeleteFunc(c.swim.probes, func(o *probe) bool { return o == pr })
}

// signOfLife follows every box that opened: a node that is heard is told if it is accused, or dead to this one.
func (c *Core) signOfLife(now time.Time, p *peer) {
	if len(c.swim.suspicions) == 0 && !c.members.MayHaveTombstones() {
		return // as nearly always
	}
	if m := c.members.Get(p.id); m != nil && (m.State == wire.StateSuspect || m.State == wire.StateDead) {
		c.tell(now, p, m)
	}
}

func (c *Core) probeAnswered(now time.Time, p *peer, pr *probe) {
	c.endProbe(pr)
	if !pr.patrol {
		c.logProbe(now, pr.m, "member %s answered the probe")
	}
	c.swim.aware.note(-1)
	if pr.patrol && p.swim.pinged.IsZero() { // it was a handshake that answered
		c.ping(now, p)
	}
}

// handleProbeResult takes what a helper says.
func (c *Core) handleProbeResult(now time.Time, p *peer, data []byte) {
	r, err := wire.ParseProbeResult(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	i := slices.IndexFunc(c.swim.probes, func(pr *probe) bool { return pr.seq == r.Seq })
	if i < 0 || !slices.Contains(c.swim.probes[i].helpers, p.id) {
		return // too late, or twice
	}
	pr := c.swim.probes[i]
	pr.helpers = slices.DeleteFunc(pr.helpers, func(id wire.NodeID) bool { return id == p.id })
	if !r.Answered {
		return
	}
	if t := c.peers[pr.m.ID]; t != nil {
		t.swim.vouched = now
	}
	c.endProbe(pr)
	c.logProbe(now, pr.m, "member %s answered another node that probed it")
	c.swim.aware.note(-1)
}

// startPatrol probes a member drawn from all that are not linked: nobody else may watch it.
func (c *Core) startPatrol(now time.Time) {
	i := max(patrolInterval, 2*c.cfg.Heartbeat)
	c.timers.Set(&c.swim.patrol, now.Add(i-i/10+time.Duration(c.rng.Int64N(int64(i/5)))))
	if !c.self.Live() {
		return
	}
	for range 8 {
		m := c.members.Draw(c.rng)
		if p := c.peers[m.ID]; m.ID != c.cfg.ID && m.State == wire.StateAlive && !m.Legacy() && (p == nil || !p.linked) {
			c.startProbe(now, c.members.Get(m.ID), true)
			return
		}
	}
}
