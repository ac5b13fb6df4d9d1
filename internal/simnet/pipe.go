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

// Overhead is what a datagram takes on a link beyond its payload: the IPv4 and UDP headers, in
// bytes. It counts for rates and queues, not in the counters of bytes.
const Overhead = 28

// A Pipe passes datagrams one after another at a rate, and drops those that find its queue full. It
// keeps no queue of datagrams, only the time at which the last one will have left: a datagram's
// departure is known when it comes, because none that comes later can overtake it.
type Pipe struct {
	rate  Rate  // zero: no limit
	queue int   // bytes; zero: no limit
	bound int64 // nanoseconds that the queue takes to pass; never: no limit
	free  int64 // when everything taken so far has left

	stats PipeStats
}

// PipeStats is what became of the datagrams that came to a pipe.
type PipeStats struct {
	Sent, SentBytes       uint64
	Dropped, DroppedBytes uint64
}

// NewPipe returns a pipe to be shared by several links: see Link.Pipe.
func NewPipe(rate Rate, queue int) *Pipe {
	if rate < 0 || queue < 0 {
		panic(fmt.Sprintf("simnet: pipe with rate %d and queue %d", rate, queue))
	}
	p := &Pipe{}
	p.set(rate, queue)
	return p
}

// Stats returns the counters. Bytes are those of payloads.
func (p *Pipe) Stats() PipeStats { return p.stats }

// set changes the limits. What waits keeps the departure it was given.
func (p *Pipe) set(rate Rate, queue int) {
	if p.rate == rate && p.queue == queue {
		return
	}
	p.rate, p.queue, p.bound = rate, queue, never
	if rate > 0 && queue > 0 {
		p.bound = p.duration(queue)
	}
}

// duration is the time that a number of bytes takes, in nanoseconds.
func (p *Pipe) duration(size int) int64 {
	return int64(math.Ceil(float64(size) * 8e9 / float64(p.rate)))
}

// pass takes a datagram at a moment and returns when its last bit has left; false if it is dropped.
// A datagram that finds nothing before it is never dropped.
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
