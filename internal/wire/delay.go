package wire

import "time"

// DelayUnit is the unit of a Delay.
const DelayUnit = 100 * time.Microsecond

// A Delay is a duration in units of 0.1 ms, at most 6.5 s. The delay of a broadcast is its travel time from the
// origin: each hop adds half of its round-trip time.
type Delay uint16

// DelayMax is the largest Delay, which also represents longer durations.
const DelayMax = 1<<16 - 1

// DelayOf converts a duration to a Delay. A negative duration becomes 0.
func DelayOf(d time.Duration) Delay { return Delay(max(0, min(d/DelayUnit, DelayMax))) }

// Duration converts the Delay to a duration.
func (d Delay) Duration() time.Duration { return time.Duration(d) * DelayUnit }
