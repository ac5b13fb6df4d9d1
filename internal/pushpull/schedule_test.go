package pushpull

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md B2.
func TestPushPullsBecomeRarerInALargeCluster(t *testing.T) {
	w := newWorld(t, 1, nil)
	x := w.nodes[0].x
	for _, c := range []struct {
		nodes int
		times time.Duration
	}{{0, 1}, {1, 1}, {32, 1}, {33, 2}, {64, 2}, {65, 3}, {128, 3}, {1000, 6}} {
		if got := x.interval(c.nodes); got != c.times*x.Config.Interval {
			t.Errorf("%d nodes: %v", c.nodes, got)
		}
	}
}

func TestPushPullsOfSeveralNodesShareAnInterval(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config) { c.Nodes = 3 })
	if got := w.nodes[0].x.interval(1); got != 10*time.Second {
		t.Errorf("%v between two push/pulls", got)
	}
}

func TestPushPullsAreDueAboutOnceInAnInterval(t *testing.T) {
	w := newWorld(t, 10, nil)
	w.acquaint()
	firsts := map[time.Time]bool{}
	for _, n := range w.nodes {
		n.x.Start(w.now, &n.table)
		first := n.x.NextTimeout()
		firsts[first] = true
		if wait := first.Sub(w.now); wait <= 0 || wait > 30*time.Second {
			t.Errorf("node %d: the first after %v", n.i, wait)
		}
	}
	if len(firsts) != 10 {
		t.Errorf("%d different times", len(firsts))
	}
	w.run(10 * time.Minute)
	for _, n := range w.nodes {
		if got := len(n.log); got < 18 || got > 23 {
			t.Errorf("node %d: %d in ten minutes", n.i, got)
		}
	}
}

func TestNegativeIntervalMeansNever(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config) { c.Interval = -1 })
	n := w.nodes[0]
	n.x.Start(w.now, &n.table)
	if at := n.x.NextTimeout(); !at.IsZero() {
		t.Errorf("due at %v", at)
	}
}

func TestPushPullsEndWhenTheIntervalBecomesNegative(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	n.x.Start(w.now, &n.table)
	n.x.Config.Interval = -1
	w.run(time.Hour)
	if len(n.log) != 0 || !n.x.NextTimeout().IsZero() {
		t.Errorf("%q, due at %v", n.log, n.x.NextTimeout())
	}
}

func TestPullWaitsForASessionWithItsMember(t *testing.T) {
	w := newWorld(t, 3, nil)
	x := w.nodes[0].x
	if x.TakePull(nodeID(1)) {
		t.Error("taken before any")
	}
	x.PullFrom(nodeID(1))
	if x.TakePull(nodeID(2)) {
		t.Error("taken with another member")
	}
	if !x.TakePull(nodeID(1)) || x.TakePull(nodeID(1)) {
		t.Error("taken other than once")
	}
}

func TestPullWaitsForTheSelectionOnce(t *testing.T) {
	w := newWorld(t, 2, func(_ int, c *Config) { c.AskSelection = true })
	n := w.nodes[0]
	w.acquaint()
	if n.x.Selected() {
		t.Error("waited before any")
	}
	n.x.Start(w.now, &n.table)
	w.run(30 * time.Second)
	w.wantLog(0, "selection wanted")
	if !n.x.Selected() || n.x.Selected() {
		t.Error("waited other than once")
	}
}

func TestPushPullIsWithAnotherGoNode(t *testing.T) {
	w := newWorld(t, 2, nil)
	n := w.nodes[0]
	w.acquaint()
	old := memberNo(9)
	old.ID[6] = 0x40 // a gwyh 0.1 node
	n.add(old)
	n.x.Start(w.now, &n.table)
	w.run(10 * time.Minute)
	if len(n.log) == 0 {
		t.Fatal("there was none")
	}
	for _, line := range n.log {
		if line != "pull from node-1" {
			t.Errorf("%q, want a pull from node-1", line)
		}
	}
}

func TestNodeWithoutOtherGoMembersDoesNoPushPull(t *testing.T) {
	for _, c := range []struct {
		name  string
		alone func(n *node)
	}{
		{"no other member", func(n *node) { n.remove(1, wire.StateDead) }},
		{"after it has left", func(n *node) { n.table.Leave(n.w.now) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2, nil)
			w.acquaint()
			n := w.nodes[0]
			c.alone(n)
			n.x.Start(w.now, &n.table)
			w.run(10 * time.Minute)
			w.wantLog(0)
		})
	}
}

func TestPreferredMemberHasOneTurnInEachInterval(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config) { c.Nodes = 3 })
	turns := 0
	for range 30 {
		if w.nodes[0].x.TakeTurn() {
			turns++
		}
	}
	if turns != 10 {
		t.Errorf("%d of 30 turns", turns)
	}
}
