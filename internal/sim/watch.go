package sim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// watch follows what nodes think of each other's life and death.
type watch struct {
	falls map[wire.NodeID]*Fall
	lies  []*Lie
	open  map[belief]*Lie // of the lies, those that are still believed
}

// belief is that a node holds another one for dead.
type belief struct {
	by    *Node
	about wire.NodeID
}

// Fall is a crash, and how the others came to know of it. Times are since the crash.
type Fall struct {
	Node      *Node
	At        time.Duration // since the start of the network
	Suspected time.Duration // until the first node suspected it or knew; zero: not yet
	Known     time.Duration // until the last node knew; zero: not yet

	id     wire.NodeID
	unsure int // nodes that do not know
}

// Lie is the death of a node that lived, as one other saw it.
type Lie struct {
	About, By *Node
	At        time.Duration // since the start of the network
	Refuted   time.Duration // until By had it as a member again; zero: not yet
}

// Kill crashes nodes at the same moment and returns what will be known of it.
func (c *Cluster) Kill(nodes ...*Node) []*Fall {
	for _, n := range nodes {
		c.Crash(n)
	}
	up := c.count()
	falls := make([]*Fall, len(nodes))
	for i, n := range nodes {
		falls[i] = &Fall{Node: n, At: c.Net.Elapsed(), id: n.ID(), unsure: up}
		if c.watch.falls == nil {
			c.watch.falls = map[wire.NodeID]*Fall{}
		}
		c.watch.falls[n.ID()] = falls[i]
	}
	return falls
}

// AwaitKnown waits until every node knows of all falls, but no longer than the limit.
func (c *Cluster) AwaitKnown(falls []*Fall, limit time.Duration) bool {
	begin := c.Net.Elapsed()
	return c.Await(limit, func() bool {
		known := true
		for _, f := range falls {
			if f.Known == 0 {
				known = false
			}
			// Suspicions are no events: they are looked for, ten times as seldom.
			if f.Suspected == 0 && (c.Net.Elapsed()-begin)%(10*awaitStep) == 0 {
				c.lookForSuspicion(f)
			}
		}
		return known
	})
}

func (c *Cluster) lookForSuspicion(f *Fall) {
	for _, n := range c.Nodes {
		if m := n.Core.Table().Get(f.id); n.up && m != nil && m.State == wire.StateSuspect {
			f.Suspected = c.Net.Elapsed() - f.At
			return
		}
	}
}

// gone notes that a node took a member off its list.
func (w *watch) gone(by *Node, m *gossip.Member) {
	now := by.cluster.Net.Elapsed()
	if f := w.falls[m.ID]; f != nil {
		if f.unsure--; f.unsure == 0 {
			f.Known = now - f.At
		}
		if f.Suspected == 0 {
			f.Suspected = now - f.At
		}
		return
	}
	if about := by.cluster.living(m.ID); about != nil && m.State == wire.StateDead && about != by {
		l := &Lie{About: about, By: by, At: now}
		w.lies = append(w.lies, l)
		if w.open == nil {
			w.open = map[belief]*Lie{}
		}
		w.open[belief{by, m.ID}] = l
	}
}

// back notes that a node has a member on its list, again perhaps.
func (w *watch) back(by *Node, m *gossip.Member) {
	if l := w.open[belief{by, m.ID}]; l != nil {
		l.Refuted = by.cluster.Net.Elapsed() - l.At
		delete(w.open, belief{by, m.ID})
	}
}

// living finds the node that runs under an id.
func (c *Cluster) living(id wire.NodeID) *Node {
	if n := c.byID[id]; n != nil && n.up && n.ID() == id {
		return n
	}
	return nil
}

// Lies lists the deaths of nodes that lived, from a moment on.
func (c *Cluster) Lies(from time.Duration) (lies []*Lie) {
	for _, l := range c.watch.lies {
		if l.At >= from {
			lies = append(lies, l)
		}
	}
	return lies
}
