package simnet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// all makes every probe send one datagram to every other one and returns which probes received which.
func all(n *Network, p []*probe) (heard [][]bool) {
	for i := range p {
		p[i].got = nil
	}
	for i := range p {
		n.Do(testAddr(i), func(time.Time) {
			for j := range p {
				p[i].queue(testAddr(j), uint64(i), 8)
			}
		})
	}
	n.RunFor(time.Second)
	heard = make([][]bool, len(p))
	for i := range p {
		heard[i] = make([]bool, len(p))
	}
	for j := range p {
		for _, a := range p[j].got {
			heard[a.id][j] = true
		}
	}
	return heard
}

func checkHeard(t *testing.T, n *Network, p []*probe, passes func(from, to int) bool) {
	t.Helper()
	heard := all(n, p)
	for i := range p {
		for j := range p {
			if heard[i][j] != passes(i, j) {
				t.Errorf("from %d to %d: passed %v", i, j, heard[i][j])
			}
		}
	}
}

func TestPartitionStandsUntilHealed(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 70) // more hosts than one word of a hostSet holds
	group := func(i int) int { return map[bool]int{true: 0, false: 1 + i%2}[i == 69] }
	var groups [2][]netip.AddrPort
	for i := range 69 {
		groups[i%2] = append(groups[i%2], testAddr(i))
	}
	b := n.Partition(groups[0], groups[1])
	checkHeard(t, n, p, func(i, j int) bool { return group(i) == group(j) || group(i) == 0 || group(j) == 0 })
	b.Heal()
	b.Heal()
	checkHeard(t, n, p, func(i, j int) bool { return true })
}

func TestBlockIsOneWay(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 4)
	n.Block(n.Hosts()[:1], n.Hosts()[1:3])
	other := n.Block(n.Hosts()[3:], n.Hosts()[:1])
	checkHeard(t, n, p, func(i, j int) bool { return !(i == 0 && (j == 1 || j == 2)) && !(i == 3 && j == 0) })
	other.Heal()
	checkHeard(t, n, p, func(i, j int) bool { return !(i == 0 && (j == 1 || j == 2)) })
	if lost := n.Stats().Lost[LostToBlock]; lost != 5 {
		t.Errorf("%d lost to blocks, want 5", lost)
	}
	n.HealAll()
	checkHeard(t, n, p, func(i, j int) bool { return true })
}

func TestThreeGroupsArePartitionedFromEachOther(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 6)
	h := n.Hosts()
	n.Partition(h[:2], h[2:4], h[4:])
	checkHeard(t, n, p, func(i, j int) bool { return i/2 == j/2 })
}

func TestZoneHostsAreTheHostsOfTheZone(t *testing.T) {
	n := New(Config{Seed: 1})
	for i, zone := range []string{"a", "b", "a"} {
		n.Add(HostConfig{Addr: testAddr(i), Zone: zone}, &probe{})
	}
	switch a := n.ZoneHosts("a"); {
	case len(a) != 2:
		t.Errorf("zone a: len(a) is %d, want 2: %v", len(a), a)
	case a[0] != testAddr(0):
		t.Errorf("zone a: the first host is %v, want %v", a[0], testAddr(0))
	case a[1] != testAddr(2):
		t.Errorf("zone a: the second host is %v, want %v", a[1], testAddr(2))
	case n.ZoneHosts("c") != nil:
		t.Errorf("zone a: n.ZoneHosts(\"c\") is %v, want nil", n.ZoneHosts("c"))
	}
}

func TestCrashEndsTimersAndRestartIsANewHost(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(10 * time.Millisecond)}})
	p := addProbes(n, 2)
	n.Do(testAddr(1), func(now time.Time) { p[1].timer = now.Add(time.Second) })
	send(n, p[0], testAddr(0), testAddr(1), 1, 8)
	n.Crash(testAddr(1))
	if n.Up(testAddr(1)) || n.Do(testAddr(1), func(time.Time) { t.Error("Do on a host that is down") }) {
		t.Error("up after its crash")
	}
	n.RunFor(5 * time.Second)
	if len(p[1].got)+len(p[1].timeouts) > 0 || n.Stats().Lost[LostNoHost] != 1 {
		t.Errorf("a crashed host got %v and %v", p[1].got, p[1].timeouts)
	}

	// A datagram in flight at the restart reaches the new Host, as it would reach a new process on the port.
	send(n, p[0], testAddr(0), testAddr(1), 1, 8)
	second := &probe{timer: n.Now().Add(time.Second)}
	n.Restart(testAddr(1), second)
	n.RunFor(5 * time.Second)
	switch {
	case len(p[1].got) > 0:
		t.Errorf("host 1 got %v datagrams, want 0", len(p[1].got))
	case len(second.got) != 1:
		t.Errorf("the second host got %v datagrams, want 1", len(second.got))
	case len(second.timeouts) != 1:
		t.Errorf("the second host had %v timeouts, want 1", len(second.timeouts))
	case !n.Up(testAddr(1)):
		t.Error("host 1 is not up")
	}
}

func TestHostMayCrashItselfInAnyInput(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	p[1].onData = func(time.Time, wire.Path, []byte) { n.Crash(testAddr(1)) }
	send(n, p[0], testAddr(0), testAddr(1), 2, 8)
	n.RunFor(time.Second)
	if len(p[1].got) != 1 || n.Up(testAddr(1)) {
		t.Errorf("got %d after the crash", len(p[1].got))
	}
	n.Do(testAddr(0), func(time.Time) { n.Crash(testAddr(0)) })
	if n.Up(testAddr(0)) {
		t.Error("up after its crash")
	}
}

func TestReboundHostIsAtItsNewAddressOnly(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), 1, 8) // in flight
	n.Rebind(testAddr(1), testAddr(9))
	send(n, p[0], testAddr(0), testAddr(1), 1, 8)
	send(n, p[0], testAddr(0), testAddr(9), 1, 8)
	send(n, p[1], testAddr(9), testAddr(0), 1, 8)
	n.RunFor(time.Second)
	if len(p[1].got) != 1 || p[1].got[0].from.Local != testAddr(9).Addr() || n.Stats().Lost[LostNoHost] != 2 {
		t.Errorf("got %v", p[1].got)
	}
	if len(p[0].got) != 1 || p[0].got[0].from.Remote != testAddr(9) {
		t.Errorf("the other got %v", p[0].got)
	}
	n.Add(HostConfig{Addr: testAddr(1)}, &probe{}) // the old address is free
}

func TestAliasedHostSendsFromTheAddressItAsksFor(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	n.Alias(testAddr(1), testAddr(9))
	send(n, p[0], testAddr(0), testAddr(9), 1, 8)
	n.RunFor(time.Second)
	if len(p[1].got) != 1 || p[1].got[0].from.Local != testAddr(9).Addr() {
		t.Fatalf("got %v", p[1].got)
	}
	n.Do(testAddr(1), func(time.Time) {
		for _, local := range []netip.Addr{testAddr(9).Addr(), testAddr(1).Addr(), {}, testAddr(0).Addr()} {
			p[1].out = append(p[1].out, outgoing{wire.Path{Remote: testAddr(0), Local: local}, make([]byte, 8)})
		}
	})
	n.RunFor(time.Second)
	var from []netip.AddrPort
	for _, a := range p[0].got {
		from = append(from, a.from.Remote)
	}
	want := []netip.AddrPort{testAddr(9), testAddr(1), testAddr(1), testAddr(1)}
	for i := range want {
		if len(from) != len(want) || from[i] != want[i] {
			t.Fatalf("came from %v, want %v", from, want)
		}
	}
}
