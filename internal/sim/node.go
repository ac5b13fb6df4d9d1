package sim

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Node is a machine of the cluster: a name and an address that stay the same, and the core that runs there now.
type Node struct {
	Index int
	Name  string
	Addr  netip.AddrPort
	Zone  string
	Core  *gossip.Core // of this life, or of the last one if the node is down
	Joins []error      // results of the Joins of this life

	cluster *Cluster
	up      bool
	since   time.Duration // when this life began
	facts   facts
	seeds   resolve.Seeds[netip.AddrPort]
}

// Up reports whether the node runs and has not left.
func (n *Node) Up() bool { return n.up }

// ID returns the id of the node's current life, or of its last one.
func (n *Node) ID() wire.NodeID { return n.Core.Self().ID }

// begin creates the core of a new life, which knows the members of base.
func (n *Node) begin(now time.Time, base *members.Base) {
	c := n.cluster
	cfg := c.coreConfig(n, c.lives)
	c.lives, cfg.Base = c.lives+1, base
	core, err := gossip.New(now, cfg)
	if err != nil {
		panic(err) // the configuration of the simulation is wrong
	}
	n.Core, n.up, n.since, n.Joins, n.facts, n.seeds = core, true, c.Net.Elapsed(), nil, nil, resolve.Seeds[netip.AddrPort]{Rand: c.rng}
	c.byID[n.ID()] = n
}

// end records the end of a life.
func (n *Node) end(at time.Duration) {
	n.up = false
	n.cluster.ledger.exempt(n, at)
}

func (n *Node) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	n.Core.HandleDatagram(now, from, b)
	n.take(now)
}

func (n *Node) HandleTimeout(now time.Time) {
	n.trySeeds(now)
	n.Core.HandleTimeout(now)
	n.take(now)
}

// trySeeds joins the seeds if they are due, as the shell does (internal/node).
func (n *Node) trySeeds(now time.Time) {
	if seeds := n.seeds.Begin(now); seeds != nil {
		n.Core.ContactSeeds(now, n.seeds.NotExcluded(now, seeds))
		n.seeds.Done(now, n.Core.NumMembers() == 1)
	}
}

// NextTimeout returns when the core or the seeds are due.
func (n *Node) NextTimeout() time.Time {
	next, due := n.Core.NextTimeout(), n.seeds.Due()
	if next.IsZero() || !due.IsZero() && due.Before(next) {
		return due
	}
	return next
}

func (n *Node) Drain(now time.Time, send func(to wire.Path, b []byte)) { n.Core.Drain(now, send) }

// take is the node's application: it handles the events of the core immediately.
func (n *Node) take(now time.Time) {
	for events := n.Core.Events(); len(events) > 0; events = n.Core.Events() {
		for i := range events {
			n.hear(now, &events[i])
		}
	}
}

func (n *Node) hear(now time.Time, e *event.Event) {
	switch e.Kind {
	case event.Message:
		if f := n.cluster.overheard; f != nil && f(n, e.Data) {
			return
		}
		n.cluster.ledger.arrived(n, n.cluster.Net.Elapsed(), e.Data)
	case event.Joined:
		n.Joins = append(n.Joins, e.Err)
	case event.Leave:
		n.cluster.watch.gone(n, &e.Member)
	case event.Join:
		n.cluster.watch.back(n, &e.Member)
	case event.StateWanted, event.State:
		n.answer(now, e)
	}
}
