package members

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// incarnationAhead is how far in the future an incarnation may be. An entry beyond it is ignored.
const incarnationAhead = 24 * time.Hour

// clockSkew is how far the clocks of two nodes may differ that have shaken hands (docs/PROTOCOL.md E1).
const clockSkew = time.Minute

// OutOfReach reports whether an entry about this node itself is of an incarnation that no other node takes in, whatever its clock says.
func OutOfReach(now time.Time, incarnation uint64) bool {
	return TooFarAhead(now.Add(clockSkew), incarnation)
}

// TooFarAhead reports whether an incarnation is so far in the future that its entry is ignored.
func TooFarAhead(now time.Time, incarnation uint64) bool {
	return incarnation > uint64(now.Add(incarnationAhead).UnixMilli())
}

// A Verdict is what the table makes of an entry that another node sent.
type Verdict uint8

const (
	Future     Verdict = iota // its incarnation is too far in the future: ignore it
	Stale                     // it says nothing new
	Behind                    // it says nothing new, and its sender lacks something that this node knows
	Accusation                // a node suspects a member, which the failure detector weighs
	Hearsay                   // a live member is said to be dead, by a comparison of tables: as good as an accusation
	Alive                     // the table should take it in: see Refusal, Claim and SetAlive
	Gone                      // the table should take it in: see SetGone
)

// Weigh says what to do with an entry about another Go node, and returns what the table knows of it, which may be
// nil. compared says that the entry was learned by comparing tables, not by news along a link.
func (t *Table) Weigh(now time.Time, e *wire.Member, compared bool) (*Entry, Verdict) {
	m := t.Get(e.ID)
	switch {
	case TooFarAhead(now, e.Incarnation):
		return m, Future
	case e.State == wire.StateSuspect:
		return m, Accusation
	case m != nil && !m.SupersededBy(e):
		if compared && m.IsAheadOf(e) {
			return m, Behind
		}
		return m, Stale
	case compared && e.State == wire.StateDead && t.IsLive(e.ID):
		return m, Hearsay
	case e.State == wire.StateAlive:
		return m, Alive
	}
	return m, Gone
}

// SupersededBy reports whether an entry tells more than m: a higher incarnation, or at the same incarnation a worse
// state, or something else of a live node. A death yields only to a refutation, however high the other incarnation is: a node that cannot receive still
// sends, and its own entry may change meanwhile.
func (m *Entry) SupersededBy(e *wire.Member) bool {
	switch {
	case m.Legacy():
	case e.State == wire.StateAlive && m.State == wire.StateDead:
		return e.Incarnation > m.Incarnation && e.Refuted >= m.Incarnation
	case e.State == wire.StateDead && m.Live():
		return e.Incarnation > m.Refuted
	}
	if e.Incarnation != m.Incarnation {
		return e.Incarnation > m.Incarnation
	}
	if e.State == wire.StateAlive && m.Live() {
		return m.yieldsTo(e)
	}
	return e.State > m.State
}

// IsAheadOf reports whether the sender of an entry that does not supersede m should get m.
func (m *Entry) IsAheadOf(e *wire.Member) bool {
	return e.Incarnation < m.Incarnation || e.State < m.State
}

// A Refusal is why no node may add an alive entry to this table, whoever sends it.
type Refusal struct {
	Address bool // the address is not allowed, in contrast to an entry that is malformed or too large
	Err     error
}

// Refusal returns why an alive entry must not be taken in. Its Err is nil if it may be.
func (t *Table) Refusal(e *wire.Member) Refusal {
	switch m := t.Get(e.ID); {
	case len(e.Name) == 0 || !e.Addr.IsValid() || e.Addr.Port() == 0:
		return Refusal{Err: errNameless}
	case !isPrintable(e.Name) || e.HasZone && !isPrintable(e.ZoneName):
		return Refusal{Err: errUnprintable}
	case !isUnicast(e.Addr.Addr()):
		return Refusal{Address: true, Err: fmt.Errorf("no node can have the address %s", e.Addr.Addr())}
	case e.Addr.Addr().IsLoopback() && !t.self.Addr.Addr().IsLoopback():
		return Refusal{Address: true, Err: fmt.Errorf("the loopback address %s is not that of another machine", e.Addr.Addr())}
	case e.Refuted >= e.Incarnation && e.Refuted != 0:
		return Refusal{Err: errRefuted}
	case len(e.Meta) > t.cfg.MetaMax:
		return Refusal{Err: fmt.Errorf("metadata of %d bytes, of which MetaMax allows %d", len(e.Meta), t.cfg.MetaMax)}
	case t.cfg.Allow != nil && !t.cfg.Allow(e.Addr.Addr()):
		return Refusal{Address: true, Err: fmt.Errorf("address %s is not among CIDRsAllowed", e.Addr.Addr())}
	case (m == nil || !m.Live()) && t.Count() >= Max:
		return Refusal{Err: errMembersMany}
	case !t.hasRoom(m, e):
		return Refusal{Err: errNoRoom}
	}
	return Refusal{}
}

// isPrintable reports whether a name is UTF-8 without control characters, so that it can be written to logs and terminals.
func isPrintable(name []byte) bool {
	return utf8.Valid(name) && !bytes.ContainsFunc(name, unicode.IsControl)
}

// isUnicast reports whether a packet to an address reaches at most one machine.
func isUnicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

var (
	errNameless    = errors.New("name, address or port is missing")
	errUnprintable = errors.New("name or zone is not UTF-8, or contains control characters")
	errRefuted     = errors.New("it refutes a later incarnation than its own")
	errMembersMany = fmt.Errorf("there are %d members already", Max)
)

// A Kind is what a Change is to the application.
type Kind uint8

const (
	Unseen  Kind = iota // nothing that the application sees: a new incarnation, or news of a tombstone
	Joined              // the node became a member
	Updated             // a member has another address or other metadata, or was restarted
	Died                // the member is dead
	Left                // the member departed
)

// A Change is what an entry changed in the table.
type Change struct {
	Kind   Kind
	Member *Entry

	// Of a member that joined, or that was restarted:

	Failed    *Entry    // the entry of this node, or of its earlier run, if that was dead; otherwise nil
	FailedAt  time.Time // when it died
	Restarted bool      // Failed is another run of the same node
	Replaces  bool      // the node was restarted, and no node had noticed that its earlier run had ended
}

// Returned reports whether the same run of a node is a member again that was dead.
func (c *Change) Returned() bool { return c.Failed != nil && !c.Restarted }

// SetAlive writes an alive entry into the table, whose name claim has granted. If the member was suspected it
// remains so: the failure detector decides whether the entry refutes the suspicion.
func (t *Table) SetAlive(now time.Time, e *wire.Member, claim Claim) Change {
	m := t.Get(e.ID)
	if m == nil {
		m = NewEntry(e.ID)
	}
	before := claim.Replaced
	if m.Live() {
		before = m
	}
	change := t.arrival(m, before, string(e.Name))
	switch {
	case before == nil:
		change.Kind = Joined
	case before.Addr != e.Addr || !bytes.Equal(before.Meta, e.Meta):
		change.Kind = Updated
	}
	t.write(now, m, e)
	return change
}

// arrival returns what was known of m, and of an earlier run of the same name, before an alive entry is written.
// before is the live member that had the name until now.
func (t *Table) arrival(m, before *Entry, name string) Change {
	c := Change{Member: m}
	if before != nil {
		c.Replaces = before != m && before.State == wire.StateDead
		return c
	}
	if m.State == wire.StateDead {
		c.Failed, c.FailedAt = m, m.Since
	} else if dead := t.reserved[name]; dead != nil {
		c.Failed, c.FailedAt, c.Restarted = dead, dead.Since, true
	}
	return c
}

// write makes m what an alive entry says.
func (t *Table) write(now time.Time, m *Entry, e *wire.Member) {
	if m.State != wire.StateSuspect {
		m.setState(now, wire.StateAlive)
	}
	m.vacated = false
	m.Incarnation = e.Incarnation
	m.Addr, m.Versions, m.Zone, m.Named, m.Refuted = e.Addr, e.Versions, t.zoneOf(e), e.Named, e.Refuted
	t.setMeta(m, bytes.Clone(e.Meta))
	switch {
	case !m.Live():
		t.release(m)
		t.unindex(m)
		m.Name = string(e.Name)
		t.Add(m)
	case m.Name != string(e.Name):
		t.rename(m, string(e.Name))
	}
	t.reseal(m)
}

// SetGone makes a node, known or not, a tombstone, as an entry says that calls it dead or departed. The Kind of the
// Change is Unseen if it was no live member.
func (t *Table) SetGone(now time.Time, e *wire.Member) Change {
	m := t.Get(e.ID)
	if m == nil {
		m = NewEntry(e.ID)
	}
	t.SetIncarnation(m, max(m.Incarnation, e.Incarnation))
	m.Accuser = e.From
	return t.end(now, m, e.State)
}

// Fail makes a member a tombstone that the given node found dead.
func (t *Table) Fail(now time.Time, m *Entry, by wire.NodeID) Change {
	m.Accuser = by
	return t.end(now, m, wire.StateDead)
}

// Leave makes this node's own entry a tombstone.
func (t *Table) Leave(now time.Time) Change { return t.end(now, t.self, wire.StateLeft) }

func (t *Table) end(now time.Time, m *Entry, s wire.State) Change {
	c := Change{Member: m}
	if m.Live() {
		if c.Kind = Died; s == wire.StateLeft {
			c.Kind = Left
		}
	}
	m.State = s
	t.Remove(now, m)
	return c
}

// MemberOf returns an alive entry as a Member, which keeps nothing of the input.
func (t *Table) MemberOf(e *wire.Member) Member {
	return Member{ID: e.ID, Name: string(e.Name), Addr: e.Addr, Zone: t.zoneOf(e), Meta: append([]byte(nil), e.Meta...),
		Versions: e.Versions, State: e.State, Incarnation: e.Incarnation, Named: e.Named, Refuted: e.Refuted}
}

// zoneOf returns the zone of an alive entry. Entries of one zone share its name.
func (t *Table) zoneOf(e *wire.Member) wire.Zone {
	if !e.HasZone {
		return wire.Zone{}
	}
	name, ok := t.zones.Get(string(e.ZoneName))
	if !ok {
		name = string(e.ZoneName)
		t.zones.Set(name, name)
	}
	return wire.Zone{Name: name, Valid: true}
}
