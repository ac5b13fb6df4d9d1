package simnet

import (
	"fmt"
	"time"
)

// A Load slows a host's loop. The zero value is a host that needs no time at all.
type Load struct {
	// Share is the part of the time in which the loop runs: 0.1 of every Period in one piece, say.
	// What comes at another time waits in the socket buffer, due timers wait as well. Zero means 1.
	Share float64
	// Period is how often the loop gets its share; zero: 100 ms.
	Period time.Duration
	// Cost is the running time of one datagram or timeout. What the host sends leaves at its end.
	Cost time.Duration
}

// throttle is a Load made ready for use.
type throttle struct {
	on     int64 // nanoseconds of each period in which the loop runs
	period int64
	phase  int64 // where in the network's time periods begin, so that hosts are not in step
	cost   int64
}

func (l Load) throttle(phase uint64) *throttle {
	if l.Share == 0 {
		l.Share = 1
	}
	if l.Period == 0 {
		l.Period = 100 * time.Millisecond
	}
	share := l.Share > 0 && l.Share <= 1 // which NaN is not
	if !share || l.Period < 0 || l.Cost < 0 {
		panic(fmt.Sprintf("simnet: load out of bounds: %+v", l))
	}
	if l.Share == 1 && l.Cost == 0 {
		return nil
	}
	period := int64(l.Period)
	return &throttle{
		on:     max(int64(l.Share*float64(period)), 1),
		period: period,
		phase:  int64(phase % uint64(period)),
		cost:   int64(l.Cost),
	}
}

// position is how far into its period a moment is.
func (t *throttle) position(at int64) int64 { return (at + t.phase) % t.period }

// runs is the first moment from at in which the loop runs.
func (t *throttle) runs(at int64) int64 {
	if pos := t.position(at); pos >= t.on {
		return at + t.period - pos
	}
	return at
}

// done is when work begun at a moment in which the loop runs is done.
func (t *throttle) done(at int64) int64 {
	cost := t.cost
	if left := t.on - t.position(at); cost > left {
		at += left
		cost -= left
		at += cost / t.on * t.period
		cost %= t.on
		at = t.runs(at)
	}
	return at + cost
}
