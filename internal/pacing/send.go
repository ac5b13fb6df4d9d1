package pacing

import "time"

const (
	pacedBurst  = 2 * time.Millisecond   // of the rate may leave at once, for timers are coarse
	windowSlack = 10 * time.Millisecond  // of the rate, beyond a round trip and two reports
	minRTO      = 200 * time.Millisecond // before a datagram is sent beyond the window, or 4 RTT
	maxRTO      = time.Second
	minBackoff  = time.Millisecond
	maxBackoff  = 100 * time.Millisecond
)

// bucket holds what may leave now.
type bucket struct {
	level float64 // bytes; negative after what was sent without asking
	at    time.Time
}

// flight counts bytes from the first of the link.
type flight struct {
	sent, reported, delivered uint64
	heard                     bool // a report came since the start
	burstEnd                  uint64
	granted                   bool      // Wait allowed the next Sent
	blocked                   bool      // the last Wait was not zero
	paced                     time.Time // when the last granted datagram was sent
	asked                     time.Time // the last Wait
	probe                     time.Time // when a datagram may go beyond the window
	rto                       time.Duration
	stalled                   bool
}

// local is the back-off after an error of the own system.
type local struct {
	pause time.Duration
	until time.Time
}

func (f *flight) restart(now time.Time) {
	*f = flight{sent: f.sent, reported: f.sent, delivered: f.delivered, burstEnd: f.sent + burst, paced: now, asked: now}
}

// Idle reports whether nothing was paced lately, so that the next datagram starts anew.
func (c *Controller) Idle(now time.Time) bool {
	f := &c.flight
	if now.Sub(f.paced) < max(idleAfter, 8*c.delay.smoothed) {
		return false
	}
	return !f.blocked || now.Sub(f.asked) > 2*maxRTO
}

// Wait tells how long to wait before a datagram of so many bytes may be sent.
func (c *Controller) Wait(now time.Time, bytes int) time.Duration {
	if c.Idle(now) {
		c.restart(now)
	}
	c.flight.asked = now
	w := max(c.pacingWait(now, max(bytes, 0)), c.local.until.Sub(now), c.windowWait(now, max(bytes, 0)), 0)
	c.flight.granted, c.flight.blocked = w == 0, w > 0
	return w
}

func (c *Controller) pacingWait(now time.Time, bytes int) time.Duration {
	c.fill(now)
	short := min(float64(bytes), c.bucketSize()) - c.bucket.level
	if short <= 0 {
		return 0
	}
	return time.Duration(short/c.rate*float64(time.Second)) + 1
}

func (c *Controller) windowWait(now time.Time, bytes int) time.Duration {
	if c.InFlight() == 0 || c.InFlight()+bytes <= c.Window() {
		return 0
	}
	f := &c.flight
	if f.probe.IsZero() {
		f.rto = max(4*c.delay.smoothed, minRTO)
		f.probe = now.Add(f.rto)
	}
	return f.probe.Sub(now)
}

func (c *Controller) bucketSize() float64 {
	return max(2*c.datagram, c.rate*pacedBurst.Seconds())
}

// fill adds what the rate gave since the last time. A level above the size, that of the burst, stays.
func (c *Controller) fill(now time.Time) {
	b := &c.bucket
	if d := now.Sub(b.at); d > 0 {
		b.level = max(b.level, min(b.level+c.rate*d.Seconds(), c.bucketSize()))
		b.at = now
	}
}

// Sent counts a datagram of the link, whatever its class.
func (c *Controller) Sent(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	f := &c.flight
	idle := !f.granted && c.Idle(now)
	c.fill(now)
	c.bucket.level = max(c.bucket.level-float64(bytes), -c.burst())
	f.sent += uint64(bytes)
	if idle {
		f.reported = f.sent
		return
	}
	if f.granted {
		f.granted = false
		f.paced = now
	}
	if !f.probe.IsZero() && !now.Before(f.probe) {
		f.rto = min(2*f.rto, max(maxRTO, f.rto))
		f.probe = now.Add(f.rto)
		f.stalled = true
	}
}

// Backoff pauses the link after the system refused a datagram for want of buffers.
func (c *Controller) Backoff(now time.Time) {
	c.local.pause = min(max(2*c.local.pause, minBackoff), maxBackoff)
	c.local.until = now.Add(c.local.pause)
	c.fill(now)
	c.bucket.level = min(c.bucket.level, 0)
}
