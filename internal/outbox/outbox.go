// Package outbox holds the datagrams that a state machine sends in one input, end to end in one buffer, until its owner
// drains them. It packs small packets to one node into shared datagrams, and hands over datagrams of one size to one
// path together, as systems with segmentation offload take them.
//
// It sends nothing itself, has no bound of its own (its owner drains it after each input), and allocates only while it
// grows. There is one file.
package outbox

import "github.com/gwyh-go/gwyh/internal/wire"

const (
	keep = 1 << 20 // capacity kept between drains; what a burst needed beyond it is given back
	rest = 4 << 10 // capacity below which the buffer is not worth shrinking
)

// Bounds of a run: what Linux takes for one packet of segments.
const (
	RunMax   = 64     // datagrams
	runBytes = 65_000 // bytes
)

// Outbox is the datagrams that wait for Drain. The zero value is empty and ready for use. Not for concurrent use.
type Outbox struct {
	buf  []byte
	list []datagram
	most int // bytes of the fullest drain since Rest was last called
}

type datagram struct {
	to      wire.Path
	probe   bool
	packets int // that were packed into it; 0 if it takes no further one
	end     int // where in buf the datagram ends; it begins where the one before ends
}

// A Run is datagrams that follow each other to one path. They lie end to end in Bytes and have Size bytes each, except
// the last, which may have fewer. Bytes is valid during the call of send.
type Run struct {
	To      wire.Path
	Bytes   []byte
	Size    int  // bytes of a datagram
	Count   int  // datagrams
	Probe   bool // the datagram, which comes alone, must not be fragmented: it measures what the path carries whole
	Packets int  // packets in the datagram if it comes alone and more may be packed into it, up to wire.PacketsMax and wire.PackedMax; otherwise 0
}

// Buffer returns the outbox's buffer. The caller appends one datagram and hands the result to Add or Pack, before it
// calls any other method. A caller that does neither has queued nothing.
func (o *Outbox) Buffer() []byte { return o.buf }

// Add queues the datagram that was appended to Buffer.
func (o *Outbox) Add(to wire.Path, buf []byte) { o.add(to, buf, datagram{}) }

// AddProbe is Add for a datagram that must not be fragmented on its way.
func (o *Outbox) AddProbe(to wire.Path, buf []byte) { o.add(to, buf, datagram{probe: true}) }

// Pack is Add for a packet to a node that takes several packets in one datagram. Small packets that follow each
// other to one node share datagrams, because a datagram costs more than the bytes in it.
func (o *Outbox) Pack(to wire.Path, buf []byte) {
	if n := len(o.list); n > 0 && o.takes(&o.list[n-1], to, len(buf)) {
		last := &o.list[n-1]
		last.packets++
		last.end = len(buf)
		o.buf = buf
		return
	}
	o.add(to, buf, datagram{packets: 1})
}

func (o *Outbox) add(to wire.Path, buf []byte, d datagram) {
	d.to, d.end = to, len(buf)
	o.buf = buf
	o.list = append(o.list, d)
}

// takes reports whether the last datagram has room for a packet that ends there in the buffer.
func (o *Outbox) takes(last *datagram, to wire.Path, end int) bool {
	begin := 0
	if n := len(o.list); n > 1 {
		begin = o.list[n-2].end
	}
	room := last.packets < wire.PacketsMax && end-begin <= wire.PackedMax
	return room && last.packets > 0 && last.to == to
}

// Drain hands everything that waits to send, in order and in runs of at most most datagrams, and empties the outbox.
// send must not use the outbox.
func (o *Outbox) Drain(most int, send func(Run)) {
	begin := 0
	for i := 0; i < len(o.list); {
		n := o.run(i, begin, most)
		first, end := &o.list[i], o.list[i+n-1].end
		r := Run{To: first.to, Bytes: o.buf[begin:end], Size: first.end - begin, Count: n, Probe: first.probe}
		if n == 1 {
			r.Packets = first.packets
		}
		send(r)
		begin = end
		i += n
	}
	o.most = max(o.most, len(o.buf))
	o.list = o.list[:0]
	o.buf = o.buf[:0]
	if cap(o.buf) > keep {
		o.buf = nil
	}
}

// run returns how many datagrams from the i-th on, which begins at the given place, make one run.
func (o *Outbox) run(i, begin, most int) (n int) {
	first := &o.list[i]
	size := first.end - begin
	for n = 1; n < most && i+n < len(o.list); n++ {
		d := &o.list[i+n]
		bytes := d.end - o.list[i+n-1].end
		if !first.joins(d) || bytes > size || d.end-begin > runBytes {
			break
		}
		if bytes < size {
			return n + 1
		}
	}
	return n
}

// joins reports whether two datagrams may be of one run, whatever their sizes.
func (d *datagram) joins(next *datagram) bool {
	return d.to == next.to && !d.probe && !next.probe
}

// Rest gives back memory that a burst took, if no drain since the last call came near to needing it.
func (o *Outbox) Rest() {
	if cap(o.buf) > rest && len(o.buf) == 0 && 4*o.most < cap(o.buf) {
		o.buf, o.list = nil, nil
	}
	o.most = 0
}
