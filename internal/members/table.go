package members

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the member table (docs/PROTOCOL.md, "Membership").
const (
	Max           = 100_000        // live members
	TombstonesMax = 16_384         // beyond them, the oldest tombstone is forgotten
	TombstoneAge  = 24 * time.Hour // after which a tombstone is forgotten
	Budget        = 40 << 20       // bytes of all entries: the default of Config.Budget
)

// A Table is all nodes that a node knows: the live members, and tombstones of the dead and the departed, which keep
// stale entries from bringing them back. Make one with NewTable. Not for concurrent use.
type Table struct {
	byID       map[wire.NodeID]*Entry
	byName     map[string]*Entry // live ones
	reserved   map[string]*Entry // dead ones whose name no live member has
	live       []*Entry          // in the order of arrival, except for removals
	tombstones []*Entry          // oldest first; entries that came back to life are skipped
	root       uint64            // XOR of the digests of the live ones
	buckets    bucketIndex       // of the live ones
	legacy     int               // live ones that are gwyh 0.1 nodes
	bytes      int               // see Bytes
	Rationed   uint64            // new members that their peer may not bring
	sealer     sealer

	cfg       Config
	self      *Entry                       // this node
	zones     quota.Map[string, string]    // zone names, by themselves, so that entries share them
	conflicts quota.Map[string, time.Time] // names that two live nodes claim, and when that was last reported
	walks     quota.Bucket                 // over all members, to find which has an address

	version   uint64    // counts changes of the live members
	changedAt time.Time // when the last of them was noted

	base   *Base              // further live ones, shared with other tables; nil outside simulations
	hidden map[int32]struct{} // rows of base that are no longer true, or were copied into byID
}

// Config is what a Table is made from.
type Config struct {
	Self     Member                // this node, as it begins; Incarnation and Named are set by the Table
	NameHold time.Duration         // how long the name of a dead node is reserved for its address
	MetaMax  int                   // bytes of metadata of a member
	Budget   int                   // bytes of all entries; 0 for Budget
	Allow    func(netip.Addr) bool // the addresses that a member may have; nil for any
	Base     *Base                 // nil outside simulations
	Rand     *rand.Rand            // of numbers that no other node can predict
}

// Get returns the entry of a node, live or a tombstone; nil if the node is unknown.
func (t *Table) Get(id wire.NodeID) *Entry {
	if m := t.byID[id]; m != nil || t.base == nil {
		return m
	}
	i, ok := t.base.byID[id]
	if !ok {
		return nil
	}
	return t.own(i)
}

// IsLive reports whether a node is a live member.
func (t *Table) IsLive(id wire.NodeID) bool {
	m := t.Get(id)
	return m != nil && m.Live()
}

// touchMost is how many entries Touch looks at.
const touchMost = 16

// Touch reads the entries that the next calls of Get will return, at most 16. Most are not in the processor's
// cache, and it can fetch several at once if it does nothing else in between. The sum keeps the compiler from
// removing the reads, which it would do if it inlined the function.
//
//go:noinline
func (t *Table) Touch(next []wire.Member) (sum uint64) {
	var rows [touchMost]*Entry
	next = next[:min(len(next), touchMost)]
	for i := range next {
		rows[i] = t.byID[next[i].ID]
	}
	for _, m := range rows[:len(next)] {
		if m != nil {
			sum += m.Incarnation
		}
	}
	return sum
}

// Named returns the live member of a name; nil if there is none.
func (t *Table) Named(name string) *Entry {
	if m := t.byName[name]; m != nil || t.base == nil {
		return m
	}
	i, ok := t.base.byName[name]
	if !ok {
		return nil
	}
	return t.own(i)
}

// Count is the number of live members.
func (t *Table) Count() int {
	if t.base == nil {
		return len(t.live)
	}
	return len(t.live) + len(t.base.rows) - len(t.hidden)
}

// CountGo is the number of live members that are not gwyh 0.1 nodes.
func (t *Table) CountGo() int { return t.Count() - t.legacy }

// CountLegacy is the number of live members that are gwyh 0.1 nodes.
func (t *Table) CountLegacy() int { return t.legacy }

// Root is the XOR of the digests of all live members. Two tables with the same root hold the same members.
func (t *Table) Root() uint64 { return t.root }

// Each yields the live members, in no particular order that is the same for the same history. The entries are for
// reading only.
func (t *Table) Each(yield func(*Entry) bool) {
	for _, m := range t.live {
		if !yield(m) {
			return
		}
	}
	if t.base != nil {
		t.base.each(t.hidden, yield)
	}
}

// Live returns the live members except those that are only in the shared base: all that are suspected, legacy,
// or have changed. The slice is the table's and valid until the next change.
func (t *Table) Live() []*Entry { return t.live }

// All yields every entry of the table's own, tombstones as well, in random order.
func (t *Table) All(yield func(*Entry) bool) {
	for _, m := range t.byID {
		if !yield(m) {
			return
		}
	}
}

// CountAll is the number of entries of the table's own, tombstones included.
func (t *Table) CountAll() int { return len(t.byID) }

// Draw returns a live member drawn at random, for reading only. There must be at least one.
func (t *Table) Draw(rng *rand.Rand) *Entry {
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

// Add makes m, a tombstone or a new entry, a live member. The caller has set its State and its name.
func (t *Table) Add(m *Entry) {
	m.place = int32(len(t.live))
	t.live = append(t.live, m)
	t.index(m)
	t.byName[m.Name] = m
	delete(t.reserved, m.Name)
	m.digest = t.sealer.digest(m)
	t.root ^= m.digest
	if t.base == nil {
		t.buckets.enter(t.live, m)
	}
	if m.Legacy() {
		t.legacy++
	}
}

// unlist takes a live m off the live members.
func (t *Table) unlist(m *Entry) {
	t.root ^= m.digest
	if t.base == nil {
		t.buckets.exit(t.live, m)
	}
	if m.Legacy() {
		t.legacy--
	}
	last := len(t.live) - 1
	if moved := t.live[last]; moved != m {
		moved.place = m.place
		t.live[m.place] = moved
		if t.base == nil {
			t.buckets.moved(t.live, moved)
		}
	}
	t.live[last] = nil
	t.live = t.live[:last]
	if t.byName[m.Name] == m {
		delete(t.byName, m.Name)
	}
	m.place = -1
}

// Forget removes a live m and leaves no tombstone.
func (t *Table) Forget(m *Entry) {
	t.unlist(m)
	t.unindex(m)
}

// SetIncarnation changes the incarnation of an entry, and the root with it.
func (t *Table) SetIncarnation(m *Entry, incarnation uint64) {
	m.Incarnation = incarnation
	t.reseal(m)
}

// reseal computes the digest of an entry that has changed, and the hashes that have it.
func (t *Table) reseal(m *Entry) {
	if m.Live() {
		t.flip(m)
	}
	if m.digest = t.sealer.digest(m); m.Live() {
		t.flip(m)
	}
}

// flip adds the digest of a live member to the hashes that have it, or takes it out.
func (t *Table) flip(m *Entry) {
	t.root ^= m.Digest()
	t.buckets.flip(m)
}

// index makes an entry known by its id.
func (t *Table) index(m *Entry) {
	if t.byID[m.ID] != m {
		t.byID[m.ID] = m
		t.bytes += m.bytes()
	}
}

// unindex forgets an entry.
func (t *Table) unindex(m *Entry) {
	if t.byID[m.ID] == m {
		delete(t.byID, m.ID)
		t.bytes -= m.bytes()
	}
}

// setMeta changes the metadata of an entry.
func (t *Table) setMeta(m *Entry, meta []byte) {
	if t.byID[m.ID] == m {
		t.bytes += len(meta) - len(m.Meta)
	}
	m.Meta = meta
}

// rename changes the name of a live member.
func (t *Table) rename(m *Entry, name string) {
	if t.byName[m.Name] == m {
		delete(t.byName, m.Name)
	}
	t.bytes += len(name) - len(m.Name)
	m.Name = name
	t.byName[name] = m
	delete(t.reserved, name)
}

// NoteChange notes that the live members have changed, or what is known of one.
func (t *Table) NoteChange(now time.Time) {
	t.version++
	t.changedAt = now
}

// ChangedAt is when NoteChange was last called.
func (t *Table) ChangedAt() time.Time { return t.changedAt }

// Version is another number whenever the live members, or what is known of them, have changed.
func (t *Table) Version() uint64 { return t.version }

// SetState sets the state of a live member to alive or suspect. That is a change of what is known, but nothing that the
// neighbors' tables should agree on.
func (t *Table) SetState(now time.Time, m *Entry, s wire.State) {
	m.setState(now, s)
	t.version++
}

// own copies row i of the base into the table; nil when that was done before, and the entry has changed so that
// it no longer is what the caller looks for.
func (t *Table) own(i int32) *Entry {
	if _, hidden := t.hidden[i]; hidden {
		return nil
	}
	t.hidden[i] = struct{}{}
	m := new(Entry)
	*m = t.base.rows[i]
	m.place = int32(len(t.live))
	t.live = append(t.live, m)
	t.index(m)
	t.byName[m.Name] = m
	return m
}
