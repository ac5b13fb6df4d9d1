package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A gwyh 0.1 node is a member that cannot speak for itself. The Go nodes that hear it vouch for it: its
// incarnation is the Unix time in milliseconds at which a box of it opened last, anywhere, as far as that was
// worth telling.
const (
	legacyGates  = 5                // Go nodes that subscribe to each
	legacyLease  = 5 * time.Minute  // after which one that hears it says so again
	legacyOrphan = 11 * time.Minute // without a word of it by anybody it is dead
	legacyRevive = 3 * time.Second  // a verdict stands for so long before a sign of life undoes it
)

// legacyName is the name that every Go node derives for the gwyh 0.1 node at an address. One that starts again
// there replaces its predecessor, as by M4.
func legacyName(addr netip.AddrPort) string { return "gwyh01-" + addr.String() }

func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// heardLegacy follows every box of a gwyh 0.1 peer that opened: it lives.
func (c *Core) heardLegacy(now time.Time, p *peer) {
	if check := p.old.check; check != nil {
		p.old.check = nil
		c.refuteFor(now, p, check)
	}
	if p.old.question.until.After(now) {
		c.vouchSoon(now, p)
	}
	m := c.members.Get(p.id)
	switch {
	case !c.self.Live() || p.push.Asked() || p.push.Vetoed:
	case m == nil || !m.Live() && now.Sub(m.Since) >= legacyRevive:
		c.meetLegacy(now, p, m)
	case m.Live() && millis(now) > m.Incarnation+uint64(p.old.lease.Milliseconds()):
		c.vouch(now, m, 0)
	}
	c.askLegacy(now, p)
}

// meetLegacy makes a member of a gwyh 0.1 node that no Go node knew, or that all took for dead.
func (c *Core) meetLegacy(now time.Time, p *peer, m *members.Entry) {
	addr := p.set.Path().Remote
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	e := wire.Member{State: wire.StateAlive, ID: p.id, Incarnation: millis(now), Name: []byte(legacyName(addr)), Addr: addr,
		ZoneName: []byte(p.zone.Name), HasZone: p.zone.Valid, Named: millis(now)}
	if m != nil {
		e.Incarnation = max(e.Incarnation, m.Incarnation+1)
		if m.Named > 0 {
			e.Named = m.Named
		}
	}
	if c.members.CountLegacy() >= legacyMembersMax {
		c.drop(DropOversize)
		return
	}
	if c.heldForVerdict(now, m, &e, nil, flooded) {
		return
	}
	c.applyAlive(now, &e, nil, flooded)
	if m = c.members.Get(p.id); m != nil && m.Live() {
		c.floodStatus(now, m, true)
		if !p.overlay.Subscribing() && !p.old.fresh { // it was called down, and so does not know any more that we asked
			c.shakeAgain(now, p)
		}
	}
}

// isMember reports whether a peer is a live member.
func (c *Core) isMember(p *peer) bool {
	m := c.members.Get(p.id)
	return m != nil && m.Live()
}

// vouch says anew that a gwyh 0.1 node lives.
func (c *Core) vouch(now time.Time, m *members.Entry, above uint64) {
	c.members.SetIncarnation(m, max(millis(now), m.Incarnation+1, above+1))
	c.memberChanged(now)
	c.spread(now, m, nil, flooded)
}

// applyLegacy takes in what a Go node says of a gwyh 0.1 node.
func (c *Core) applyLegacy(now time.Time, e *wire.Member, from *peer, how origin) {
	m := c.members.Get(e.ID)
	switch {
	case members.TooFarAhead(now, e.Incarnation), e.State == wire.StateLeft:
		c.drop(DropUnexpected)
	case e.State == wire.StateSuspect:
		c.handleQuestion(now, m, e, from)
	case m != nil && !m.SupersededBy(e):
		c.stats.MembersStale++
		if how == synced && m.IsAheadOf(e) {
			c.behind = append(c.behind, m)
		}
	case e.State == wire.StateDead:
		c.doubtLegacy(now, m, e, from, how)
	case string(e.Name) != legacyName(e.Addr) || len(e.Meta) > 0 || (m == nil || !m.Live()) && c.members.CountLegacy() >= legacyMembersMax:
		c.drop(DropOversize)
	case !c.heldForVerdict(now, m, e, from, how):
		c.applyAlive(now, e, from, how)
	}
}

// doubtLegacy takes in a Go node's word that a gwyh 0.1 node is dead. Who has heard it since says so; who holds a
// session with it asks it first.
func (c *Core) doubtLegacy(now time.Time, m *members.Entry, e *wire.Member, from *peer, how origin) {
	p := c.peers[e.ID]
	switch {
	case p == nil || m == nil || !m.Live() || p.set.Current(now) == nil:
		c.applyGone(now, e, from, how)
	case millis(p.set.LastOpened()) > e.Incarnation:
		c.vouch(now, m, e.Incarnation)
	default:
		c.checkDown(now, p, claim{incarnation: e.Incarnation})
	}
}

// buryLegacy takes a gwyh 0.1 node for dead: Go nodes are told at once, its like once no Go node has objected.
func (c *Core) buryLegacy(now time.Time, m *members.Entry, incarnation uint64) {
	c.members.SetIncarnation(m, max(m.Incarnation, incarnation))
	c.declareDead(now, m)
	c.legacyLater(now, legacyRevive, func(now time.Time) {
		if !m.Live() && c.members.Get(m.ID) == m {
			c.floodStatus(now, m, false)
		}
	})
}

// lostLegacy ends the link with a gwyh 0.1 peer that stayed silent. Where others hear it, this node has lost nothing
// but its own session: it accuses nobody, and shakes hands anew later.
func (c *Core) lostLegacy(now time.Time, p *peer) {
	if m := c.members.Get(p.id); m != nil && m.Live() {
		if p.vouchedFor(m) {
			c.overlaid(now, c.overlay.Avoid(c.overlay.acts, now, m.ID))
		} else {
			c.buryLegacy(now, m, millis(p.set.LastOpened()))
		}
	}
	c.unlink(now, p)
}

// chooseLegacy subscribes to the gwyh 0.1 members whose gate this node is: each has the same few, which all Go
// nodes find alike, and the choice of Go nodes (G8) does not count them. So none is mute, and a large cluster
// does not drown a small one. It also ends those of which nobody has spoken for long.
func (c *Core) chooseLegacy(now time.Time) {
	if c.members.CountLegacy() == 0 {
		return
	}
	var list []*members.Entry
	for _, m := range c.members.Live() {
		if m.Legacy() {
			list = append(list, m)
		}
	}
	for _, m := range list {
		p := c.peers[m.ID]
		switch {
		case millis(now) > m.Incarnation+uint64(legacyOrphan.Milliseconds()) && (p == nil || !p.linked):
			c.buryLegacy(now, m, m.Incarnation)
		case !c.admitsLegacy() || p != nil && p.overlay.Subscribing() || c.overlay.Avoids(now, m.ID):
		case c.isGate(m) && (p == nil || now.Sub(p.swim.Heard) < legacySilence):
			c.overlaid(now, c.overlay.Subscribe(c.overlay.acts, now, contacts{c}, m.ID))
		case c.isGate(m) && !c.dialing(m.ID): // what session there is leads nowhere
			c.overlaid(now, c.overlay.Avoid(c.overlay.acts, now, m.ID))
			c.dial(now, wire.Path{Remote: m.Addr}, dial{member: m.ID}, now.Add(dialFor))
		}
	}
	c.askAgain(now, list)
}

// isGate reports whether this node is one of the few that subscribe to a gwyh 0.1 member.
func (c *Core) isGate(m *members.Entry) bool {
	before := 0
	own := gateKey(m.ID, c.cfg.ID)
	for o := range c.members.Each {
		if !o.Legacy() && o != c.self && gateKey(m.ID, o.ID) < own {
			if before++; before >= legacyGates {
				return false
			}
		}
	}
	return true
}

func gateKey(of, node wire.NodeID) uint64 {
	return members.Mix(members.Hash(node) ^ members.Mix(members.Hash(of)))
}
