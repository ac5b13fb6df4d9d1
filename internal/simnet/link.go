package simnet

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A Dist is a distribution of delays. The zero value is always zero.
type Dist struct {
	kind distKind
	min  time.Duration
	span time.Duration // uniform: width; exponential: mean of the amount added to min
}

type distKind uint8

const (
	constant distKind = iota
	uniform
	exponential
)

// Constant returns a distribution that always yields d.
func Constant(d time.Duration) Dist { return Dist{constant, d, 0} }

// Uniform returns a uniform distribution over [lo, hi).
func Uniform(lo, hi time.Duration) Dist { return Dist{uniform, lo, hi - lo} }

// Exponential returns a distribution with the given mean and the minimum floor: floor plus an exponential
// distribution with the mean mean-floor.
func Exponential(mean, floor time.Duration) Dist { return Dist{exponential, floor, mean - floor} }

// Mean returns the mean of the distribution.
func (d Dist) Mean() time.Duration {
	if d.kind == uniform {
		return d.min + d.span/2
	}
	return d.min + d.span
}

func (d Dist) draw(r *rand.Rand) int64 {
	switch d.kind {
	case uniform:
		return int64(d.min) + int64(r.Float64()*float64(d.span))
	case exponential:
		return int64(d.min) + int64(r.ExpFloat64()*float64(d.span))
	}
	return int64(d.min)
}

// A Link describes what happens to datagrams from one host to another. The zero value is a perfect link: no delay, no
// loss, no limit.
type Link struct {
	// Latency is drawn once for each pair of hosts and then kept. It stands for distance, so it is the same in both
	// directions.
	Latency Dist
	// Jitter is drawn for each datagram and added to Latency. Datagrams may overtake each other unless Ordered is
	// set.
	Jitter  Dist
	Ordered bool

	// Loss, Duplicate and Reorder are probabilities for each datagram. A reordered datagram is delayed by a draw of
	// ReorderDelay, whatever Ordered says. The copy of a duplicated datagram has its own jitter.
	Loss, Duplicate, Reorder float64
	ReorderDelay             Dist

	// MTU is the size in bytes of the longest datagram that is not lost. Zero means 65,507.
	MTU int

	// Rate is the speed of each directed pair of hosts; zero means no limit. A datagram that would make more than
	// Queue bytes wait is dropped; zero means no limit.
	Rate  Rate
	Queue int
	// Pipe, if set, is a further queue, shared by all links that name it.
	Pipe *Pipe
}

// MaxDatagram is the largest payload, in bytes, that UDP over IPv4 carries.
const MaxDatagram = 65507

func (l *Link) check() {
	for _, p := range []float64{l.Loss, l.Duplicate, l.Reorder} {
		if !(p >= 0 && p <= 1) {
			panic(fmt.Sprintf("simnet: Link with a probability of %v", p))
		}
	}
	for _, d := range []Dist{l.Latency, l.Jitter, l.ReorderDelay} {
		if d.min < 0 || d.span < 0 {
			panic(fmt.Sprintf("simnet: Link with a negative delay: %v", d))
		}
	}
	if l.Rate < 0 || l.Queue < 0 || l.MTU < 0 {
		panic("simnet: Link with a negative limit")
	}
	if l.MTU == 0 || l.MTU > MaxDatagram {
		l.MTU = MaxDatagram
	}
}

// stateful reports whether the link keeps state from one datagram to the next.
func (l *Link) stateful() bool { return l.Rate > 0 || l.Ordered }

// toSelf is the link from a host to itself.
var toSelf = Link{MTU: MaxDatagram}
