package node

import "time"

// clockJump is the difference between the elapsed wall-clock time and the elapsed monotonic time from which the node
// counts as suspended or copied. The monotonic clock may show no gap in either case.
const clockJump = 5 * time.Second

// A clock detects jumps of the wall clock. The zero value is ready to use; its first call of jumped returns false.
type clock struct{ last time.Time }

// jumped reports whether the wall clock has jumped since the last call.
func (c *clock) jumped(now time.Time) bool {
	last := c.last
	c.last = now
	return !last.IsZero() && differ(now.Round(0).Sub(last.Round(0)), now.Sub(last))
}

// differ reports whether the wall clock and the monotonic clock have advanced by different amounts.
func differ(day, ran time.Duration) bool { return (day - ran).Abs() >= clockJump }
