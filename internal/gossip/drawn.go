package gossip

// acksMax is how many Pings of one datagram are answered. A node that means well sends one.
const acksMax = 4

// drawn is what the datagram in progress has drawn. It may have thousands of messages: what each of them may
// ask for has to be bounded for all together, or an insider's datagram draws many, be it to an address that is
// not his, or work that takes all of a node's time.
type drawn struct {
	acks int
	naks uint64 // counters that its Naks named
}

// mayAck reports whether one more Ping is answered.
func (d *drawn) mayAck() bool {
	d.acks++
	return d.acks <= acksMax
}

// mayNak reports whether n more counters are looked for. Those of one datagram are disjoint and lie in a window.
func (d *drawn) mayNak(n uint32) bool {
	if d.naks+uint64(n) > nakMax {
		return false
	}
	d.naks += uint64(n)
	return true
}
