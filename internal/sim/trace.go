package sim

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/trace"
)

// traceNet traces the events of the network that no core sees.
func (c *Cluster) traceNet(e simnet.Event) {
	switch e.Kind {
	case simnet.EventLost:
		c.trace.Tracer(c.nameAt(e.From)).Emit(e.At, trace.Event{Kind: trace.Packet, What: "lost", Peer: e.To.String(), Bytes: len(e.Data), Text: e.Cause.String()})
	case simnet.EventCrashed, simnet.EventStarted:
		c.trace.Tracer(c.nameAt(e.To)).Emit(e.At, trace.Event{Kind: trace.Node, What: e.Kind.String()})
	}
}

// nameAt returns the name of the node at an address.
func (c *Cluster) nameAt(addr netip.AddrPort) string {
	for _, n := range c.Nodes {
		if n.Addr == addr {
			return n.Name
		}
	}
	return addr.String()
}
