package legacy

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times of the contact with a gwyh 0.1 peer.
const (
	Interval          = 5 * time.Second        // between heartbeats to and from a gwyh 0.1 node
	Silence           = 15 * time.Second       // of a lost peer; without heartbeats, of one that forgot this node
	silenceCheck      = Interval * 22 / 10     // of a peer before it is pinged
	framePause        = 500 * time.Millisecond // between two empty Frames to a silent peer
	handshakePause    = 10 * time.Second       // between two handshakes with such a peer; doubles each time
	handshakePauseMax = 5 * time.Minute        // upper bound of the pause
	strangerTries     = 10                     // empty Frames, one per second, to a peer silent since the handshake
	Lease             = 5 * time.Minute        // incarnation age at which a node that hears it renews it; up to 1/4 more
	revive            = 3 * time.Second        // minimum time after a death before a packet of the peer undoes it
)

// A Peer is what a Gateway keeps about one gwyh 0.1 peer. [Gateway.AddPeer] makes one.
type Peer struct {
	id     wire.NodeID
	linked bool

	beat    time.Time     // when its last heartbeat arrived, its own or one that it passed on
	forgot  bool          // no heartbeat came, or it was notified that this node is down: resubscribe at the next handshake
	fresh   bool          // there was a handshake since this node last subscribed
	again   time.Time     // no handshake because it may have forgotten this node begins before this time
	pause   time.Duration // the last pause before again
	lease   time.Duration // the age of its incarnation at which this node renews it
	checked time.Time     // when it was last pinged because it was silent

	answers quota.Bucket // for SubscriptionStarted

	listWanted bool      // it was or will be asked for the nodes it knows
	listAsked  time.Time // when it was last asked for the nodes it knows; zero for never
	check      *check    // the check in progress after others reported it down, or nil

	queriedAt          time.Time // when the other Go nodes were last asked whether they hear it
	queriedIncarnation uint64    // its incarnation at that time
	question           question  // a query of other Go nodes about it
}

// ID returns the id of the peer.
func (p *Peer) ID() wire.NodeID { return p.id }

// A Contact is the current state of a gwyh 0.1 peer in the rest of the node.
type Contact struct {
	Session     bool      // packets may be sealed for it
	Opened      time.Time // when a packet of it was last opened, in any session
	Heard       time.Time // when a packet of it, or a handshake with it, was last handled
	Subscribing bool      // this node subscribes to it, or has asked to
	AskedAt     time.Time // when this node last asked to subscribe
	Subscriber  bool      // it subscribes to this node
	Undecided   bool      // the application decides whether it becomes a member
	Vetoed      bool      // the application refused it
	Remote      netip.AddrPort
	Zone        wire.Zone
}

// A Node gives a Gateway the state of the rest of the node during an input. The Gateway does not retain it.
type Node interface {
	Contact(now time.Time, p *Peer) Contact    // of an existing peer
	Dialing(id wire.NodeID) bool               // a handshake with that node is in progress
	Avoids(now time.Time, id wire.NodeID) bool // the member recently refused a subscription, or did not answer
}

// millis returns t in milliseconds, as used for incarnations of gwyh 0.1 members.
func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// A claim states that a gwyh 0.1 peer is down. The claim of a Go node has an incarnation. The claim of a gwyh 0.1 node
// is a PeerStatus, which is passed on if it is true.
type claim struct {
	incarnation uint64
	status      wire.MessageID // zero for the claim of a Go node
	from        wire.NodeID    // the peer that sent the PeerStatus
}

// A check tests whether a peer is down.
type check struct {
	claims []claim
	began  uint64 // the peer's incarnation at the start
}

// question is a query of other Go nodes whether this node hears a peer.
type question struct {
	incarnation uint64 // the incarnation in question; a higher one answers it
	until       time.Time
}

func live(m *members.Entry) bool { return m != nil && m.Live() }
