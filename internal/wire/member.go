package wire

import (
	"encoding/binary"
	"net/netip"
)

// A State is the state of a member.
type State uint8

const (
	StateAlive State = iota
	StateSuspect
	StateDead
	StateLeft

	States = iota // the number of states
)

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

var stateNames = [...]string{"alive", "suspect", "dead", "left"}

const (
	// NameMax is the maximum length of a node's name in bytes.
	NameMax = 255
	// MetaMax is the maximum length of a node's metadata in bytes.
	MetaMax = 1<<16 - 1
)

// A Proof proves a departure of a node: an element of the node's chain, and the hash of its key (package nodeid).
type Proof [32]byte

// A Member is one entry of a Members message, or the content of an Identity. It is an array:
//
//	alive   = [0, id bin(16), incarnation u64, name str, addr bin(6|18), zone nil|str, versions bin(6), meta bin, named u64, refuted u64]
//	suspect = [1, id bin(16), incarnation u64, from bin(16)]
//	dead    = [2, id bin(16), incarnation u64, from bin(16)]
//	left    = [3, id bin(16), incarnation u64, proof bin(32)]
//	          An alive entry of a node that has left before has one more element: proof bin(32)
//	addr    = 4 or 16 address bytes || u16 port
//
// The parser skips further elements. A parsed Member owns no memory: Name, ZoneName and Meta alias the input, so an
// entry without news costs no allocation.
type Member struct {
	State       State
	ID          NodeID
	Incarnation uint64

	From  NodeID // suspect and dead: the accuser
	Proof Proof  // left: of the departure; alive: of the last one, or zero

	// The following fields are set for alive only.

	Name     []byte // at most NameMax bytes
	Addr     netip.AddrPort
	ZoneName []byte // at most ZoneMax bytes; undefined unless HasZone
	HasZone  bool
	Versions [6]byte // PMin, PMax, PCur, DMin, DMax, DCur
	Meta     []byte  // at most MetaMax bytes
	Named    uint64  // Unix time in ms at which the node started to use its name
	Refuted  uint64  // accusations of incarnations up to this one are refuted; 0 for none
}

// memberElements is the number of elements of an entry for each state.
var memberElements = [...]uint{StateAlive: 10, StateSuspect: 4, StateDead: 4, StateLeft: 4}

// AppendMember appends m as an entry. Equal members have equal encodings (PROTOCOL.md P4). The caller must observe the
// bounds of Member.
func AppendMember(b []byte, m *Member) []byte {
	elements := byte(memberElements[m.State])
	if m.returned() {
		elements++
	}
	b = append(b, tagFixArray|elements, byte(m.State))
	b = appendUUID(b, (*[16]byte)(&m.ID))
	b = appendUint(b, m.Incarnation)
	if m.State == StateAlive {
		b = appendStr(b, m.Name)
		b = appendAddrPort(b, m.Addr)
		if m.HasZone {
			b = appendStr(b, m.ZoneName)
		} else {
			b = append(b, tagNil)
		}
		b = appendBin(b, m.Versions[:])
		b = appendBin(b, m.Meta)
		b = appendUint(b, m.Named)
		b = appendUint(b, m.Refuted)
	}
	switch {
	case m.State == StateSuspect, m.State == StateDead:
		b = appendUUID(b, (*[16]byte)(&m.From))
	case m.State == StateLeft, m.returned():
		b = appendBin(b, m.Proof[:])
	}
	return b
}

// returned reports whether m is an alive entry of a node that has left before, and so has one more element.
func (m *Member) returned() bool { return m.State == StateAlive && m.Proof != Proof{} }

// Size returns the encoded size of m as an entry, in bytes.
func (m *Member) Size() int {
	n := 2 + 18 + uintSize(m.Incarnation)
	switch {
	case m.State == StateLeft, m.returned():
		n += 34
	case m.State != StateAlive:
		n += 18
	}
	if m.State == StateAlive {
		n += strHeadSize(len(m.Name)) + len(m.Name) + 8 + 1 + 8 + binHeadSize(len(m.Meta)) + len(m.Meta) + uintSize(m.Named) + uintSize(m.Refuted)
		if !m.Addr.Addr().Unmap().Is4() {
			n += 12
		}
		if m.HasZone {
			n += strHeadSize(len(m.ZoneName)) + len(m.ZoneName) - 1
		}
	}
	return n
}

// appendAddrPort appends an address. An IPv4 address, even if mapped into IPv6, takes 4 bytes. An invalid one becomes [::].
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	if ip := a.Addr().Unmap(); ip.Is4() {
		v := ip.As4()
		b = append(append(b, tagBin8, 6), v[:]...)
	} else {
		v := ip.As16()
		b = append(append(b, tagBin8, 18), v[:]...)
	}
	return binary.BigEndian.AppendUint16(b, a.Port())
}

// member reads one entry into m, overwriting all fields, and reports whether its state is known.
func (c *cursor) member(m *Member) (known bool) {
	*m = Member{}
	n := c.arrayLen()
	state := c.uint(0xff)
	known = state < uint64(len(memberElements))
	if n == 0 || known && n < memberElements[state] {
		c.fail(ErrMalformed)
	}
	switch {
	case c.err != nil:
		return false
	case !known:
		c.skipN(n - 1)
		return false
	}
	m.State = State(state)
	want := memberElements[state]
	c.uuid((*[16]byte)(&m.ID))
	m.Incarnation = c.uint(1<<64 - 1)
	if m.State == StateAlive {
		c.alive(m)
	}
	switch {
	case m.State == StateSuspect, m.State == StateDead:
		c.uuid((*[16]byte)(&m.From))
	case m.State == StateLeft:
		c.exact(m.Proof[:])
	case n > want: // alive, and more elements
		if want++; !c.isNil() {
			c.exact(m.Proof[:])
		}
	}
	c.skipN(n - want)
	return true
}

func (c *cursor) alive(m *Member) {
	m.Name = c.bounded(c.str(), NameMax)
	m.Addr = c.packedAddrPort()
	if m.HasZone = !c.isNil(); m.HasZone {
		m.ZoneName = c.bounded(c.str(), ZoneMax)
	}
	c.exact(m.Versions[:])
	m.Meta = c.bounded(c.bin(), MetaMax)
	m.Named = c.uint(1<<64 - 1)
	m.Refuted = c.uint(1<<64 - 1)
}

func (c *cursor) packedAddrPort() netip.AddrPort {
	s := c.bin()
	switch len(s) {
	case 6:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s)), binary.BigEndian.Uint16(s[4:]))
	case 18:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(s)).Unmap(), binary.BigEndian.Uint16(s[16:]))
	}
	c.fail(ErrMalformed)
	return netip.AddrPort{}
}
