package members

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Member is what is known of a node. Its slices are not written again, so copies may be kept.
type Member struct {
	ID          wire.NodeID
	Name        string
	Addr        netip.AddrPort
	Zone        wire.Zone
	Meta        []byte
	Versions    [6]byte
	State       wire.State
	Incarnation uint64        // Unix milliseconds, or one more than the previous incarnation
	Named       uint64        // Unix milliseconds when the node took its name
	Refuted     uint64        // the node has refuted accusations of its incarnations up to this one; 0 for none
	RTT         time.Duration // last measured round-trip time, updated when it changes by a fifth; 0 if never measured
}

// String returns the name and the address, for logs.
func (m *Member) String() string { return fmt.Sprintf("%q (%s)", m.Name, m.Addr) }

// Legacy reports whether the member is a gwyh 0.1 node.
func (m *Member) Legacy() bool { return !m.ID.IsGo() }

// An Entry is a member in a Table. With its share of the table's indexes it takes at most 336 bytes, so there is no
// slot for the state that other packages keep of a member. Few members have such state at a time: a suspicion or a
// refused subscription is in a map of its owner, by id, and ends when the table reports a Change.
type Entry struct {
	Member
	Since     time.Time   // when State was entered
	Accuser   wire.NodeID // if dead: the node that found the failure
	digest    uint64      // what Digest returns
	place     int32       // index in Table.live; -1 for a tombstone
	before    int32       // if live: the place of the member before it in its bucket; -1 for none
	after     int32       // and of the one behind it
	queued    bool        // waits in News
	vacated   bool        // if dead: another node has its address, so its name is not reserved for it
	Partition uint16      // if dead: the number of the partition in which it failed; 0 for none
}

// NewEntry returns an entry that is not in a table yet.
func NewEntry(id wire.NodeID) *Entry { return &Entry{Member: Member{ID: id}, place: -1} }

// Live reports whether the entry counts as part of the cluster: it is alive or suspected.
func (m *Entry) Live() bool { return m.place >= 0 }

// EntryBytes is the bytes of an entry with its share of all indexes, except its name and its metadata, at most.
const EntryBytes = 336

// bytes is the memory that an entry takes, at most.
func (m *Entry) bytes() int { return EntryBytes + len(m.Name) + len(m.Meta) }

// setState sets the state of an entry that remains live, or becomes so.
func (m *Entry) setState(now time.Time, s wire.State) { m.State, m.Since = s, now }

// Says reports whether an alive entry says of the node what m says, apart from the incarnation.
func (m *Member) Says(e *wire.Member) bool {
	switch {
	case m.Name != string(e.Name), m.Addr != e.Addr, !bytes.Equal(m.Meta, e.Meta):
		return false
	case m.Zone.Valid != e.HasZone, m.Zone.Name != string(e.ZoneName), m.Versions != e.Versions:
		return false
	}
	return m.Named == e.Named && m.Refuted == e.Refuted
}

// yieldsTo reports whether another alive entry of the same incarnation replaces m, because its bytes are larger. All nodes decide
// alike, so the node that both are about hears of the other entry, and outdoes it.
func (m *Entry) yieldsTo(e *wire.Member) bool {
	if m.Says(e) {
		return false
	}
	var own wire.Member
	return bytes.Compare(wire.AppendMember(nil, e), wire.AppendMember(nil, m.Fill(&own))) > 0
}

// Fill writes the wire form of an entry into e, whose slices it reuses, and returns e. The entry of a suspected member
// is its alive entry; the accusations are separate entries.
func (m *Entry) Fill(e *wire.Member) *wire.Member {
	e.State, e.ID, e.Incarnation, e.From = m.State, m.ID, m.Incarnation, m.Accuser
	e.Name = append(e.Name[:0], m.Name...)
	e.ZoneName, e.HasZone = append(e.ZoneName[:0], m.Zone.Name...), m.Zone.Valid
	e.Addr, e.Versions, e.Meta, e.Named, e.Refuted = m.Addr, m.Versions, m.Meta, m.Named, m.Refuted
	if e.State == wire.StateSuspect {
		e.State = wire.StateAlive
	}
	return e
}
