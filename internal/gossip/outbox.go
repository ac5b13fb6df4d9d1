package gossip

import "github.com/gwyh-go/gwyh/internal/wire"

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
}

type datagram struct {
	to    wire.Path
	probe bool
	end   int // where in buf the datagram ends; it begins where the one before ends
}

// add takes over buf, which is the outbox's own with one datagram appended.
func (o *outbox) add(to wire.Path, buf []byte) {
	o.buf = buf
	o.list = append(o.list, datagram{to: to, end: len(buf)})
}

// Drain hands every waiting datagram to send, in order. The bytes are valid during the call.
func (c *Core) Drain(send func(to wire.Path, b []byte)) {
	c.sealDue(c.now, false)
	o := &c.out
	begin := 0
	for i := range o.list {
		d := &o.list[i]
		b := o.buf[begin:d.end]
		c.stats.SentDatagrams++
		c.stats.SentBytes += uint64(len(b))
		o.probing = d.probe
		send(d.to, b)
		begin = d.end
	}
	o.most = max(o.most, len(o.buf))
	o.list = o.list[:0]
	o.buf = o.buf[:0]
	if cap(o.buf) > outboxKeep {
		o.buf = nil
	}
}

// rest gives back what a burst took, if no drain since the last call came near to needing it.
func (o *outbox) rest() {
	if cap(o.buf) > outboxRest && len(o.buf) == 0 && 4*o.most < cap(o.buf) {
		o.buf, o.list = nil, nil
	}
	o.most = 0
}

// outboxRest is the capacity below which an outbox is not worth shrinking.
const outboxRest = 16 << 10
