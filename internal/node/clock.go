package node

import "time"

// clockJump is by how much the time of day and the time that this system ran may differ, since they were last compared, before the node counts
// as having slept or as having been copied. Both happen without a gap in the time that a monotonic clock shows.
const clockJump = 5 * time.Second

// A clock notices that the time of day has jumped. The zero value has not been read.
type clock struct{ last time.Time }

// jumped reports whether the time of day has jumped since the last call.
func (c *clock) jumped(now time.Time) bool {
	last := c.last
	c.last = now
	return !last.IsZero() && differ(now.Round(0).Sub(last.Round(0)), now.Sub(last))
}

// differ reports whether the time of day has passed otherwise than the time that the system ran.
func differ(day, ran time.Duration) bool { return (day - ran).Abs() >= clockJump }
