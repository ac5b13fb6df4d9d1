package overlay

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of healing (docs/PROTOCOL.md, "Healing").
const (
	contactLeast = 30 * time.Second // between two contacts of a node with a dead one, at least
	contactMost  = 60 * time.Second // and at most; drawn anew each time
	contactAlone = 5 * time.Second  // for a node without live members: at least this, and at most three times this
	contactSpare = 8                // nodes of a cluster that contact a dead one in such a time, beyond one for each dead
	seedsMost    = 8                // seeds contacted at once
	reachedMax   = 256              // addresses of Joins that are remembered with the node that answered there

	compareWithin = 10 * time.Second // after dead nodes have come back, one of them is compared with within this time,
	comparePause  = 30 * time.Second // but not so soon after the last comparison
)

// Healing finds members again after a partition, without the application: every node now and then contacts a dead
// one, and the seeds at whose addresses there is no live member. Not for concurrent use.
type Healing struct {
	members *members.Table
	rng     *rand.Rand

	contactAt time.Time // the next contact with a dead node; zero for none
	compareAt time.Time // the next comparison with one that came back; zero for none
	returned  wire.NodeID
	returns   int // dead nodes that have come back since the last comparison
	compared  time.Time
	timers    *timer.Heap
	contact   timer.Timer // at contactAt
	compare   timer.Timer // at compareAt

	reached quota.Map[netip.AddrPort, wire.NodeID] // who answered at the address of a Join
}

// NewHealing makes the Healing of the node that the table is of. It sets timers in a heap of the caller: contact is called
// when Contact is due, and compare when Compare is.
func NewHealing(table *members.Table, rng *rand.Rand, timers *timer.Heap, contact, compare func(now time.Time)) *Healing {
	return &Healing{members: table, rng: rng, timers: timers, contact: timer.Timer{Fire: contact}, compare: timer.Timer{Fire: compare},
		reached: quota.NewMap[netip.AddrPort, wire.NodeID](reachedMax)}
}

// ContactAt is when Contact is due; zero for never.
func (h *Healing) ContactAt() time.Time { return h.contactAt }

// CompareAt is when Compare is due; zero for never.
func (h *Healing) CompareAt() time.Time { return h.compareAt }

// MemberDied makes a contact with a dead node due, if none is.
func (h *Healing) MemberDied(now time.Time) {
	wait := h.between(contactLeast, contactMost)
	if h.members.Count() == 1 {
		wait = h.between(contactAlone, 3*contactAlone)
	}
	h.contactAt = timer.Soonest(h.contactAt, now.Add(wait))
	h.timers.Plan(&h.contact, h.contactAt)
}

// Contact returns the address of a dead node that a Join is begun with: the node, or one that was started in its place,
// may be there again. ok is false if none is begun. The more live members there are for each dead one, the fewer of
// them begin one. legacy says that a gwyh 0.1 node may be contacted.
func (h *Healing) Contact(now time.Time, legacy bool) (addr netip.AddrPort, ok bool) {
	h.contactAt = time.Time{}
	h.timers.Stop(&h.contact)
	lost, dead := h.members.DrawReserved(now, h.rng)
	if lost == nil {
		return addr, false // until the next death
	}
	h.MemberDied(now)
	if !h.members.Self().Live() || lost.Legacy() && !legacy {
		return addr, false
	}
	drawn := h.rng.IntN(h.members.Count()) < dead+contactSpare
	return lost.Addr, drawn && !h.Inhabited(lost.Addr)
}

// Seeds returns the addresses that a Join is begun with: some of the seeds at which there is no live member. linked
// reports whether there is a link with a node at an address.
func (h *Healing) Seeds(seeds []netip.AddrPort, linked func(netip.AddrPort) bool) []netip.AddrPort {
	if !h.members.Self().Live() {
		return nil
	}
	free := slices.DeleteFunc(slices.Clone(seeds), func(a netip.AddrPort) bool { return h.Inhabited(a) || linked(a) })
	h.rng.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	return free[:min(len(free), seedsMost)]
}

// Inhabited reports whether a live member has an address, or answered a Join there.
func (h *Healing) Inhabited(a netip.AddrPort) bool {
	if id, ok := h.reached.Get(a); ok && h.members.IsLive(id) {
		return true
	}
	for m := range h.members.Each {
		if m.Addr == a {
			return true
		}
	}
	return false
}

// Reached remembers which node answered at the address of a Join. The node may advertise another address.
func (h *Healing) Reached(to netip.AddrPort, id wire.NodeID) { h.reached.Set(to, id) }

// MemberReturned says that a node lives after all that was dead to this one. Others that this node did not hear may have
// returned with it, so one of them is compared with soon.
func (h *Healing) MemberReturned(now time.Time, m *members.Entry) {
	if m.Legacy() { // it has no table to compare
		return
	}
	if h.returns++; h.returns > 1 {
		if h.rng.IntN(h.returns) == 0 {
			h.returned = m.ID
		}
		return
	}
	h.returned = m.ID
	at := now
	if pause := h.compared.Add(comparePause); pause.After(at) {
		at = pause
	}
	h.compareAt = at.Add(h.between(0, compareWithin))
	h.timers.Plan(&h.compare, h.compareAt)
}

// Compare returns the member that the core compares tables and exchanges states with; nil for none.
func (h *Healing) Compare(now time.Time) *members.Entry {
	h.compareAt, h.returns, h.compared = time.Time{}, 0, now
	h.timers.Stop(&h.compare)
	m := h.members.Get(h.returned)
	if m == nil || !m.Live() || !h.members.Self().Live() {
		return nil
	}
	return m
}

// between draws a time from least up to most.
func (h *Healing) between(least, most time.Duration) time.Duration {
	return least + time.Duration(h.rng.Int64N(int64(most-least)))
}
