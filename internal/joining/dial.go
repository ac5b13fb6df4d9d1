package joining

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Purpose says why a handshake was begun.
type Purpose uint8

const (
	ForSession    Purpose = iota // to have a session with a member, or a new one
	ForJoin                      // for a Join
	ForDirect                    // direct messages wait for it
	ForPing                      // a Ping of the application waits for it
	ForGreeting                  // this node did not run for a while: each side tells the other its members
	ForComparison                // tables are compared and states exchanged afterwards
)

// A Dial is a handshake that this node has begun. Token names what waits for it, among the things of its Purpose.
type Dial struct {
	Purpose Purpose
	Member  wire.NodeID // the only node that may answer; zero if any may
	To      netip.AddrPort
	Token   uint64
}

// Dials are the handshakes that this node has begun and that are not confirmed or failed. Make it with NewDials. Not for
// concurrent use.
type Dials struct {
	byAttempt map[handshake.AttemptID]Dial
	toward    map[wire.NodeID]int // how many of them are aimed at a member
}

// NewDials makes an empty table.
func NewDials() *Dials {
	return &Dials{byAttempt: make(map[handshake.AttemptID]Dial), toward: make(map[wire.NodeID]int)}
}

// Add remembers what an attempt is for.
func (d *Dials) Add(a handshake.AttemptID, of Dial) {
	d.Take(a)
	d.byAttempt[a] = of
	if of.Member != (wire.NodeID{}) {
		d.toward[of.Member]++
	}
}

// Get returns what an attempt is for, and whether it is under way.
func (d *Dials) Get(a handshake.AttemptID) (of Dial, ok bool) {
	of, ok = d.byAttempt[a]
	return of, ok
}

// Take is Get for an attempt that has ended: it is forgotten.
func (d *Dials) Take(a handshake.AttemptID) (of Dial, ok bool) {
	if of, ok = d.byAttempt[a]; ok {
		delete(d.byAttempt, a)
		if d.toward[of.Member]--; d.toward[of.Member] <= 0 {
			delete(d.toward, of.Member)
		}
	}
	return of, ok
}

// Dialing reports whether a handshake that only the given member may answer is under way.
func (d *Dials) Dialing(member wire.NodeID) bool { return d.toward[member] > 0 }

// Len is how many handshakes are under way.
func (d *Dials) Len() int { return len(d.byAttempt) }
