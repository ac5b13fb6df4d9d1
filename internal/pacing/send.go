package pacing

import "time"

const (
	pacedBurst = 2 * time.Millisecond // share of the rate that may leave at once, because timers are coarse
	heldMax    = 10                   // intervals that a report may be late before it counts as lost
	proven     = time.Second          // a peer that owes a report for longer does not block others that report
	muteAfter  = 10 * time.Second     // one that owes a report for longer blocks nobody
	owedMax    = 32 << 10             // bytes in flight beyond which a peer owes a report
	maxProbe   = time.Second          // maximum interval of datagrams beyond the window, unless the first was longer
	minPause   = time.Millisecond     // pause after a datagram that the system refused, doubled for each further one
	maxPause   = 100 * time.Millisecond
)

// A bucket is the token bucket of the bytes that may leave at once.
type bucket struct {
	level float64   // bytes; negative after sending without Wait
	at    time.Time // when level was last updated

	paused time.Time     // nothing is sent before this time
	pause  time.Duration // duration of the last Backoff; zero after a report
}

// flight tracks the bytes in flight. Counts start with the first byte of the link.
type flight struct {
	sent      uint64
	reported  uint64 // value of sent at the newest reported datagram; at most sent
	delivered uint64 // bytes that the peer has received; at most reported
	burstEnd  uint64 // value of sent at the end of the unpaced burst
	heard     bool   // a report arrived since the start
	granted   bool   // Wait allowed the next Sent
	limited   bool   // a datagram had to wait in this round
	probes    int32  // datagrams beyond the window since the last report

	allowed time.Time     // when the last granted datagram was sent, or the start
	pressed time.Time     // when a datagram last had to wait, or the start
	report  time.Time     // when the last report arrived, or the start
	shown   time.Time     // when a report last showed at least a datagram, or all, as newly arrived; zero: never
	owed    time.Time     // since when more than owedMax is in flight and no report showed anything new; zero: the peer owes nothing
	much    time.Time     // since when more than a burst is in flight, or the last report if later; zero: less is
	probe   time.Time     // when a datagram may exceed the window; zero: it is not used up
	silence time.Duration // the wait before probe
}

func (f *flight) restart(now time.Time, burst float64) {
	*f = flight{sent: f.sent, reported: f.sent, delivered: f.delivered, shown: f.shown, owed: f.owed,
		burstEnd: f.sent + uint64(burst), allowed: now, pressed: now, report: now}
}

// Wait returns the time to wait before a datagram of the given size may be sent: zero if it may be sent now, otherwise
// the time until the next call is useful. A report or a Nak may allow it earlier.
func (c *Controller) Wait(now time.Time, bytes int) time.Duration {
	if c.Idle(now) {
		c.restart(now)
	}
	c.skipIdle(now)
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
	if c.bucket.level >= float64(bytes) { // tokens added since then do not matter
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

// fill adds the tokens for the time since the last call. A level above the size, as after a start, stays.
func (c *Controller) fill(now time.Time) { c.fillTo(now, c.bucketSize()) }

func (c *Controller) fillTo(now time.Time, size float64) {
	b := &c.bucket
	if d := now.Sub(b.at); d > 0 {
		b.level = max(b.level, min(b.level+c.rate*d.Seconds(), size))
		b.at = now
	}
}

// Late records, before a Wait, that the caller was scheduled late by the given time. The caller may catch up by at most
// a burst; otherwise a host with a busy processor would never come near its rate.
func (c *Controller) Late(now time.Time, by time.Duration) {
	missed := min(c.rate*by.Seconds(), c.burst())
	c.fillTo(now, c.bucketSize()+missed)
}

// windowWait returns zero within the window. Beyond it, one datagram may leave when a report is overdue, and the next
// ones after increasing intervals.
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

// overdue returns the maximum time from a datagram to its report if nothing is lost.
func (c *Controller) overdue() time.Duration {
	return c.delay.smoothed + c.interval() + windowSlack
}

// Held reports whether a report is late although more than a burst is in flight. A peer delays its reports while it
// cannot pass on what it receives, but for at most eight intervals. A report that is later was lost, and the peer, which
// received nothing more, has nothing to report.
func (c *Controller) Held(now time.Time) bool {
	if c.flight.much.IsZero() {
		return false
	}
	late := now.Sub(c.flight.much) - c.overdue()
	return late > c.interval() && late <= heldMax*c.interval()
}

// Proven reports whether the peer has reported received data before, and does not owe a report for long. Such a peer may
// slow down messages of others: a peer that reports nothing would look like an overloaded one (PROTOCOL.md T2).
func (c *Controller) Proven(now time.Time) bool {
	f := &c.flight
	return !f.shown.IsZero() && (f.owed.IsZero() || now.Sub(f.owed) <= c.patience())
}

// Mute reports whether the peer owes a report for so long that it will hardly send one.
func (c *Controller) Mute(now time.Time) bool {
	return !c.flight.owed.IsZero() && now.Sub(c.flight.owed) > muteAfter
}

// Reports reports whether the peer has recently reported newly received data.
func (c *Controller) Reports(now time.Time) bool {
	return !c.flight.shown.IsZero() && now.Sub(c.flight.shown) <= c.patience()
}

// patience returns the longest time between two reports of a peer that receives. A peer that reports late seems far away,
// so the time has a bound.
func (c *Controller) patience() time.Duration { return min(max(proven, 4*c.overdue()), muteAfter) }

// Sent counts a datagram of the link, whatever its class. A datagram that Wait did not allow is counted too and delays
// later ones.
func (c *Controller) Sent(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	c.fill(now)
	c.bucket.level = max(c.bucket.level-float64(bytes), -c.burst())
	f := &c.flight
	f.sent += uint64(bytes)
	if f.owed.IsZero() && c.InFlight() > owedMax {
		f.owed = now
	}
	if f.much.IsZero() && c.InFlight() > burst {
		f.much = now
	}
	if f.granted {
		f.granted = false
		f.allowed = now
		c.probed(now)
	}
}

// probed records a datagram that exceeded the window.
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

// Backoff pauses the link after the system refused a datagram because of missing buffers or a filter (ENOBUFS, EPERM): 1
// ms, doubled with each refusal up to 100 ms, until a report arrives. The network lost nothing, so the rate does not
// change.
func (c *Controller) Backoff(now time.Time) {
	b := &c.bucket
	b.pause = min(max(2*b.pause, minPause), maxPause)
	c.pauseFor(now, b.pause)
	c.fill(now)
	b.level = min(b.level, 0)
}

// pauseFor stops sending for d.
func (c *Controller) pauseFor(now time.Time, d time.Duration) {
	if until := now.Add(d); until.After(c.bucket.paused) {
		c.bucket.paused = until
	}
}
