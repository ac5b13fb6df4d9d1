package carrier

import (
	"errors"
	"syscall"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Refusal is a datagram that the system did not take, for a reason that somebody can do something about.
type Refusal struct {
	To      wire.Path
	Size    int
	TooBig  bool  // for the path
	Pause   bool  // the system wants us to wait
	NoRoute error // why nothing can be sent to that address; nil if that is not the reason
}

// Refused returns what was refused since it was last called. The slice is valid until the next datagram is sent.
func (c *Carrier) Refused() []Refusal {
	refused := c.refused
	c.refused = c.refused[:0]
	return refused
}

// SendRun sends the datagrams that lie end to end in b, of size bytes each but the last, which may have
// fewer: with one system call where the socket and the path take that. b is not kept.
func (c *Carrier) SendRun(to wire.Path, b []byte, size int) {
	if c.foreign != nil {
		c.foreign.put(to.Remote, b, size)
		return
	}
	c.sockets.WriteEach(to, b, size, func(datagram []byte, err error) { c.sendFailed(to, len(datagram), err) })
}

// SendPackets sends a datagram that holds so many packets and may hold more of them. Over a foreign transport it is
// packed into the datagram that waits last for the address, if that takes it. b is not kept.
func (c *Carrier) SendPackets(to wire.Path, b []byte, packets int) {
	if c.foreign != nil {
		c.foreign.pack(to.Remote, b, packets)
		return
	}
	c.SendRun(to, b, len(b))
}

// SendWhole sends a datagram that measures the path, and so must not be cut on its way. A foreign transport,
// which cannot promise that, does not get it. b is not kept.
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

// sendFailed counts a datagram of so many bytes that the system did not take, and keeps what sending can do about it.
func (c *Carrier) sendFailed(to wire.Path, size int, err error) {
	c.failed.Add(1)
	r := Refusal{To: to, Size: size, TooBig: errors.Is(err, syscall.EMSGSIZE), NoRoute: udp.NoRoute(err)}
	r.Pause = errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EPERM)
	if r.TooBig || r.Pause || r.NoRoute != nil {
		c.refused = append(c.refused, r)
	}
}
