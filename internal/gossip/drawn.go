package gossip

// acksMax is how many Pings of one datagram are answered. A node that means well sends one.
const acksMax = 4

// drawn is what the datagram in progress has drawn. It may have thousands of messages: what each of them may
// ask for has to be bounded for all together, or an insider's datagram draws many, be it to an address that is
// not his, or work that takes all of a node's time.
type drawn struct {
	acks int
}

// mayAck reports whether one more Ping is answered.
func (d *drawn) mayAck() bool {
	d.acks++
	return d.acks <= acksMax
}
