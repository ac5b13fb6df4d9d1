package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/overlay"
)

// carriers returns the nodes that take the messages of an origin from other zones, by their zones.
func (c *cluster) carriers(origin int) map[string][]int {
	id := c.nodes[origin].ids.Origin()
	list := map[string][]int{}
	for i, n := range c.nodes {
		for _, p := range n.links {
			if p.Node.Zone != n.cfg.Zone && n.broadcast.Disseminator.IsParent(id, &p.Neighbor) {
				list[n.cfg.Zone.Name] = append(list[n.cfg.Zone.Name], i)
				break
			}
		}
	}
	return list
}

// parentsWithin returns how many parents of node i for the messages of an origin are in its own zone.
func (c *cluster) parentsWithin(i, origin int) (count int) {
	n := c.nodes[i]
	for _, p := range n.links {
		if p.Node.Zone == n.cfg.Zone && n.broadcast.Disseminator.IsParent(c.nodes[origin].ids.Origin(), &p.Neighbor) {
			count++
		}
	}
	return count
}

// PROTOCOL.md Q18.
func TestFewNodesCarryMessagesIntoAZone(t *testing.T) {
	t.Parallel()
	c := world(t, 1, brief(150, 75), overlay.Nearest)
	c.net.RunFor(20 * time.Second)
	for i := range 12 {
		c.broadcast(0, fmt.Sprint("message ", i), 2*time.Second)
	}
	all := 0
	carriers := c.carriers(0)
	for zone, list := range carriers {
		all += len(list)
		for _, i := range list {
			if zone == regions[0] && c.parentsWithin(i, 0) == 0 { // one that answered a request is a parent beside them
				t.Errorf("node %d of the origin's zone has no parent in it", i)
			}
		}
	}
	if all > 12 {
		t.Errorf("%d carriers in four zones, want 12 at most: %v", all, carriers)
	}
	// All carriers of a zone crash at once, before anybody notices. The next message needs a digest, a request and an
	// answer from another zone: at most the longest way three times.
	zone := regions[3]
	crashed := map[int]bool{}
	for _, i := range carriers[zone] {
		c.net.Crash(c.nodes[i].addr)
		crashed[i] = true
	}
	if len(crashed) == 0 {
		t.Fatalf("%s has no carrier", zone)
	}
	begin := c.net.Now()
	c.do(0, func(now time.Time) {
		if err := c.nodes[0].Broadcast(now, []byte("after the crash")); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(2 * time.Second)
	last := time.Duration(0)
	for i, n := range c.nodes[1:] {
		if crashed[i+1] {
			continue
		}
		if got := n.got[key("after the crash")]; got != 1 {
			t.Errorf("node %d of %s got the message %d times", i+1, n.cfg.Zone.Name, got)
			continue
		}
		last = max(last, n.at[key("after the crash")].Sub(begin))
	}
	t.Logf("%d carriers, %d of them crashed; the last node has the next message after %v", all, len(crashed), last)
	if last > 800*time.Millisecond {
		t.Errorf("the last node has it after %v", last)
	}
}
