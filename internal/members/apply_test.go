package members

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md J5, Y8.
func TestWeighSaysWhatToDoWithAnEntry(t *testing.T) {
	const s = time.Second
	refuting := func(i int, incarnation, refuted time.Duration) *wire.Member {
		return with(alive(i), func(e *wire.Member) { e.Incarnation, e.Refuted = at(incarnation), at(refuted) })
	}
	newer := func(i int, incarnation time.Duration) *wire.Member {
		return with(alive(i), func(e *wire.Member) { e.Incarnation = at(incarnation) })
	}
	// Node 1 is alive, node 2 dead and node 3 left, all with incarnation 0. Node 4 is unknown. Node 5 has refuted
	// accusations up to 5 s.
	for _, x := range []struct {
		name                string
		e                   *wire.Member
		flooded, comparison Verdict
	}{
		{"a live node, unchanged", alive(1), Stale, Stale},
		{"a live node, older", newer(1, -s), Stale, Outdated},
		{"a live node, newer", newer(1, s), Alive, Alive},
		{"an unknown node", alive(4), Alive, Alive},
		{"a day ahead", newer(4, 25*time.Hour), Future, Future},
		{"an accusation", gone(1, wire.StateSuspect, at(0)), Accusation, Accusation},
		{"an accusation a day ahead", gone(1, wire.StateSuspect, at(25*time.Hour)), Future, Future},
		{"an accusation of an unknown node", gone(4, wire.StateSuspect, at(0)), Accusation, Accusation},
		{"a death", gone(1, wire.StateDead, at(0)), Unproven, Unproven},
		{"an old death of one that has refuted nothing", gone(1, wire.StateDead, at(-s)), Unproven, Unproven},
		{"a death that was refuted", gone(5, wire.StateDead, at(5*s)), Stale, Outdated},
		{"a death after the refutation", gone(5, wire.StateDead, at(6*s)), Unproven, Unproven},
		{"a death of an unknown node", gone(4, wire.StateDead, at(0)), Gone, Gone},
		{"a departure without a proof", gone(1, wire.StateLeft, at(0)), Unproven, Unproven},
		{"an old departure", gone(1, wire.StateLeft, at(-s)), Stale, Outdated},
		{"a dead node, unchanged", alive(2), Stale, Outdated},
		{"a dead node, newer, that has not heard of its death", newer(2, s), Stale, Outdated},
		{"a dead node that refutes an older accusation", refuting(2, s, -s), Stale, Outdated},
		{"a dead node that refutes its death", refuting(2, s, 0), Alive, Alive},
		{"a dead node that departed, without a proof", gone(2, wire.StateLeft, at(0)), Stale, Stale},
		{"a departed node, newer", newer(3, s), Alive, Alive},
		{"a departed node that is said to be dead", gone(3, wire.StateDead, at(0)), Stale, Outdated},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, 1, 2, 3)
			w.take(gone(2, wire.StateDead, at(0)))
			w.take(gone(3, wire.StateLeft, at(0)))
			w.take(with(alive(5), func(e *wire.Member) { e.Incarnation, e.Refuted = at(5*s+time.Millisecond), at(5*s) }))
			m, flooded := w.Weigh(w.now, x.e, false)
			if m != w.Get(x.e.ID) {
				t.Errorf("%v is not what is known of %v", m, x.e.ID)
			}
			if flooded != x.flooded {
				t.Errorf("as news: %d, want %d", flooded, x.flooded)
			}
			if _, got := w.Weigh(w.now, x.e, true); got != x.comparison {
				t.Errorf("by a comparison: %d, want %d", got, x.comparison)
			}
		})
	}
}

// PROTOCOL.md M3.
func TestRefusalNamesTheReason(t *testing.T) {
	table := NewTable(start, Config{Self: memberFor(0), MetaMax: 4, Allow: func(a netip.Addr) bool { return a.Is4() || a.IsMulticast() }})
	at := func(a string) func(e *wire.Member) {
		return func(e *wire.Member) { e.Addr = netip.AddrPortFrom(netip.MustParseAddr(a), 6969) }
	}
	for _, x := range []struct {
		change  func(e *wire.Member)
		want    string
		address bool
	}{
		{func(e *wire.Member) {}, "", false},
		{func(e *wire.Member) { e.Meta = []byte("four") }, "", false},
		{func(e *wire.Member) { e.Name = nil }, "name, address or port is missing", false},
		{func(e *wire.Member) { e.Addr = netip.AddrPort{} }, "name, address or port is missing", false},
		{func(e *wire.Member) { e.Addr = netip.AddrPortFrom(e.Addr.Addr(), 0) }, "name, address or port is missing", false},
		{func(e *wire.Member) { e.Refuted = e.Incarnation }, "refutes a later incarnation", false},
		{func(e *wire.Member) { e.Meta = []byte("five!") }, "metadata of 5 bytes, of which MetaMax allows 4", false},
		{func(e *wire.Member) { e.Addr = netip.MustParseAddrPort("[2001:db8::1]:1") }, "not among CIDRsAllowed", true},
		{func(e *wire.Member) { e.Name = []byte("Zürich-2") }, "", false},
		{func(e *wire.Member) { e.Name = []byte("node\xff") }, "not UTF-8", false},
		{func(e *wire.Member) { e.Name = []byte("node\n[ERR] forged") }, "control characters", false},
		{func(e *wire.Member) { e.Name = []byte("node\u009b2J") }, "control characters", false},
		{func(e *wire.Member) { e.ZoneName, e.HasZone = []byte("eu\x1b[2J"), true }, "control characters", false},
		{at("0.0.0.0"), "no node can have the address 0.0.0.0", true},
		{at("224.0.0.1"), "no node can have the address 224.0.0.1", true},
		{at("255.255.255.255"), "no node can have", true},
		{at("ff02::1"), "no node can have", true},
		{at("127.0.0.1"), "loopback", true},
	} {
		r := table.Refusal(with(alive(1), x.change))
		switch {
		case (r.Err == nil) != (x.want == ""):
			t.Errorf("%v, want %q", r.Err, x.want)
		case r.Err != nil && !strings.Contains(r.Err.Error(), x.want):
			t.Errorf("%v, want %q", r.Err, x.want)
		case r.Address != x.address:
			t.Errorf("%v: address %t", r.Err, r.Address)
		}
	}
}

func TestLoopbackAddressesAreForNodesThatHaveOneThemselves(t *testing.T) {
	self := memberFor(0)
	self.Addr = netip.MustParseAddrPort("127.0.0.1:6969")
	table := NewTable(start, Config{Self: self, MetaMax: 512})
	for _, a := range []string{"127.0.0.2:1", "[::1]:1", "10.0.0.1:1"} {
		if r := table.Refusal(with(alive(1), func(e *wire.Member) { e.Addr = netip.MustParseAddrPort(a) })); r.Err != nil {
			t.Errorf("%s: %v", a, r.Err)
		}
	}
}

func TestFullTableRefusesNewMembersOnly(t *testing.T) {
	base := make([]Member, Max-1)
	for i := range base {
		base[i] = Member{ID: wire.NodeID{1, 2: byte(i >> 16), 3: byte(i >> 8), 4: byte(i), 6: 0x80, 8: 0x80}}
	}
	base[0] = memberFor(1)
	table := NewTable(start, Config{Self: memberFor(0), Base: NewBase(start, base), MetaMax: 512})
	if r := table.Refusal(alive(2)); r.Err == nil || r.Address {
		t.Errorf("%+v at %d members", r, table.Count())
	}
	if r := table.Refusal(alive(1)); r.Err != nil {
		t.Errorf("a member cannot change: %v", r.Err)
	}
}

func TestSetAliveReturnsWhatTheApplicationSees(t *testing.T) {
	w := newWorld(t)
	e := alive(1)
	for i, x := range []struct {
		change func()
		want   Kind
	}{
		{func() {}, Joined},
		{func() {}, Unseen}, // only the incarnation is new
		{func() { e.Meta = []byte("m") }, Updated},
		{func() { e.Addr = addr(50) }, Updated},
		{func() { e.ZoneName, e.HasZone = []byte("east"), true }, Unseen},
		{func() { e.Versions[5] = 7 }, Unseen},
	} {
		e.Incarnation++
		x.change()
		w.sleep(time.Second)
		c := w.take(e)
		if c.Kind != x.want {
			t.Errorf("%d: %d, want %d", i, c.Kind, x.want)
		}
		m := w.Get(e.ID)
		same(t, "address", m.Addr, e.Addr)
		same(t, "metadata", string(m.Meta), string(e.Meta))
		same(t, "zone", m.Zone, wire.Zone{Name: string(e.ZoneName), Valid: e.HasZone})
		same(t, "versions", m.Versions, e.Versions)
		same(t, "incarnation", m.Incarnation, e.Incarnation)
		if !w.Since(m).Equal(w.now) {
			t.Errorf("%d: alive since %v", i, w.Since(m))
		}
	}
}

func TestTableKeepsNothingOfAnEntry(t *testing.T) {
	w := newWorld(t)
	e := with(alive(1), func(e *wire.Member) { e.Meta, e.ZoneName, e.HasZone = []byte("meta"), []byte("zone"), true })
	copied := w.MemberOf(e)
	w.take(e)
	for _, b := range [][]byte{e.Name, e.Meta, e.ZoneName} {
		clear(b)
	}
	for _, m := range []*Member{&w.Get(goID(1)).Member, &copied} {
		same(t, "name, metadata and zone", m.Name+" "+string(m.Meta)+" "+m.Zone.Name, "node-1 meta zone")
	}
	w.check()
}

func TestMembersOfAZoneShareItsName(t *testing.T) {
	w := newWorld(t)
	inZone := func(i int) *wire.Member {
		return with(alive(i), func(e *wire.Member) { e.ZoneName, e.HasZone = []byte("europe-west"), true })
	}
	w.take(inZone(1))
	e := inZone(2)
	if n := testing.AllocsPerRun(100, func() { w.zones.zoneOf(e) }); n != 0 {
		t.Errorf("%v allocations for a zone that is known", n)
	}
	if z := w.zones.zoneOf(alive(3)); z.Valid {
		t.Errorf("zone %v of a node without one", z)
	}
}

func TestMemberChangesItsName(t *testing.T) {
	w := newWorld(t, 1)
	w.take(with(alive(1), func(e *wire.Member) { e.Name, e.Incarnation = []byte("other"), at(time.Second) }))
	if w.Named("node-1") != nil || w.Named("other") != w.Get(goID(1)) {
		t.Errorf("%v and %v", w.Named("node-1"), w.Named("other"))
	}
	w.take(gone(1, wire.StateDead, at(time.Second)))
	if w.Reserved("other") == nil {
		t.Error("the new name is not reserved")
	}
	w.take(with(alive(1), func(e *wire.Member) {
		e.Name, e.Incarnation, e.Refuted = []byte("third"), at(3*time.Second), at(2*time.Second)
	}))
	if w.Reserved("other") != nil || w.Named("third") == nil {
		t.Error("the name of a dead node stays reserved after it came back under another")
	}
}

func TestSuspectedMemberStaysSoUntilTheDetectorClearsIt(t *testing.T) {
	w := newWorld(t, 1)
	m := w.Get(goID(1))
	w.sleep(time.Second)
	w.SetState(w.now, m, wire.StateSuspect)
	w.check()
	since := w.now
	w.sleep(time.Second)
	c := w.take(with(alive(1), func(e *wire.Member) { e.Incarnation = at(time.Second); e.Meta = []byte("m") }))
	if w.want(1, wire.StateSuspect); c.Kind != Updated || !w.Since(m).Equal(since) {
		t.Errorf("%+v", c)
	}
	var e wire.Member
	if m.Fill(&e); e.State != wire.StateAlive {
		t.Errorf("its entry says %v: the accusations are entries of their own", e.State)
	}
	w.SetState(w.now, m, wire.StateAlive)
	w.want(1, wire.StateAlive)
}

func TestSetGoneKeepsTheHigherIncarnation(t *testing.T) {
	w := newWorld(t)
	w.take(with(alive(1), func(e *wire.Member) { e.Incarnation = at(time.Minute) }))
	w.take(gone(1, wire.StateDead, at(time.Second)))
	if got := w.Get(goID(1)).Incarnation; got != at(time.Minute) {
		t.Errorf("incarnation %d: news of before the death would bring it back", got)
	}
}

// An entry survives encoding and decoding.
func TestFilledEntryIsTheEntryThatWasTakenIn(t *testing.T) {
	w := newWorld(t)
	e := with(alive(1), func(e *wire.Member) {
		e.Meta, e.ZoneName, e.HasZone, e.Versions, e.Refuted = []byte("meta"), []byte("zone"), true, [6]byte{1, 2, 3, 4, 5, 6}, at(-time.Second)
	})
	w.take(e)
	var got, other wire.Member
	w.Get(goID(1)).Fill(&got)
	w.Self().Fill(&other)
	w.Get(goID(1)).Fill(&other) // overwrites the slices of another entry
	for _, f := range []*wire.Member{&got, &other} {
		same(t, "entry", fmt.Sprintf("%+v", *f), fmt.Sprintf("%+v", *e))
	}
	if n := testing.AllocsPerRun(100, func() { w.Get(goID(1)).Fill(&other) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Most entries that arrive are known: each comparison sends a table of thousands of members again.
func TestKnownEntryCostsNoAllocation(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	batch := []wire.Member{*alive(1), *alive(2), *alive(3)}
	if n := testing.AllocsPerRun(100, func() {
		w.Touch(batch)
		for i := range batch {
			if _, v := w.Weigh(w.now, &batch[i], false); v != Stale {
				t.Errorf("verdict %d", v)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
