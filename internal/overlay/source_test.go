package overlay

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestSourceIsFinerTheNearerItIs(t *testing.T) {
	for _, x := range []struct {
		from, a, b string
		same       bool
	}{
		{"10.0.0.1:1", "10.0.1.1:1", "10.0.1.9:2", true},
		{"10.0.0.1:1", "10.0.1.1:1", "10.0.2.1:1", false},
		{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", false},
		{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", true},
		{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", false},
		{"10.0.0.1:1", "[::ffff:10.0.1.1]:1", "10.0.1.9:2", true},
		{"[2001:db8::1]:1", "[2001:db8:1:1::1]:1", "[2001:db8:1:ffff::1]:1", true},
		{"[2001:db8::1]:1", "[2001:db8:1::1]:1", "[2001:db8:2::1]:1", false},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", false},
	} {
		from := netip.MustParseAddrPort(x.from)
		a, b := sourceOf(from, netip.MustParseAddrPort(x.a)), sourceOf(from, netip.MustParseAddrPort(x.b))
		if (a == b) != x.same {
			t.Errorf("from %s, %s and %s are one source: %v", x.from, x.a, x.b, a == b)
		}
	}
}

// foreign returns the address of node i of another network.
func foreign(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(1000+i))
}

// flood adds members of one other network.
func (n *node) flood(count int) (ids []wire.NodeID) {
	for i := range count {
		id := testID(1000 + i)
		n.addMember(id, testZone(0)).Addr = foreign(i)
		ids = append(ids, id)
	}
	n.MembersChanged(n.now)
	return ids
}

// settle makes the node choose until its choice is complete.
func (n *node) settle() {
	for range 3 {
		n.now = n.now.Add(time.Minute)
		n.rechoose()
		n.answer()
	}
}

// among returns how many chosen members are among ids.
func (n *node) among(ids []wire.NodeID) (count int) {
	for _, id := range n.Choice() {
		if slices.Contains(ids, id) {
			count++
		}
	}
	return count
}

// An insider runs many nodes at one place. They get one place of each choice, and do not displace the kept members
// (PROTOCOL.md G11).
func TestManyMembersOfOneSourceAreChosenOnce(t *testing.T) {
	for _, s := range []Strategy{Uniform, HubAndSpoke, PreferLocal, PreferRemote, Nearest} {
		for _, lying := range []bool{false, true} {
			t.Run(fmt.Sprint(s, " ", lying), func(t *testing.T) {
				n := newNode(t, 30, func(c *Config) { c.Subscriptions, c.Strategy = 5, s })
				n.settle()
				kept := slices.Clone(n.kept)
				if len(kept) != keptMost {
					t.Fatalf("%d members are kept", len(kept))
				}
				ids := n.flood(108)
				if lying { // their entries have addresses of many networks, but they have sessions with the node
					for i, id := range ids {
						n.table.Get(id).Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(i), 1}), 6969)
						n.peer(id)
						n.remotes[id] = foreign(i)
					}
				}
				for range 5 {
					n.settle()
					if got := n.among(ids); got > 1 {
						t.Errorf("%d of %d chosen members are of one source", got, len(n.Choice()))
					}
					for _, id := range kept {
						if !n.chosen(id) {
							t.Error("a kept member is not chosen any more")
						}
					}
				}
			})
		}
	}
}

// PROTOCOL.md G8: kept members are not lost to ids that come later, of however many sources.
func TestKeptMembersSurviveIDsOfManySources(t *testing.T) {
	for _, s := range []Strategy{Uniform, HubAndSpoke, PreferLocal, PreferRemote, Nearest} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			n := newNode(t, 12, func(c *Config) { c.Subscriptions, c.Strategy = 5, s })
			n.settle()
			kept := slices.Clone(n.kept)
			for i, id := range n.flood(2000) {
				n.table.Get(id).Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, byte(i >> 8), byte(i), 1}), 6969)
			}
			for range 20 {
				n.settle()
			}
			for _, id := range kept {
				if !n.chosen(id) || !n.peer(id).Subscribed() {
					t.Error("a kept member is not subscribed to any more")
				}
			}
		})
	}
}

// In a mass start, the members that a node learns first are not kept, because they are the same for most nodes. A node
// keeps members after a minute at the latest, since an insider can change the members all the time.
func TestNodeKeepsMembersWhenTheyAreCalmOrAfterAMinute(t *testing.T) {
	n := newNode(t, 12, func(c *Config) { c.Subscriptions = 5 })
	for n.now.Sub(start) < 2*choiceInterval {
		n.MembersChanged(n.now)
		n.now = n.now.Add(choiceCalm / 2)
		out, _ := n.Rechoose(nil, n.now, n)
		n.does(out)
		n.answer()
		if len(n.kept) > 0 && n.now.Sub(start) < choiceInterval {
			t.Fatalf("%d members are kept after %v of changes", len(n.kept), n.now.Sub(start))
		}
	}
	if len(n.kept) != keptMost {
		t.Errorf("%d members are kept after minutes of changes", len(n.kept))
	}
	n = newNode(t, 12, func(c *Config) { c.Subscriptions = 5 })
	n.rechoose()
	n.answer()
	n.now = n.now.Add(choiceCalm)
	n.rechoose()
	if len(n.kept) != keptMost {
		t.Errorf("%d members are kept when the members are calm", len(n.kept))
	}
}

// A node never keeps all of its subscriptions.
func TestNodeWithFewSubscriptionsKeepsFewer(t *testing.T) {
	for count, want := range map[int]int{1: 0, 2: 1, 3: 2, 4: 2} {
		n := newNode(t, 12, func(c *Config) { c.Subscriptions = count })
		n.settle()
		if len(n.kept) != want {
			t.Errorf("with %d subscriptions %d members are kept, want %d", count, len(n.kept), want)
		}
	}
}

// A kept member of another zone counts as the one that Nearest takes of another zone.
func TestNearestTakesNoOtherForeignMemberBesideAKeptOne(t *testing.T) {
	for seed := range 50 {
		n := newNode(t, 0, func(c *Config) { c.Subscriptions, c.Strategy, c.Secret = 5, Nearest, Secret{byte(seed)} })
		for i := 1; i <= 90; i++ {
			m := n.addMember(testID(i), testZone(i%3))
			m.RTT = time.Millisecond
			if i%3 != 0 {
				m.RTT = 50 * time.Millisecond
			}
		}
		n.MembersChanged(n.now)
		n.settle()
		for i := range 5 { // so that it wants no more than it is configured to
			n.start(testID(i+1), testAddr(i+1))
		}
		n.settle()
		abroad := 0
		for _, id := range n.Choice() {
			if n.table.Get(id).Zone != testZone(0) {
				abroad++
			}
		}
		if abroad < 1 || abroad > nearestRandom {
			t.Fatalf("%d of %d chosen members are of other zones, want 1 or 2", abroad, len(n.Choice()))
		}
	}
}

// An insider that invents zones gets no link for each of them (PROTOCOL.md G8).
func TestInventedZonesGetFewLinks(t *testing.T) {
	for name, at := range map[string]func(i int) netip.AddrPort{
		"one source": foreign,
		"many sources": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, byte(i >> 8), byte(i), 1}), 6969)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, 12, func(c *Config) { c.Subscriptions, c.Strategy = 5, HubAndSpoke })
			n.settle()
			ids := n.flood(200)
			for i, id := range ids {
				m := n.table.Get(id)
				m.Zone, m.Addr = testZone(100+i), at(i)
			}
			n.settle()
			most := hubsPer * 5
			if name == "one source" {
				most = hubsOfSource
			}
			if got := n.among(ids); got > most {
				t.Errorf("%d of %d chosen members are of invented zones, want at most %d", got, len(n.Choice()), most)
			}
			local, zones := 0, map[wire.Zone]bool{}
			for _, id := range n.Choice() {
				z := n.table.Get(id).Zone
				zones[z] = true
				if z == testZone(0) {
					local++
				}
			}
			if local < hubLocalMin {
				t.Errorf("%d chosen members are of the own zone", local)
			}
			if name == "one source" && (!zones[testZone(1)] || !zones[testZone(2)]) {
				t.Error("a zone of honest nodes is not reached")
			}
		})
	}
}

func TestMembersOfOneSourceAreChosenIfThereAreNoOthers(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.Subscriptions = 5 })
	n.flood(50)
	n.rechoose()
	if got := len(n.Choice()); got != 5 {
		t.Errorf("%d members are chosen, want 5", got)
	}
}

// start makes a peer at an address ask for a subscription, and reports whether it is a subscriber then.
func (n *node) start(id wire.NodeID, at netip.AddrPort) bool {
	p := n.peer(id)
	n.remotes[id] = at
	n.does(n.HandleStart(nil, n.now, n, p, false))
	return p.Subscriber()
}

func TestSubscribersOfOneSourceAreFewOnceThereAreEnough(t *testing.T) {
	const most = 5
	n := newNode(t, 30, func(c *Config) { c.Subscriptions = most })
	accepted := 0
	for i := range 108 {
		if n.start(testID(1000+i), foreign(i)) {
			accepted++
		}
	}
	if accepted != most {
		t.Errorf("%d nodes of one source are accepted while places are free, want %d", accepted, most)
	}
	for i := 1; i <= 15; i++ {
		if !n.start(testID(i), testAddr(i)) {
			t.Errorf("node %d, of another source, is refused", i)
		}
	}
	n = newNode(t, 30, func(c *Config) { c.Subscriptions = most })
	for i := 1; i <= most; i++ {
		n.start(testID(i), testAddr(i))
	}
	accepted = 0
	for i := range 108 {
		if n.start(testID(1000+i), foreign(i)) {
			accepted++
		}
	}
	if accepted != SubscribersOfSource {
		t.Errorf("%d nodes of one source are accepted, want %d", accepted, SubscribersOfSource)
	}
	if !n.start(testID(1000), foreign(0)) {
		t.Error("a subscriber that asks again is refused")
	}
}

// The source of most members gets one link.
func TestSourceOfMostMembersGetsOneLink(t *testing.T) {
	n := newNode(t, 12, func(c *Config) { c.Subscriptions = 5 })
	n.flood(108)
	n.settle()
	for i := range 108 {
		n.start(testID(1000+i), foreign(i))
	}
	links := 0
	for _, p := range n.links {
		if sourceOf(testAddr(0), n.Remote(p.id)) == sourceOf(testAddr(0), foreign(0)) {
			links++
		}
	}
	if links != 1 {
		t.Errorf("%d links with the source of most members, want 1", links)
	}
}

func TestKeptMembersAreReplacedWhenTheyAreGone(t *testing.T) {
	n := newNode(t, 12, func(c *Config) { c.Subscriptions = 5 })
	n.settle()
	gone := n.kept[0]
	n.leave(gone)
	n.MembersChanged(n.now)
	n.settle()
	if slices.Contains(n.kept, gone) || len(n.kept) != keptMost {
		t.Errorf("%d members are kept, among them the one that left: %v", len(n.kept), slices.Contains(n.kept, gone))
	}
}

func TestSourceOfHalfOfTheMembersIsNoCrowd(t *testing.T) {
	const half = 30
	n := newNode(t, half-1, func(c *Config) { c.Subscriptions = 5 }) // and the node itself
	n.flood(half)
	if n.findCrowd(n); n.crowd != (source{}) {
		t.Errorf("%v, with half of the members, is a crowd", n.crowd)
	}
	n.addMember(testID(5000), testZone(0)).Addr = foreign(99)
	if n.findCrowd(n); n.crowd != sourceOf(testAddr(0), foreign(0)) {
		t.Errorf("%v is a crowd, not the source of more than half of the members", n.crowd)
	}
}

func TestSourcesOfKeptMembersAreChosenLast(t *testing.T) {
	s := func(i int) source { return source(foreign(i)) }
	ch := chooser{count: 4, kept: 1, taken: []source{s(1)}}
	for i, x := range []source{s(1), s(1), s(2), s(3), s(4)} {
		ch.consider(candidate{id: testID(i), source: x, key: float64(i)})
	}
	var ids []wire.NodeID
	for _, x := range ch.chosen() {
		ids = append(ids, x.id)
	}
	if want := []wire.NodeID{testID(2), testID(3), testID(4)}; !slices.Equal(ids, want) {
		t.Errorf("chose %v, want %v", ids, want)
	}
}
