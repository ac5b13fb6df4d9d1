package members

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Limits of the member table (docs/PROTOCOL.md, "Membership").
const (
	Max           = 100_000        // live members
	TombstonesMax = 16_384         // the oldest tombstones beyond these are removed
	TombstoneAge  = 24 * time.Hour // time after which a tombstone is removed
	Budget        = 40 << 20       // bytes of all entries; the default of Config.Budget
)

// A Table contains all nodes that a node knows: the live members, and tombstones of dead and departed nodes, so that
// stale entries do not bring these back. Create it with NewTable. It is not safe for concurrent use.
type Table struct {
	byID       map[wire.NodeID]*Entry
	byName     map[string]*Entry // live entries
	reserved   map[string]*Entry // dead entries whose names no live member has
	live       []*Entry          // in the order of arrival, except for removals
	tombstones []tombstone       // oldest first; outdated ones are skipped
	root       sum               // of the live entries
	salt       uint64            // of the hashes that this node sends
	buckets    bucketIndex       // index of the live entries
	legacy     int               // number of live legacy nodes
	bytes      int               // see Bytes
	states     [wire.States]int  // number of entries of byID in each state
	Rationed   uint64            // new members that their peer was not allowed to bring
	sealer     sealer
	rank       func(wire.NodeID) float64

	cfg      Config
	epoch    time.Time // entries count their times from it, to take less memory
	self     *Entry    // this node
	zones    zoneNames
	contests contests     // claims of the names of live members
	searches quota.Bucket // limits searches of all members for an address

	version   uint64    // counts changes of the live members
	changedAt time.Time // time of the last NoteChange
	changed   changeLog

	base   *Base              // further live entries, shared with other tables; nil outside simulations
	hidden map[int32]struct{} // rows of base that are outdated or were copied to byID
}

// contests holds what the table remembers about claims of the names of live members.
type contests struct {
	contenders quota.Map[string, Member]     // the last claim of a new run, by name
	former     quota.Map[string, formerName] // by name
	limit      quota.Bucket
	conflicts  quota.Map[string, time.Time] // names that two live nodes claim, and when that was last reported
}

// A formerName is the name that a live member had before. Names do not change, so the entry with another name is false,
// and the member will correct it.
type formerName struct {
	id    wire.NodeID
	until time.Time
}

// Config is the configuration of a Table.
type Config struct {
	Self     Member                // this node; the Table sets Incarnation and Named
	Secret   *nodeid.Secret        // proves the departures of this node; nil: no departure is proven
	NameHold time.Duration         // time that the name of a dead node is reserved for its address
	MetaMax  int                   // maximum bytes of metadata of a member
	Budget   int                   // maximum bytes of all entries; 0 means the constant Budget
	Allow    func(netip.Addr) bool // reports whether a member may have an address; nil allows all
	Base     *Base                 // nil outside simulations
	Rand     *rand.Rand            // source of numbers that no other node can predict
}

// Get returns the entry of a node, live or a tombstone, or nil if the node is unknown.
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

// touchMax is the maximum number of entries that Touch reads.
const touchMax = 16

// Touch reads up to 16 entries that the next calls of Get will return. Most of them are not in the processor's cache,
// and consecutive reads can be fetched in parallel. The sum keeps the compiler from removing the reads, which it would
// do if it inlined the function.
//
//go:noinline
func (t *Table) Touch(next []wire.Member) (sum uint64) {
	var rows [touchMax]*Entry
	next = next[:min(len(next), touchMax)]
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

// Named returns the live member with a name, or nil if there is none.
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

// Count returns the number of live members.
func (t *Table) Count() int {
	if t.base == nil {
		return len(t.live)
	}
	return len(t.live) + len(t.base.rows) - len(t.hidden)
}

// CountGo returns the number of live members that are not legacy nodes.
func (t *Table) CountGo() int { return t.Count() - t.legacy }

// CountLegacy returns the number of live legacy nodes.
func (t *Table) CountLegacy() int { return t.legacy }

// Root returns a hash of all live members under a salt. Two tables with the same root hold the same members (PROTOCOL.md
// Y1).
func (t *Table) Root(salt uint64) uint64 { return t.root.hash(salt) }

// Salt returns the salt of the hashes that this node sends.
func (t *Table) Salt() uint64 { return t.salt }

// Each yields the live members, which are read-only. The order is unspecified, but depends only on the history of the
// table.
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

// Live returns the live members except those that are only in the shared base. It includes all members that are
// suspected, legacy or changed. The table owns the slice, which is valid until the next change.
func (t *Table) Live() []*Entry { return t.live }

// All yields every entry outside the shared base, including tombstones, in random order.
func (t *Table) All(yield func(*Entry) bool) {
	for _, m := range t.byID {
		if !yield(m) {
			return
		}
	}
}

// CountStates returns the number of entries outside the shared base in each state.
func (t *Table) CountStates() [wire.States]int { return t.states }

// Draw returns a random live member, which is read-only. There must be at least one.
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
	m.place, m.rank = int32(len(t.live)), t.rank(m.ID)
	t.live = append(t.live, m)
	t.changed.note(m)
	t.index(m)
	t.byName[m.Name] = m
	delete(t.reserved, m.Name)
	m.digest = t.sealer.digest(m)
	n := number(&m.digest)
	t.root.add(&n)
	if t.base == nil {
		t.buckets.enter(t.live, m, &n)
	}
	if m.Legacy() {
		t.legacy++
	}
}

// unlist removes the live entry m from the live members.
func (t *Table) unlist(m *Entry) {
	n := number(&m.digest)
	t.root.remove(&n)
	if t.base == nil {
		t.buckets.exit(t.live, m, &n)
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
	t.changed.note(m)
}

// Forget removes the live entry m without leaving a tombstone.
func (t *Table) Forget(m *Entry) {
	t.unlist(m)
	t.unindex(m)
}

// SetIncarnation changes the incarnation of an entry and updates the hashes.
func (t *Table) SetIncarnation(m *Entry, incarnation uint64) {
	m.Incarnation = incarnation
	t.reseal(m)
}

// reseal computes the digest of an entry that has changed, and updates the hashes that include it.
func (t *Table) reseal(m *Entry) {
	before := m.digest
	t.changed.note(m)
	if m.digest = t.sealer.digest(m); !m.Live() || m.digest == before {
		return
	}
	old, now := number(&before), number(&m.digest)
	for _, s := range []*sum{&t.root, t.buckets.sumOf(m)} {
		if s != nil {
			s.remove(&old)
			s.add(&now)
		}
	}
}

// index adds an entry to the entries by id.
func (t *Table) index(m *Entry) {
	if t.byID[m.ID] != m {
		t.byID[m.ID] = m
		t.bytes += m.bytes()
		t.states[m.State]++
	}
}

// unindex removes an entry from the entries by id.
func (t *Table) unindex(m *Entry) {
	if t.byID[m.ID] == m {
		delete(t.byID, m.ID)
		t.bytes -= m.bytes()
		t.states[m.State]--
	}
}

// setState sets the state of an entry.
func (t *Table) setState(m *Entry, s wire.State) {
	if t.byID[m.ID] == m {
		t.states[m.State]--
		t.states[s]++
	}
	m.State = s
}

// set changes the metadata of an entry and the proof of its last departure, both of which it keeps.
func (t *Table) set(m *Entry, meta []byte, proof *wire.Proof) {
	if t.byID[m.ID] == m {
		t.bytes += len(meta) + proofBytes(proof) - len(m.Meta) - proofBytes(m.Proof)
	}
	m.Meta, m.Proof = meta, proof
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

// NoteChange records that the live members, or their data, have changed.
func (t *Table) NoteChange(now time.Time) {
	t.version++
	t.changedAt = now
}

// ChangedAt returns the time of the last NoteChange.
func (t *Table) ChangedAt() time.Time { return t.changedAt }

// Version returns a number that increases whenever the live members or their data have changed.
func (t *Table) Version() uint64 { return t.version }

// Since returns when a member of this table entered its state.
func (t *Table) Since(m *Entry) time.Time { return t.epoch.Add(m.since) }

// WasMember reports whether m became a member before the given time: it entered its state before, or it was suspected or
// taken for dead since, which only its refutation ends.
func (t *Table) WasMember(m *Entry, before time.Time) bool {
	return m.State == wire.StateSuspect || m.Refuted > 0 || t.Since(m).Before(before)
}

// Changed yields the entries that may have changed since the last call, in the order of their changes and some of them more
// than once. An entry that is not live is a member no more. The first call yields all live members. There is one reader,
// which calls Changed soon after each input, so that the list stays short.
func (t *Table) Changed(yield func(*Entry)) {
	if t.changed.read {
		t.changed.take(yield)
		return
	}
	t.changed.read = true
	for m := range t.Each {
		yield(m)
	}
}

// SetRTT changes the round-trip time of a member, which is not part of its entry: Version stays the same.
func (t *Table) SetRTT(m *Entry, rtt time.Duration) {
	m.RTT = rtt
	t.changed.note(m)
}

// SetState sets the state of a live member to alive or suspect. This increases Version, but it does not change what
// neighbors compare.
func (t *Table) SetState(now time.Time, m *Entry, s wire.State) {
	t.setState(m, s)
	m.since = now.Sub(t.epoch)
	t.changed.note(m)
	t.version++
}

// own copies row i of the base to the table. It returns nil if the row was copied before: then the entry has changed
// and is not what the caller is looking for.
func (t *Table) own(i int32) *Entry {
	if _, hidden := t.hidden[i]; hidden {
		return nil
	}
	t.hidden[i] = struct{}{}
	m := new(Entry)
	*m = t.base.rows[i]
	m.place, m.rank = int32(len(t.live)), t.rank(m.ID)
	t.live = append(t.live, m)
	t.index(m)
	t.byName[m.Name] = m
	return m
}

// MemberOf returns an alive entry as a Member, which does not reference the input.
func (t *Table) MemberOf(e *wire.Member) Member {
	return Member{ID: e.ID, Name: string(e.Name), Addr: e.Addr, Zone: t.zones.zoneOf(e), Meta: append([]byte(nil), e.Meta...),
		Versions: e.Versions, State: e.State, Incarnation: e.Incarnation, Named: e.Named, Refuted: e.Refuted, Proof: proofIn(e)}
}

// zoneNames holds the names of zones, so that entries share the strings.
type zoneNames struct{ names quota.Map[string, string] }

// zoneOf returns the zone of an alive entry. Entries of one zone share the string of its name.
func (z *zoneNames) zoneOf(e *wire.Member) wire.Zone {
	if !e.HasZone {
		return wire.Zone{}
	}
	name, ok := z.names.Get(string(e.ZoneName))
	if !ok {
		name = string(e.ZoneName)
		z.names.Set(name, name)
	}
	return wire.Zone{Name: name, Valid: true}
}
