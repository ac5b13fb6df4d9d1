package gossip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// zonesOf returns n nodes in two zones with one bridge each. The applications select the nodes of their own zone, and
// those of bridges also select the other bridge, which they prefer.
func zonesOf(t *testing.T, n int) *cluster {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.AskSelection, cfg.Meta = true, []byte(zoneMeta(i)) }
	c.add(n)
	for _, nd := range c.nodes {
		nd.app.selects = func(peers []Member) (all []wire.NodeID, first wire.NodeID) {
			for _, o := range peers {
				selected, preferred := byZone(nd.Self(), o)
				if selected {
					all = append(all, o.ID)
				}
				if preferred {
					first = o.ID
				}
			}
			return all, first
		}
	}
	return c
}

// byZone selects by zones with one bridge each, given by the metadata: "east", or "east bridge".
func byZone(self, other Member) (selected, preferred bool) {
	zone, bridge := strings.CutSuffix(string(self.Meta), " bridge")
	theirs, theirBridge := strings.CutSuffix(string(other.Meta), " bridge")
	across := bridge && theirBridge && zone != theirs
	return zone == theirs || across, across
}

func zoneMeta(i int) string {
	meta := []string{"east", "west"}[i%2]
	if i < 2 {
		meta += " bridge"
	}
	return meta
}

// linksExcept returns the pairs of linked nodes for which ok is false.
func (c *cluster) linksExcept(ok func(a, b Member) bool) (list []string) {
	for _, n := range c.nodes {
		for _, p := range n.links {
			if o := n.members.Get(p.ID); o != nil && !ok(n.Self(), o.Member) {
				list = append(list, n.cfg.Name+" "+o.Name)
			}
		}
	}
	return list
}

func TestLinksStayAmongTheMembersThatTheApplicationSelects(t *testing.T) {
	c := zonesOf(t, 16)
	for i := 1; i < 16; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(20 * time.Second)
	if bad := c.linksExcept(func(a, b Member) bool { selected, _ := byZone(a, b); return selected }); len(bad) > 0 {
		t.Errorf("links %q", bad)
	}
	c.broadcast(5, "to all zones", time.Second)
}

func TestPreferredMemberIsSubscribedTo(t *testing.T) {
	c := zonesOf(t, 16)
	for i := 1; i < 16; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(20 * time.Second)
	for i, n := range c.nodes[:2] {
		if p := n.peers[c.nodes[1-i].cfg.ID]; p == nil || !p.overlay.Subscribed() {
			t.Errorf("%s does not subscribe to the bridge of the other zone", n.cfg.Name)
		}
	}
}

func TestChangeOfMetadataChangesTheSelection(t *testing.T) {
	c := zonesOf(t, 16)
	for i := 1; i < 16; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(20 * time.Second)
	c.do(15, func(now time.Time) {
		if err := c.nodes[15].SetMeta(now, []byte("east")); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(20 * time.Second)
	if bad := c.linksExcept(func(a, b Member) bool { selected, _ := byZone(a, b); return selected }); len(bad) > 0 {
		t.Errorf("links %q", bad)
	}
	if n := c.nodes[15]; n.overlay.Started() < n.cfg.Subscriptions {
		t.Errorf("%d subscriptions in the new zone, want %d", n.overlay.Started(), n.cfg.Subscriptions)
	}
}

func TestNodeLinksWhileTheApplicationDoesNotAnswer(t *testing.T) {
	c := zonesOf(t, 6)
	for _, n := range c.nodes {
		n.app.silent = true
	}
	for i := 1; i < 6; i++ {
		c.join(i, 0)
	}
	if !c.net.RunUntil(3*time.Second, c.whole) {
		t.Error(c.missing())
	}
}

// Other members replace those that were selected before the application blocked.
func TestNodeWhoseApplicationBlocksChoosesMembersThatItNeverJudged(t *testing.T) {
	c := zonesOf(t, 12)
	for i := 1; i < 6; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(20 * time.Second)
	n := c.nodes[5]
	n.app.silent = true
	for i := 6; i < 12; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(5 * time.Second)
	for i := range 5 {
		c.do(i, c.nodes[i].Leave)
	}
	c.net.RunFor(10 * time.Second)
	if n.Started() == 0 {
		t.Errorf("no subscription, though there are %d members", n.members.Count())
	}
}

func TestSuspectedMemberIsShownToTheApplicationAsAlive(t *testing.T) {
	c := zonesOf(t, 6)
	for i := 1; i < 6; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(20 * time.Second)
	n := c.nodes[2]
	shown := wire.StateDead
	n.app.selects = func(peers []Member) (all []wire.NodeID, first wire.NodeID) {
		for _, o := range peers {
			if all = append(all, o.ID); o.Name == "node-1" {
				shown = o.State
			}
		}
		return all, first
	}
	c.net.Crash(c.nodes[1].addr) // so that it does not refute
	c.do(2, func(now time.Time) {
		n.accuse(now, n.members.Named("node-1"))
		n.memberChanged(now)
	})
	c.net.RunFor(time.Second)
	if shown != wire.StateAlive {
		t.Errorf("it was shown as %v", shown)
	}
}

func TestPreferredMemberIsNotReplacedAtEachAnswer(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.AskSelection = true }
	c.add(30)
	chosen := map[wire.NodeID]bool{}
	for i, nd := range c.nodes {
		nd.app.selects = func(peers []Member) (all []wire.NodeID, first wire.NodeID) { // selects at random, as dskit does
			for _, o := range peers {
				all = append(all, o.ID)
			}
			if first = peers[c.nodes[i].rng.IntN(len(peers))].ID; first == nd.cfg.ID {
				first = wire.NodeID{}
			}
			return all, first
		}
	}
	c.form(10 * time.Second)
	c.net.RunFor(20 * time.Second)
	for k := range 20 {
		c.do(1, func(now time.Time) {
			if err := c.nodes[1].SetMeta(now, []byte{byte(k)}); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(10 * time.Second)
		for _, id := range c.nodes[0].overlay.Choice() {
			chosen[id] = true
		}
	}
	if n := c.nodes[0]; len(chosen) > len(n.overlay.Choice())+2 {
		t.Errorf("%d members were chosen in 200 s, at most %d at once", len(chosen), len(n.overlay.Choice()))
	}
}

func TestLateAnswerOfTheApplicationEndsWhatWasChosenMeanwhile(t *testing.T) {
	c := zonesOf(t, 16)
	for _, n := range c.nodes {
		n.app.silent = true
	}
	for i := 1; i < 16; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		n.app.silent = false
		for _, peers := range n.app.unanswered {
			c.do(i, func(now time.Time) { n.choose(now, peers) })
		}
	}
	c.net.RunFor(20 * time.Second)
	if bad := c.linksExcept(func(a, b Member) bool { selected, _ := byZone(a, b); return selected }); len(bad) > 0 {
		t.Errorf("links %q", bad)
	}
}

func TestFirstLinkOfAJoinIsWithASelectedMember(t *testing.T) {
	c := zonesOf(t, 8)
	for i := 1; i < 7; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(10 * time.Second)
	n := c.nodes[7] // in the zone of node 1
	c.join(7, 0)
	c.net.RunUntil(2*time.Second, func() bool { return len(n.links) > 0 })
	if selected, _ := byZone(n.Self(), n.members.Get(n.links[0].ID).Member); !selected {
		t.Errorf("linked with %s", n.members.Get(n.links[0].ID).Name)
	}
}

// A Join ends with its first link. It must not wait until the choice is stable.
func TestJoinWithASelectionEndsWithinMilliseconds(t *testing.T) {
	c := zonesOf(t, 3)
	c.join(1, 0)
	c.net.RunFor(5 * time.Second)
	begin := c.net.Elapsed()
	c.join(2, 0)
	if err := c.joinEnded(2, 1, time.Second); err != nil {
		t.Fatal(err)
	}
	if took := c.net.Elapsed() - begin; took > 20*time.Millisecond {
		t.Errorf("the Join took %v", took)
	}
}

func TestPushPullsGoToSelectedMembers(t *testing.T) {
	c := zonesOf(t, 12)
	for i, n := range c.nodes {
		n.push.Config.State, n.app.state = true, fmt.Append(nil, i%2)
	}
	for i := 1; i < 12; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(time.Minute)
	for _, n := range c.nodes {
		n.app.merged = nil
	}
	c.net.RunFor(30 * time.Minute)
	for i, n := range c.nodes[2:] {
		if len(n.app.merged) == 0 {
			t.Errorf("node %d: nothing was merged", i+2)
		}
		if other := fmt.Sprint((i + 1) % 2); slices.Contains(n.app.merged, other) {
			t.Errorf("node %d of zone %d merged a state of the other zone", i+2, i%2)
		}
	}
}

func TestPreferredMemberGetsOneOfThePushPullNodes(t *testing.T) {
	c := zonesOf(t, 12)
	for i, n := range c.nodes {
		n.push.Config.Nodes = 2
		n.push.Config.State, n.app.state = true, fmt.Append(nil, i%2)
	}
	for i := 1; i < 12; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(time.Minute)
	bridge := c.nodes[0]
	bridge.app.merged = nil
	for _, n := range c.nodes[1:] {
		n.push.Config.Interval = -1 // so that push/pulls of other nodes do not count
	}
	c.net.RunFor(30 * time.Minute)
	across, all := 0, len(bridge.app.merged)
	for _, s := range bridge.app.merged {
		if s == "1" {
			across++
		}
	}
	if across < all/2 || all < 100 {
		t.Errorf("%d of %d push/pulls went to the preferred member, want half of them or more", across, all)
	}
}

func TestPushPullNodesIsHowManyMembersAreComparedWithInAnInterval(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		c := withStates(t, 1, lan(), 8, func(_ int, cfg *Config) { cfg.PushPullNodes = nodes })
		c.form(10 * time.Second)
		c.net.RunFor(time.Minute)
		before := c.sum(func(s *stats.Stats) uint64 { return s.StatesSent })
		c.net.RunFor(30 * time.Minute)
		got := c.sum(func(s *stats.Stats) uint64 { return s.StatesSent }) - before
		if want := uint64(8 * 60 * 2 * nodes); got < want*9/10 || got > want*11/10 {
			t.Errorf("%d nodes: %d states sent, want about %d", nodes, got, want)
		}
	}
}

// In a mass start the members change all the time.
func TestApplicationIsAskedForItsSelectionAtABoundedRate(t *testing.T) {
	c := zonesOf(t, 40)
	for i := 1; i < len(c.nodes); i++ {
		c.join(i, 0)
	}
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		if n.app.selections > 50 {
			t.Errorf("node %d was asked %d times in 10 s", i, n.app.selections)
		}
		n.app.selections = 0
	}
	c.net.RunFor(10 * time.Minute)
	for i, n := range c.nodes {
		if n.app.selections > 40 {
			t.Errorf("node %d was asked %d times in 10 min at rest, of which 20 are for push/pulls", i, n.app.selections)
		}
	}
}
