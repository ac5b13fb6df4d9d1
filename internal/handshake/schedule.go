package handshake

import (
	"io"
	"time"
)

// A ladder is when something unanswered is sent again, counted from the first time; after the last
// rung every so often (PROTOCOL.md 4 "Handshake economy", 3 rule 1).
type ladder struct {
	rungs []time.Duration // since the first
	every time.Duration   // after the last rung
}

var (
	goLadder     = ladder{rungs, 3 * time.Second} // Hello and OkBoss, to a node that may be a Go node
	legacyLadder = ladder{rungs, 5 * time.Second} // Hello to a known legacy node
	rungs        = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}
)

const (
	okBossLife       = 5 * time.Second  // of an OkBoss that nothing answers; then a new handshake begins
	legacyOkBossLife = time.Second      // of an OkBoss to a legacy node
	goTeamRepeats    = 5                // of a GoTeam with its Frame, until a box opens
	halfOpenLife     = 10 * time.Second // of a responder's state, before the OkBoss and again after it
)

// legacyOkBossWaits is what follows each OkBoss to a legacy node: repeats at 100 and 300 ms, then, at the
// end of its life, a new handshake (PROTOCOL.md 3 rule 1).
var legacyOkBossWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 700 * time.Millisecond}

// delay is how long after send number n (0 is the first) the next one follows. Jittered by 25 %, so that nodes
// that started together do not stay together.
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

// jitter is d, give or take a quarter.
func jitter(d time.Duration, rand io.Reader) time.Duration {
	quarter := d / 4
	return d - quarter + time.Duration(random64(rand)%uint64(2*quarter+1))
}
