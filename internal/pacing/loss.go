package pacing

import (
	"math"
	"time"
)

const (
	randomFirst = 0.10 // share of loss assumed to be random at first
	randomMax   = 0.20
	randomSlack = 0.02 // loss above the random share plus this is congestion
	lossSample  = 256  // minimum sample in datagrams, once the link runs
	settleSlack = 5 * time.Millisecond

	cutLeast  = 3. / 32 // minimum decrease of the rate as a share; 1/8 on average
	cutSpread = 2. / 32
	cutRecent = 4 // intervals: if a datagram waited within them, the delivered rate is what the path can carry
)

// loss tracks the bytes named by Naks, counted from the first byte of the link, and how much of the loss is random.
type loss struct {
	named  float64 // at most the missing bytes: late arrivals are subtracted
	round  float64 // named at the beginning of the round
	random float64 // share of the sent bytes that is lost at any rate

	// A sample is the loss since the older of two marks. The marks advance when lossSample datagrams were sent since the
	// newer one.
	marks [2]struct{ named, sent float64 }

	// After a decrease and after the first burst, losses do not count until the datagrams sent so far are reported and
	// the peer had time to name the missing ones.
	settling bool
	after    uint64    // flight.sent at that time
	until    time.Time // zero until they are reported
}

// restart excludes the losses of the unpaced burst.
func (l *loss) restart(f *flight) {
	l.random = max(l.random, randomFirst)
	l.settle(f.burstEnd)
	l.forget(f)
}

func (l *loss) settle(after uint64) { l.settling, l.after, l.until = true, after, time.Time{} }

// forget starts new samples.
func (l *loss) forget(f *flight) {
	l.round = l.named
	l.mark(f)
	l.marks[1] = l.marks[0]
}

func (l *loss) mark(f *flight) {
	l.marks[1] = l.marks[0]
	l.marks[0].named, l.marks[0].sent = l.named, float64(f.sent)
}

// next begins a round. sample is the minimum size of a sample in bytes.
func (l *loss) next(f *flight, sample float64) {
	l.round = l.named
	if float64(f.sent)-l.marks[0].sent >= sample {
		l.mark(f)
	}
}

// missing sets the number of missing bytes, which limits the loss.
func (l *loss) missing(bytes uint64) { l.named = min(l.named, float64(bytes)) }

// settled reports whether losses count.
func (c *Controller) settled(now time.Time) bool {
	l := &c.loss
	if !l.settling {
		return true
	}
	if l.until.IsZero() {
		if c.flight.reported < l.after {
			return false
		}
		l.until = now.Add(c.delay.smoothed*5/4 + settleSlack)
	}
	if now.Before(l.until) {
		return false
	}
	l.settling = false
	l.forget(&c.flight)
	return true
}

// Lost records bytes that a Nak named for the first time.
func (c *Controller) Lost(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	if f := &c.flight; !f.heard && f.probe.After(now) {
		f.probe, f.probes = now, 0 // the peer is there and its report was lost
	}
	counts := c.settled(now) && !c.starting // at the start, reports follow soon and subtract what only arrives late
	c.loss.named = min(c.loss.named+float64(bytes), float64(c.flight.sent))
	if counts && (c.lossInQueue() || c.heavyLoss()) {
		c.congestion(now)
	}
}

// sample returns the number of lost datagrams and the number they are compared with: at least those of one round trip,
// because a Nak names the losses of one.
func (c *Controller) sample() (lost, of float64) {
	old := &c.loss.marks[1]
	of = max(float64(c.flight.sent)-old.sent, c.rate*c.reports().Seconds())
	return max(c.loss.named-old.named, 0) / c.datagram, of / c.datagram
}

// lossInQueue reports whether a loss was named in this round while a queue exists.
func (c *Controller) lossInQueue() bool {
	return c.loss.named > c.loss.round && c.delay.risen(3)
}

// heavyLoss reports whether the loss exceeds what random loss explains. The root allows for its variation.
func (c *Controller) heavyLoss() bool {
	lost, of := c.sample()
	return lost > (c.loss.random+randomSlack)*of+math.Sqrt(of)
}

// learnLoss lowers the random share to at most the loss of the bytes sent since the older mark that are already
// reported.
func (c *Controller) learnLoss() {
	old := &c.loss.marks[1]
	of := (float64(c.flight.reported) - old.sent) / c.datagram
	lost := max(c.loss.named-old.named, 0) / c.datagram
	if of >= 1 {
		c.loss.random = min(c.loss.random, (lost+math.Sqrt(of))/of)
	}
}

// congestion ends the start or decreases the rate. If the application used the rate, the new rate is at most what the path
// recently carried. A start that has not shown that ends with half of its rate, which once was delivered. Sending pauses
// while half of the queue drains.
func (c *Controller) congestion(now time.Time) {
	if c.heavyLoss() && !c.delay.risen(1) {
		lost, of := c.sample()
		c.loss.random += max(min(lost/of, randomMax)-c.loss.random, 0) / 2
	}
	rate := c.rate
	switch {
	case c.round.isCapacity() && now.Sub(c.flight.pressed) <= cutRecent*c.interval():
		rate = min(rate, c.round.best())
	case c.starting:
		rate /= startGain
	}
	if !c.starting {
		rate *= 1 - cutLeast - cutSpread*float64(c.rnd(1<<20))/(1<<20)
	}
	c.starting = false
	c.setRate(rate)
	c.congested = now
	c.loss.settle(c.flight.sent)
	c.pauseFor(now, min(max(c.delay.rise(2), 0)/2, c.delay.smoothed))
}

// minLossSample is the minimum number of datagrams for which Loss returns a share.
const minLossSample = 16

// Loss returns the share of recently sent bytes that Naks named as missing, from 0 to 1. It returns 0 if too little was
// sent for an estimate.
func (c *Controller) Loss() float64 {
	old := &c.loss.marks[1]
	of := float64(c.flight.sent) - old.sent
	if of < minLossSample*c.datagram {
		return 0
	}
	return min(max(c.loss.named-old.named, 0)/of, 1)
}
