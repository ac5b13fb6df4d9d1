// Package outbox stores the datagrams that a state machine sends in one input, contiguously in one buffer, until its
// owner drains them. It packs small packets to one node into shared datagrams, and combines datagrams of equal size on
// one path, as systems with segmentation offload accept them.
//
// It sends nothing itself, has no bound of its own (its owner drains it after each input), and allocates only when it
// grows. The package has one file.
package outbox

import "github.com/gwyh-go/gwyh/internal/wire"

const (
	keep = 1 << 20 // maximum capacity kept between drains
	rest = 4 << 10 // capacity below which the buffer is not released
)

// Bounds of a run: what Linux accepts as one packet of segments.
const (
	RunMax   = 64     // datagrams
	runBytes = 65_000 // bytes
)

// Outbox holds the datagrams until Drain. The zero value is empty and ready for use. Not for concurrent use.
type Outbox struct {
	buf     []byte
	list    []datagram
	largest int // maximum bytes of a drain since the last Rest
}

type datagram struct {
	to      wire.Path
	probe   bool
	packets int // packets packed into it; 0 if it accepts no further ones
	end     int // end of the datagram in buf; it begins at the end of the previous one
}

// A Run is a sequence of datagrams on one path. They are contiguous in Bytes and have Size bytes each, except the last
// one, which may be smaller. Bytes is valid only during the call of send.
type Run struct {
	To      wire.Path
	Bytes   []byte
	Size    int  // bytes per datagram
	Count   int  // number of datagrams
	Probe   bool // the only datagram must not be fragmented: it measures the size that the path carries
	Packets int  // packets in the only datagram if more may be packed into it, up to wire.PacketsMax and wire.PackedMax; otherwise 0
}

// Buffer returns the outbox's buffer. The caller appends one datagram and passes the result to Add or Pack before it
// calls any other method. If the caller does neither, nothing is queued.
func (o *Outbox) Buffer() []byte { return o.buf }

// Add queues the datagram that was appended to Buffer.
func (o *Outbox) Add(to wire.Path, buf []byte) { o.add(to, buf, datagram{}) }

// AddProbe is like Add for a datagram that must not be fragmented on its path.
func (o *Outbox) AddProbe(to wire.Path, buf []byte) { o.add(to, buf, datagram{probe: true}) }

// Pack is like Add for a packet to a node that accepts several packets in one datagram. Consecutive small packets to one
// node share datagrams, because a datagram costs more than its bytes.
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

// takes reports whether the last datagram has room for a packet that ends at end in the buffer.
func (o *Outbox) takes(last *datagram, to wire.Path, end int) bool {
	begin := 0
	if n := len(o.list); n > 1 {
		begin = o.list[n-2].end
	}
	room := last.packets < wire.PacketsMax && end-begin <= wire.PackedMax
	return room && last.packets > 0 && last.to == to
}

// Drain passes all datagrams to send, in order and in runs of at most limit datagrams, and empties the outbox. send must
// not use the outbox.
func (o *Outbox) Drain(limit int, send func(Run)) {
	begin := 0
	for i := 0; i < len(o.list); {
		n := o.run(i, begin, limit)
		first, end := &o.list[i], o.list[i+n-1].end
		r := Run{To: first.to, Bytes: o.buf[begin:end], Size: first.end - begin, Count: n, Probe: first.probe}
		if n == 1 {
			r.Packets = first.packets
		}
		send(r)
		begin = end
		i += n
	}
	o.largest = max(o.largest, len(o.buf))
	o.list = o.list[:0]
	o.buf = o.buf[:0]
	if cap(o.buf) > keep {
		o.buf = nil
	}
}

// run returns the number of datagrams in the run that begins with the i-th one, at offset begin.
func (o *Outbox) run(i, begin, limit int) (n int) {
	first := &o.list[i]
	size := first.end - begin
	for n = 1; n < limit && i+n < len(o.list); n++ {
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

// joins reports whether two datagrams may be in one run, apart from their sizes.
func (d *datagram) joins(next *datagram) bool {
	return d.to == next.to && !d.probe && !next.probe
}

// Rest releases memory that a burst allocated, if no drain since the last call needed much of it.
func (o *Outbox) Rest() {
	if cap(o.buf) > rest && len(o.buf) == 0 && 4*o.largest < cap(o.buf) {
		o.buf, o.list = nil, nil
	}
	o.largest = 0
}
