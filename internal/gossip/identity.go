package gossip

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Programs know nodes by name, the protocol by id, which is new at every start. This file says who bears
// a name. The answer depends only on who claims it, since when, and who of them lives: so all nodes give
// the same, whatever they heard first, and two halves of a cluster agree when they meet again.

const (
	conflictInterval = 30 * time.Second // between two events about a name
	conflictNames    = 1024             // names told apart, after which all begin anew
)

// nameHold is how long the name of a dead node is kept for its address.
func (c *Core) nameHold() time.Duration {
	if c.cfg.DeadNodeReclaimTime > 0 {
		return c.cfg.DeadNodeReclaimTime
	}
	return c.cfg.GossipToTheDeadTime
}

// claimName settles who bears the name of an alive entry, and reports whether it is taken in. The one it
// takes the name from is returned: an earlier run of the same program, or a node that took the name later
// than the one that claims it.
func (c *Core) claimName(now time.Time, e *wire.Member) (replaced *members.Entry, ok bool) {
	holder := c.members.Named(string(e.Name))
	switch {
	case holder == nil:
		free := c.nameIsFree(now, e)
		if !free {
			c.noteAddress(now, e)
		}
		return nil, free
	case holder.ID == e.ID:
		return nil, true
	case holder.Addr == e.Addr:
		if holder == c.self || !later(e, holder) {
			return nil, false // what is left of an earlier run
		}
		holder.State = wire.StateDead
		c.entomb(now, holder)
		return holder, true
	}
	c.conflict(now, holder, e)
	if holder == c.self || later(e, holder) {
		return nil, false
	}
	c.disown(now, holder)
	return holder, true
}

// later reports whether an entry claims a name after the one that bears it did. Of gwyh 0.1 nodes the one
// heard last bears the name of their address.
func later(e *wire.Member, holder *members.Entry) bool {
	if holder.Legacy() {
		return e.Incarnation > holder.Incarnation
	}
	if e.Named != holder.Named {
		return e.Named > holder.Named
	}
	return bytes.Compare(e.ID[:], holder.ID[:]) > 0
}

// nameIsFree reports whether an entry may have a name that nobody bears. That of a dead node is kept for its address
// for a while, because the node may come back, unless another node has that address.
func (c *Core) nameIsFree(now time.Time, e *wire.Member) bool {
	dead := c.members.Reserved(string(e.Name))
	if dead == nil || dead.ID == e.ID || dead.Addr == e.Addr || now.Sub(dead.Since) >= c.nameHold() || c.isVacated(now, dead) {
		return true
	}
	c.warn(now, "held", "the name %q is kept for the node at %s, which failed a short time ago: the node at %s has to wait", e.Name, dead.Addr, e.Addr)
	return false
}

// isVacated reports whether another node has the address of a dead one.
func (c *Core) isVacated(now time.Time, dead *members.Entry) bool {
	if dead.Vacated || !c.nameWalks.Take(now, walkRate) {
		return dead.Vacated
	}
	for m := range c.members.Each {
		if hasTaken(m.ID, m.Addr, m.Incarnation, dead) {
			dead.Vacated = true
			return true
		}
	}
	return false
}

// noteAddress takes note of the address of a node that is no member because it has to wait for its name. It may be the
// one that a name is kept for: two nodes that swap their addresses would wait for each other.
func (c *Core) noteAddress(now time.Time, e *wire.Member) {
	if !c.nameWalks.Take(now, walkRate) {
		return
	}
	for dead := range c.members.EachReserved {
		if hasTaken(e.ID, e.Addr, e.Incarnation, dead) {
			dead.Vacated = true
		}
	}
}

// hasTaken reports whether a node lives at the address of a dead one, and has said so after that one spoke last.
func hasTaken(id wire.NodeID, addr netip.AddrPort, incarnation uint64, dead *members.Entry) bool {
	return addr == dead.Addr && id != dead.ID && incarnation > dead.Incarnation
}

// disown takes the name, and the membership with it, from a node that lives. It is not dead: when the name
// is free it comes back.
func (c *Core) disown(now time.Time, m *members.Entry) {
	c.absolve(m)
	c.members.Forget(m)
	delete(c.avoided, m.ID)
	c.memberChanged(now)
}

// conflict tells of two live nodes with one name.
func (c *Core) conflict(now time.Time, existing *members.Entry, e *wire.Member) {
	if last, ok := c.conflicts.Get(existing.Name); ok && now.Sub(last) < conflictInterval {
		return
	}
	c.conflicts.Set(existing.Name, now)
	other := Member{ID: e.ID, Name: existing.Name, Addr: e.Addr, Zone: e.Zone(), Meta: bytes.Clone(e.Meta), Versions: e.Versions,
		State: e.State, Incarnation: e.Incarnation, Named: e.Named, Refuted: e.Refuted}
	c.events = append(c.events, Event{Kind: EventConflict, Member: existing.Member, Other: &other})
	c.logConflict(now, existing, e)
}

// Readdress tells the others that this node is reached at another address from now on.
func (c *Core) Readdress(now time.Time, to netip.AddrPort) {
	if to == c.cfg.Advertise || !to.IsValid() || to.Port() == 0 {
		return
	}
	c.cfg.Advertise, c.self.Addr = to, to
	c.hs.SetAdvertise(to)
	if c.self.Live() {
		c.renewSelf(now, 0)
		c.emitMember(EventUpdate, c.self)
	}
}
