package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

func lan() simnet.Link { return simnet.Link{Latency: simnet.Constant(time.Millisecond)} }

func TestTwoNodesJoinAndTalk(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	if j := c.nodes[1].joined; len(j) != 1 || j[0].Err != nil {
		t.Fatalf("joined: %+v", j)
	}
	c.broadcast(0, "hello", time.Second)
	c.broadcast(1, "hello back", time.Second)
}

func TestHundredNodesThroughOneSeed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, lan())
	c.add(100)
	c.form(3 * time.Second)
	for i := range brief(200, 50) {
		c.broadcast(i*37%100, fmt.Sprint("message ", i), 50*time.Millisecond)
	}
}

// docs/PERFORMANCE.md quotes what this test logs.
func TestThousandNodesColdStartReachAllQuickly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ loss, bound float64 }{{0.05, 2.2}, {0, 2.0}}[:brief(2, 1)] {
		t.Run(fmt.Sprintf("loss %v", c.loss), func(t *testing.T) {
			t.Parallel()
			const mean = 20 * time.Millisecond
			nodes := min(thousand, brief(thousand, 100))
			cl := newCluster(t, 1, simnet.Link{Latency: simnet.Exponential(mean, 0), Loss: c.loss})
			cl.add(nodes)
			formed := cl.form(30 * time.Second)
			cl.net.RunFor(5 * time.Second) // until the choice of subscriptions is stable
			var sum time.Duration
			for i := range 20 {
				sum += cl.broadcast(i*47%nodes, fmt.Sprint("message ", i), 250*time.Millisecond)
			}
			last := float64(sum) / 20 / float64(mean)
			t.Logf("whole after %v, last node after %.2f mean latencies", formed, last)
			if last > c.bound {
				t.Errorf("last node after %.2f mean latencies, want at most %v", last, c.bound)
			}
		})
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	run := func(seed uint64) uint64 {
		c := newCluster(t, seed, simnet.Link{Latency: simnet.Exponential(5*time.Millisecond, 0), Loss: 0.05})
		c.add(30)
		c.form(10 * time.Second)
		c.broadcast(3, "hello", time.Second)
		return c.net.TraceHash()
	}
	if a, b := run(7), run(7); a != b {
		t.Errorf("seed 7 gave %x and %x", a, b)
	}
	if a, b := run(7), run(8); a == b {
		t.Errorf("seeds 7 and 8 gave the same trace %x", a)
	}
}

func TestCrashedNodeIsDeadToAllOnce(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(30)
	c.form(3 * time.Second)
	c.net.Crash(c.nodes[7].addr)
	c.net.RunFor(7 * time.Second)
	for i, n := range c.nodes {
		if i == 7 {
			continue
		}
		if got := n.count(event.Leave, "node-7"); got != 1 || n.members.Count() != 29 {
			t.Errorf("node %d: %d leaves of node-7, %d members", i, got, n.members.Count())
		}
	}
}

func TestNoNodeDiesOfPacketLoss(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.05})
	c.add(50)
	c.form(10 * time.Second)
	c.net.RunFor(time.Duration(brief(5, 2)) * time.Minute)
	for i, n := range c.nodes {
		if left := n.count(event.Leave, ""); left != 0 {
			t.Errorf("node %d saw %d leaves", i, left)
		}
	}
}

func TestDepartedNodeIsGoneAtOnceAndMayReturn(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(3 * time.Second)
	gone := c.nodes[5]
	c.do(5, gone.Leave)
	c.net.RunFor(100 * time.Millisecond)
	for i, n := range c.nodes {
		if n.count(event.Leave, "node-5") != 1 || n.members.Count() != 19 {
			t.Errorf("node %d: %d members after the leave, events %v", i, n.members.Count(), n.names())
		}
	}
	c.join(5, 0)
	if !c.net.RunUntil(3*time.Second, c.whole) {
		t.Fatalf("not whole after the return: %s", c.missing())
	}
	c.broadcast(5, "back", time.Second)
}

func TestNodeRefutesItsOwnDeath(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(3 * time.Second)
	accuser, accused := c.nodes[2], c.nodes[6]
	c.do(2, func(now time.Time) { accuser.membership.declareDead(now, accuser.members.Get(accused.cfg.ID)) })
	c.net.RunFor(3 * time.Second)
	if !c.whole() {
		t.Fatalf("the accused did not come back: %s", c.missing())
	}
	if accused.members.Self().Incarnation <= uint64(c.net.Now().Add(-10*time.Second).UnixMilli()) {
		t.Error("the accused kept its incarnation")
	}
}

func TestRestartedNodeReplacesItsOldSelf(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(3 * time.Second)
	for _, n := range c.nodes {
		n.events = nil
	}
	c.net.Crash(c.nodes[4].addr)
	c.net.RunFor(500 * time.Millisecond)
	again := c.make(4)
	c.nodes[4] = again
	c.net.Restart(again.addr, again)
	c.join(4, 0)
	if !c.net.RunUntil(3*time.Second, c.whole) {
		t.Fatalf("not whole after the restart: %s", c.missing())
	}
	for i, n := range c.nodes {
		if i != 4 && len(n.events) != 0 {
			t.Errorf("node %d was told %v of a restart with the same name, address and metadata", i, n.names())
		}
	}
	c.net.RunFor(10 * time.Second)
	if !c.whole() {
		t.Fatalf("the old id came back: %s", c.missing())
	}
}

func TestJoinToNobodyEndsWithAnError(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(1)
	c.do(0, func(now time.Time) { c.nodes[0].Join(now, testAddr(9), now.Add(2*time.Second)) })
	c.net.RunFor(4 * time.Second)
	if j := c.nodes[0].joined; len(j) != 1 || j[0].Err == nil {
		t.Fatalf("joined: %+v", j)
	}
}

func TestJoinToOneselfReachesOneself(t *testing.T) {
	c := newCluster(t, 1, lan())
	alias := testAddr(99)
	c.tweak = func(_ int, cfg *Config) { cfg.Own = func(a netip.AddrPort) bool { return a == alias } }
	c.add(1)
	c.net.Alias(c.nodes[0].addr, alias)
	c.do(0, func(now time.Time) {
		c.nodes[0].Join(now, c.nodes[0].addr, now.Add(2*time.Second))
		c.nodes[0].Join(now, alias, now.Add(2*time.Second))
	})
	c.net.RunFor(time.Second)
	if j := c.nodes[0].joined; len(j) != 2 || joinErrors(j) != nil {
		t.Fatalf("joined: %+v", j)
	}
	if c.nodes[0].members.Count() != 1 || len(c.nodes[0].peers) != 0 {
		t.Errorf("%d members, %d peers", c.nodes[0].members.Count(), len(c.nodes[0].peers))
	}
}

func TestMessageSentBeforeTheFirstLinkArrives(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.do(1, func(now time.Time) { _ = c.nodes[1].Broadcast(now, []byte("early")) })
	c.net.RunFor(10 * time.Second)
	c.join(1, 0)
	c.net.RunFor(time.Second)
	if c.nodes[0].got["early"] != 1 {
		t.Errorf("got %v", c.nodes[0].got)
	}
}

func TestMessageBeyondTheLimitIsRefused(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	c.do(0, func(now time.Time) {
		err := c.nodes[0].Broadcast(now, make([]byte, MessageMax+1))
		if large, ok := err.(*TooLargeError); !ok || large.Max != MessageMax {
			t.Errorf("err = %v", err)
		}
	})
}

func TestSubscribersAreBounded(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(200)
	c.form(10 * time.Second)
	for i, n := range c.nodes {
		if most := overlay.SubscribersPer * n.cfg.Subscriptions; n.overlay.Serving() > most {
			t.Errorf("node %d has %d subscribers, want at most %d", i, n.overlay.Serving(), most)
		}
		if slices.Contains(n.overlay.Choice(), n.cfg.ID) {
			t.Errorf("node %d subscribes to itself", i)
		}
	}
}

// The cluster does not need a seed that leaves right after the other nodes joined through it.
func TestClusterOutlivesItsSeed(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(3 * time.Second)
	c.net.Crash(c.nodes[0].addr)
	c.net.RunFor(10 * time.Second)
	c.nodes = c.nodes[1:]
	if !c.whole() {
		t.Fatal(c.missing())
	}
	c.broadcast(3, "without the seed", time.Second)
}

// A node that did not run for longer than failure detection takes does not declare other nodes dead.
func TestSuspendedNodeBlamesNobody(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(3 * time.Second)
	n := c.nodes[3]
	c.net.Pause(n.addr)
	c.net.RunFor(20 * time.Second)
	n.events = nil
	c.net.Resume(n.addr)
	c.net.RunFor(time.Second)
	if got := n.count(event.Leave, ""); got != 0 {
		t.Errorf("it saw %v", n.names())
	}
}
