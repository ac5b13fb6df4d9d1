package pacing

import "time"

const (
	stallProbes   = 2        // datagrams beyond the window without a report, from which their interval doubles
	restartProbes = 4        // datagrams beyond the window after which a report restarts the link
	startGain     = 2        // multiple of the delivered rate, while starting
	startLeast    = 16 << 10 // minimum bytes per round trip after the first report
	startQueued   = 24 << 10 // bytes of this link in a queue that end the start

	addEvery  = 0.1      // seconds in which the rate grows by one datagram per round trip
	addRTT    = 0.05     // seconds; minimum round trip in that formula
	addLeast  = 1. / 4   // minimum share of that increase while a queue exists
	addQueued = 16 << 10 // bytes of this link in a queue up to which the increase is not reduced
	spareRTTs = 10       // round trips without congestion, at least spareTime, before spare rate is presumed
	spareTime = 0.5      // seconds
	reach     = 9. / 8   // an increase is limited to this multiple of the delivered rate
)

// A Report is the content of a peer's delivery report. Both counts are of bytes that Sent counted since the Controller
// was created, so Delivered is at most InFlightSent.
type Report struct {
	Delivered    uint64        // total bytes that the peer has received
	InFlightSent uint64        // bytes sent up to and including the newest datagram it reports
	SentAt       time.Time     // when that datagram was sent
	RTT          time.Duration // of that datagram, less the delay at the peer; zero if unknown
}

// A round is the time between two reports that are at least 3/4 interval apart, or while starting, 3/4 of the interval of
// quick ones.
type round struct {
	began     time.Time
	sentAt    time.Time // when the newest datagram reported at its beginning was sent
	reported  uint64    // flight.reported at its beginning
	delivered uint64    // flight.delivered at its beginning
	limited   bool      // a datagram had to wait in the previous round

	// The most that was delivered per second in a round, in the current interval and in the two before. Full says that in one
	// of these rounds, and in the one before it, a datagram had to wait.
	rates [3]float64
	full  [3]bool
	since time.Time // when the current interval began
}

// best returns the highest recently delivered rate.
func (r *round) best() float64 { return max(r.rates[0], r.rates[1], r.rates[2]) }

// isCapacity reports whether best is what the path carried while the application sent as much as it could. The first round
// with that much to send does not show it: what was sent in it arrives in the next one.
func (r *round) isCapacity() bool { return r.full[0] || r.full[1] || r.full[2] }

// note records the rate of a round. Rounds may be much shorter than an interval, and a busy peer may pause for longer.
func (r *round) note(now time.Time, rate float64, limited bool, interval time.Duration) {
	if now.Sub(r.since) >= interval*3/4 {
		copy(r.rates[1:], r.rates[:])
		copy(r.full[1:], r.full[:])
		r.rates[0], r.full[0], r.since = 0, false, now
	}
	r.rates[0] = max(r.rates[0], rate)
	r.full[0] = r.full[0] || limited && r.limited
	r.limited = limited
}

// Report processes a delivery report. It ignores a report older than a previous one, and limits impossible values.
func (c *Controller) Report(now time.Time, r Report) {
	f := &c.flight
	newest := min(r.InFlightSent, f.sent)
	if newest < f.reported {
		return
	}
	c.delay.add(now, r.RTT, newest > f.burstEnd, c.interval()*3/4)
	c.bucket.pause = 0
	probes := f.probes
	f.report, f.much, f.probe, f.probes = now, time.Time{}, time.Time{}, 0
	delivered := min(max(r.Delivered, f.delivered), newest)
	if delivered-f.delivered >= uint64(c.datagram) || delivered == f.sent {
		f.shown, f.owed = now, time.Time{}
	}
	f.reported, f.delivered = newest, delivered
	if f.owed.IsZero() && c.InFlight() > owedMax {
		f.owed = now
	}
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
	if first || now.Sub(c.round.began) >= c.reports()*3/4 {
		c.endRound(now, r.SentAt, first)
	}
}

// skipIdle begins the round anew after a time without anything to send, which says nothing about the path.
func (c *Controller) skipIdle(now time.Time) {
	r, f := &c.round, &c.flight
	last := f.allowed
	if f.pressed.After(last) {
		last = f.pressed
	}
	if now.Sub(last) > c.overdue() {
		r.began, r.sentAt, r.reported, r.delivered = now, now, f.reported, f.delivered
		r.limited, f.limited = false, false
	}
}

// reports returns the interval between the peer's reports that make a round. Quick ones do at the start, up to the rate of a
// burst in each of them: what a peer takes at once, its buffers may take, not the path.
func (c *Controller) reports() time.Duration {
	quick := QuickReport(c.delay.smoothed)
	if c.starting && c.rate*quick.Seconds() < c.burst() {
		return quick
	}
	return c.interval()
}

// endRound evaluates a round and adjusts the rate. sentAt is the time at which the newest reported datagram was sent. What
// arrived in a short round took as long to be sent, unless it was sent unpaced: reports that were held up say less.
func (c *Controller) endRound(now, sentAt time.Time, first bool) {
	r, f := &c.round, &c.flight
	lasted := max(now.Sub(r.began), time.Millisecond)
	if every := c.interval(); lasted < every {
		lasted = max(lasted, min(sentAt.Sub(r.sentAt), every))
	}
	took := lasted.Seconds()
	used := float64(f.reported-r.reported) >= c.rate*took/2
	rate := float64(f.delivered-r.delivered) / took
	if first { // deliveries of datagrams from before the start do not count
		rate = min(rate, float64(f.reported-r.reported)/took)
	}
	r.note(now, rate, f.limited, c.interval())
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
	r.began, r.sentAt, r.reported, r.delivered = now, sentAt, f.reported, f.delivered
	f.limited = false
}

// queueBuilt reports whether the delay rose because of this link's own queue.
func (c *Controller) queueBuilt() bool {
	return (c.delay.jump || c.delay.risen(2)) && c.queued() >= startQueued
}

// queued returns the estimated bytes of this link in queues.
func (c *Controller) queued() float64 {
	return c.round.best() * c.delay.rise(1).Seconds()
}

// increased returns the rate after took seconds of increase.
func (c *Controller) increased(now time.Time, took float64) float64 {
	through := c.round.best() / (1 - c.loss.random)
	return max(c.rate, min(c.rate+c.slope(now)*took, reach*through))
}

// slope returns the increase of the rate in bytes per second per second.
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
