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

// Times and limits of healing (docs/PROTOCOL.md, "Healing").
const (
	contactMin   = 30 * time.Second // minimum time between two contacts of a node with dead nodes
	contactMax   = 60 * time.Second // maximum time between them; drawn each time
	contactAlone = 5 * time.Second  // the same for a node without other live members: from this to three times this
	contactSpare = 8                // expected contacts of a cluster per interval, in addition to one for each dead node
	seedsMax     = 8                // maximum number of seeds contacted at once
	reachedMax   = 256              // maximum number of Join addresses remembered with the node that answered

	compareWithin = 10 * time.Second // time in which a node compares with one of the dead nodes that have come back
	comparePause  = 30 * time.Second // minimum time since the last comparison
)

// Healing finds members again after a partition, without the application: each node occasionally contacts a dead node,
// and the seeds whose addresses no live member has. It is not safe for concurrent use.
type Healing struct {
	members *members.Table
	rng     *rand.Rand

	contactAt time.Time // when Contact is due; zero for never
	compareAt time.Time // when Compare is due; zero for never
	returned  wire.NodeID
	returns   int // dead nodes that have come back since the last comparison
	compared  time.Time
	timers    *timer.Heap
	contact   timer.Timer // at contactAt
	compare   timer.Timer // at compareAt

	reached quota.Map[netip.AddrPort, wire.NodeID] // the node that answered at the address of a Join
}

// NewHealing returns the Healing of the node that owns table. It sets timers in the caller's heap: they call contact
// when Contact is due, and compare when Compare is due.
func NewHealing(table *members.Table, rng *rand.Rand, timers *timer.Heap, contact, compare func(now time.Time)) *Healing {
	return &Healing{members: table, rng: rng, timers: timers, contact: timer.Timer{Fire: contact}, compare: timer.Timer{Fire: compare},
		reached: quota.NewMap[netip.AddrPort, wire.NodeID](reachedMax)}
}

// ContactAt returns when Contact is due, or zero for never.
func (h *Healing) ContactAt() time.Time { return h.contactAt }

// CompareAt returns when Compare is due, or zero for never.
func (h *Healing) CompareAt() time.Time { return h.compareAt }

// MemberDied schedules a contact with a dead node, unless an earlier one is scheduled.
func (h *Healing) MemberDied(now time.Time) {
	wait := h.between(contactMin, contactMax)
	if h.members.Count() == 1 {
		wait = h.between(contactAlone, 3*contactAlone)
	}
	h.contactAt = timer.Soonest(h.contactAt, now.Add(wait))
	h.timers.Plan(&h.contact, h.contactAt)
}

// Contact returns the address of a dead node for a Join, because the node or its replacement may be there again. ok is
// false if this node must not start a Join. The more live members there are per dead one, the less often each node
// starts one. legacy says whether legacy nodes may be contacted (PROTOCOL.md J1).
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

// Seeds returns the addresses for new Joins: some of the seeds that no live member has. linked reports whether there
// is a link with the node at an address (PROTOCOL.md J2).
func (h *Healing) Seeds(seeds []netip.AddrPort, linked func(netip.AddrPort) bool) []netip.AddrPort {
	if !h.members.Self().Live() {
		return nil
	}
	free := slices.DeleteFunc(slices.Clone(seeds), func(a netip.AddrPort) bool { return h.Inhabited(a) || linked(a) })
	h.rng.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	return free[:min(len(free), seedsMax)]
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

// Reached records the node that answered at the address of a Join. The node may advertise another address.
func (h *Healing) Reached(to netip.AddrPort, id wire.NodeID) { h.reached.Set(to, id) }

// MemberReturned records that a dead node is alive again. Other nodes that this node did not hear may have returned
// with it, so it schedules a comparison with one of them (PROTOCOL.md J3).
func (h *Healing) MemberReturned(now time.Time, m *members.Entry) {
	if m.Legacy() { // has no table to compare
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

// Compare returns the member to compare tables and exchange states with, or nil for none.
func (h *Healing) Compare(now time.Time) *members.Entry {
	h.compareAt, h.returns, h.compared = time.Time{}, 0, now
	h.timers.Stop(&h.compare)
	m := h.members.Get(h.returned)
	if m == nil || !m.Live() || !h.members.Self().Live() {
		return nil
	}
	return m
}

// between returns a random time from lower up to, but not including, upper.
func (h *Healing) between(lower, upper time.Duration) time.Duration {
	return lower + time.Duration(h.rng.Int64N(int64(upper-lower)))
}
