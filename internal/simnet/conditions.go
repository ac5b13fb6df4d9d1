package simnet

import (
	"fmt"
	"net/netip"
	"time"
)

// SetLink sets conditions for datagrams from one host to another, in this direction only.
func (n *Network) SetLink(from, to netip.AddrPort, cond Link) {
	cond.check()
	n.links.setOwn(n.ref(from), n.ref(to), &cond)
}

// ResetLink undoes SetLink.
func (n *Network) ResetLink(from, to netip.AddrPort) { n.links.setOwn(n.ref(from), n.ref(to), nil) }

// LinkBetween returns the conditions in force from one host to another.
func (n *Network) LinkBetween(from, to netip.AddrPort) Link {
	c, _ := n.links.conditions(n.ref(from), n.ref(to))
	return *c
}

// SetDefaultLink changes the conditions between hosts for which neither SetZoneLink nor SetLink was called.
func (n *Network) SetDefaultLink(cond Link) { n.links.setFallback(cond) }

// Adjust edits all conditions: those of the network, of the zones and of single links.
func (n *Network) Adjust(edit func(*Link)) { n.links.adjust(edit) }

// LinkPipe returns the queue of the link from one host to another, so that the caller can read its Stats.
func (n *Network) LinkPipe(from, to netip.AddrPort) *Pipe {
	return &n.links.link(n.ref(from), n.ref(to)).pipe
}

// SetZoneLink sets the conditions from the hosts of one zone to those of another, in this direction only. from and to
// may be the same zone.
func (n *Network) SetZoneLink(from, to string, cond Link) {
	cond.check()
	p := n.links.zones.pairNamed(from, to)
	p.cond, p.own = cond, true
}

// ZoneLink returns the conditions from one zone to another.
func (n *Network) ZoneLink(from, to string) Link {
	if p := n.links.zones.find(from, to); p != nil {
		return p.cond
	}
	return n.links.zones.fallback
}

// SetLatencies sets the latency from each zone to each other zone to the constant latencies[from][to]. It adds an
// exponential jitter whose mean is jitter times that latency. All other conditions are those of the default link.
func (n *Network) SetLatencies(names []string, latencies [][]time.Duration, jitter float64) {
	if len(latencies) != len(names) {
		panic(fmt.Sprintf("simnet: %d rows of latencies for %d zones", len(latencies), len(names)))
	}
	for i, from := range names {
		if len(latencies[i]) != len(names) {
			panic(fmt.Sprintf("simnet: %d latencies from %q for %d zones", len(latencies[i]), from, len(names)))
		}
		for j, to := range names {
			cond := n.links.zones.fallback
			cond.Latency = Constant(latencies[i][j])
			cond.Jitter = Exponential(time.Duration(float64(latencies[i][j])*jitter), 0)
			n.SetZoneLink(from, to, cond)
		}
	}
}
