package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// deaths follows the cluster for a time. It returns how often a running node was declared dead by another node, and how
// long the longest of these errors lasted.
func (c *cluster) deaths(within time.Duration) (count int, longest time.Duration) {
	const step = 100 * time.Millisecond
	wrong := 0
	var since time.Duration
	for at := time.Duration(0); at < within; at += step {
		c.net.RunFor(step)
		now := 0
		for _, n := range c.nodes {
			now += len(c.nodes) - n.members.Count()
		}
		if now > 0 && wrong == 0 {
			since = at
		}
		if now > 0 {
			longest = max(longest, at+step-since)
		}
		wrong = now
	}
	for _, n := range c.nodes {
		count += n.count(event.Leave, "")
	}
	return count, longest
}

func TestLossKillsNobody(t *testing.T) {
	t.Parallel()
	for _, loss := range []float64{0.05, 0.20} {
		t.Run(fmt.Sprintf("loss %v", loss), func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.add(sized(200, 30))
			c.form(10 * time.Second)
			c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
			within := time.Duration(sized(60, brief(2, 1))) * time.Minute
			count, longest := c.deaths(within)
			t.Logf("%d nodes for %v: %d wrong verdicts, %v until the last was refuted; %d suspicions, %d refutations, %d probes failed, %d asked of others", len(c.nodes), within, count, longest,
				c.sum(func(s *stats.Stats) uint64 { return s.SuspicionsRaised }), c.sum(func(s *stats.Stats) uint64 { return s.SuspicionsRefuted }),
				c.sum(func(s *stats.Stats) uint64 { return s.ProbesFailed }), c.sum(func(s *stats.Stats) uint64 { return s.ProbesIndirect }))
			if loss <= 0.05 && count > 0 || longest > 2*time.Second {
				t.Errorf("%d wrong verdicts, the longest for %v", count, longest)
			}
		})
	}
}

// The limits are the packets and bytes that a node of an idle cluster sends or receives per second.
func TestIdleClusterIsQuiet(t *testing.T) {
	sizes := []int{50}
	if *full {
		sizes = []int{125, 250, 500, 1000}
	}
	for _, size := range sizes {
		c := newCluster(t, 1, lan())
		c.add(size)
		c.form(30 * time.Second)
		c.net.RunFor(30 * time.Second)
		before := make([]stats.Stats, size)
		for i, n := range c.nodes {
			before[i] = n.Stats()
		}
		const seconds = 60
		c.net.RunFor(seconds * time.Second)
		var packets, bytes, sumPackets, sumBytes float64
		for i, n := range c.nodes {
			s, b := n.Stats(), &before[i]
			out, in := float64(s.SentDatagrams-b.SentDatagrams)/seconds, float64(s.ReceivedDatagrams-b.ReceivedDatagrams)/seconds
			packets, sumPackets = max(packets, out, in), sumPackets+out
			out, in = float64(s.SentBytes-b.SentBytes)/seconds, float64(s.ReceivedBytes-b.ReceivedBytes)/seconds
			bytes, sumBytes = max(bytes, out, in), sumBytes+out
		}
		t.Logf("%d nodes: %.1f packets and %.0f bytes a second (mean), %.1f and %.0f (most)", size, sumPackets/float64(size), sumBytes/float64(size), packets, bytes)
		if packets > 40 || bytes > 8192 {
			t.Errorf("%d nodes: a node has %.1f packets and %.0f bytes a second", size, packets, bytes)
		}
	}
}

func TestHalfOfTheClusterKilledAtOnceIsDeadToTheOtherHalf(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(sized(500, 60))
	c.form(10 * time.Second)
	c.net.RunFor(10 * time.Second)
	half := len(c.nodes) / 2
	for _, n := range c.nodes[half:] {
		c.net.Crash(n.addr)
	}
	c.nodes = c.nodes[:half]
	begin := c.net.Elapsed()
	right := func() bool {
		for _, n := range c.nodes {
			if n.members.Count() != half {
				return false
			}
		}
		return true
	}
	for !right() && c.net.Elapsed()-begin < 2*time.Minute {
		c.net.RunFor(100 * time.Millisecond)
	}
	t.Logf("%d of %d killed: the others agree after %v", half, 2*half, c.net.Elapsed()-begin)
	if !right() || !c.net.RunUntil(20*time.Second, c.whole) {
		t.Fatal(c.missing())
	}
	c.broadcast(3, "to those who are left", time.Second)
}

func TestNodeSuspendedForTenMinutesComesBackByItself(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(3 * time.Second)
	n := c.nodes[7]
	c.net.Pause(n.addr)
	c.net.RunFor(10 * time.Minute)
	for i, o := range c.nodes {
		if i != 7 && o.members.Count() != 19 {
			t.Fatalf("node %d has %d members while one is suspended", i, o.members.Count())
		}
		o.events = nil
	}
	c.net.Resume(n.addr)
	begin := c.net.Elapsed()
	if !c.net.RunUntil(time.Minute, c.whole) {
		t.Fatal(c.missing())
	}
	t.Logf("back after %v", c.net.Elapsed()-begin)
	c.broadcast(7, "here I am", time.Second)
	c.net.RunFor(time.Minute)
	for i, o := range c.nodes {
		if got := o.count(event.Leave, ""); got != 0 {
			t.Errorf("node %d: %v", i, o.names())
		}
	}
}

// All nodes that monitor a node fail together with it.
func TestNodeWhoseNeighborsDieWithItIsFoundDead(t *testing.T) {
	c := newCluster(t, 3, lan())
	c.tweak = func(i int, cfg *Config) { cfg.Subscriptions = 2 }
	c.add(40)
	c.form(10 * time.Second)
	c.net.RunFor(20 * time.Second)
	victim := c.nodes[11]
	doomed := map[wire.NodeID]bool{victim.cfg.ID: true}
	for _, p := range victim.links {
		doomed[p.ID] = true
	}
	var left []*node
	for _, n := range c.nodes {
		if doomed[n.cfg.ID] {
			c.net.Crash(n.addr)
		} else {
			left = append(left, n)
		}
	}
	c.nodes = left
	begin := c.net.Elapsed()
	for c.net.Elapsed()-begin < 2*time.Minute {
		c.net.RunFor(100 * time.Millisecond)
		if c.whole() {
			t.Logf("%d nodes dead to %d after %v", len(doomed), len(left), c.net.Elapsed()-begin)
			return
		}
	}
	t.Fatal(c.missing())
}
