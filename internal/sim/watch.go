package sim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// watch records which nodes each node considers dead.
type watch struct {
	falls       map[wire.NodeID]*Fall
	falseDeaths []*FalseDeath
	open        map[belief]*FalseDeath // those that are still believed

	observers map[time.Duration]int // how many nodes knew of a fall after so many milliseconds; nil: not counted
}

// belief means that one node considers another one dead.
type belief struct {
	by    *Node
	about wire.NodeID
}

// Fall is a crash and how the other nodes noticed it. Times are since the crash.
type Fall struct {
	Node      *Node
	At        time.Duration // since the start of the network
	Suspected time.Duration // until the first node suspected the node or declared it dead; zero: not yet
	Known     time.Duration // until the last node knew; zero: not yet

	id     wire.NodeID
	unsure int // nodes that do not know it
}

// FalseDeath is a live node that one other node considered dead.
type FalseDeath struct {
	About, By *Node
	At        time.Duration // since the start of the network
	Refuted   time.Duration // until By listed it as a member again; zero: not yet
}

// Kill crashes nodes at the same moment. It returns a Fall for each, which is filled in as time passes.
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

// AwaitKnown waits up to limit until every node knows of all falls.
func (c *Cluster) AwaitKnown(falls []*Fall, limit time.Duration) bool {
	begin := c.Net.Elapsed()
	return c.Await(limit, func() bool {
		known := true
		for _, f := range falls {
			if f.Known == 0 {
				known = false
			}
			// Suspicions cause no events, so they are polled, at a tenth of the rate.
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

// gone records that a node removed a member from its member list.
func (w *watch) gone(by *Node, m *gossip.Member) {
	now := by.cluster.Net.Elapsed()
	if f := w.falls[m.ID]; f != nil {
		if w.observers != nil {
			w.observers[(now-f.At).Truncate(time.Millisecond)]++
		}
		if f.unsure--; f.unsure == 0 {
			f.Known = now - f.At
		}
		if f.Suspected == 0 {
			f.Suspected = now - f.At
		}
		return
	}
	if about := by.cluster.living(m.ID); about != nil && m.State == wire.StateDead && about != by {
		l := &FalseDeath{About: about, By: by, At: now}
		w.falseDeaths = append(w.falseDeaths, l)
		if w.open == nil {
			w.open = map[belief]*FalseDeath{}
		}
		w.open[belief{by, m.ID}] = l
	}
}

// back records that a node added a member to its member list, perhaps again.
func (w *watch) back(by *Node, m *gossip.Member) {
	if l := w.open[belief{by, m.ID}]; l != nil {
		l.Refuted = by.cluster.Net.Elapsed() - l.At
		delete(w.open, belief{by, m.ID})
	}
}

// living returns the running node with an id.
func (c *Cluster) living(id wire.NodeID) *Node {
	if n := c.byID[id]; n != nil && n.up && n.ID() == id {
		return n
	}
	return nil
}

// FalseDeaths returns the live nodes that were considered dead from a moment on.
func (c *Cluster) FalseDeaths(from time.Duration) (falseDeaths []*FalseDeath) {
	for _, l := range c.watch.falseDeaths {
		if l.At >= from {
			falseDeaths = append(falseDeaths, l)
		}
	}
	return falseDeaths
}
