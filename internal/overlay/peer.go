package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A state is the progress of our subscription to a peer.
type state uint8

const (
	none      state = iota
	requested       // a StartSubscription was sent
	started         // the peer answered with a SubscriptionStarted
)

// A Peer is the Overlay's state of a node with which there is a session: the subscriptions in both directions. The
// zero Peer has no subscriptions and needs Init. It must not be copied.
type Peer struct {
	id          wire.NodeID
	legacy      bool      // a legacy node: not part of the choice, and its subscriptions are not counted
	state       state     // of our subscription to it
	subscriber  bool      // it is subscribed to us
	linked      bool      // a subscription in either direction has begun
	requests    int32     // consecutive StartSubscriptions without an answer
	requestedAt time.Time // when the last StartSubscription was sent
}

// Init sets the node id of a new Peer.
func (p *Peer) Init(id wire.NodeID) { p.id, p.legacy = id, !id.IsGo() }

// ID returns the peer's node id.
func (p *Peer) ID() wire.NodeID { return p.id }

// Subscribing reports whether we have asked for a subscription to the peer, confirmed or not.
func (p *Peer) Subscribing() bool { return p.state != none }

// Requested reports whether we have asked for a subscription that the peer has not confirmed.
func (p *Peer) Requested() bool { return p.state == requested }

// Subscribed reports whether the peer has confirmed our subscription.
func (p *Peer) Subscribed() bool { return p.state == started }

// Subscriber reports whether the peer is subscribed to this node.
func (p *Peer) Subscriber() bool { return p.subscriber }

// RequestedAt returns when the last StartSubscription was sent, or zero for never.
func (p *Peer) RequestedAt() time.Time { return p.requestedAt }
