package pacing

import (
	"math"
	"time"
)

// A Report is what a peer tells of what it received. Bytes count from the first of the link.
type Report struct {
	Delivered    uint64        // bytes the peer has received in all
	InFlightSent uint64        // bytes we had sent when the newest datagram that it reports had left
	RTT          time.Duration // of that datagram; zero: unknown
}

// round is the time between two reports that are looked at.
type round struct {
	began            time.Time
	sent             uint64 // flight.reported when it began
	delivered        uint64
	lost             float64 // bytes named since
	rates            [3]float64
	unsettled        bool
	cutMark          uint64
	cutUntil         time.Time
	lostBefore       float64
	left, leftBefore uint64 // flight.sent when it began, and the one before
}

const (
	startGain = 2.0
	cutBound  = 9.0 / 8
	kB        = 0.07
	kQ        = 8.0
	lossSlack = 1.0 / 50
)

// Report takes a delivery report.
func (c *Controller) Report(now time.Time, r Report) {
	f := &c.flight
	sent := min(r.InFlightSent, f.sent)
	if sent < f.reported {
		return
	}
	c.delay.add(now, r.RTT, sent > f.burstEnd)
	f.reported = sent
	f.probe = time.Time{}
	c.local.pause = 0
	if f.stalled {
		f.delivered = max(f.delivered, min(r.Delivered, f.sent))
		c.restart(now)
		c.unsettle()
		f.heard = true
		return
	}
	first := !f.heard
	f.heard = true
	d := min(max(r.Delivered, f.delivered), f.sent)
	f.delivered = d
	if first {
		c.round.delivered = d - min(d, sent-c.round.sent)
	} else if now.Sub(c.round.began) < c.interval()*3/4 {
		return
	}
	c.endRound(now)
}

func (c *Controller) endRound(now time.Time) {
	r, f := &c.round, &c.flight
	took := max(now.Sub(r.began), time.Millisecond).Seconds()
	rate := float64(f.delivered-r.delivered) / took
	copy(r.rates[1:], r.rates[:])
	r.rates[0] = rate
	best := r.best()
	congested := c.starting && (c.delay.jump || c.delay.risen(2)) || r.lost > 0 && c.delay.risen(3) || c.heavy()
	used := float64(f.reported-r.sent) >= c.rate*took/2
	c.learnLoss()
	switch {
	case congested:
		c.congestion(now)
	case c.starting:
		c.setRate(startGain * best)
		c.capacity = max(c.capacity, rate)
	case used && !c.settling(now):
		c.setRate(c.rate + c.slope(now)*took)
		c.capacity = max(c.capacity, rate)
	}
	r.began, r.sent, r.delivered = now, f.reported, f.delivered
	r.lostBefore, r.lost = r.lost, 0
	r.leftBefore, r.left = r.left, f.sent
}

func (r *round) best() float64 { return max(r.rates[0], r.rates[1], r.rates[2]) }

func (c *Controller) unsettle() {
	r := &c.round
	r.cutMark, r.cutUntil = c.flight.sent, time.Time{}
	r.unsettled = true
}

func (c *Controller) settling(now time.Time) bool {
	r := &c.round
	if !r.unsettled {
		return false
	}
	if r.cutUntil.IsZero() {
		if c.flight.reported < r.cutMark {
			return true
		}
		r.cutUntil = now.Add(c.delay.smoothed * 9 / 8)
	}
	r.unsettled = now.Before(r.cutUntil)
	return r.unsettled
}

// slope is the increase in bytes per second per second.
func (c *Controller) slope(now time.Time) float64 {
	t := c.interval().Seconds()
	least := c.datagram / (max(t, 0.05) * kB)
	if rise := c.delay.last - c.delay.min(); rise > max(riseLeast, 2*c.delay.jitter) {
		queued := c.rate * rise.Seconds() / c.datagram
		return least * min(max(kQ/queued, 1.0/8), 2)
	}
	quiet := min(max(now.Sub(c.congested).Seconds()-2, 0)/2, 1)
	return least + c.rate*quiet/2
}

// losses returns how many datagrams were named in this round and the last, and how many left in that time.
func (c *Controller) losses() (lost, left float64) {
	r := &c.round
	return (r.lost + r.lostBefore) / c.datagram, float64(c.flight.sent-r.leftBefore) / c.datagram
}

func (c *Controller) heavy() bool {
	lost, left := c.losses()
	return lost > (c.tolerated+lossSlack)*left+math.Sqrt(left)
}

func (c *Controller) learnLoss() {
	lost, left := c.losses()
	if left < 16 {
		return
	}
	c.tolerated = min(c.tolerated, (lost+math.Sqrt(left))/left)
}

func (c *Controller) congestion(now time.Time) {
	r := &c.round
	if c.settling(now) {
		return
	}
	c.unsettle()
	best := r.best()
	if c.starting {
		c.starting = false
		c.setRate(best)
	} else {
		cut := (1 - (3.0/32 + float64(c.rnd(1<<16))/(1<<20)))
		c.setRate(min(c.rate, best*cutBound) * cut)
	}
	if !c.delay.risen(3) {
		lost, left := c.losses()
		c.tolerated += (min(lost/max(left, 1), 0.3) - c.tolerated) / 4
	}
	c.capacity = best
	c.congested = now
	c.local.until = now.Add(min(max(c.delay.rise(2), 0)/2, c.delay.smoothed))
}

// Lost takes note of bytes that a Nak named for the first time.
func (c *Controller) Lost(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	c.round.lost = min(c.round.lost+float64(bytes), 1<<40)
	if c.delay.risen(3) || c.heavy() {
		c.congestion(now)
	}
}
