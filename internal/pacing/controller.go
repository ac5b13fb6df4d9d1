package pacing

import "time"

const (
	burst       = 64 << 10               // bytes sent unpaced when a link starts, and the least window
	maxWindow   = 64 << 20               // bytes
	minRate     = 32 << 10               // bytes per second; the floor
	maxRate     = 1.25e9                 // bytes per second (10 Gbit/s); the ceiling
	reportEvery = 20 * time.Millisecond  // the least time between two reports of a peer
	windowSlack = 10 * time.Millisecond  // of the rate, beyond a round trip and two reports
	unknownRTT  = 100 * time.Millisecond // until there is a sample
	idleAfter   = 2 * time.Second        // without need and news, or 8 RTT where that is longer
	maxDatagram = 64 << 10               // bytes
)

// A Controller paces what is sent to one peer and bounds what is on its way. Owned by its peer; not
// for concurrent use.
type Controller struct {
	rnd      func(n int64) int64
	datagram float64 // bytes; the usual size

	rate      float64   // bytes per second; floor to maxRate
	starting  bool      // doubling; ends with the first congestion
	congested time.Time // when it last was, or the start
	bucket    bucket
	flight    flight
	delay     delay
	round     round
	loss      loss
}

// New makes the Controller of a link. rtt is a first estimate, zero when there is none; rnd returns
// a uniform number below n; datagram is the usual size of a datagram in bytes.
func New(now time.Time, rtt time.Duration, rnd func(n int64) int64, datagram int) *Controller {
	c := &Controller{rnd: rnd, datagram: float64(min(max(datagram, 1), maxDatagram))}
	c.delay.init(now, rtt)
	c.restart(now)
	return c
}

// restart begins anew, as a new link does: burst bytes unpaced, and the first report tells more. What
// is known of the delay stays.
func (c *Controller) restart(now time.Time) {
	c.starting = true
	c.congested = now
	c.setRate(c.burst() / c.interval().Seconds())
	c.bucket = bucket{level: c.burst(), at: now}
	c.flight.restart(now, c.burst())
	c.delay.forget()
	c.round = round{began: now, reported: c.flight.reported, delivered: c.flight.delivered}
	c.loss.restart(&c.flight)
}

// burst is what is sent unpaced, in bytes: two datagrams where these are larger than 64 KiB.
func (c *Controller) burst() float64 { return max(burst, 2*c.datagram) }

func (c *Controller) setRate(r float64) {
	c.rate = min(max(r, minRate, 2*c.datagram), maxRate)
}

// interval is how often the peer reports, as far as we know.
func (c *Controller) interval() time.Duration { return max(c.delay.smoothed, reportEvery) }

// Idle reports whether for long nothing had to wait and no report came: what was learnt of the path is
// old, nobody says what is in flight, and the next Wait starts the link anew. Small messages that go now
// and then change nothing in that.
func (c *Controller) Idle(now time.Time) bool {
	f := &c.flight
	since := now.Sub(f.report)
	return since >= idleAfter && min(now.Sub(f.pressed), since) >= max(idleAfter, 8*c.delay.smoothed)
}

// RTT returns the smoothed round-trip time.
func (c *Controller) RTT() time.Duration { return c.delay.smoothed }

// MinRTT returns the smallest round-trip time of the last 5 to 10 minutes; zero when there was none.
func (c *Controller) MinRTT() time.Duration { return c.delay.min() }

// Rate returns the rate in bytes per second.
func (c *Controller) Rate() float64 { return c.rate }

// Window returns how many bytes may be on their way, as InFlight counts them.
func (c *Controller) Window() int {
	if !c.flight.heard {
		return int(c.burst())
	}
	covers := c.delay.smoothed + 2*c.interval() + windowSlack
	return int(min(max(c.burst(), c.rate*covers.Seconds()), maxWindow))
}

// InFlight returns the bytes sent after the newest datagram that the peer reported.
func (c *Controller) InFlight() int { return int(c.flight.sent - c.flight.reported) }
