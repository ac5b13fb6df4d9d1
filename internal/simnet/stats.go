package simnet

import (
	"net/netip"
	"slices"
)

// A Cause is why a datagram was lost.
type Cause uint8

const (
	LostNone     Cause = iota
	LostOnLink         // by the link's Loss
	LostInQueue        // the queue of an uplink, link or pipe was full
	LostToBlock        // a Block or Partition was in the way
	LostTooLong        // longer than the link's MTU
	LostNoHost         // nobody was at the address, or the host there had crashed
	LostAtSocket       // the receiver's socket buffer was full
	LostInCrash        // it waited in a socket buffer when the host crashed
	numCauses
)

var causeNames = [numCauses]string{"none", "link", "queue", "block", "too long", "no host", "socket", "crash"}

func (c Cause) String() string { return causeNames[c] }

// Traffic counts datagrams and the bytes of their payloads. Sent + Duplicated is Delivered + all
// of Lost + what is on its way or waits in a socket buffer.
type Traffic struct {
	Sent, SentBytes           uint64
	Delivered, DeliveredBytes uint64
	Duplicated, Reordered     uint64
	Lost                      [numCauses]uint64 // by Cause
}

// LostInAll is the number lost for any cause.
func (t Traffic) LostInAll() (sum uint64) {
	for _, n := range t.Lost {
		sum += n
	}
	return sum
}

func (t *Traffic) add(o *Traffic) {
	t.Sent += o.Sent
	t.SentBytes += o.SentBytes
	t.Delivered += o.Delivered
	t.DeliveredBytes += o.DeliveredBytes
	t.Duplicated += o.Duplicated
	t.Reordered += o.Reordered
	for i, c := range o.Lost {
		t.Lost[i] += c
	}
}

// Stats counts everything sent since the start, injected datagrams included.
func (n *Network) Stats() Traffic {
	sum := n.stray
	for i := range n.zones.pairs {
		sum.add(&n.zones.pairs[i].traffic)
	}
	return sum
}

// ZoneStats counts what hosts of one zone sent to those of another.
func (n *Network) ZoneStats(from, to string) Traffic {
	if p := n.zones.find(from, to); p != nil {
		return p.traffic
	}
	return Traffic{}
}

// Zones returns the names of the zones in the order they were first named.
func (n *Network) Zones() []string { return slices.Clone(n.zones.names) }

// HostTraffic counts what one host sent and took.
type HostTraffic struct {
	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64
	Timeouts                uint64
}

// HostStats returns the counters of the host at an address, of all its lives.
func (n *Network) HostStats(addr netip.AddrPort) HostTraffic { return n.host(addr).traffic }

// Uplink returns the queue to a host's uplink, for its Stats.
func (n *Network) Uplink(addr netip.AddrPort) *Pipe { return &n.host(addr).uplink }

// traffic returns the counters for the way between two hosts.
func (n *Network) traffic(from, to hostRef) *Traffic {
	if from == nobody || to == nobody {
		return &n.stray
	}
	return &n.zones.pair(from, to).traffic
}
