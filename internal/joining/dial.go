package joining

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Purpose says why a handshake was begun.
type Purpose uint8

const (
	ForSession    Purpose = iota // to get a first or a new session with a member
	ForJoin                      // for a Join
	ForDirect                    // direct messages wait for the session
	ForPing                      // a Ping of the application waits for the session
	ForGreeting                  // this node did not run for a while: both nodes exchange their members
	ForComparison                // tables are compared and states exchanged afterwards
)

// A Dial is a handshake begun by this node. Token identifies what waits for it among the waiting items of its Purpose.
type Dial struct {
	Purpose Purpose
	Member  wire.NodeID // the only node that may answer; zero if any node may
	To      netip.AddrPort
	Token   uint64
}

// Dials holds the handshakes that this node has begun and that have not been confirmed or failed. Create it with
// NewDials. It is not safe for concurrent use.
type Dials struct {
	byAttempt map[handshake.AttemptID]Dial
	toward    map[wire.NodeID]int // number of handshakes with each member
}

// NewDials returns an empty table.
func NewDials() *Dials {
	return &Dials{byAttempt: make(map[handshake.AttemptID]Dial), toward: make(map[wire.NodeID]int)}
}

// Add records the purpose of an attempt.
func (d *Dials) Add(a handshake.AttemptID, of Dial) {
	d.Take(a)
	d.byAttempt[a] = of
	if of.Member != (wire.NodeID{}) {
		d.toward[of.Member]++
	}
}

// Get returns the purpose of an attempt, and whether the attempt is in progress.
func (d *Dials) Get(a handshake.AttemptID) (of Dial, ok bool) {
	of, ok = d.byAttempt[a]
	return of, ok
}

// Take is like Get for an attempt that has ended, and removes it.
func (d *Dials) Take(a handshake.AttemptID) (of Dial, ok bool) {
	if of, ok = d.byAttempt[a]; ok {
		delete(d.byAttempt, a)
		if d.toward[of.Member]--; d.toward[of.Member] <= 0 {
			delete(d.toward, of.Member)
		}
	}
	return of, ok
}

// Dialing reports whether a handshake that only the given member may answer is in progress.
func (d *Dials) Dialing(member wire.NodeID) bool { return d.toward[member] > 0 }

// Len returns the number of handshakes in progress.
func (d *Dials) Len() int { return len(d.byAttempt) }
