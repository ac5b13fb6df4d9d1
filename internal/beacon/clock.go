package beacon

import (
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the estimates of clocks.
const (
	samplesMax = 8                // number of samples of a neighbor, as in RFC 5905
	sampleLife = 10 * time.Minute // how long a sample is used
	heldMax    = time.Minute      // maximum time between the arrival of a Clock and its answer
	rttMax     = 10 * time.Second // maximum round trip of a sample
	stepMin    = time.Millisecond // a clock that is off by less than that has not been set
)

// wander is how much two clocks may differ in rate. The rates of quartz clocks differ by less than 100 ppm.
const wander = 100e-6

// A Clock estimates the difference between the clock of a neighbor and that of this node from the Clock messages of the
// neighbor. The zero value knows nothing. A Clock is not safe for concurrent use.
type Clock struct {
	samples [samplesMax]sample
	count   int    // samples taken so far
	sent    uint64 // of the neighbor's last Clock message; 0 if none has arrived
	arrived uint64 // when it arrived, by this node's clock
}

// A sample compares two clocks. Like all times of this package it is in microseconds.
type sample struct {
	ahead int64  // by how much this node's clock is ahead of the neighbor's
	delay int64  // round trip: ahead is wrong by at most half of it
	at    uint64 // when it was taken, by this node's clock; 0 for none
}

// message returns the Clock message to send to the neighbor.
func (c *Clock) message(here uint64) wire.Clock {
	m := wire.Clock{Sent: here, Echo: c.sent}
	if held := here - c.arrived; c.sent == 0 || held > uint64(heldMax/time.Microsecond) {
		m.Echo = 0
	} else {
		m.Held = uint32(held)
	}
	return m
}

// handle takes a Clock message of the neighbor. It reports whether the message is plausible. PROTOCOL.md O2.
func (c *Clock) handle(here uint64, m *wire.Clock) bool {
	if m.Sent == 0 {
		return false
	}
	c.sent, c.arrived = m.Sent, here
	if m.Echo == 0 {
		return true
	}
	delay := int64(here - m.Echo - uint64(m.Held))
	if delay < 0 || delay > int64(rttMax/time.Microsecond) {
		return false
	}
	c.add(sample{ahead: int64(here - m.Sent - uint64(delay/2)), delay: delay, at: here})
	return true
}

// add keeps a sample in place of the oldest one. Samples that cannot be true if s is, because a clock was set in
// between, are dropped.
func (c *Clock) add(s sample) {
	for i := range c.samples {
		o := &c.samples[i]
		if bound := s.bound(s.at) + o.bound(s.at) + float64(stepMin/time.Microsecond); math.Abs(float64(s.ahead-o.ahead)) > bound {
			*o = sample{}
		}
	}
	c.samples[c.count%samplesMax] = s
	c.count++
}

// bound returns by how much the sample may be wrong at a time.
func (s *sample) bound(here uint64) float64 {
	return float64(s.delay)/2 + wander*float64(here-s.at)
}

// ahead returns by how much this node's clock is ahead of the neighbor's, by the sample with the smallest bound. It
// returns false if that is not known.
func (c *Clock) ahead(here uint64) (ahead int64, ok bool) {
	smallest := math.Inf(1)
	for i := range c.samples {
		s := &c.samples[i]
		if s.at == 0 || here-s.at > uint64(sampleLife/time.Microsecond) {
			continue
		}
		if b := s.bound(here); b < smallest {
			smallest, ahead, ok = b, s.ahead, true
		}
	}
	return ahead, ok
}
