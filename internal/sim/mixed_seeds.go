package sim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// LegacySeeds is a start of Go nodes that have only gwyh 0.1 nodes as seeds.
type LegacySeeds struct {
	Seed          uint64
	Nodes, Models int
	Late          time.Duration // from the Joins of the Go nodes to the start of the models
}

// closedFor is how long a Join lasts if nothing listens at the address: the shell then gives up.
const closedFor = time.Second

// Start makes all nodes join all models at the same moment.
func (o LegacySeeds) Start() *Mixed {
	m := NewMixed(Config{Seed: o.Seed, Nodes: o.Nodes, Core: withLegacy(LAN()), Link: simnet.Link{Latency: simnet.Uniform(200*time.Microsecond, time.Millisecond)}})
	joinFor := JoinFor
	if o.Late > 0 {
		joinFor = closedFor
	} else {
		o.startModels(m)
	}
	for _, n := range m.Nodes {
		m.joinAddrs(n, joinFor, o.seeds())
	}
	if o.Late > 0 {
		m.Net.RunFor(o.Late)
		o.startModels(m)
	}
	return m
}

func (o LegacySeeds) startModels(m *Mixed) {
	for range o.Models {
		m.AddModel(o.seeds()...)
	}
}

func (o LegacySeeds) seeds() (list []netip.AddrPort) {
	for i := range o.Models {
		list = append(list, modelAddr(i))
	}
	return list
}

// joinAddrs makes a node join a list of addresses.
func (m *Mixed) joinAddrs(n *Node, within time.Duration, list []netip.AddrPort) {
	m.Do(n, func(now time.Time) {
		n.seeds.Add(now, list)
		for _, a := range list {
			n.Core.Join(now, a, now.Add(within))
		}
	})
}

// GoNodesKnown reports whether all Go nodes know each other.
func (m *Mixed) GoNodesKnown() bool {
	for _, n := range m.Nodes {
		if n.Core.Table().CountGo() < len(m.Nodes) {
			return false
		}
	}
	return true
}

// Islands describes how many other Go nodes each Go node knows.
func (m *Mixed) Islands() string {
	known := make([]int, len(m.Nodes))
	for i, n := range m.Nodes {
		known[i] = n.Core.Table().CountGo() - 1
	}
	return fmt.Sprintf("of %d other Go nodes they know %v", len(m.Nodes)-1, known)
}
