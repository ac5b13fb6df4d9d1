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
	began      time.Time
	sent       uint64 // flight.reported when it began
	delivered  uint64
	lost       float64 // bytes named since
	rates      [3]float64
	cutUntil   time.Time // no further decrease before
	lossBefore float64
}

// spare is what is known of the rate that nobody uses.
type spare struct {
	capacity  float64 // bytes per second that were once delivered
	congested time.Time
}

const (
	startGain  = 2.0
	heavyShare = 1.0 / 8
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
	best := max(r.rates[0], r.rates[1], r.rates[2])
	c.spare.capacity = max(c.spare.capacity, rate)
	congested := c.delay.risen() && (c.starting || r.lost > 0) || c.heavy()
	used := float64(f.reported-r.sent) >= c.rate*took/2
	switch {
	case congested:
		c.congestion(now, best)
	case c.starting:
		c.setRate(startGain * best)
	case used:
		c.setRate(c.rate + c.slope(now)*took)
	}
	r.began, r.sent, r.delivered, r.lost = now, f.reported, f.delivered, 0
}

// slope is the increase in bytes per second per second.
func (c *Controller) slope(now time.Time) float64 {
	t := c.interval().Seconds()
	least := c.datagram / (t * t)
	if c.delay.risen() {
		return least
	}
	quiet := min(now.Sub(c.spare.congested).Seconds()/4, 1)
	return least + max(c.spare.capacity-c.rate, c.rate*quiet)/2
}

func (c *Controller) heavy() bool {
	n := c.rate * c.delay.smoothed.Seconds() / c.datagram
	return c.round.lost/c.datagram > heavyShare*n+math.Sqrt(n)
}

func (c *Controller) congestion(now time.Time, best float64) {
	r := &c.round
	if c.starting {
		c.starting = false
		c.setRate(best)
	} else if !now.Before(r.cutUntil) {
		c.spare.capacity = c.rate
		c.setRate(c.rate * (1 - (1.0/16 + float64(c.rnd(1<<16))/(1<<19))))
	} else {
		return
	}
	r.cutUntil = now.Add(c.delay.smoothed)
	c.spare.congested = now
	c.local.until = now.Add(min(max(c.delay.rise(), 0)/2, c.delay.smoothed))
}

// Lost takes note of bytes that a Nak named for the first time.
func (c *Controller) Lost(now time.Time, bytes int) {
	if bytes <= 0 {
		return
	}
	c.round.lost = min(c.round.lost+float64(bytes), 1<<40)
	if c.delay.risen() || c.heavy() {
		c.congestion(now, max(c.round.rates[0], c.round.rates[1], c.round.rates[2]))
	}
}
