package gossip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// formed returns a cluster that is stable.
func formed(t *testing.T, nodes int) *cluster {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.add(nodes)
	c.form(10 * time.Second)
	c.net.RunFor(10 * time.Second)
	return c
}

// accuse makes a node accuse m, as if a probe of its own had failed.
func (n *node) accuse(now time.Time, m *members.Entry) {
	n.swim.detect(now, n.swim.Accuse(n.swim.outcomes, now, m, m.Incarnation, n.cfg.ID, nil))
}

// state returns the state of node k in the table of node i.
func (c *cluster) state(i, k int) wire.State { return c.nodes[i].members.Get(c.nodes[k].cfg.ID).State }

// accuse makes node i accuse node k, as if a probe of its own had failed.
func (c *cluster) accuse(i, k int) {
	c.do(i, func(now time.Time) {
		n := c.nodes[i]
		n.accuse(now, n.members.Get(c.nodes[k].cfg.ID))
	})
}

func TestSuspicionShowsInTheStateAndIsRefutedAtOnce(t *testing.T) {
	c := formed(t, 30)
	for _, n := range c.nodes {
		n.events = nil
	}
	version := c.nodes[5].Version()
	c.accuse(5, 9)
	if c.state(5, 9) != wire.StateSuspect || c.nodes[5].Version() == version {
		t.Fatalf("state %v, version %d after %d", c.state(5, 9), c.nodes[5].Version(), version)
	}
	suspected := 0
	for range 20 {
		c.net.RunFor(time.Millisecond)
		for i := range c.nodes {
			if i != 9 && c.state(i, 9) == wire.StateSuspect {
				suspected++
			}
		}
	}
	if suspected == 0 {
		t.Error("nobody else heard of it")
	}
	c.net.RunFor(50 * time.Millisecond)
	for i, n := range c.nodes {
		if c.state(i, 9) != wire.StateAlive || n.swim.Suspects(n.members.Get(c.nodes[9].cfg.ID)) {
			t.Errorf("node %d: %v", i, c.state(i, 9))
		}
		if len(n.events) > 0 {
			t.Errorf("node %d was told of %v", i, n.names())
		}
	}
	if s := c.nodes[9].Stats(); s.SuspicionsRefuted != 1 || c.nodes[9].HealthScore() != 1 {
		t.Errorf("%d refuted, health %d", s.SuspicionsRefuted, c.nodes[9].HealthScore())
	}
}

func TestOldAccusationDoesNothingAndItsSenderLearnsWhatIsNew(t *testing.T) {
	c := formed(t, 3)
	accused, accuser := c.nodes[1], c.nodes[0]
	old := accused.members.Self().Incarnation
	c.do(1, func(now time.Time) { accused.membership.refute(now, 0) })
	c.net.RunFor(time.Second)
	m := accuser.members.Get(accused.cfg.ID)
	fresh := accused.members.Self().Incarnation
	c.do(0, func(now time.Time) { // as if it did not know the new incarnation
		accuser.members.SetIncarnation(m, old)
		m.Refuted = 0
		accuser.accuse(now, m)
	})
	c.net.RunFor(20 * time.Millisecond)
	if accused.members.Self().Incarnation != fresh || m.Incarnation != fresh || m.State != wire.StateAlive {
		t.Errorf("the accused went from %d to %d, the accuser knows %d, %v", fresh, accused.members.Self().Incarnation, m.Incarnation, m.State)
	}
	if got := accused.swim.Stats.SuspicionsRefuted; got != 0 {
		t.Errorf("%d refutations", got)
	}
}

func TestFurtherAccusersAreNewsUpToTheirNumber(t *testing.T) {
	c := formed(t, 30)
	n := c.nodes[0]
	m := n.members.Get(c.nodes[9].cfg.ID)
	now := c.net.Now()
	forwarded := func(by int) bool {
		before := n.stats.MembersForwarded
		n.membership.applySuspect(now, m, &wire.Member{State: wire.StateSuspect, ID: m.ID, Incarnation: m.Incarnation, From: c.nodes[by].cfg.ID}, nil, byNews)
		n.entries.FlushNews(now)
		return n.stats.MembersForwarded > before
	}
	for _, step := range []struct {
		by   int
		want bool
	}{{3, true}, {3, false}, {4, true}, {4, false}, {5, true}, {6, false}, {5, false}} {
		if got := forwarded(step.by); got != step.want {
			t.Errorf("accusation of %d: forwarded %v, want %v", step.by, got, step.want)
		}
	}
}

func TestClustersOfTwoAndThreeDecideInTheLeastTime(t *testing.T) {
	for _, size := range []int{2, 3} {
		c := formed(t, size)
		s, k := c.crash(0, 30*time.Second)
		if s == 0 || k-s > 2100*time.Millisecond || k > 5200*time.Millisecond {
			t.Errorf("%d nodes: suspected after %v, dead after %v", size, s, k)
		}
	}
}

// Node 3 no longer hears node 7, but all other nodes do.
func TestOneWayLinkEndsTheLinkAndKillsNobody(t *testing.T) {
	c := formed(t, 20)
	a, b := c.nodes[3], c.nodes[0]
	for _, p := range a.links {
		for _, n := range c.nodes {
			if n.cfg.ID == p.ID {
				b = n
			}
		}
	}
	c.net.SetLink(b.addr, a.addr, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 1})
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		if got := n.count(event.Leave, ""); got != 0 {
			t.Errorf("node %d: %v", i, n.names())
		}
	}
	if p := a.peers[b.cfg.ID]; p != nil && p.Linked {
		t.Error("the link goes on")
	}
	if a.Started() < 5 {
		t.Errorf("%d subscriptions", a.Started())
	}
	if got := b.swim.Stats.SuspicionsRefuted; got > 3 {
		t.Errorf("%d refutations", got)
	}
}

// A node that hears nothing concludes that the problem is its own.
func TestDeafNodeGrowsCarefulAndRecovers(t *testing.T) {
	c := formed(t, 20)
	n := c.nodes[4]
	var others []netip.AddrPort
	for _, o := range c.nodes {
		if o != n {
			others = append(others, o.addr)
		}
	}
	c.net.Block(others, []netip.AddrPort{n.addr})
	c.net.RunFor(10 * time.Second)
	if n.HealthScore() == 0 {
		t.Error("it believes that it is well")
	}
	c.net.HealAll()
	c.net.RunFor(20 * time.Second)
	if !c.whole() || n.HealthScore() != 0 {
		t.Errorf("health %d, %s", n.HealthScore(), c.missing())
	}
}

// The detector looks up which nodes it hears only while a member is accused or dead, so these must be counted correctly.
func TestAccusedMembersAreCounted(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(20)
	c.form(30 * time.Second)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.3 })
	c.net.Crash(c.nodes[7].addr)
	most := 0
	for range 200 {
		c.net.RunFor(100 * time.Millisecond)
		for i, n := range c.nodes {
			doubted := 0
			for m := range n.members.Each {
				if n.swim.Suspects(m) {
					doubted++
				}
				if m.State == wire.StateSuspect && !n.swim.Suspects(m) {
					t.Fatalf("node %d has %s as suspect without a suspicion", i, m.Name)
				}
			}
			if most = max(most, doubted); doubted != n.swim.Suspicions() {
				t.Fatalf("node %d counts %d accused members of %d", i, n.swim.Suspicions(), doubted)
			}
		}
	}
	if most == 0 {
		t.Error("nobody was accused")
	}
}
