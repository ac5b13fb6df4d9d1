package simnet

import (
	"math/bits"
	"net/netip"
)

// A packet is a datagram in flight, or one in the socket buffer of a host that is busy or paused.
type packet struct {
	buf    []byte
	source netip.AddrPort
	from   hostRef
	place  int32  // the destination, an index into Network.places
	sum    uint32 // checksum for the trace
	next   int32  // the next packet in the socket buffer; -1: none
	at     int64  // when it reached the socket buffer
}

// packets holds all packets and recycles them and their buffers.
type packets struct {
	all     []packet
	free    []int32
	buffers [classes][][]byte // by size class: see class
	slab    []byte            // memory that small buffers are cut from
}

// Buffer sizes are powers of two from 64 bytes to 64 KiB.
const (
	smallest = 6
	classes  = 11
)

// class returns the index of the smallest buffer size that holds n bytes.
func class(n int) int { return max(bits.Len(uint(max(n, 1)-1)), smallest) - smallest }

// add stores a copy of a packet with a copy of b and returns its index.
func (p *packets) add(pk *packet, b []byte) int32 {
	var i int32
	if last := len(p.free) - 1; last >= 0 {
		i = p.free[last]
		p.free = p.free[:last]
	} else {
		i = int32(len(p.all))
		p.all = append(p.all, packet{})
	}
	buf := p.buffer(class(len(b)))[:len(b)]
	copy(buf, b)
	p.all[i] = *pk
	p.all[i].buf = buf
	return i
}

func (p *packets) buffer(class int) []byte {
	free := &p.buffers[class]
	if last := len(*free) - 1; last >= 0 {
		b := (*free)[last]
		*free = (*free)[:last]
		return b
	}
	size := 1 << (class + smallest)
	if len(p.slab) < size {
		p.slab = make([]byte, 1<<(classes-1+smallest))
	}
	b := p.slab[:size:size]
	p.slab = p.slab[size:]
	return b
}

// remove frees the slot and the buffer of a packet.
func (p *packets) remove(i int32) {
	pk := &p.all[i]
	c := class(len(pk.buf))
	p.buffers[c] = append(p.buffers[c], pk.buf[:0])
	pk.buf = nil
	p.free = append(p.free, i)
}

// rubbish overwrites the buffer of a datagram after the host has returned.
var rubbish = func() (r [1 << 10]byte) {
	for i := range r {
		r[i] = 0xdb
	}
	return r
}()

func spoil(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, rubbish[:]):]
	}
}

// actions holds the scheduled functions.
type actions struct {
	all  []func()
	free []int32
}

func (a *actions) add(f func()) int32 {
	if last := len(a.free) - 1; last >= 0 {
		i := a.free[last]
		a.free = a.free[:last]
		a.all[i] = f
		return i
	}
	a.all = append(a.all, f)
	return int32(len(a.all) - 1)
}

func (a *actions) take(i int32) func() {
	f := a.all[i]
	a.all[i] = nil
	a.free = append(a.free, i)
	return f
}
