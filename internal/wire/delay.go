package wire

import "time"

// DelayUnit is what a Delay counts.
const DelayUnit = 100 * time.Microsecond

// A Delay is a short time in units of 0.1 ms. It saturates at 6.5 s. The delay of a broadcast is how long its way from the
// origin takes: each hop adds half of its round trip.
type Delay uint16

// DelayMax is a saturated Delay.
const DelayMax = 1<<16 - 1

// DelayOf returns a time as a Delay, which is 0 for a negative time.
func DelayOf(d time.Duration) Delay { return Delay(max(0, min(d/DelayUnit, DelayMax))) }

// Duration returns how long the Delay is.
func (d Delay) Duration() time.Duration { return time.Duration(d) * DelayUnit }
