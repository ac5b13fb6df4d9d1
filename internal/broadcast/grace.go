package broadcast

import "time"

// The grace is the extra time that an announced message has to arrive before it is requested.
const (
	graceMin  = 10 * time.Millisecond // allows for scheduling delays at both ends
	graceMax  = 40 * time.Millisecond
	graceCalm = 4 // the grace is halved after this many graces without a premature request
)

// grace grows when this node requests messages that are already on their way, which means that it is slow
// (PROTOCOL.md Q12).
type grace struct {
	length time.Duration
	grown  time.Time // when length last changed
}

// tooEarly records that a requested message arrived from another neighbor.
func (g *grace) tooEarly(now time.Time) {
	if now.Sub(g.grown) > g.length {
		g.length, g.grown = min(2*g.length, graceMax), now
	}
}

// relax shortens the grace if no recent request was premature.
func (g *grace) relax(now time.Time) {
	if now.Sub(g.grown) > graceCalm*g.length {
		g.length, g.grown = max(g.length/2, graceMin), now
	}
}
