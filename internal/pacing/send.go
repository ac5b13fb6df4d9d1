package pacing

import "time"

const (
	pacedBurst = 2 * time.Millisecond // of the rate may leave at once, for timers are coarse
	heldMost   = 10                   // intervals that a report may be late before it counts as lost
	proven     = time.Second          // a peer of which no report has told of anything new for longer holds up nobody
	maxProbe   = time.Second          // between datagrams beyond the window, if the first is sooner
	minPause   = time.Millisecond     // after the system refused a datagram, doubled with each
	maxPause   = 100 * time.Millisecond
)

// A bucket holds what may leave at once.
type bucket struct {
	level float64   // bytes; negative after what was sent without asking
	at    time.Time // when level was last brought up to date

	paused time.Time     // nothing leaves before
	pause  time.Duration // of the last Backoff; zero after a report
}

// flight knows how much is on its way. Bytes count from the first of the link.
type flight struct {
	sent      uint64
	reported  uint64 // sent up to the newest datagram that was reported; at most sent
	delivered uint64 // what the peer has; at most reported
	burstEnd  uint64 // sent at the end of the unpaced burst
	heard     bool   // a report came since the start
	granted   bool   // Wait allowed the next Sent
	limited   bool   // a datagram had to wait in this round

	allowed time.Time     // when the last granted datagram was sent, or the start
	pressed time.Time     // when a datagram last had to wait, or the start
	report  time.Time     // when the last report came, or the start
	shown   time.Time     // when a report last told of a datagram's worth that had arrived, or of all; zero: never
	much    time.Time     // since when more than a burst is on its way, or the last report if that is later; zero: less is
	probe   time.Time     // when a datagram may go beyond the window; zero: it is not used up
	silence time.Duration // before that
	probes  int           // that went since the last report
}

func (f *flight) restart(now time.Time, burst float64) {
	*f = flight{sent: f.sent, reported: f.sent, delivered: f.delivered, shown: f.shown,
		burstEnd: f.sent + uint64(burst), allowed: now, pressed: now, report: now}
}

// Wait tells how long to wait before a datagram of so many bytes may be sent: zero when it may be now,
// else until it is worth asking again. A report or a Nak may allow it earlier.
func (c *Controller) Wait(now time.Time, bytes int) time.Duration {
	if c.Idle(now) {
		c.restart(now)
	}
	bytes = min(max(bytes, 0), maxDatagram)
	w := max(c.bucketWait(now, bytes), c.windowWait(now, bytes))
	if !c.bucket.paused.IsZero() {
		w = max(w, c.bucket.paused.Sub(now))
	}
	if w > 0 {
		c.flight.pressed, c.flight.limited = now, true
	}
	c.flight.granted = w == 0
	return w
}

func (c *Controller) bucketWait(now time.Time, bytes int) time.Duration {
	if c.bucket.level >= float64(bytes) { // whatever came since
		return 0
	}
	c.fill(now)
	short := min(float64(bytes), c.bucketSize()) - c.bucket.level
	if short <= 0 {
		return 0
	}
	return time.Duration(short/c.rate*float64(time.Second)) + 1
}

func (c *Controller) bucketSize() float64 {
	return max(2*c.datagram, c.rate*pacedBurst.Seconds())
}

// fill adds what the rate gave since the last time. A level above the size, as the first burst is,
// stays.
func (c *Controller) fill(now time.Time) { c.fillTo(now, c.bucketSize()) }

func (c *Controller) fillTo(now time.Time, size float64) {
	b := &c.bucket
	if d := now.Sub(b.at); d > 0 {
		b.level = max(b.level, min(b.level+c.rate*d.Seconds(), size))
		b.at = now
	}
}

// Late notes, before a Wait, that the caller meant to send so much earlier and was not scheduled. It may make up for
// that, by a burst at most: a host whose processor is busy would otherwise never come near its rate.
func (c *Controller) Late(now time.Time, by time.Duration) {
	missed := min(c.rate*by.Seconds(), c.burst())
	c.fillTo(now, c.bucketSize()+missed)
}

// windowWait is zero within the window. Beyond it one datagram may go when a report is overdue, and the
// next after twice the silence.
func (c *Controller) windowWait(now time.Time, bytes int) time.Duration {
	f := &c.flight
	if n := c.InFlight(); n == 0 || n+bytes <= burst || n+bytes <= c.Window() {
		return 0
	}
	if f.probe.IsZero() {
		last := f.report
		if f.allowed.After(last) {
			last = f.allowed
		}
		f.silence = c.overdue()
		f.probe = last.Add(f.silence)
	}
	return f.probe.Sub(now)
}

// overdue is how long after a datagram its report comes at the latest, if nothing is lost.
func (c *Controller) overdue() time.Duration {
	return c.delay.smoothed + c.interval() + windowSlack
}

// Held reports whether the peer lets us wait for a report although more than a burst is on its way. It holds
// reports back while it cannot pass on what it gets, but for no longer than eight intervals: one that does not come
// then was lost, and the peer, which got no more, has nothing to report.
func (c *Controller) Held(now time.Time) bool {
	if c.flight.much.IsZero() {
		return false
	}
	late := now.Sub(c.flight.much) - c.overdue()
	return late > c.interval() && late <= heldMost*c.interval()
}

// Proven reports whether the peer has shown lately that it reports what it receives. Only such a peer may hold up
// messages of others: one that reports nothing would look like one that is overloaded.
func (c *Controller) Proven(now time.Time) bool {
	return !c.flight.shown.IsZero() && now.Sub(c.flight.shown) <= max(proven, 4*c.overdue())
}

// Sent counts a datagram of the link, whatever its class. One that Wait did not allow just before goes
// all the same, and slows what follows.
func (c *Controller) Sent(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	c.fill(now)
	c.bucket.level = max(c.bucket.level-float64(bytes), -c.burst())
	f := &c.flight
	f.sent += uint64(bytes)
	if f.much.IsZero() && c.InFlight() > burst {
		f.much = now
	}
	if f.granted {
		f.granted = false
		f.allowed = now
		c.probed(now)
	}
}

// probed notes a datagram that went beyond the window.
func (c *Controller) probed(now time.Time) {
	f := &c.flight
	if f.probe.IsZero() || now.Before(f.probe) {
		return
	}
	if f.probes++; f.probes >= stallProbes {
		f.silence = min(2*f.silence, max(maxProbe, c.overdue()))
	}
	f.probe = now.Add(f.silence)
}

// Backoff pauses the link after the system refused a datagram for want of buffers or by a filter
// (ENOBUFS, EPERM): 1 ms, doubled with each up to 100 ms, until a report comes. The network lost
// nothing, so the rate stays.
func (c *Controller) Backoff(now time.Time) {
	b := &c.bucket
	b.pause = min(max(2*b.pause, minPause), maxPause)
	c.pauseFor(now, b.pause)
	c.fill(now)
	b.level = min(b.level, 0)
}

// pauseFor lets nothing leave for d.
func (c *Controller) pauseFor(now time.Time, d time.Duration) {
	if until := now.Add(d); until.After(c.bucket.paused) {
		c.bucket.paused = until
	}
}
