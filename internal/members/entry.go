package members

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Member describes a node. Its slices are never modified, so copies may be kept.
type Member struct {
	ID          wire.NodeID
	Name        string
	Addr        netip.AddrPort
	Zone        wire.Zone
	Meta        []byte
	Versions    [6]byte
	State       wire.State
	Departures  uint8         // number of departures of the node that were proven
	Incarnation uint64        // Unix milliseconds, or one more than the previous incarnation
	Named       uint64        // Unix time in milliseconds at which the node took its name
	Refuted     uint64        // the highest incarnation of which the node has refuted accusations; 0 for none
	From        *wire.NodeID  // if dead: the node that found the failure, never modified; otherwise nil
	Proof       *wire.Proof   // of the last departure, never modified; nil for none
	RTT         time.Duration // last measured round-trip time, updated when it changes by a fifth; 0 if never measured
}

// String returns the name and the address, for logs.
func (m *Member) String() string { return fmt.Sprintf("%q (%s)", m.Name, m.Addr) }

// Legacy reports whether the member is a legacy node.
func (m *Member) Legacy() bool { return !m.ID.IsGo() }

// An Entry is a member in a Table. It takes at most EntryBytes, so it has no fields for the state of other packages.
// Few members have such state, for example a suspicion or a refused subscription. Its owner keeps it in a map by id,
// and deletes it when the table reports a Change.
type Entry struct {
	Member
	since     time.Duration // when State was entered, from Table.epoch on; see Table.Since
	digest    [16]byte      // the result of Digest
	rank      float64       // the result of Table.Rank; 0 in a Base
	place     int32         // index in Table.live; -1 for a tombstone
	before    int32         // if live: place of the previous member of its bucket; -1 for none
	after     int32         // if live: place of the next member of its bucket; -1 for none
	ends      uint32        // how often it was removed from the live members; see tombstone
	moved     uint32        // Unix time in seconds at which an entry changed the address; 0 for never
	queued    bool          // queued in News
	vacated   bool          // if dead: another node has its address, so its name is not reserved any more
	Partition uint16        // if dead: the number of the partition in which it failed; 0 for none
}

// NewEntry returns an entry that is not in a table.
func NewEntry(id wire.NodeID) *Entry { return &Entry{Member: Member{ID: id}, place: -1} }

// A tombstone is the place of a dead or departed node in the order of removal. It is outdated when the node has
// returned or was removed again.
type tombstone struct {
	*Entry
	ends uint32 // the entry's count when it was removed
}

// current reports whether the tombstone is the one place of a dead or departed node.
func (x tombstone) current() bool { return !x.Live() && x.ends == x.Entry.ends }

// Live reports whether the entry is part of the cluster: alive or suspected.
func (m *Entry) Live() bool { return m.place >= 0 }

// EntryBytes is the maximum size in bytes of an entry and its share of all indexes, without its name, metadata and proof.
const EntryBytes = 360

// bytes returns an upper bound of the memory of an entry.
func (m *Entry) bytes() int { return EntryBytes + len(m.Name) + len(m.Meta) + proofBytes(m.Proof) }

// Says reports whether an alive entry and m say the same, apart from the incarnation.
func (m *Member) Says(e *wire.Member) bool {
	switch {
	case m.Name != string(e.Name), m.Addr != e.Addr, !bytes.Equal(m.Meta, e.Meta):
		return false
	case m.Zone.Valid != e.HasZone, m.Zone.Name != string(e.ZoneName), m.Versions != e.Versions:
		return false
	}
	return m.Named == e.Named && m.Refuted == e.Refuted && m.proof() == e.Proof
}

// yieldsTo reports whether another alive entry of the same incarnation replaces m because its bytes are larger. All
// nodes decide alike, so the node itself receives the other entry and replaces it with a higher incarnation.
func (m *Entry) yieldsTo(e *wire.Member) bool {
	if m.Says(e) {
		return false
	}
	var own wire.Member
	return bytes.Compare(wire.AppendMember(nil, e), wire.AppendMember(nil, m.Fill(&own))) > 0
}

// proofIn returns a copy of the proof in an entry, or nil if there is none.
func proofIn(e *wire.Member) *wire.Proof {
	if e.Proof == (wire.Proof{}) {
		return nil
	}
	p := e.Proof
	return &p
}

// proofBytes returns the memory of a proof.
func proofBytes(p *wire.Proof) int {
	if p == nil {
		return 0
	}
	return len(p)
}

// Accuser returns the node that found the failure, or zero.
func (m *Member) Accuser() (id wire.NodeID) {
	if m.From != nil {
		id = *m.From
	}
	return id
}

// proof returns the proof of the last departure, or zero.
func (m *Member) proof() (p wire.Proof) {
	if m.Proof != nil {
		p = *m.Proof
	}
	return p
}

// Fill writes the wire form of m to e, whose slices it reuses, and returns e. For a suspected member it writes the
// alive entry; accusations are separate entries.
func (m *Entry) Fill(e *wire.Member) *wire.Member {
	e.State, e.ID, e.Incarnation, e.From, e.Proof = m.State, m.ID, m.Incarnation, m.Accuser(), m.proof()
	e.Name = append(e.Name[:0], m.Name...)
	e.ZoneName, e.HasZone = append(e.ZoneName[:0], m.Zone.Name...), m.Zone.Valid
	e.Addr, e.Versions, e.Meta, e.Named, e.Refuted = m.Addr, m.Versions, m.Meta, m.Named, m.Refuted
	if e.State == wire.StateSuspect {
		e.State = wire.StateAlive
	}
	return e
}
