package antientropy

import (
	"time"
)

// Times and limits for the effects of a root.
const (
	answersVain   = 2                      // after so many answered rounds, a table that is no larger is not requested again
	pause         = 500 * time.Millisecond // between comparisons that heartbeats cause
	crowdedPause  = 10 * time.Second       // the same while this node takes in no new members that others bring
	calm          = 250 * time.Millisecond // a table unchanged for this time should be equal to the neighbors' tables
	mismatchesMax = 2                      // consecutive heartbeats with another root that cause a comparison anyway
	againFirst    = 2 * time.Second        // until two tables that still differ are compared again; doubles each time,
	againMax      = 30 * time.Second       // up to this time
	againDoubled  = 8                      // maximum number of doublings
)

// A difference is a pair of roots that comparisons did not make equal, because one node refuses a member that the other
// node has.
type difference struct {
	latest, salt uint64 // the last root that the peer sent during a comparison, and its salt
	ours, theirs uint64
	times        uint8     // consecutive comparisons
	until        time.Time // the same two tables are not compared again before this time
}

// note records a comparison that left a difference.
func (d *difference) note(now time.Time, ours uint64) {
	if d.ours != ours || d.theirs != d.latest {
		d.ours, d.theirs, d.times = ours, d.latest, 0
	}
	d.until = now.Add(min(againFirst<<d.times, againMax))
	d.times = min(d.times+1, againDoubled)
}

// inVain reports whether the same two tables were recently compared without success.
func (d *difference) inVain(now time.Time, ours, theirs uint64) bool {
	return d.ours == ours && d.theirs == theirs && now.Before(d.until)
}
