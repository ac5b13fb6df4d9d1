package pacing

import (
	"math"
	"time"
)

const (
	randomFirst = 0.10 // share of loss taken for random until more is known
	randomMost  = 0.20
	randomSlack = 0.02 // above that share is congestion,
	lossSample  = 256  // of no fewer datagrams than these, once the link runs
	settleSlack = 5 * time.Millisecond

	cutLeast  = 3. / 32 // share of the rate; 1/8 on average
	cutSpread = 2. / 32
	cutRecent = 4 // intervals since something waited: what was delivered is what the path can do
)

// loss keeps what Naks named, in bytes from the first of the link, and how much of it is random.
type loss struct {
	named  float64 // at most what is missing: what came late after all is taken back
	round  float64 // named when the round began
	random float64 // share of what is sent that is lost whatever the rate

	// A sample is what was lost since the older of two marks. They move on when lossSample datagrams
	// left since the newer.
	marks [2]struct{ named, sent float64 }

	// After a decrease, and after the first burst, losses do not count until the datagrams sent since
	// are reported, and what these show as missing has had the time to be named.
	settling bool
	after    uint64    // flight.sent then
	until    time.Time // zero: not reported yet
}

// restart counts nothing of what the unpaced burst loses.
func (l *loss) restart(f *flight) {
	l.random = max(l.random, randomFirst)
	l.settle(f.burstEnd)
	l.forget(f)
}

func (l *loss) settle(after uint64) { l.settling, l.after, l.until = true, after, time.Time{} }

// forget begins new samples.
func (l *loss) forget(f *flight) {
	l.round = l.named
	l.mark(f)
	l.marks[1] = l.marks[0]
}

func (l *loss) mark(f *flight) {
	l.marks[1] = l.marks[0]
	l.marks[0].named, l.marks[0].sent = l.named, float64(f.sent)
}

// next begins a round. sample is the least size of a sample in bytes.
func (l *loss) next(f *flight, sample float64) {
	l.round = l.named
	if float64(f.sent)-l.marks[0].sent >= sample {
		l.mark(f)
	}
}

// missing says how many bytes are, so that no more are taken for lost.
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

// Lost takes note of bytes that a Nak named for the first time.
func (c *Controller) Lost(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	if f := &c.flight; !f.heard && f.probe.After(now) {
		f.probe, f.probes = now, 0 // the peer is there, its report was lost
	}
	settled := c.settled(now)
	c.loss.named = min(c.loss.named+float64(bytes), float64(c.flight.sent))
	if settled && (c.lossInQueue() || c.heavyLoss()) {
		c.congestion(now)
	}
}

// sample returns how many datagrams were lost of how many: at least those of a round trip, for a Nak
// names what was lost in one.
func (c *Controller) sample() (lost, of float64) {
	old := &c.loss.marks[1]
	of = max(float64(c.flight.sent)-old.sent, c.rate*c.interval().Seconds())
	return max(c.loss.named-old.named, 0) / c.datagram, of / c.datagram
}

// lossInQueue reports whether something was lost in this round, with a queue built up.
func (c *Controller) lossInQueue() bool {
	return c.loss.named > c.loss.round && c.delay.risen(3)
}

// heavyLoss reports whether more was lost than random loss explains. The root allows for its spread.
func (c *Controller) heavyLoss() bool {
	lost, of := c.sample()
	return lost > (c.loss.random+randomSlack)*of+math.Sqrt(of)
}

// learnLoss lowers the share of random loss to what there is at most: of what left since the older mark
// and is reported.
func (c *Controller) learnLoss() {
	old := &c.loss.marks[1]
	of := (float64(c.flight.reported) - old.sent) / c.datagram
	lost := max(c.loss.named-old.named, 0) / c.datagram
	if of >= 1 {
		c.loss.random = min(c.loss.random, (lost+math.Sqrt(of))/of)
	}
}

// congestion ends the start, or decreases the rate; either way to no more than was delivered lately,
// if the application left nothing unused. What is in the queue may drain by half.
func (c *Controller) congestion(now time.Time) {
	if c.heavyLoss() && !c.delay.risen(1) {
		lost, of := c.sample()
		c.loss.random += max(min(lost/of, randomMost)-c.loss.random, 0) / 2
	}
	rate := c.rate
	if now.Sub(c.flight.pressed) <= cutRecent*c.interval() {
		rate = min(rate, c.round.best())
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

// minLossSample is the fewest datagrams that Loss tells a share of.
const minLossSample = 16

// Loss returns the share of the bytes sent lately that Naks have named as missing, from 0 to 1. It is 0 while too little
// was sent to tell.
func (c *Controller) Loss() float64 {
	old := &c.loss.marks[1]
	of := float64(c.flight.sent) - old.sent
	if of < minLossSample*c.datagram {
		return 0
	}
	return min(max(c.loss.named-old.named, 0)/of, 1)
}
