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
	Interval      = 5 * time.Second        // between heartbeats to and from a gwyh 0.1 node
	Silence       = 15 * time.Second       // of a peer before it is lost, and without a heartbeat before it has forgotten this node
	silenceCheck  = Interval * 22 / 10     // of a peer before it is asked for a sign of life
	framePause    = 500 * time.Millisecond // between two empty Frames to a silent peer
	shakePause    = 10 * time.Second       // between two handshakes with a peer that may have forgotten this node, doubled each time
	shakePauseMax = 5 * time.Minute        // and at most
	courtTries    = 10                     // empty Frames, one in a second, to a peer of which nothing came since the handshake
	Lease         = 5 * time.Minute        // after which a node that hears a member renews its incarnation, up to a quarter more
	revive        = 3 * time.Second        // a death stands for so long before a sign of life undoes it
)

// A Peer is what a Gateway keeps about one gwyh 0.1 peer. Make one with [Gateway.NewPeer].
type Peer struct {
	id wire.NodeID

	beat    time.Time     // when its last heartbeat came, be it its own or one that it passed on
	forgot  bool          // no heartbeat came, or it was told that this node is down: the next handshake subscribes anew
	fresh   bool          // there was a handshake since this node last subscribed
	again   time.Time     // before which no handshake is begun with it because it may have forgotten this node
	pause   time.Duration // the last wait until again
	lease   time.Duration // the age of its incarnation at which this node renews it
	checked time.Time     // when it was last asked for a sign of life because it was silent

	answers quota.Bucket // of SubscriptionStarted

	listWanted bool      // it was asked for the nodes that it knows, or will be
	listAsked  time.Time // when it was last asked for them; zero for never
	check      *check    // of what others say about it; nil for none

	doubted  time.Time // when the other Go nodes were last asked whether they hear it
	doubt    uint64    // its incarnation then
	question question  // of other Go nodes about it
}

// ID is the id of the peer.
func (p *Peer) ID() wire.NodeID { return p.id }

// A Contact is what the rest of the node knows about a gwyh 0.1 peer at a moment.
type Contact struct {
	Session     bool      // packets may be sealed for it
	Opened      time.Time // when a packet of it last opened, in any session
	Heard       time.Time // when a packet of it, or a handshake with it, was last taken in
	Linked      bool
	Subscribing bool      // this node subscribes to it, or has asked to
	AskedAt     time.Time // when this node last asked to subscribe
	Subscriber  bool      // it subscribes to this node
	Undecided   bool      // the application decides whether it becomes a member
	Vetoed      bool      // it is kept out
	Remote      netip.AddrPort
	Zone        wire.Zone
}

// A Node answers what a Gateway asks about the rest of the node during an input. It is not kept.
type Node interface {
	Peer(id wire.NodeID) *Peer                 // nil if there is no such gwyh 0.1 peer
	Contact(now time.Time, p *Peer) Contact    // of a peer that there is
	Links() int                                // with gwyh 0.1 peers
	Dialing(id wire.NodeID) bool               // a handshake with that node is in progress
	Avoids(now time.Time, id wire.NodeID) bool // the member refused a subscription lately, or did not answer
	Advertised() netip.AddrPort                // where others reach this node
}

// millis is a time as gwyh 0.1 members have it for an incarnation.
func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// A claim is a node's word that a gwyh 0.1 peer is down: that of a Go node has an incarnation, that of a gwyh 0.1 node is a
// PeerStatus, which is passed on if it is true.
type claim struct {
	incarnation uint64
	status      wire.MessageID // zero for a Go node's
	from        wire.NodeID    // the peer that sent the PeerStatus
}

// A check asks a peer whether it is down.
type check struct {
	claims []claim
	began  uint64 // the peer's incarnation then
}

// question is a question of other Go nodes about a peer.
type question struct {
	incarnation uint64 // that is doubted; a higher one answers
	until       time.Time
}

func live(m *members.Entry) bool { return m != nil && m.Live() }
