package pacing

import (
	"math"
	"time"
)

// Bounds and starting values; the formulas that use them are in the package documentation.
const (
	burst       = 64 << 10               // bytes sent unpaced when a link starts, and the least window
	minRate     = 32 << 10               // bytes per second; the floor
	maxRate     = 1.25e9                 // bytes per second (10 Gbit/s); the ceiling
	reportEvery = 20 * time.Millisecond  // the least time between two reports of a peer
	unknownRTT  = 100 * time.Millisecond // until there is a sample
	idleAfter   = time.Second            // without a paced datagram, or 8 RTT where that is longer
	maxDatagram = 64 << 10
)

// Forever is longer than any wait. Wait does not return it: even with the window used up a probe is
// due some time.
const Forever = time.Duration(math.MaxInt64)

// A Controller paces what is sent to one peer and bounds what is on its way. Owned by its peer; not
// for concurrent use.
type Controller struct {
	rnd      func(n int64) int64
	datagram float64 // bytes; the usual size

	rate      float64 // bytes per second, minRate to maxRate
	starting  bool    // doubling, before the first congestion
	bucket    bucket
	delay     delay
	flight    flight
	round     round
	local     local
	capacity  float64
	congested time.Time
	tolerated float64
}

// New makes the Controller of a link. rtt is the first estimate, zero when there is none; rnd
// returns a uniform number below n; datagram is the usual size of a datagram in bytes.
func New(now time.Time, rtt time.Duration, rnd func(n int64) int64, datagram int) *Controller {
	c := &Controller{rnd: rnd, datagram: float64(min(max(datagram, 1), maxDatagram))}
	c.delay.init(now, rtt)
	c.restart(now)
	return c
}

// restart begins anew, as a new link does: burst bytes unpaced, then the first report tells more.
// What is known of the delay stays.
func (c *Controller) restart(now time.Time) {
	c.starting = true
	c.setRate(c.burst() / c.interval().Seconds())
	c.bucket = bucket{level: c.burst(), at: now}
	c.flight.restart(now)
	c.delay.n = 0
	c.round = round{began: now, sent: c.flight.sent, left: c.flight.sent, leftBefore: c.flight.sent}
	c.capacity, c.congested = 0, now
	c.tolerated = 0.1
}

// burst is what is sent unpaced, in bytes: two datagrams where those are larger than 64 KiB.
func (c *Controller) burst() float64 { return max(burst, 2*c.datagram) }

func (c *Controller) setRate(r float64) {
	c.rate = min(max(r, minRate, 2*c.datagram), maxRate)
}

// interval is how often the peer reports, as far as we know.
func (c *Controller) interval() time.Duration { return max(c.delay.smoothed, reportEvery) }

// RTT returns the smoothed round-trip time.
func (c *Controller) RTT() time.Duration { return c.delay.smoothed }

// MinRTT returns the smallest round-trip time of the last minute.
func (c *Controller) MinRTT() time.Duration { return c.delay.min() }

// Rate returns the rate in bytes per second.
func (c *Controller) Rate() float64 { return c.rate }

// Window returns how many bytes may be on their way.
func (c *Controller) Window() int {
	if !c.flight.heard {
		return int(c.burst())
	}
	return int(max(c.burst(), c.rate*(c.delay.smoothed+2*c.interval()+windowSlack).Seconds()))
}

// InFlight returns the bytes sent after the newest datagram that the peer reported.
func (c *Controller) InFlight() int { return int(c.flight.sent - c.flight.reported) }
