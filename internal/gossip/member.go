package gossip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the member table (docs/PROTOCOL.md, "Membership").
const (
	membersMax       = 100_000
	tombstonesMax    = 16_384
	tombstoneAge     = 24 * time.Hour
	incarnationAhead = 24 * time.Hour // an incarnation further in the future is ignored
)

// Member is what is known of a node. Its slices are not written again.
type Member struct {
	ID          wire.NodeID
	Name        string
	Addr        netip.AddrPort
	Zone        wire.Zone
	Meta        []byte
	Versions    [6]byte
	State       wire.State
	Incarnation uint64        // Unix milliseconds, or one more than the last
	Named       uint64        // Unix milliseconds when it began to go by its name
	Refuted     uint64        // it has refuted the accusations of its incarnations up to this one; 0 for none
	RTT         time.Duration // as measured last, renewed when it has changed by a fifth; zero when never
}

// member is a row of the table.
type member struct {
	Member
	since     time.Time   // when State came to be
	place     int32       // in members.live, -1 for a tombstone
	queued    bool        // waits to be flooded
	vacated   bool        // of a dead one: its address is another node's, so its name is not kept for it
	partition uint16      // of a dead one: with which others it failed; 0 for none
	accuser   wire.NodeID // of a dead one
}

// live reports whether the member counts as part of the cluster.
func (m *member) live() bool { return m.place >= 0 }

// members is the table of all nodes that are known: the live ones, and tombstones of the dead and the
// departed, which keep old news from bringing them back.
type members struct {
	byID   map[wire.NodeID]*member
	byName map[string]*member // live ones
	held   map[string]*member // dead ones whose name nobody bears
	live   []*member          // in the order of arrival, but for removals
	graves []*member          // oldest first; entries that came back to life are skipped
	root   uint64             // XOR of digest over the live ones
	old    int                // live ones that are gwyh 0.1 nodes

	base   *Table             // further live ones, shared with other cores; nil outside simulations
	hidden map[int32]struct{} // rows of base that are no longer so, or have become rows of byID
}

func newMembers(base *Table) members {
	t := members{byID: make(map[wire.NodeID]*member), byName: make(map[string]*member), held: make(map[string]*member), base: base}
	if base != nil {
		t.hidden = make(map[int32]struct{})
		t.root = base.root
	}
	return t
}

// get is the row of a node; nil when it is not known.
func (t *members) get(id wire.NodeID) *member {
	if m := t.byID[id]; m != nil || t.base == nil {
		return m
	}
	i, ok := t.base.byID[id]
	if !ok {
		return nil
	}
	return t.own(i)
}

// touch looks at the rows of entries that are about to be taken in. Most are far from the processor, and it can
// fetch several at once if nothing else is done between. The sum is there so that the looks are not left out, which
// the compiler would do if it put them in line.
//
//go:noinline
func (t *members) touch(entries []wire.Member) (sum uint64) {
	var rows [entriesBatch]*member
	for i := range entries {
		rows[i] = t.byID[entries[i].ID]
	}
	for _, m := range rows[:len(entries)] {
		if m != nil {
			sum += m.Incarnation
		}
	}
	return sum
}

// named is the row of the live node of a name; nil when there is none.
func (t *members) named(name string) *member {
	if m := t.byName[name]; m != nil || t.base == nil {
		return m
	}
	i, ok := t.base.byName[name]
	if !ok {
		return nil
	}
	return t.own(i)
}

// count is the number of live ones.
func (t *members) count() int {
	if t.base == nil {
		return len(t.live)
	}
	return len(t.live) + len(t.base.rows) - len(t.hidden)
}

// peers is the number of live ones that are Go nodes.
func (t *members) peers() int { return t.count() - t.old }

// each yields the live ones, in no order that means anything. Rows are for reading only.
func (t *members) each(yield func(*member) bool) {
	for _, m := range t.live {
		if !yield(m) {
			return
		}
	}
	if t.base != nil {
		t.base.each(t.hidden, yield)
	}
}

// draw is a live one drawn at random, for reading only. There is at least one.
func (t *members) draw(rng *rand.Rand) *member {
	if t.base == nil {
		return t.live[rng.IntN(len(t.live))]
	}
	for {
		i := rng.IntN(len(t.live) + len(t.base.rows))
		if i < len(t.live) {
			return t.live[i]
		}
		if _, hidden := t.hidden[int32(i-len(t.live))]; !hidden {
			return &t.base.rows[i-len(t.live)]
		}
	}
}

// digest is a member's part in the hashes that sync compares.
func (m *member) digest() uint64 { return mix(idHash(m.ID) ^ mix(m.Incarnation)) }

// bucket is the bucket of id when there are 2^bits.
func bucket(id wire.NodeID, bits uint8) uint32 {
	return uint32(idHash(id) >> 32 >> (32 - bits))
}

// enlist makes m live; it was a tombstone or is new.
func (t *members) enlist(m *member) {
	m.place = int32(len(t.live))
	t.live = append(t.live, m)
	t.byID[m.ID] = m
	t.byName[m.Name] = m
	delete(t.held, m.Name)
	t.root ^= m.digest()
	if m.legacy() {
		t.old++
	}
}

// unlist takes a live m off the live ones.
func (t *members) unlist(m *member) {
	t.root ^= m.digest()
	if m.legacy() {
		t.old--
	}
	last := len(t.live) - 1
	t.live[m.place] = t.live[last]
	t.live[m.place].place = m.place
	t.live[last] = nil
	t.live = t.live[:last]
	if t.byName[m.Name] == m {
		delete(t.byName, m.Name)
	}
	m.place = -1
}

// bury makes m, whose state is dead or left, a tombstone.
func (t *members) bury(now time.Time, m *member) {
	if m.live() {
		t.unlist(m)
	}
	switch {
	case m.State == wire.StateDead && m.Name != "" && !m.legacy() && t.named(m.Name) == nil:
		t.held[m.Name] = m
	default:
		t.unhold(m)
	}
	t.byID[m.ID] = m
	m.since = now
	t.graves = append(t.graves, m)
	t.expire(now)
}

// unhold gives back the name that is kept for a dead m, which may come back under another.
func (t *members) unhold(m *member) {
	if t.held[m.Name] == m {
		delete(t.held, m.Name)
	}
}

// reincarnate changes the incarnation of a row and keeps the root true.
func (t *members) reincarnate(m *member, incarnation uint64) {
	if m.live() {
		t.root ^= m.digest()
	}
	m.Incarnation = incarnation
	if m.live() {
		t.root ^= m.digest()
	}
}

// expire forgets the tombstones that are over age or too many.
func (t *members) expire(now time.Time) {
	drop := 0
	for _, m := range t.graves {
		over := len(t.graves)-drop > tombstonesMax
		if !m.live() && !over && now.Sub(m.since) < tombstoneAge {
			break
		}
		if !m.live() && t.byID[m.ID] == m {
			delete(t.byID, m.ID)
			t.unhold(m)
		}
		drop++
	}
	clear(t.graves[:drop])
	t.graves = t.graves[drop:]
}

// rename keeps the index of names true when a live member's name changes.
func (t *members) rename(m *member, name string) {
	if t.byName[m.Name] == m {
		delete(t.byName, m.Name)
	}
	m.Name = name
	t.byName[name] = m
	delete(t.held, name)
}
