package pacing

import "time"

const (
	burst       = 64 << 10               // bytes sent unpaced when a link starts; also the minimum window
	maxWindow   = 64 << 20               // bytes
	minRate     = 32 << 10               // bytes per second; the minimum
	maxRate     = 1.25e9                 // bytes per second (10 Gbit/s); the maximum
	reportEvery = 20 * time.Millisecond  // minimum interval between two reports of a peer
	quickReport = 2 * time.Millisecond   // the same of a peer that receives much
	windowSlack = 10 * time.Millisecond  // of the rate, added to a round trip and two reports
	unknownRTT  = 100 * time.Millisecond // assumed until there is a sample
	idleAfter   = 2 * time.Second        // without waiting or reports; or 8 RTT if that is longer
	maxDatagram = 64 << 10               // bytes
)

// QuickReport returns the minimum interval between two reports of a peer that receives much: on a short path the sender
// learns its rate within a few milliseconds.
func QuickReport(rtt time.Duration) time.Duration { return max(rtt, quickReport) }

// A Controller limits the sending rate to one peer and the bytes in flight. Its peer owns it. It is not safe for
// concurrent use.
type Controller struct {
	rnd      func(n int64) int64
	datagram float64 // usual size in bytes

	rate      float64   // bytes per second; minRate to maxRate
	starting  bool      // the rate doubles until the first congestion
	congested time.Time // time of the last congestion, or of the start
	bucket    bucket
	flight    flight
	delay     delay
	round     round
	loss      loss
}

// New returns the Controller of a link. rtt is an initial estimate, or zero if unknown; rnd returns a uniform random
// number in [0, n); datagram is the usual size of a datagram in bytes.
func New(now time.Time, rtt time.Duration, rnd func(n int64) int64, datagram int) *Controller {
	c := &Controller{rnd: rnd, datagram: float64(min(max(datagram, 1), maxDatagram))}
	c.delay.init(now, rtt)
	c.restart(now)
	return c
}

// restart resets the Controller to the state of a new link: burst bytes are unpaced, and the first report sets the rate.
// The round-trip times are kept.
func (c *Controller) restart(now time.Time) {
	c.starting = true
	c.congested = now
	c.setRate(c.burst() / c.interval().Seconds())
	c.bucket = bucket{level: c.burst(), at: now}
	c.flight.restart(now, c.burst())
	c.delay.forget()
	c.round = round{began: now, sentAt: now, reported: c.flight.reported, delivered: c.flight.delivered}
	c.loss.restart(&c.flight)
}

// burst returns the unpaced bytes of a start: 64 KiB, or two datagrams if they are larger.
func (c *Controller) burst() float64 { return max(burst, 2*c.datagram) }

func (c *Controller) setRate(r float64) {
	c.rate = min(max(r, minRate, 2*c.datagram), maxRate)
}

// interval returns the estimated interval between the peer's reports.
func (c *Controller) interval() time.Duration { return max(c.delay.smoothed, reportEvery) }

// Idle reports whether for a long time no datagram had to wait and no report arrived. Then the knowledge of the path is
// old, the bytes in flight are unknown, and the next Wait restarts the link. Occasional small messages do not change
// that.
func (c *Controller) Idle(now time.Time) bool {
	f := &c.flight
	since := now.Sub(f.report)
	return since >= idleAfter && min(now.Sub(f.pressed), since) >= max(idleAfter, 8*c.delay.smoothed)
}

// RTT returns the smoothed round-trip time.
func (c *Controller) RTT() time.Duration { return c.delay.smoothed }

// MinRTT returns the smallest round-trip time of the last 5 to 10 minutes, or zero if there was no sample.
func (c *Controller) MinRTT() time.Duration { return c.delay.min() }

// Rate returns the rate in bytes per second.
func (c *Controller) Rate() float64 { return c.rate }

// Window returns the maximum number of bytes in flight, as counted by InFlight.
func (c *Controller) Window() int {
	if !c.flight.heard {
		return int(c.burst())
	}
	covers := c.delay.smoothed + 2*c.interval() + windowSlack
	return int(min(max(c.burst(), c.rate*covers.Seconds()), maxWindow))
}

// InFlight returns the number of bytes sent after the newest datagram that the peer reported.
func (c *Controller) InFlight() int { return int(c.flight.sent - c.flight.reported) }
