package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// outboxKeep is the capacity an outbox keeps between drains; what a burst needed beyond it is
// given back.
const outboxKeep = 1 << 20

// outbox holds the datagrams of one input, end to end in one buffer, until the owner of the core
// drains them.
type outbox struct {
	buf  []byte
	most int // bytes of the fullest drain since rest was last called
	list []datagram

	probing bool // see Core.Probing
	packets int  // see Core.Packets
}

type datagram struct {
	to      wire.Path
	probe   bool
	packets int // that were packed into it; 0 if it takes no further one
	end     int // where in buf the datagram ends; it begins where the one before ends
}

// add takes over buf, which is the outbox's own with one datagram appended.
func (o *outbox) add(to wire.Path, buf []byte) {
	o.buf = buf
	o.list = append(o.list, datagram{to: to, end: len(buf)})
}

// pack is add for a packet to a Go node, which takes several in one datagram. Small packets that follow each
// other to one node share datagrams: a datagram costs more than the bytes in it.
func (o *outbox) pack(to wire.Path, buf []byte) {
	if n := len(o.list); n > 0 && o.takes(&o.list[n-1], to, len(buf)) {
		last := &o.list[n-1]
		last.packets++
		last.end = len(buf)
		o.buf = buf
		return
	}
	o.add(to, buf)
	o.list[len(o.list)-1].packets = 1
}

// takes reports whether the last datagram has room for a packet that ends there in buf.
func (o *outbox) takes(last *datagram, to wire.Path, end int) bool {
	begin := 0
	if n := len(o.list); n > 1 {
		begin = o.list[n-2].end
	}
	return last.packets > 0 && last.packets < wire.PacketsMax && last.to == to && end-begin <= wire.PackedMax
}

// Drain hands every waiting datagram to send, in order. now is the time of the last input. The bytes are valid during the call.
func (c *Core) Drain(now time.Time, send func(to wire.Path, b []byte)) {
	c.drain(now, 1, func(to wire.Path, b []byte, _ int) { send(to, b) })
}

// Bounds of a run: what Linux takes for one packet of segments.
const (
	runMax   = 64     // datagrams
	runBytes = 65_000 // bytes
)

// DrainRuns is Drain with datagrams that follow each other to one peer handed over together: they lie end
// to end in b and have size bytes each, but the last, which may have fewer.
func (c *Core) DrainRuns(now time.Time, send func(to wire.Path, b []byte, size int)) {
	c.drain(now, runMax, send)
}

// drain hands over runs of at most so many datagrams.
func (c *Core) drain(now time.Time, most int, send func(to wire.Path, b []byte, size int)) {
	c.sealDue(now, false)
	o := &c.out
	begin := 0
	for i := 0; i < len(o.list); {
		n := o.run(i, begin, most)
		d := &o.list[i+n-1]
		b := o.buf[begin:d.end]
		c.stats.SentDatagrams += uint64(n)
		c.stats.SentBytes += uint64(len(b))
		o.probing, o.packets = d.probe, 0
		if n == 1 {
			o.packets = d.packets
		}
		send(d.to, b, o.list[i].end-begin)
		begin = d.end
		i += n
	}
	o.most = max(o.most, len(o.buf))
	o.list = o.list[:0]
	o.buf = o.buf[:0]
	if cap(o.buf) > outboxKeep {
		o.buf = nil
	}
}

// Packets reports, during a call of Drain's send, how many packets the datagram holds if more may be packed into
// it, up to wire.PacketsMax and wire.PackedMax bytes; else 0.
func (c *Core) Packets() int { return c.out.packets }

// run is how many datagrams from the i-th on, which begins at the given place, make one run.
func (o *outbox) run(i, begin, most int) (n int) {
	first := &o.list[i]
	size := first.end - begin
	for n = 1; n < most && i+n < len(o.list); n++ {
		d := &o.list[i+n]
		long := d.end - o.list[i+n-1].end
		if d.to != first.to || d.probe || first.probe || long > size || d.end-begin > runBytes {
			break
		}
		if long < size {
			return n + 1
		}
	}
	return n
}

// rest gives back what a burst took, if no drain since the last call came near to needing it.
func (o *outbox) rest() {
	if cap(o.buf) > outboxRest && len(o.buf) == 0 && 4*o.most < cap(o.buf) {
		o.buf, o.list = nil, nil
	}
	o.most = 0
}

// outboxRest is the capacity below which an outbox is not worth shrinking.
const outboxRest = 4 << 10
