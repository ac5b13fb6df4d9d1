package handshake

import (
	"io"
	"time"
)

// A ladder is a schedule of repetitions: times since the first transmission and, after the last of them, a fixed
// interval (PROTOCOL.md E8, L1).
type ladder struct {
	rungs []time.Duration // since the first transmission
	every time.Duration   // after the last rung
}

var (
	goLadder     = ladder{rungs, 3 * time.Second} // Hello and OkBoss, to a node that may be a Go node
	legacyLadder = ladder{rungs, 5 * time.Second} // Hello to a known legacy node
	rungs        = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}
)

const (
	okBossLife       = 5 * time.Second  // of an OkBoss without effect, after which a new handshake begins
	legacyOkBossLife = time.Second      // of an OkBoss to a legacy node
	goTeamRepeats    = 5                // of a GoTeam with its Frame, until a box opens
	HalfOpenLife     = 10 * time.Second // of a responder's state, before the OkBoss and again after it
)

// legacyOkBossWaits are the pauses after each OkBoss to a legacy node: repetitions at 100 and 300 ms and, at the
// end of its life, a new handshake (PROTOCOL.md L1).
var legacyOkBossWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 700 * time.Millisecond}

// delay returns the pause between transmission n (0 is the first) and the next one. It is jittered by 25 %, so that
// nodes that start together do not stay synchronized.
func (l *ladder) delay(n int, rand io.Reader) time.Duration {
	d := l.every
	switch {
	case n == 0:
		d = l.rungs[0]
	case n < len(l.rungs):
		d = l.rungs[n] - l.rungs[n-1]
	}
	return jitter(d, rand)
}

// jitter returns d with a random deviation of up to a quarter.
func jitter(d time.Duration, rand io.Reader) time.Duration {
	quarter := d / 4
	return d - quarter + time.Duration(random64(rand)%uint64(2*quarter+1))
}
