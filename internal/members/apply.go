package members

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// incarnationAhead is how far ahead of the clock an incarnation may be. An entry beyond it is ignored.
const incarnationAhead = 24 * time.Hour

// clockSkew is the maximum difference between the clocks of two nodes with a session (docs/PROTOCOL.md E1).
const clockSkew = time.Minute

// OutOfReach reports whether every other node ignores an incarnation of this node, whatever its clock says.
func OutOfReach(now time.Time, incarnation uint64) bool {
	return TooFarAhead(now.Add(clockSkew), incarnation)
}

// TooFarAhead reports whether an incarnation is so far in the future that its entry is ignored.
func TooFarAhead(now time.Time, incarnation uint64) bool {
	return incarnation > uint64(now.Add(incarnationAhead).UnixMilli())
}

// A Verdict is the table's judgment of an entry that another node sent.
type Verdict uint8

const (
	Future     Verdict = iota // the incarnation is too far in the future; ignore the entry
	Stale                     // the entry contains no news
	Outdated                  // the entry contains no news, and its sender lacks something that this node knows
	Accusation                // a node suspects a member; for the failure detector
	Unproven                  // another node says that a live member is dead, or has left without proof; an accusation
	Alive                     // the table should accept the entry: see Refusal, Claim and SetAlive
	Gone                      // the table should accept the entry: see SetGone
)

// Weigh judges an entry about another Go node. It also returns the table's entry for that node, which may be nil.
// compared says that the entry comes from a comparison of tables, not from news along a link (PROTOCOL.md J5).
func (t *Table) Weigh(now time.Time, e *wire.Member, compared bool) (*Entry, Verdict) {
	m := t.Get(e.ID)
	switch {
	case TooFarAhead(now, e.Incarnation):
		return m, Future
	case e.State == wire.StateSuspect:
		return m, Accusation
	case m != nil && !m.SupersededBy(e):
		if compared && m.IsAheadOf(e) {
			return m, Outdated
		}
		return m, Stale
	case e.State == wire.StateAlive:
		return m, Alive
	case e.State == wire.StateLeft && hasLeft(m, e):
		return m, Gone
	case m != nil && m.Live():
		return m, Unproven
	case e.State == wire.StateLeft:
		return m, Stale
	}
	return m, Gone
}

// SupersededBy reports whether e replaces m: by a higher incarnation, or at the same incarnation by a worse state or
// by different data of a live node. Only a refutation replaces a dead entry, however high the incarnation of e is,
// because a node that cannot receive still sends, and its own entry may change meanwhile (PROTOCOL.md M2).
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

// IsAheadOf reports whether m should be sent to the sender of e, which is no accusation and does not supersede m. A
// suspicion of m does not count: two nodes that both suspect it would send it to each other without end (PROTOCOL.md Y8).
func (m *Entry) IsAheadOf(e *wire.Member) bool {
	return e.Incarnation < m.Incarnation || e.State < m.State && m.State != wire.StateSuspect
}

// A Refusal is the reason why no node may add an alive entry to this table.
type Refusal struct {
	Address bool // the address is not allowed; false if the entry is malformed or too large
	Err     error
}

// Refusal returns the reason to refuse an alive entry. Err is nil if the entry may be accepted (PROTOCOL.md M3).
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
	case e.Proof != (wire.Proof{}) && nodeid.Departures(e.ID, &e.Proof) == 0:
		return Refusal{Err: errUnproven}
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

// isPrintable reports whether a name is UTF-8 without control characters and therefore safe for logs and terminals.
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
	errUnproven    = errors.New("it proves a departure of another node")
	errMembersMany = fmt.Errorf("there are %d members already", Max)
)

// A Kind classifies a Change for the application.
type Kind uint8

const (
	Unseen  Kind = iota // not visible to the application: a new incarnation, or news about a tombstone
	Joined              // the node became a member
	Updated             // the address or the metadata of a member changed, or it was restarted
	Died                // the member is dead
	Left                // the member left
)

// A Change describes the effect of an entry on the table.
type Change struct {
	Kind   Kind
	Member *Entry

	// For a member that joined or was restarted:

	Failed    *Entry    // the entry of this node or of its earlier run, if that was dead; nil otherwise
	FailedAt  time.Time // when Failed died
	Restarted bool      // Failed is another run of the same node
	Replaces  bool      // the node was restarted, and no node had noticed the end of its earlier run

	// For a linked member that failed or left:

	Heard     time.Time // when its last packet arrived; zero without a link
	DeafSince time.Time // when it began to report that it hears nothing of this node; zero if it did not
}

// Returned reports whether the same run of a dead node is a member again.
func (c *Change) Returned() bool { return c.Failed != nil && !c.Restarted }

// SetAlive writes an alive entry, whose name claim has granted, to the table. A suspected member remains suspected:
// the failure detector decides whether the entry refutes the suspicion.
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

// arrival returns the Change for m before an alive entry is written: what was known of m and of an earlier run of the
// same name. before is the live member that had the name until now.
func (t *Table) arrival(m, before *Entry, name string) Change {
	c := Change{Member: m}
	if before != nil {
		c.Replaces = before != m && before.State == wire.StateDead
		return c
	}
	if m.State == wire.StateDead {
		c.Failed, c.FailedAt = m, t.Since(m)
	} else if dead := t.reserved[name]; dead != nil {
		c.Failed, c.FailedAt, c.Restarted = dead, t.Since(dead), true
	}
	return c
}

// write copies an alive entry to m.
func (t *Table) write(now time.Time, m *Entry, e *wire.Member) {
	if m.State != wire.StateSuspect {
		t.setState(m, wire.StateAlive)
		m.since = now.Sub(t.epoch)
	}
	m.vacated = false
	if m.Live() && m.Addr != e.Addr {
		m.moved = uint32(now.Unix())
	}
	m.Incarnation = e.Incarnation
	m.Addr, m.Versions, m.Zone, m.Named, m.Refuted = e.Addr, e.Versions, t.zones.zoneOf(e), e.Named, e.Refuted
	m.From = nil
	m.noteDeparture(e)
	t.set(m, bytes.Clone(e.Meta), proofIn(e))
	switch {
	case !m.Live():
		t.release(m)
		t.unindex(m)
		m.Name = string(e.Name)
		t.Add(m)
	case m.Name != string(e.Name):
		t.contests.noteRenamed(now, m)
		t.rename(m, string(e.Name))
	}
	t.reseal(m)
}

// SetGone makes a node, known or unknown, a tombstone as the dead or left entry e says. The Kind of the Change is
// Unseen if the node was not a live member.
func (t *Table) SetGone(now time.Time, e *wire.Member) Change {
	m := t.Get(e.ID)
	if m == nil {
		m = NewEntry(e.ID)
	}
	t.SetIncarnation(m, max(m.Incarnation, e.Incarnation))
	from := e.From
	if m.From = &from; e.State == wire.StateLeft {
		m.From = nil
		m.noteDeparture(e)
		t.set(m, m.Meta, proofIn(e))
	}
	return t.end(now, m, e.State)
}

// Fail makes a member, which the given node found dead, a tombstone.
func (t *Table) Fail(now time.Time, m *Entry, by wire.NodeID) Change {
	m.From = &by
	return t.end(now, m, wire.StateDead)
}

// Leave makes this node's own entry a tombstone with a proof of the departure. Departures after nodeid.DeparturesMax have
// no proof.
func (t *Table) Leave(now time.Time) Change {
	if t.cfg.Secret != nil && t.self.Departures < nodeid.DeparturesMax {
		t.self.Departures++
		proof := t.cfg.Secret.Departure(int(t.self.Departures))
		t.set(t.self, t.self.Meta, &proof)
	}
	return t.end(now, t.self, wire.StateLeft)
}

func (t *Table) end(now time.Time, m *Entry, s wire.State) Change {
	c := Change{Member: m}
	if m.Live() {
		if c.Kind = Died; s == wire.StateLeft {
			c.Kind = Left
		}
	}
	t.setState(m, s)
	t.Remove(now, m)
	return c
}
