package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
)

func aliveMember() Member {
	return Member{ID: NodeID(id1), Incarnation: 1795382819920, Name: []byte("node-17"), HasZone: true,
		ZoneName: []byte("eu-west"), Addr: netip.MustParseAddrPort("10.1.2.3:6969"),
		Versions: [6]byte{1, 5, 2, 0, 0, 0}, Meta: []byte("role=db"), Named: 1795382819000, Refuted: 1795382819001}
}

func sampleMembers() []Member {
	v6 := aliveMember()
	v6.Addr, v6.HasZone, v6.ZoneName = netip.MustParseAddrPort("[2001:db8::1]:7946"), false, nil
	returned := aliveMember()
	returned.Proof = Proof{1, 31: 2}
	return []Member{
		aliveMember(),
		v6,
		returned,
		{State: StateSuspect, ID: NodeID(id1), Incarnation: 3, From: NodeID(id2)},
		{State: StateDead, ID: NodeID(id1), Incarnation: 300, From: NodeID(id2)},
		{State: StateLeft, ID: NodeID(id1), Incarnation: 70000, Proof: Proof{3, 31: 4}},
	}
}

// PROTOCOL.md P4.
func TestMemberHasTheLayoutDrawn(t *testing.T) {
	m := aliveMember()
	want := seq(num(0), bin(id1), num(1795382819920), str("node-17"), bin([]byte{10, 1, 2, 3, 27, 57}), str("eu-west"),
		bin([]byte{1, 5, 2, 0, 0, 0}), bin([]byte("role=db")), num(1795382819000), num(1795382819001))
	if got := AppendMember(nil, &m); !bytes.Equal(got, want) {
		t.Errorf("got %x\nwant %x", got, want)
	}
}

func TestSizeOfAMemberIsThatOfItsBytes(t *testing.T) {
	r := newRandom(6)
	for range 500 {
		m := r.member()
		if r.IntN(5) == 0 {
			m.Addr = netip.AddrPort{}
		}
		if got := len(AppendMember(nil, &m)); got != m.Size() {
			t.Fatalf("%d bytes, Size %d: %+v", got, m.Size(), m)
		}
	}
}

func TestMappedAddressOfAMemberBecomesIPv4(t *testing.T) {
	m := aliveMember()
	m.Addr = netip.MustParseAddrPort("[::ffff:10.1.2.3]:6969")
	want := aliveMember()
	if got := AppendMember(nil, &m); !bytes.Equal(got, AppendMember(nil, &want)) {
		t.Errorf("got %x", got)
	}
	mapped := m.Addr.Addr().As16()
	b := seq(num(0), bin(id1), num(1), str(""), bin(append(mapped[:], 27, 57)), null, bin(make([]byte, 6)), bin(nil), num(1), num(0))
	if err := ParseIdentity(b, &m); err != nil || m.Addr != want.Addr {
		t.Errorf("got %s %v", m.Addr, err)
	}
}

// PROTOCOL.md P6.
func TestMembersStopAtTheLimit(t *testing.T) {
	before := []byte("before")
	m := aliveMember()
	w := BeginMembers(bytes.Clone(before), MessageID(id1))
	limit := len(before) + 31 + 3*m.Size() + 1
	for w.Append(&m, limit) {
	}
	b := w.End()
	if w.Len() != 3 || len(b) != limit-1 {
		t.Fatalf("%d entries in %d of %d bytes", w.Len(), len(b), limit)
	}
	var msg Message
	if _, err := ParseMessage(&msg, b[len(before):]); err != nil || msg.Kind != KindMembers {
		t.Fatal(msg.Kind, err)
	}
	n := 0
	it := IterMembers(msg.Data)
	for ; it.Next(&m); n++ {
	}
	if n != 3 || it.Err() != nil {
		t.Errorf("%d entries, %v", n, it.Err())
	}
}

func TestMembersWithoutAnEntryAreNoMessage(t *testing.T) {
	m := aliveMember()
	w := BeginMembers([]byte("before"), MessageID(id1))
	if w.Append(&m, 60) {
		t.Error("an entry fitted")
	}
	if b := w.End(); string(b) != "before" {
		t.Errorf("got %q", b)
	}
}

// PROTOCOL.md I1.
func TestLaterVersionsOfAMemberAreRead(t *testing.T) {
	long := func(m *Member) []byte { // with two more elements than any of this version
		b := AppendMember(nil, m)
		if m.State == StateAlive && !m.returned() {
			b[0]++
			b = append(b, tagNil)
		}
		b[0] += 2
		return append(append(b, oddValues...), tagNil)
	}
	var items [][]byte
	want := sampleMembers()
	for i := range want {
		items = append(items, seq(num(200), oddValues), long(&want[i]), seq(num(4)))
	}
	var m Member
	it := IterMembers(seq(items...))
	for i := range want {
		if !it.Next(&m) || !reflect.DeepEqual(m, want[i]) {
			t.Fatalf("entry %d: %+v %v", i, m, it.Err())
		}
	}
	if it.Next(&m) || it.Err() != nil {
		t.Error("one more, or", it.Err())
	}
	if err := ParseIdentity(long(&want[0]), &m); err != nil || !reflect.DeepEqual(m, want[0]) {
		t.Errorf("identity %+v %v", m, err)
	}
}

func TestBrokenMembersAreRefused(t *testing.T) {
	alive := func(name, addr, zone, versions, meta []byte) []byte {
		return seq(num(0), bin(id1), num(1), name, addr, zone, versions, meta, num(1))
	}
	n, a, v := str("n"), bin(make([]byte, 6)), bin(make([]byte, 6))
	for name, b := range map[string][]byte{
		"no element":          seq(),
		"no id":               seq(num(3)),
		"a left of two":       seq(num(3), bin(id1)),
		"a dead of three":     seq(num(2), bin(id1), num(1)),
		"an alive of eight":   seq(num(0), bin(id1), num(1), n, a, null, v, bin(nil)),
		"nil for the time":    seq(num(0), bin(id1), num(1), n, a, null, v, bin(nil), null),
		"a name of 256 bytes": alive(str(string(make([]byte, 256))), a, null, v, bin(nil)),
		"a name that is bin":  alive(bin(nil), a, null, v, bin(nil)),
		"an address of 7":     alive(n, bin(make([]byte, 7)), null, v, bin(nil)),
		"a zone of 256 bytes": alive(n, a, str(string(make([]byte, 256))), v, bin(nil)),
		"five versions":       alive(n, a, null, bin(make([]byte, 5)), bin(nil)),
		"metadata of 64 KiB":  alive(n, a, null, v, bin(make([]byte, 1<<16))),
		"nil for metadata":    alive(n, a, null, v, null),
		"a negative state":    seq([]byte{0xff}, bin(id1), num(1)),
	} {
		var m Member
		it := IterMembers(seq(b, null)) // a value follows, so that no entry is too short
		if it.Next(&m) || it.Err() != ErrMalformed {
			t.Errorf("%s: %v", name, it.Err())
		}
		if err := ParseIdentity(append(b, 0), &m); err != ErrMalformed {
			t.Errorf("%s as identity: %v", name, err)
		}
	}
	for _, b := range variants(seq(num(3), bin(id1), num(1)), seq(num(9), bin(id1))) {
		var m Member
		if err := ParseIdentity(b, &m); err != ErrMalformed {
			t.Errorf("an identity that is not alive: %v", err)
		}
	}
}

func TestStatesHaveNames(t *testing.T) {
	for s, want := range map[State]string{StateAlive: "alive", StateLeft: "left", 4: "unknown"} {
		if s.String() != want {
			t.Errorf("state %d is %q", s, s)
		}
	}
}
