package carrier

import (
	"errors"
	"syscall"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Refusal is a datagram that the system did not accept, for a reason that the core can act on.
type Refusal struct {
	To      wire.Path
	Size    int
	TooBig  bool  // for the path
	Pause   bool  // the system cannot accept more datagrams at the moment
	NoRoute error // why nothing can be sent to that address; nil for other reasons
}

// Refused returns the refusals since the last call. The slice is valid until the next datagram is sent.
func (c *Carrier) Refused() []Refusal {
	refused := c.refused
	c.refused = c.refused[:0]
	return refused
}

// SendRun sends the datagrams that lie end to end in b. Each has size bytes, except that the last may be shorter. It
// uses one system call if the socket and the path support that. It does not keep b.
func (c *Carrier) SendRun(to wire.Path, b []byte, size int) {
	if c.foreign != nil {
		c.foreign.put(to.Remote, b, size)
		return
	}
	c.sockets.WriteEach(to, b, size, func(datagram []byte, err error) { c.sendFailed(to, len(datagram), err) })
}

// SendPackets sends a datagram with the given number of packets. Over a foreign transport it appends the packets to the
// datagram queued last for the address, if that has room. It does not keep b.
func (c *Carrier) SendPackets(to wire.Path, b []byte, packets int) {
	if c.foreign != nil {
		c.foreign.pack(to.Remote, b, packets)
		return
	}
	c.SendRun(to, b, len(b))
}

// SendWhole sends a datagram that measures the path and therefore must not be fragmented. A foreign transport cannot
// guarantee that, so SendWhole then sends nothing. It does not keep b.
func (c *Carrier) SendWhole(to wire.Path, b []byte) {
	if c.foreign != nil {
		return
	}
	c.sockets.Whole(true)
	err := c.sockets.Write(to, b)
	c.sockets.Whole(false)
	if err != nil {
		c.sendFailed(to, len(b), err)
	}
}

// sendFailed counts a datagram of size bytes that the system did not accept, and records a refusal that the core can act on.
func (c *Carrier) sendFailed(to wire.Path, size int, err error) {
	c.failed.add(to.Remote, err)
	r := Refusal{To: to, Size: size, TooBig: errors.Is(err, syscall.EMSGSIZE), NoRoute: udp.NoRoute(err)}
	r.Pause = errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EPERM)
	if r.TooBig || r.Pause || r.NoRoute != nil {
		c.refused = append(c.refused, r)
	}
}
