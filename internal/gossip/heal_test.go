package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// addrs returns the addresses of nodes from up to, but not including, to.
func (c *cluster) addrs(from, to int) (list []netip.AddrPort) {
	for _, n := range c.nodes[from:to] {
		list = append(list, n.addr)
	}
	return list
}

// split separates the first n nodes from the rest for length. It returns how long after that all nodes are members to
// each other again, and how many bytes the busiest node sent meanwhile.
func (c *cluster) split(n int, length, within time.Duration) (took time.Duration, most uint64) {
	c.t.Helper()
	block := c.net.Partition(c.addrs(0, n), c.addrs(n, len(c.nodes)))
	c.net.RunFor(length)
	for i, nd := range c.nodes {
		want := n
		if i >= n {
			want = len(c.nodes) - n
		}
		if nd.members.Count() != want && want > 1 { // a node that is alone suspects itself first, which takes longer
			c.t.Errorf("node %d has %d members at the end of the partition, want %d", i, nd.members.Count(), want)
		}
	}
	block.Heal()
	begin, sent := c.net.Elapsed(), make([]uint64, len(c.nodes))
	for i, nd := range c.nodes {
		sent[i] = nd.stats.SentBytes
	}
	if !c.net.RunUntil(within, c.whole) {
		c.t.Fatalf("not whole %v after the partition: %s", within, c.missing())
	}
	for i, nd := range c.nodes {
		most = max(most, nd.stats.SentBytes-sent[i])
	}
	return c.net.Elapsed() - begin, most
}

func TestHalvesFindTogetherAgain(t *testing.T) {
	for _, size := range []struct{ a, b int }{{1, 1}, {1, 2}, {1, 19}, {15, 15}} {
		t.Run(fmt.Sprint(size.a, " and ", size.b), func(t *testing.T) {
			c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.01})
			c.add(size.a + size.b)
			c.form(5 * time.Second)
			c.net.RunFor(5 * time.Second)
			took, _ := c.split(size.a, time.Minute, 80*time.Second)
			t.Logf("whole %v after the end of the partition", took)
			c.net.RunFor(6 * time.Second) // until subscriptions cross the former border
			c.broadcast(0, "after", time.Second)
		})
	}
}

// docs/PERFORMANCE.md quotes what this test logs with -full.
func TestPartitionOfFiveMinutesIsOverWithinThree(t *testing.T) {
	t.Parallel()
	n := brief(60, 30)
	if *full {
		n = 500
	}
	// Only healing exchanges application state.
	c := withStates(t, 1, lan(), n, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
	c.form(10 * time.Second)
	c.net.RunFor(5 * time.Second)
	for i, nd := range c.nodes {
		nd.app.merged, nd.app.state = nil, fmt.Append(nil, "half ", i < n/2)
	}
	took, most := c.split(n/2, 5*time.Minute, 3*time.Minute)
	t.Logf("%d nodes: whole %v after the end; the busiest sent %d KiB in that time", n, took, most>>10)
	merged := func() bool {
		return !slices.ContainsFunc(c.nodes, func(nd *node) bool {
			return !slices.Contains(nd.app.merged, "half "+fmt.Sprint(string(nd.app.state) == "half false"))
		})
	}
	begin := c.net.Elapsed() - took
	if !c.net.RunUntil(4*time.Minute-took, merged) {
		t.Error("the states are not merged everywhere after four minutes")
	}
	t.Logf("states merged everywhere after %v", c.net.Elapsed()-begin)
	c.net.RunFor(6 * time.Second)
	c.broadcast(1, "after", time.Second)
}

func TestNodeThatSleptComesBackByItself(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(3 * time.Second)
	n := c.nodes[3]
	c.net.Pause(n.addr)
	c.net.RunFor(10 * time.Minute)
	if got := c.nodes[0].members.Count(); got != 9 {
		t.Fatalf("%d members while one sleeps", got)
	}
	for _, o := range c.nodes {
		o.events = nil
	}
	c.net.Resume(n.addr)
	if !c.net.RunUntil(5*time.Second, c.whole) {
		t.Fatalf("not whole 5 s after it woke: %s", c.missing())
	}
	c.net.RunFor(time.Minute)
	for i, o := range c.nodes {
		if o.count(event.Leave, "") != 0 || !c.whole() {
			t.Errorf("node %d saw %v", i, o.names())
		}
	}
	c.broadcast(3, "awake", time.Second)
}

func TestSeedThatComesUpLaterIsJoined(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.net.Crash(c.nodes[0].addr)
	for i := 1; i < 3; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(12 * time.Second)
	for i, n := range c.nodes[1:] {
		if len(n.joined) != 1 || n.joined[0].Err == nil {
			t.Fatalf("node %d: %+v", i+1, n.joined)
		}
	}
	again := c.make(0)
	c.nodes[0] = again
	c.net.Restart(again.addr, again)
	seeds := []netip.AddrPort{again.addr}
	for i := 1; i < 3; i++ {
		c.do(i, func(now time.Time) { c.nodes[i].ContactSeeds(now, seeds) })
	}
	if !c.net.RunUntil(3*time.Second, c.whole) {
		t.Fatalf("not whole: %s", c.missing())
	}
	// If a member has the address, no Join is needed.
	before := c.nodes[1].Stats().HandshakesStarted
	c.do(1, func(now time.Time) { c.nodes[1].ContactSeeds(now, seeds) })
	if after := c.nodes[1].Stats().HandshakesStarted; after != before || c.nodes[1].Core.joins.Len() != 0 {
		t.Errorf("%d handshakes with a seed that is a member", after-before)
	}
	if len(c.nodes[1].joined) != 1 {
		t.Errorf("a Join that nobody waits for was told of: %+v", c.nodes[1].joined)
	}
}

// PROTOCOL.md J5.
func TestNobodyDeadComesBackByComparing(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(12)
	c.form(3 * time.Second)
	late := c.nodes[11]
	c.net.Pause(late.addr)
	c.net.RunFor(10 * time.Second)
	c.net.Crash(c.nodes[5].addr)
	c.do(6, c.nodes[6].Leave)
	c.net.RunFor(100 * time.Millisecond)
	c.net.Crash(c.nodes[6].addr)
	c.net.RunFor(20 * time.Second)
	for _, n := range c.nodes {
		n.events = nil
	}
	c.net.Resume(late.addr) // the node considers both alive
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		if i == 5 || i == 6 {
			continue
		}
		if n.members.Count() != 10 || n.count(event.Join, "node-5")+n.count(event.Join, "node-6") != 0 {
			t.Errorf("node %d has %d members, was told %v", i, n.members.Count(), n.names())
		}
	}
	if dead, left := late.events, late.count(event.Leave, "node-6"); left != 1 || late.count(event.Leave, "node-5") != 1 {
		t.Errorf("the one that slept was told %v", dead)
	}
	for _, e := range late.events {
		if e.Kind == event.Leave && e.Member.Name == "node-6" && e.Member.State.String() != "left" {
			t.Errorf("node-6 is %s to it", e.Member.State)
		}
	}
}
