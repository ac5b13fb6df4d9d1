package members

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Programs identify nodes by name. The protocol identifies them by id, which is new at every start. This file decides
// which node has a name. The decision depends only on the nodes that claim the name, since when, and which of them are
// alive, so all nodes decide alike in any order of messages, and two halves of a cluster agree after a partition.

const (
	conflictInterval = 30 * time.Second // minimum time between two reports of a conflict about a name
	conflictNames    = 1024             // number of names whose last report is remembered
)

// searchRate limits how often this node searches all members for an address.
var searchRate = quota.Rate{Burst: 64, Every: 100 * time.Millisecond / 64}

// A Claim is the decision whether the node of an alive entry gets the name.
type Claim struct {
	Granted  bool   // the node of the entry has the name
	Holder   *Entry // the live member that had the name before; nil if there was none or it is the same node
	Replaced *Entry // Holder, if it is no longer a member: a tombstone if it was an earlier run, otherwise removed
	Conflict bool   // Holder and the node of the entry are both alive, and the application should be notified
	Reserved *Entry // the dead node that the name is reserved for, if that is why the claim is not granted
}

// EarlierRun reports whether the claim replaced an earlier run of the same program.
func (c *Claim) EarlierRun() bool { return c.Replaced != nil && c.Replaced.State == wire.StateDead }

// Claim decides whether the node of an alive entry gets the name that it claims, and removes the member that had the
// name. That member is either an earlier run at the same address, which becomes dead, or a node that took the name
// later. The latter may be alive: it is only removed, and becomes a member again when the name is free
// (PROTOCOL.md M4).
func (t *Table) Claim(now time.Time, e *wire.Member) Claim {
	holder := t.Named(string(e.Name))
	switch {
	case holder == nil:
		return t.claimFree(now, e)
	case holder.ID == e.ID:
		return Claim{Granted: true}
	case holder.Addr == e.Addr:
		if holder == t.self || !Later(e, holder) {
			return Claim{Holder: holder} // the entry is left over from an earlier run
		}
		holder.State = wire.StateDead
		t.Remove(now, holder)
		return Claim{Granted: true, Holder: holder, Replaced: holder}
	}
	c := Claim{Holder: holder, Conflict: t.reportConflict(now, holder.Name)}
	if holder == t.self || Later(e, holder) {
		return c
	}
	t.Forget(holder)
	c.Granted, c.Replaced = true, holder
	return c
}

// reportConflict reports whether a conflict about a name should be reported, at most once per conflictInterval.
func (t *Table) reportConflict(now time.Time, name string) bool {
	if last, ok := t.conflicts.Get(name); ok && now.Sub(last) < conflictInterval {
		return false
	}
	t.conflicts.Set(name, now)
	return true
}

// Later reports whether the node of an entry took its name after the member that has it. Legacy nodes are named by
// their address, and the one heard last has the name.
func Later(e *wire.Member, holder *Entry) bool {
	if holder.Legacy() {
		return e.Incarnation > holder.Incarnation
	}
	if e.Named != holder.Named {
		return e.Named > holder.Named
	}
	return bytes.Compare(e.ID[:], holder.ID[:]) > 0
}

// claimFree decides about a name that no live member has. The name of a dead node is reserved for its address for
// cfg.NameHold, because the node may come back, unless another node has that address.
func (t *Table) claimFree(now time.Time, e *wire.Member) Claim {
	dead := t.reserved[string(e.Name)]
	if dead == nil || dead.ID == e.ID || dead.Addr == e.Addr {
		return Claim{Granted: true}
	}
	if now.Sub(dead.Since) >= t.cfg.NameHold || t.isVacated(now, dead) {
		return Claim{Granted: true}
	}
	t.noteAddress(now, e)
	return Claim{Reserved: dead}
}

// isVacated reports whether another node has the address of a dead node.
func (t *Table) isVacated(now time.Time, dead *Entry) bool {
	if dead.vacated || !t.searches.Take(now, searchRate) {
		return dead.vacated
	}
	for m := range t.Each {
		if hasTaken(m.ID, m.Addr, m.Incarnation, dead) {
			dead.vacated = true
			return true
		}
	}
	return false
}

// noteAddress records the address of a node that is not a member yet because it waits for its name. Another name may
// be reserved for that address: otherwise two nodes that swap their addresses would wait for each other.
func (t *Table) noteAddress(now time.Time, e *wire.Member) {
	if !t.searches.Take(now, searchRate) {
		return
	}
	for _, dead := range t.reserved {
		if hasTaken(e.ID, e.Addr, e.Incarnation, dead) {
			dead.vacated = true
		}
	}
}

// hasTaken reports whether a node has the address of a dead node, by a higher incarnation.
func hasTaken(id wire.NodeID, addr netip.AddrPort, incarnation uint64, dead *Entry) bool {
	return addr == dead.Addr && id != dead.ID && incarnation > dead.Incarnation
}
