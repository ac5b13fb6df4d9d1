package members

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Programs identify nodes by name. The protocol identifies them by id, which is new at every start. This file decides
// which node has a name. Entries are not signed, so nothing that an entry says takes a name from a live member. A new run
// of a program gets the name when this node has found out that the earlier run is gone (contest.go).

// searchRate limits how often this node searches all members for an address.
var searchRate = quota.Rate{Burst: 64, Every: 100 * time.Millisecond / 64}

// A Claim is the decision whether the node of an alive entry gets the name.
type Claim struct {
	Granted  bool   // the node of the entry has the name
	Holder   *Entry // the live member that has the name, or had it before; nil if there is none or it is the same node
	Replaced *Entry // Holder, if it was an earlier run and is a tombstone now
	Conflict bool   // Holder and the node of the entry are both alive, and the application should be notified
	Notify   bool   // Holder should be sent the entry, so that its application is notified too
	NewRun   bool   // the node of the entry may be a new run of Holder, whose name and address it claims
	Contest  bool   // the caller should find out which node is at the address of Holder and the entry
	Reserved *Entry // the node that the name is reserved for, if that is why the claim is not granted
	Vacates  bool   // the node of the entry has the address of a dead node, whose name is free now: other nodes should learn it
}

// Claim decides whether the node of an alive entry gets the name that it claims. A live member keeps its name, except
// that a new run at the same address replaces an earlier run that is gone, as replaces reports (PROTOCOL.md M4).
func (t *Table) Claim(now time.Time, e *wire.Member, replaces func(holder *Entry) bool) Claim {
	holder := t.Named(string(e.Name))
	switch {
	case holder == nil:
		return t.claimFree(now, e)
	case holder.ID == e.ID:
		return Claim{Granted: true}
	case holder.Addr != e.Addr:
		return t.conflict(now, holder)
	case !Later(e, holder):
		return Claim{Holder: holder} // the entry is left over from an earlier run
	case holder == t.self:
		return t.conflict(now, holder)
	case holder.Legacy(), holder.isSettled(now) && replaces != nil && replaces(holder):
		t.setState(holder, wire.StateDead)
		holder.From = &t.self.ID
		t.Remove(now, holder)
		return Claim{Granted: true, Holder: holder, Replaced: holder}
	}
	return t.contest(now, e, holder)
}

// contest remembers the claim of a new run of holder, and decides whether to find out now which of the two runs.
func (t *Table) contest(now time.Time, e *wire.Member, holder *Entry) Claim {
	t.contests.noteContender(t, e, holder)
	if t.contests.inConflict(now, holder.Name) || !holder.isSettled(now) { // holder has answered lately, or the address proves nothing
		return Claim{Holder: holder}
	}
	return Claim{Holder: holder, NewRun: true, Contest: t.contests.limit.Take(now, contestRate)}
}

// Dismiss forgets the claim of a new run of holder, because holder has answered. It returns the claim as that of
// another live node.
func (t *Table) Dismiss(now time.Time, holder *Entry) (Claim, *wire.Member) {
	e := t.Contender(holder)
	if e == nil {
		return Claim{}, nil
	}
	t.contests.contenders.Delete(holder.Name)
	return t.conflict(now, holder), e
}

// conflict refuses a claim of the name of a live member, and reports that at most once per conflictInterval.
func (t *Table) conflict(now time.Time, holder *Entry) Claim {
	report := t.contests.reportConflict(now, holder.Name)
	return Claim{Holder: holder, Conflict: report, Notify: report && holder != t.self}
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
	if owner := t.contests.formerOwner(now, t, string(e.Name)); owner != nil && owner.ID != e.ID {
		return Claim{Reserved: owner}
	}
	dead := t.reserved[string(e.Name)]
	switch {
	case dead == nil || dead.ID == e.ID:
		return Claim{Granted: true}
	case dead.Addr != e.Addr:
	case dead.since == now.Sub(t.epoch) && t.Contended(e.ID) == dead: // the claim of a new run has waited for this
		return Claim{Granted: true, Holder: dead, Replaced: dead}
	default:
		return Claim{Granted: true}
	}
	if now.Sub(t.Since(dead)) >= t.cfg.NameHold || t.isVacated(now, dead) {
		return Claim{Granted: true}
	}
	return Claim{Reserved: dead, Vacates: t.noteAddress(now, e)}
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
// be reserved for that address: otherwise two nodes that swap their addresses would wait for each other. It reports whether
// that ends the reservation of a name.
func (t *Table) noteAddress(now time.Time, e *wire.Member) (vacates bool) {
	if !t.searches.Take(now, searchRate) {
		return false
	}
	for _, dead := range t.reserved {
		if !dead.vacated && hasTaken(e.ID, e.Addr, e.Incarnation, dead) {
			dead.vacated, vacates = true, true
		}
	}
	return vacates
}

// hasTaken reports whether a node has the address of a dead node, by a higher incarnation.
func hasTaken(id wire.NodeID, addr netip.AddrPort, incarnation uint64, dead *Entry) bool {
	return addr == dead.Addr && id != dead.ID && incarnation > dead.Incarnation
}
