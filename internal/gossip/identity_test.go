package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// bearers counts, per id, the nodes that consider the node with that id the owner of a name.
func (c *cluster) bearers(name string, but int) map[wire.NodeID]int {
	found := map[wire.NodeID]int{}
	for i, n := range c.nodes {
		if m := n.members.Named(name); i != but && m != nil && c.net.Up(n.addr) {
			found[m.ID]++
		}
	}
	return found
}

// namesake gives the nodes added next the given name.
func (c *cluster) namesake(name string) {
	c.tweak = func(_ int, cfg *Config) { cfg.Name = name }
}

func TestNameOfALiveNodeIsNotTaken(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(5)
	c.form(time.Second)
	c.namesake("node-2")
	c.add(1)
	c.join(5, 0)
	c.net.RunFor(10 * time.Second)
	first, other := c.nodes[2].cfg.ID, c.nodes[5].cfg.ID
	if b := c.bearers("node-2", 5); b[first] != 5 || len(b) != 1 {
		t.Errorf("node-2 is %v, want %v to all five", b, first)
	}
	for i, n := range c.nodes[:5] {
		if n.members.Count() != 5 || len(n.conflicts) > 1 {
			t.Errorf("node %d has %d members, was told %d times of the conflict", i, n.members.Count(), len(n.conflicts))
		}
	}
	switch e := c.nodes[0].conflicts; {
	case len(e) != 1:
		t.Errorf("len(e) is %d, want 1: %v", len(e), e)
	case e[0].Member.ID != first:
		t.Errorf("the event is about member %v, want %v", e[0].Member.ID, first)
	case e[0].Other.ID != other:
		t.Errorf("the other node is %v, want %v", e[0].Other.ID, other)
	case e[0].Other.Addr != c.nodes[5].addr:
		t.Errorf("the other node is at %v, want %v", e[0].Other.Addr, c.nodes[5].addr)
	}
	if e := c.nodes[5].conflicts; len(e) != 1 || e[0].Member.ID != other || e[0].Other.ID != first {
		t.Errorf("the claimant was told %+v", e)
	}
	// When the owner is gone, its name stays reserved for some time. After that the other node becomes a member without
	// any action.
	c.net.Crash(c.nodes[2].addr)
	c.net.RunFor(20 * time.Second)
	if b := c.bearers("node-2", 5); len(b) != 0 {
		t.Errorf("node-2 is %v 20 s after the first crashed", b)
	}
	c.net.RunFor(40 * time.Second)
	if b := c.bearers("node-2", 5); b[other] != 4 {
		t.Errorf("node-2 is %v a minute after the first crashed, want %v", b, other)
	}
}

func TestNameOfANodeThatLeftIsFreeAtOnce(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(5)
	c.form(time.Second)
	c.do(2, c.nodes[2].Leave)
	c.net.RunFor(100 * time.Millisecond)
	c.net.Crash(c.nodes[2].addr)
	c.namesake("node-2")
	c.add(1)
	c.join(5, 0)
	c.net.RunFor(2 * time.Second)
	if b := c.bearers("node-2", 5); b[c.nodes[5].cfg.ID] != 4 {
		t.Errorf("node-2 is %v", b)
	}
}

func TestNameOfADeadNodeIsFreeAfterTheReclaimTime(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.DeadNodeReclaimTime = 3 * time.Minute }
	c.add(5)
	c.form(time.Second)
	c.net.Crash(c.nodes[2].addr)
	c.net.RunFor(20 * time.Second)
	c.namesake("node-2")
	c.add(1)
	c.join(5, 0)
	c.net.RunFor(2 * time.Minute)
	if b := c.bearers("node-2", 5); len(b) != 0 {
		t.Errorf("node-2 is %v after two minutes", b)
	}
	c.net.RunFor(90 * time.Second)
	if b := c.bearers("node-2", 5); b[c.nodes[5].cfg.ID] != 4 {
		t.Errorf("node-2 is %v after four minutes", b)
	}
	// At the old address the name is available at once.
	c.net.Crash(c.nodes[3].addr)
	c.net.RunFor(20 * time.Second)
	c.tweak = nil
	again := c.make(3)
	c.nodes[3] = again
	c.net.Restart(again.addr, again)
	c.join(3, 0)
	c.net.RunFor(2 * time.Second)
	if b := c.bearers("node-3", -1); b[again.cfg.ID] != 5 {
		t.Errorf("node-3 is %v after its restart", b)
	}
}

// Two clusters each have a node with the same name. When they merge, each node keeps the one that it knew, because it
// lives. All learn of the conflict, and all have the other node when one of them leaves.
func TestClustersThatMeetKeepTheirMembersOfOneName(t *testing.T) {
	for _, joiner := range []int{0, 6} {
		c := newCluster(t, uint64(joiner)+1, lan())
		c.add(6)
		c.form(time.Second)
		c.net.RunFor(time.Second)
		c.add(2)
		c.namesake("node-2")
		c.add(1)
		c.tweak = nil
		c.add(3)
		for i := 7; i < 12; i++ {
			c.join(i, 6)
		}
		c.net.RunFor(10 * time.Second)
		for _, n := range c.nodes {
			n.events = nil
		}
		c.join(joiner, 6-joiner)
		c.net.RunFor(20 * time.Second)
		elder, other := c.nodes[2].cfg.ID, c.nodes[8].cfg.ID
		for i, n := range c.nodes {
			keeps := elder
			if i >= 6 {
				keeps = other
			}
			switch m := n.members.Named("node-2"); {
			case m == nil || m.ID != keeps:
				t.Errorf("node %d has %v as node-2, want %v", i, m, keeps)
			case n.count(event.Leave, "")+n.count(event.Update, "") != 0:
				t.Errorf("node %d was told %v", i, n.names())
			case n.members.Count() != 11:
				t.Errorf("node %d has %d members", i, n.members.Count())
			}
		}
		for _, i := range []int{2, 8} {
			if e := c.nodes[i].conflicts; len(e) == 0 || e[0].Other.Name != "node-2" {
				t.Errorf("node %d was told %+v", i, e)
			}
		}
		c.do(2, c.nodes[2].Leave)
		c.net.RunFor(40 * time.Second)
		if b := c.bearers("node-2", 2); b[other] != 11 {
			t.Errorf("node-2 is %v after the first left, want %v", b, other)
		}
	}
}

// The address of a node changes, for example because of a NAT or a new lease. The node keeps its id: the other nodes
// follow its path, and use its entry once it announces the new address (PROTOCOL.md J6).
func TestNodeAtANewAddressIsFollowed(t *testing.T) {
	for _, knows := range []bool{false, true} {
		c := newCluster(t, 1, lan())
		c.add(12)
		c.form(3 * time.Second)
		c.net.RunFor(5 * time.Second)
		for _, n := range c.nodes {
			n.events = nil
		}
		n, to := c.nodes[4], testAddr(444)
		c.net.Rebind(n.addr, to)
		n.addr = to
		if knows {
			c.do(4, func(now time.Time) { n.Readdress(now, to) })
		}
		c.net.RunFor(10 * time.Second)
		if !c.whole() {
			t.Fatalf("knows %v: %s", knows, c.missing())
		}
		for i, o := range c.nodes {
			if o.count(event.Leave, "") != 0 || o.count(event.Join, "") != 0 {
				t.Errorf("knows %v: node %d was told %v", knows, i, o.names())
			}
			if m := o.members.Named("node-4"); knows && (m.Addr != to || o.count(event.Update, "node-4") != 1) {
				t.Errorf("node %d has node-4 at %v, was told %v", i, m.Addr, o.names())
			}
			if p := o.peers[n.cfg.ID]; p != nil && p.Linked && p.Sessions.Path().Remote != to {
				t.Errorf("knows %v: node %d answers node-4 at %v", knows, i, p.Sessions.Path().Remote)
			}
		}
		c.broadcast(4, "from the new address", time.Second)
		c.broadcast(0, "to the new address", time.Second)
		if !knows {
			continue
		}
		// A node that has never had a session with it finds it at the new address.
		c.add(1)
		c.do(12, func(now time.Time) { c.nodes[12].Join(now, to, now.Add(5*time.Second)) })
		if !c.net.RunUntil(3*time.Second, c.whole) {
			t.Errorf("not whole after a Join there: %s", c.missing())
		}
	}
}

// All nodes restart at the same moment, with their addresses and names.
func TestMassRestartWithTheSameNames(t *testing.T) {
	t.Parallel()
	const size = 40
	c := newCluster(t, 1, lan())
	c.add(size)
	c.form(5 * time.Second)
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		c.net.Crash(n.addr)
		c.nodes[i] = c.make(i)
	}
	c.net.RunFor(time.Second)
	for _, n := range c.nodes {
		c.net.Restart(n.addr, n)
	}
	c.form(10 * time.Second)
	// Then all nodes but node 0 restart, and none of them joins it. Node 0 knows them all from before.
	for i, n := range c.nodes[1:] {
		c.net.Crash(n.addr)
		c.nodes[i+1] = c.make(i + 1)
	}
	c.net.RunFor(time.Second)
	for i, n := range c.nodes[1:] {
		c.net.Restart(n.addr, n)
		if i > 0 {
			c.join(i+1, 1)
		}
	}
	begin := c.net.Elapsed()
	if !c.net.RunUntil(4*time.Minute, c.whole) {
		t.Fatalf("not whole: %s", c.missing())
	}
	t.Logf("whole after %v", c.net.Elapsed()-begin)
	c.net.RunFor(time.Minute)
	if !c.whole() {
		t.Fatalf("not whole a minute later: %s", c.missing())
	}
	for i, n := range c.nodes {
		for k, o := range c.nodes {
			if m := n.members.Named(o.cfg.Name); m == nil || m.ID != o.cfg.ID {
				t.Errorf("node %d takes %v for node %d", i, m, k)
			}
		}
	}
}
