package pacing

import "time"

const (
	stallProbes   = 2        // datagrams beyond the window before a report: they become fewer
	restartProbes = 4        // and the link starts anew
	startGain     = 2        // of what was delivered, while starting
	startLeast    = 16 << 10 // bytes per round trip, however little the first report tells
	startQueued   = 24 << 10 // bytes of ours in a queue that end the start

	addEvery  = 0.1      // seconds; the rate grows by a datagram per round trip in so long
	addRTT    = 0.05     // seconds; a shorter round trip counts as this
	addLeast  = 1. / 4   // of that increase, while a queue is built up
	addQueued = 16 << 10 // bytes of ours in a queue, up to which the increase is whole
	spareRTTs = 10       // round trips without congestion, and at least spareTime, until spare rate is supposed
	spareTime = 0.5      // seconds
	reach     = 9. / 8   // of what gets through: an increase goes no further
)

// A Report is what a peer tells of what it received. Both counts are of the bytes that Sent counted,
// from the first of the Controller on, so Delivered is never above InFlightSent.
type Report struct {
	Delivered    uint64        // bytes the peer has received in all
	InFlightSent uint64        // bytes sent when the newest datagram that it reports had left, that included
	RTT          time.Duration // of that datagram, without the time the peer held it; zero: unknown
}

// A round is the time from one report to the next that is not too soon after it.
type round struct {
	began     time.Time
	reported  uint64     // flight.reported when it began
	delivered uint64     // flight.delivered when it began
	rates     [3]float64 // bytes per second delivered in the rounds before, newest first
}

// best is the rate that got through lately.
func (r *round) best() float64 { return max(r.rates[0], r.rates[1], r.rates[2]) }

// Report takes a delivery report. One older than another is ignored, and what it cannot know is cut.
func (c *Controller) Report(now time.Time, r Report) {
	f := &c.flight
	newest := min(r.InFlightSent, f.sent)
	if newest < f.reported {
		return
	}
	c.delay.add(now, r.RTT, newest > f.burstEnd)
	c.bucket.pause = 0
	probes := f.probes
	f.report, f.much, f.probe, f.probes = now, time.Time{}, time.Time{}, 0
	delivered := min(max(r.Delivered, f.delivered), newest)
	if delivered-f.delivered >= uint64(c.datagram) || delivered == f.sent {
		f.shown = now
	}
	f.reported, f.delivered = newest, delivered
	if c.InFlight() > burst {
		f.much = now
	}
	c.loss.missing(f.reported - f.delivered)
	if probes >= restartProbes {
		c.restart(now)
		return
	}
	first := !f.heard
	f.heard = true
	if first || now.Sub(c.round.began) >= c.interval()*3/4 {
		c.endRound(now, first)
	}
}

// endRound looks at what the round brought.
func (c *Controller) endRound(now time.Time, first bool) {
	r, f := &c.round, &c.flight
	took := max(now.Sub(r.began), time.Millisecond).Seconds()
	used := float64(f.reported-r.reported) >= c.rate*took/2
	copy(r.rates[1:], r.rates[:])
	r.rates[0] = float64(f.delivered-r.delivered) / took
	if first { // what arrived of before the start does not count
		r.rates[0] = min(r.rates[0], float64(f.reported-r.reported)/took)
	}
	settled := c.settled(now)
	switch {
	case c.starting && c.queueBuilt():
		c.congestion(now)
	case settled && (c.lossInQueue() || c.heavyLoss()):
		c.congestion(now)
	case c.starting && first && f.limited:
		c.setRate(max(startGain*r.best(), startLeast/c.interval().Seconds()))
	case c.starting:
		c.setRate(max(c.rate, startGain*r.best()))
	case settled && used:
		c.setRate(c.increased(now, took))
	}
	if settled {
		c.learnLoss()
	}
	c.loss.next(f, lossSample*c.datagram)
	r.began, r.reported, r.delivered = now, f.reported, f.delivered
	f.limited = false
}

// queueBuilt reports whether the delay rose and the queue is one of ours.
func (c *Controller) queueBuilt() bool {
	return (c.delay.jump || c.delay.risen(2)) && c.queued() >= startQueued
}

// queued is how many bytes of ours are in queues, as far as the delay tells.
func (c *Controller) queued() float64 {
	return c.round.best() * c.delay.rise(1).Seconds()
}

// increased returns the rate after took seconds of increase.
func (c *Controller) increased(now time.Time, took float64) float64 {
	through := c.round.best() / (1 - c.loss.random)
	return max(c.rate, min(c.rate+c.slope(now)*took, reach*through))
}

// slope is the increase in bytes per second per second.
func (c *Controller) slope(now time.Time) float64 {
	t := c.interval().Seconds()
	add := c.datagram / (max(t, addRTT) * addEvery)
	if c.delay.rise(1) > max(riseLeast, 2*c.delay.jitter) {
		share := addQueued / c.queued()
		return add * min(max(share*share, addLeast), 1)
	}
	hold := max(spareRTTs*t, spareTime)
	spare := c.rate * min(max(now.Sub(c.congested).Seconds()/hold-1, 0), 1)
	return add + spare/hold
}
