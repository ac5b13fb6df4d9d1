package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// leaves counts, by state, the node's events about the end of a name's membership.
func (n *node) leaves(name string) map[wire.State]int {
	told := map[wire.State]int{}
	for _, e := range n.events {
		if e.Kind == event.Leave && e.Member.Name == name {
			told[e.Member.State]++
		}
	}
	return told
}

// A node that leaves is gone as soon as it knows that the other nodes know: no node declares it dead.
func TestDepartureIsNeverTakenForADeath(t *testing.T) {
	for _, size := range []int{2, 3, 12} {
		for _, loss := range []float64{0, 0.3} {
			t.Run(fmt.Sprint(size, " nodes, loss ", loss), func(t *testing.T) {
				c := newCluster(t, uint64(size), lan())
				c.add(size)
				c.form(20 * time.Second) // a Join may fail at this loss, and the test is not about Joins
				c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
				c.net.RunFor(10 * time.Second)
				n := c.nodes[1]
				c.do(1, n.Leave)
				if !c.net.RunUntil(700*time.Millisecond, func() bool { return n.departed == 1 }) {
					t.Fatal("nobody said that they know")
				}
				c.net.Crash(n.addr)
				c.net.RunFor(20 * time.Second)
				for i, o := range c.nodes {
					if told := o.leaves("node-1"); i != 1 && (told[wire.StateLeft] != 1 || len(told) != 1) {
						t.Errorf("node %d was told %v", i, told)
					}
				}
			})
		}
	}
}

func TestDepartureThatNobodyAnswersEnds(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(time.Second)
	for _, i := range []int{0, 2} {
		c.net.Crash(c.nodes[i].addr)
	}
	n := c.nodes[1]
	for range 2 {
		c.do(1, n.Leave)
		c.net.RunFor(700 * time.Millisecond)
	}
	if n.departed != 2 || n.count(event.Leave, "node-1") != 1 {
		t.Errorf("it ended %d times of 2, told %v", n.departed, n.names())
	}
}

// Half of a cluster leaves at the same moment: the other nodes learn it at once, from few datagrams.
func TestManyDeparturesShareDatagrams(t *testing.T) {
	const size, going = 60, 30
	c := newCluster(t, 1, lan())
	c.add(size)
	c.form(5 * time.Second)
	c.net.RunFor(10 * time.Second)
	before := c.net.Stats().Sent
	for i := range going {
		c.do(i, c.nodes[i].Leave)
	}
	c.net.RunFor(100 * time.Millisecond)
	sent := c.net.Stats().Sent - before
	for i, n := range c.nodes[going:] {
		if n.members.Count() != size-going {
			t.Errorf("node %d has %d members", going+i, n.members.Count())
		}
	}
	if per := float64(sent) / size; per > 150 {
		t.Errorf("%.0f datagrams a node", per)
	} else {
		t.Logf("%.0f datagrams a node", per)
	}
}

// A node that left becomes a member again by a Join, with links in both directions and under its old id. A node that
// learns of its departure late does not remove it.
func TestNodeThatLeftComesBackInAllRespects(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(3 * time.Second)
	n := c.nodes[5]
	for round := range 3 {
		before, id := n.members.Self().Incarnation, n.cfg.ID
		c.do(5, n.Leave)
		c.net.RunFor([]time.Duration{20 * time.Millisecond, 5 * time.Second, 10 * time.Minute}[round])
		if n.Links() != 0 || n.members.Count() != 19 {
			t.Errorf("round %d: %d links, %d members after the leave", round, n.Links(), n.members.Count())
		}
		c.join(5, 0)
		if !c.net.RunUntil(3*time.Second, c.whole) {
			t.Fatalf("round %d: not whole after the return: %s", round, c.missing())
		}
		if n.members.Self().Incarnation <= before || n.cfg.ID != id {
			t.Errorf("round %d: incarnation %d after %d", round, n.members.Self().Incarnation, before)
		}
		if j := n.joined[len(n.joined)-1]; len(n.joined) != round+2 || j.Err != nil {
			t.Errorf("round %d: joined %+v", round, n.joined)
		}
		c.net.RunFor(5 * time.Second)
		if !c.whole() || n.overlay.Serving() == 0 {
			t.Errorf("round %d: %s, %d subscribers", round, c.missing(), n.overlay.Serving())
		}
		c.broadcast(5, fmt.Sprint("back ", round), time.Second)
		c.broadcast(0, fmt.Sprint("to it ", round), time.Second)
	}
}
