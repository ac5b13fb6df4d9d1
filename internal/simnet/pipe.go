package simnet

import (
	"fmt"
	"math"
)

// A Rate is a speed in bits per second.
type Rate int64

const (
	Kbit Rate = 1_000
	Mbit Rate = 1_000_000
	Gbit Rate = 1_000_000_000
)

// Overhead is the size, in bytes, of the IPv4 and UDP headers that a datagram has on a link. Rates and queues include
// it, the byte counters do not.
const Overhead = 28

// A Pipe passes datagrams one after another at a rate, and drops those that find its queue full. It does not store
// datagrams, only the time at which the last one will have left: the departure of a datagram is known when it enters,
// because no later one can overtake it.
type Pipe struct {
	rate  Rate  // zero: no limit
	queue int   // bytes; zero: no limit
	bound int64 // time that a full queue takes to pass, in nanoseconds; never: no limit
	free  int64 // when all datagrams accepted so far have left

	stats PipeStats
}

// PipeStats counts what happened to the datagrams that entered a pipe.
type PipeStats struct {
	Sent, SentBytes       uint64
	Dropped, DroppedBytes uint64
}

// NewPipe returns a pipe that several links can share: see Link.Pipe.
func NewPipe(rate Rate, queue int) *Pipe {
	if rate < 0 || queue < 0 {
		panic(fmt.Sprintf("simnet: pipe with rate %d and queue %d", rate, queue))
	}
	p := &Pipe{}
	p.set(rate, queue)
	return p
}

// Stats returns the counters. Bytes are payload bytes.
func (p *Pipe) Stats() PipeStats { return p.stats }

// set changes the limits. Datagrams that already wait keep their departure.
func (p *Pipe) set(rate Rate, queue int) {
	if p.rate == rate && p.queue == queue {
		return
	}
	p.rate, p.queue, p.bound = rate, queue, never
	if rate > 0 && queue > 0 {
		p.bound = p.duration(queue)
	}
}

// duration returns the time that size bytes take, in nanoseconds.
func (p *Pipe) duration(size int) int64 {
	return int64(math.Ceil(float64(size) * 8e9 / float64(p.rate)))
}

// pass takes a datagram at a moment and returns when its last bit has left, or false if it drops the datagram. It
// never drops a datagram that finds the queue empty.
func (p *Pipe) pass(at int64, size int) (int64, bool) {
	if p.rate > 0 {
		wait, time := p.free-at, p.duration(size+Overhead)
		if wait > 0 && wait+time > p.bound {
			p.stats.Dropped++
			p.stats.DroppedBytes += uint64(size)
			return 0, false
		}
		at += max(wait, 0) + time
		p.free = at
	}
	p.stats.Sent++
	p.stats.SentBytes += uint64(size)
	return at, true
}
