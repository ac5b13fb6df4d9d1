package broadcast

import "time"

// The grace is how long, beyond the time at which they should have come, announced messages have to come by themselves.
const (
	graceMin  = 10 * time.Millisecond // for the scheduling of either end
	graceMax  = 40 * time.Millisecond
	graceCalm = 4 // times the grace without a request made too early, before it is halved
)

// grace grows while this node is slow, and so requests messages that are on their way.
type grace struct {
	length time.Duration
	grown  time.Time // when it was last changed
}

// tooEarly notes that a requested message came from another neighbor.
func (g *grace) tooEarly(now time.Time) {
	if now.Sub(g.grown) > g.length {
		g.length, g.grown = min(2*g.length, graceMax), now
	}
}

// relax shortens the grace if no request was too early for a while.
func (g *grace) relax(now time.Time) {
	if now.Sub(g.grown) > graceCalm*g.length {
		g.length, g.grown = max(g.length/2, graceMin), now
	}
}
