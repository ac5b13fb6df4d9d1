package delivery

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
)

// everyBeat is the number of links up to which each of them gets each heartbeat.
const everyBeat = 5

// LinkUp schedules the first heartbeat of a link at once, with the timer of p.
func (bs *Beats) LinkUp(now time.Time, p *Peer) {
	p.Beat = now
	bs.d.cfg.Timers.Set(&p.Timer, now)
}

// Sent schedules the next heartbeat to p after one that is about to be sent. It returns true if that begins an interval.
func (bs *Beats) Sent(now time.Time, p *Peer) (began bool) {
	if began = !bs.next.After(now); began {
		bs.advance(now)
	}
	if p.Legacy {
		p.Beat = bs.vary(now, legacy.Interval, legacy.Interval/10)
		return began
	}
	p.Beat = bs.next
	gap := bs.d.cfg.Heartbeat
	if longest := bs.d.cfg.heartbeatGap(); longest > gap && bs.mayWait(p) {
		p.Beat, gap = bs.then, longest
	}
	p.Swim.Promise(gap)
	return began
}

// LookAgain returns when to look at a link again whose peer is silent too long at the given time, if nothing comes from it
// until then: at that time, or at the next heartbeats if they are earlier. The node wakes up for these anyway, and by
// then most peers have been heard again.
func (bs *Beats) LookAgain(now, at time.Time) time.Time {
	next := bs.next
	if !next.After(now) {
		next = bs.then
	}
	if next.After(now) && next.Before(at) {
		return next
	}
	return at
}

// advance begins the next interval. It makes the heartbeat due for peers that cannot notice yet that the last packet to
// them was lost.
func (bs *Beats) advance(now time.Time) {
	i := bs.d.cfg.Heartbeat
	if bs.next = bs.then; !bs.next.After(now) {
		bs.next = bs.vary(now, i, i/20)
	}
	bs.then = bs.vary(bs.next, i, i/20)
	for _, q := range bs.d.links {
		if q.Beat.After(now) && !q.Legacy && q.Packets.Unrevealed(now) {
			bs.LinkUp(now, q)
		}
	}
}

// mayWait reports whether p may be left out of the next heartbeat: if half of the other links get it.
func (bs *Beats) mayWait(p *Peer) bool {
	links, waiting := 0, 0
	for _, q := range bs.d.links {
		if q.Legacy {
			continue
		}
		links++
		if q != p && q.Beat.Equal(bs.next) {
			waiting++
		}
	}
	return links > everyBeat && waiting >= links/2
}

// vary returns the time that is d after t, with a random deviation of less than by.
func (bs *Beats) vary(t time.Time, d, by time.Duration) time.Time {
	return t.Add(d - by + time.Duration(bs.d.cfg.RNG.Int64N(int64(2*by))))
}
