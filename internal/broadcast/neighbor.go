package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Neighbor is the other end of one link, as dissemination sees it. The core stores it with its other state of the
// peer, passes a pointer to it, and writes the exported fields. The zero value is a neighbor without a link.
type Neighbor struct {
	ID      wire.NodeID
	RTT     time.Duration // round-trip time, or a guess before it was measured; positive while linked
	Arrived uint64        // packets of n that arrived in its sessions with this node
	Missed  uint64        // packets of n that this node requested again
	Source  seen.Source   // source of messages, whether n is linked or not
	Failed  bool          // it was taken for dead, so its link ends

	linked bool
	remote bool // in another zone
	slot   int  // index in origin.paths
	load   pacing.Load

	// What to send to it: see steer.go and digest.go.
	steer       []*origin        // origins with a Prune or Graft to be sent
	steerAt     time.Time        // when it is sent if no datagram carries it earlier; zero if it waits for a datagram
	soon        []*origin        // origins with a scheduled digest
	soonAt      time.Time        // when they are due; zero for none
	statements  []statement      // entries of the next Stripes: see stripes.go
	answers     []wire.MessageID // large messages that it keeps for this node, which already has them
	announcedAt time.Duration    // when it was last sent digests of all origins with new messages

	// Its announcements: see missing.go.
	expected  int           // messages that it announced first and that have not arrived
	open      int           // requests that it has not answered
	requested time.Time     // when it was last sent a request
	patience  time.Duration // minimum time it needs to answer a request; zero until it was slow
	impatient time.Time     // when patience last grew because of a missing answer
	want      wire.Want     // requests to be sent

	digestCounters int // counters in its digests since spokeSince
	digestsSince   time.Time
	stops          int // messages it was asked to stop sending since stopsSince
	stopsSince     time.Time
	stopped        wire.MessageID // the last of them
	stoppedAt      time.Time

	credit  int    // pieces that it may still request
	granted uint64 // Disseminator.passed when credit was last raised
}

// statement is an entry of the next Stripes to a neighbor.
type statement struct {
	id      wire.MessageID
	stripes assembly.Stripes
}

// Linked reports whether the link with n is up.
func (n *Neighbor) Linked() bool { return n.linked }

// Expected returns the number of messages that n announced first and that have not arrived.
func (n *Neighbor) Expected() int { return n.expected }

// The loss of a link is estimated from the packets that were requested again. The estimate starts with lossWeight
// assumed packets, so a new link counts as nearly lossless and a single loss has little effect.
const (
	lossAssumed = 0.003
	lossWeight  = 33
)

// loss returns the estimated fraction of the packets from n that are lost.
func (n *Neighbor) loss() float64 {
	missed := float64(n.Missed)
	return (missed + lossAssumed*lossWeight) / (missed + float64(n.Arrived) + lossWeight)
}

// half returns the delay that the link with n adds to a message: half the round-trip time, and at least one unit, so
// that delays increase with every hop (PROTOCOL.md Q1).
func (n *Neighbor) half() wire.Delay { return max(1, wire.DelayOf(n.RTT/2)) }

// Busy reports whether the link with n was busy when it carried its last small message. A datagram for it may then be
// delayed to be filled.
func (n *Neighbor) Busy() bool { return n.load.Busy }
