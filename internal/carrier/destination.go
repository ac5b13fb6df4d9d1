package carrier

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A destination is an address, and the datagrams that wait to be written to it.
type destination struct {
	addr    netip.AddrPort
	waiting []waiting
	first   int          // index in waiting of the oldest
	size    int          // bytes that wait
	taken   uint64       // datagrams that were put so far
	done    uint64       // and that were written or dropped since
	writing bool         // one of them is being written
	next    *destination // in a list
}

// waiting is a datagram that waits.
type waiting struct {
	b       []byte
	packets int       // in b, which takes more; 0 if it takes none
	at      time.Time // when it was put; zero if nothing was before it, so that it does not become late
}

// lateAfter is how long a datagram may wait. One that has waited longer is not written any more.
const lateAfter = 3 * time.Second

func (o *waiting) late() bool { return !o.at.IsZero() && time.Since(o.at) > lateAfter }

// takes reports whether a datagram that waits has room for so many more packets.
func (o *waiting) takes(b []byte, packets int) bool {
	return o.packets > 0 && o.packets+packets <= wire.PacketsMax && len(o.b)+len(b) <= wire.PackedMax
}

// last is the datagram that waits last; nil for none.
func (d *destination) last() *waiting {
	if d.len() == 0 {
		return nil
	}
	return &d.waiting[len(d.waiting)-1]
}

// keepWaiting is the capacity of waiting that a destination keeps when nothing waits.
const keepWaiting = 128

func (d *destination) len() int { return len(d.waiting) - d.first }

// busy reports whether the destination has a datagram that waits or is being written.
func (d *destination) busy() bool { return d.len() > 0 || d.writing }

// current is the number of the datagram that is being written, 0 for none.
func (d *destination) current() uint64 {
	if d.writing {
		return d.done + 1
	}
	return 0
}

func (d *destination) push(o waiting) {
	if len(d.waiting) == cap(d.waiting) && d.first >= d.len() {
		n := copy(d.waiting, d.waiting[d.first:])
		clear(d.waiting[n:])
		d.waiting, d.first = d.waiting[:n], 0
	}
	d.waiting = append(d.waiting, o)
}

func (d *destination) pop() waiting {
	o := d.waiting[d.first]
	d.waiting[d.first] = waiting{}
	d.first++
	switch {
	case d.first < len(d.waiting):
		return o
	case cap(d.waiting) > keepWaiting:
		d.waiting = nil
	}
	d.waiting, d.first = d.waiting[:0], 0
	return o
}

// A list is destinations in the order in which they were pushed.
type list struct{ first, last *destination }

func (l *list) empty() bool { return l.first == nil }

func (l *list) push(d *destination) {
	if l.first == nil {
		l.first = d
	} else {
		l.last.next = d
	}
	l.last = d
}

// pop takes out the first; nil if there is none.
func (l *list) pop() *destination {
	d := l.first
	if d != nil {
		l.first, d.next = d.next, nil
	}
	return d
}
