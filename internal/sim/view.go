package sim

import (
	"fmt"
	"slices"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Whole reports whether every node that runs knows exactly as many members as run, and receives from as many nodes as
// it wants.
func (c *Cluster) Whole() bool {
	up := c.count()
	for i := range c.Nodes {
		// Start with the node that was not ready last time, because it is the most likely one not to be ready now.
		k := (i + c.laggard) % len(c.Nodes)
		if n := c.Nodes[k]; n.up && (n.Core.NumMembers() != up || n.Core.Started() < c.hears(n, up)) {
			c.laggard = k
			return false
		}
	}
	return true
}

func (c *Cluster) count() (up int) {
	for _, n := range c.Nodes {
		if n.up {
			up++
		}
	}
	return up
}

// hears returns the minimum number of nodes that a node receives from when a cluster of up nodes is complete.
func (c *Cluster) hears(n *Node, up int) int {
	want := c.cfg.Core.Subscriptions
	if c.cfg.Core.Strategy != overlay.HubAndSpoke || c.cfg.Map == nil {
		return min(want, up-1)
	}
	own, zones := 0, map[string]bool{}
	for _, o := range c.Nodes {
		if o.up {
			zones[o.Zone] = true
		}
		if o.up && o != n && o.Zone == n.Zone {
			own++
		}
	}
	hubs := len(zones) - 1
	return hubs + min(max(want-hubs, 2), own)
}

// Missing describes what a cluster lacks to be whole.
func (c *Cluster) Missing() string {
	var known, started []int
	for _, n := range c.Up() {
		known = append(known, n.Core.NumMembers())
		started = append(started, n.Core.Started())
	}
	if len(known) == 0 {
		return "no node is up"
	}
	return fmt.Sprintf("nodes know %d to %d members, %d are up; they hear from %d or more", slices.Min(known), slices.Max(known), len(known), slices.Min(started))
}

// Wrong lists up to limit differences between the views of nodes and the truth: every running node must know exactly
// the running nodes, each alive, by the id of its current life.
func (c *Cluster) Wrong(limit int) (wrong []string) {
	add := func(format string, args ...any) {
		if len(wrong) < limit {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	names := make(map[wire.NodeID]string, len(c.Nodes))
	up := c.Up()
	for _, n := range up {
		names[n.ID()] = n.Name
	}
	for _, n := range up {
		seen := 0
		n.Core.Members(func(m *gossip.Member) {
			switch name, ok := names[m.ID]; {
			case !ok:
				add("%s has %s (%s) as %s, which does not run", n.Name, m.Name, m.ID, m.State)
			case name != m.Name:
				add("%s has %s under the name of %s", n.Name, name, m.Name)
			case m.State != wire.StateAlive:
				add("%s has %s as %s, which runs", n.Name, m.Name, m.State)
				seen++
			default:
				seen++
			}
		})
		if seen == len(up) {
			continue
		}
		for _, o := range up {
			if !n.Core.Table().IsLive(o.ID()) {
				add("%s does not have %s", n.Name, o.Name)
			}
		}
	}
	return wrong
}

// True reports whether the views of all nodes are right.
func (c *Cluster) True() bool {
	up := c.count()
	for _, n := range c.Nodes {
		if n.up && n.Core.NumMembers() != up {
			return false
		}
	}
	return len(c.Wrong(1)) == 0
}
