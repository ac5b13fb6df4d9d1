package antientropy

import (
	"time"
)

// Times and counts of what a root causes.
const (
	answersVain   = 2                      // answered rounds, after which a table that is no larger is not asked again
	pause         = 500 * time.Millisecond // between comparisons that heartbeats cause
	calm          = 250 * time.Millisecond // a table that has not changed for so long should be equal to the neighbors'
	mismatchesMax = 2                      // heartbeats in a row with another root, after which a table that keeps changing is compared
	againFirst    = 2 * time.Second        // until two tables are compared again that differed in the end, doubled each time,
	againMax      = 30 * time.Second       // and at most
	againDoubled  = 8                      // times that it is doubled
)

// A difference is two roots that comparisons did not make equal: one node keeps out a member that the other node
// has.
type difference struct {
	latest       uint64 // the last root that the peer sent during a comparison
	ours, theirs uint64
	times        uint8     // in a row
	until        time.Time // before which the same two tables are not compared again
}

// note remembers a comparison that left a difference.
func (d *difference) note(now time.Time, ours uint64) {
	if d.ours != ours || d.theirs != d.latest {
		d.ours, d.theirs, d.times = ours, d.latest, 0
	}
	d.until = now.Add(min(againFirst<<d.times, againMax))
	d.times = min(d.times+1, againDoubled)
}

// inVain reports whether the same two tables were compared lately without success.
func (d *difference) inVain(now time.Time, ours, theirs uint64) bool {
	return d.ours == ours && d.theirs == theirs && now.Before(d.until)
}
