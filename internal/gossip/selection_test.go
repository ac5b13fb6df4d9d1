package gossip

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// choosy returns a cluster in which node 0 may choose only the nodes that allow selects.
func choosy(t *testing.T, nodes int, allow func(i int) bool, preferred int) *cluster {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		cfg.AskSelection, cfg.State, cfg.PushPullInterval = i == 0, true, time.Second
	}
	c.add(nodes)
	c.nodes[0].app.selects = func(peers []Member) (selected []wire.NodeID, first wire.NodeID) {
		for i, n := range c.nodes {
			if i != 0 && allow(i) {
				selected = append(selected, n.cfg.ID)
			}
		}
		if preferred > 0 {
			first = c.nodes[preferred].cfg.ID
		}
		return selected, first
	}
	for i := 1; i < nodes; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(90 * time.Second)
	return c
}

func TestOnlySelectedMembersAreChosen(t *testing.T) {
	c := choosy(t, 20, func(i int) bool { return i%4 == 1 }, 0)
	n := c.nodes[0]
	if len(n.overlay.Choice()) != 5 {
		t.Errorf("%d members are chosen, of 5 that may be", len(n.overlay.Choice()))
	}
	for _, id := range n.overlay.Choice() {
		if i := slices.IndexFunc(c.nodes, func(o *node) bool { return o.cfg.ID == id }); i%4 != 1 {
			t.Errorf("%s is chosen, which was not selected", id)
		}
	}
	if n.members.Count() != 20 {
		t.Errorf("%d members, want 20", n.members.Count())
	}
	c.broadcast(7, "from a node that was not selected", time.Second)
}

func TestPreferredMemberIsChosenThoughItIsNotSelected(t *testing.T) {
	c := choosy(t, 20, func(i int) bool { return i%4 == 1 }, 6)
	if n := c.nodes[0]; !slices.Contains(n.overlay.Choice(), c.nodes[6].cfg.ID) {
		t.Errorf("%v are chosen, without the preferred %s", n.overlay.Choice(), c.nodes[6].cfg.ID)
	}
}

func TestPushPullsAreWithSelectedMembersOnly(t *testing.T) {
	c := choosy(t, 8, func(i int) bool { return i == 3 }, 0)
	n := c.nodes[0]
	for range 100 {
		if m := n.overlay.DrawSelected(c.net.Now(), n.push.TakeTurn()); m.ID != c.nodes[3].cfg.ID {
			t.Fatalf("%s is drawn", m.Name)
		}
	}
}

func TestNodeThatMayChooseNobodyStillHearsBroadcasts(t *testing.T) {
	c := choosy(t, 8, func(int) bool { return false }, 0)
	if m := c.nodes[0].overlay.DrawSelected(c.net.Now(), c.nodes[0].push.TakeTurn()); m != nil {
		t.Errorf("%s is drawn", m.Name)
	}
	c.broadcast(5, "to all", time.Second)
}

func TestApplicationIsAskedAtMostFourTimesASecond(t *testing.T) {
	c := choosy(t, 4, func(int) bool { return true }, 0)
	c.nodes[0].push.Config.Interval = -1 // the node also asks before a push/pull
	before := c.nodes[0].app.selections
	for i := range 100 {
		c.do(1, func(now time.Time) {
			if err := c.nodes[1].SetMeta(now, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(20 * time.Millisecond)
	}
	if got := c.nodes[0].app.selections - before; got < 4 || got > 9 {
		t.Errorf("asked %d times in 2 s of changes, want 4 to 9", got)
	}
}
