package simnet

import (
	"fmt"
	"time"
)

// A Load slows down a host's loop. The zero value means that the loop needs no running time.
type Load struct {
	// Share is the part of each Period in which the loop runs, in one piece. Outside of it, datagrams wait in the
	// socket buffer and due timers wait. Zero means 1.
	Share float64
	// Period is the interval in which the loop gets its share once. Zero means 100 ms.
	Period time.Duration
	// Cost is the running time of one datagram or timeout. Datagrams that the host sends leave when it ends.
	Cost time.Duration
}

// throttle is a Load prepared for use.
type throttle struct {
	on     int64 // nanoseconds of each period in which the loop runs
	period int64
	phase  int64 // offset of the periods in the network's time, so that hosts are not in step
	cost   int64
}

func (l Load) throttle(phase uint64) *throttle {
	if l.Share == 0 {
		l.Share = 1
	}
	if l.Period == 0 {
		l.Period = 100 * time.Millisecond
	}
	share := l.Share > 0 && l.Share <= 1 // false for NaN
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

// position returns how far into its period a moment is.
func (t *throttle) position(at int64) int64 { return (at + t.phase) % t.period }

// runs returns the first moment at or after at in which the loop runs.
func (t *throttle) runs(at int64) int64 {
	if pos := t.position(at); pos >= t.on {
		return at + t.period - pos
	}
	return at
}

// done returns when the work that begins at a moment is done. The loop must be running at that moment.
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
