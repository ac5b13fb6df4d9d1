package carrier

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A destination is an address with the datagrams queued for it.
type destination struct {
	addr    netip.AddrPort
	waiting []waiting
	first   int          // index of the oldest datagram in waiting
	size    int          // bytes queued
	taken   uint64       // datagrams queued so far
	done    uint64       // datagrams written or dropped so far
	writing bool         // one of them is being written
	next    *destination // in a list
}

// waiting is a queued datagram.
type waiting struct {
	b       []byte
	packets int       // packets in b if more may be added; otherwise 0
	at      time.Time // when it was queued; zero if it was first in the queue, so that it is never late
}

// lateAfter is the maximum time that a datagram is queued. After that it is dropped.
const lateAfter = 3 * time.Second

func (o *waiting) late() bool { return !o.at.IsZero() && time.Since(o.at) > lateAfter }

// takes reports whether a queued datagram has room for b, which contains the given number of packets.
func (o *waiting) takes(b []byte, packets int) bool {
	return o.packets > 0 && o.packets+packets <= wire.PacketsMax && len(o.b)+len(b) <= wire.PackedMax
}

// last returns the datagram queued last, or nil if the queue is empty.
func (d *destination) last() *waiting {
	if d.len() == 0 {
		return nil
	}
	return &d.waiting[len(d.waiting)-1]
}

// keepWaiting is the capacity of waiting that a destination keeps while its queue is empty.
const keepWaiting = 128

func (d *destination) len() int { return len(d.waiting) - d.first }

// busy reports whether a datagram is queued for the destination or is being written.
func (d *destination) busy() bool { return d.len() > 0 || d.writing }

// current returns the number of the datagram that is being written, or 0 if there is none.
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

// A list is a FIFO queue of destinations.
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

// pop removes and returns the first destination, or nil if the list is empty.
func (l *list) pop() *destination {
	d := l.first
	if d != nil {
		l.first, d.next = d.next, nil
	}
	return d
}
