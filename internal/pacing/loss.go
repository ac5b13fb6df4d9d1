package pacing

import (
	"math"
	"time"
)

const (
	tolerateFirst = 0.10 // share of loss taken for random until more is known
	tolerateMost  = 0.35
	lossFew       = 256
	lossSlack     = 0.02    // above what is tolerated
	cutLeast      = 3. / 32 // share of the rate; 1/8 on average
	cutSpread     = 2. / 32
	settleSlack   = 5 * time.Millisecond
)

// loss keeps what Naks named, in bytes since the first of the link, and how much of it is random.
type loss struct {
	round  float64
	named  float64    // at most what is missing, so what came late after all is taken back
	since  [2]float64 // named when this round began, and the one before
	left   [2]uint64  // flight.sent at these times
	random float64    // share of what is sent that is lost whatever the rate

	// After a decrease nothing counts until the datagrams sent after it were reported and what they
	// show as missing has been named.
	settling bool
	mark     uint64    // flight.sent of the decrease
	until    time.Time // zero: not reported yet
}

// restart counts nothing of what the unpaced burst loses.
func (l *loss) restart(f *flight) {
	l.random = max(l.random, tolerateFirst)
	l.settle(f.burstEnd)
	l.clear(f)
}

func (l *loss) settle(mark uint64) { l.settling, l.mark, l.until = true, mark, time.Time{} }

func (l *loss) clear(f *flight) {
	l.round = l.named
	l.since = [2]float64{l.named, l.named}
	l.left = [2]uint64{f.sent, f.sent}
}

// next begins a round.
func (l *loss) next(f *flight, few float64) {
	l.round = l.named
	if float64(f.sent-l.left[0]) < few {
		return
	}
	l.since[1], l.since[0] = l.since[0], l.named
	l.left[1], l.left[0] = l.left[0], f.sent
}

func (l *loss) bound(missing uint64) { l.named = min(l.named, float64(missing)) }

// settled reports whether losses count.
func (c *Controller) settled(now time.Time) bool {
	l := &c.loss
	if !l.settling {
		return true
	}
	if l.until.IsZero() {
		if c.flight.reported < l.mark {
			return false
		}
		l.until = now.Add(c.delay.smoothed*5/4 + settleSlack)
	}
	if now.Before(l.until) {
		return false
	}
	l.settling = false
	l.clear(&c.flight)
	return true
}

// Lost takes note of bytes that a Nak named for the first time.
func (c *Controller) Lost(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	settled := c.settled(now)
	c.loss.named = min(c.loss.named+float64(bytes), float64(c.flight.sent))
	if settled && (c.lossInQueue() || c.heavyLoss()) {
		c.congestion(now)
	}
}

// lossShare returns how many datagrams were named in this round and the one before, and how many left
// in that time; at least those of a round, for Naks come in batches.
func (c *Controller) lossShare() (lost, left float64) {
	l := &c.loss
	left = max(float64(c.flight.sent-l.left[1]), c.rate*c.interval().Seconds())
	return max(l.named-l.since[1], 0) / c.datagram, left / c.datagram
}

// lossInQueue reports whether something was lost while a queue was built up.
func (c *Controller) lossInQueue() bool {
	return c.loss.named > c.loss.round && c.delay.risen(3)
}

// heavyLoss reports whether more was lost than random loss explains.
func (c *Controller) heavyLoss() bool {
	lost, left := c.lossShare()
	return lost > (c.loss.random+lossSlack)*left+math.Sqrt(left)
}

// learn lowers the share of random loss to what the last rounds had at most.
func (l *loss) learn(lost, left float64) {
	l.random = min(l.random, (lost+math.Sqrt(left))/left)
}

// congestion ends the start, or decreases the rate.
func (c *Controller) congestion(now time.Time) {
	if !c.delay.risen(2) {
		lost, left := c.lossShare()
		c.loss.random += max(min(lost/left, tolerateMost)-c.loss.random, 0) / 2
	}
	best := c.round.best()
	if c.starting {
		c.starting = false
		c.setRate(best)
	} else {
		cut := cutLeast + cutSpread*float64(c.rnd(1<<20))/(1<<20)
		c.setRate(min(c.rate, best) * (1 - cut))
	}
	c.congested = now
	c.loss.settle(c.flight.sent)
	c.pauseFor(now, min(max(c.delay.rise(min(2, c.delay.n)), 0)/2, c.delay.smoothed))
}
