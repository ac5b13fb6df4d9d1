package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A state is how far our subscription to a peer has come.
type state uint8

const (
	none    state = iota
	asked         // a StartSubscription was sent
	started       // the peer answered with a SubscriptionStarted
)

// A Peer is a node at the other end of a session, as the Overlay sees it: the subscriptions in both directions. The
// zero Peer has none; Init names it. It must not be copied.
type Peer struct {
	id         wire.NodeID
	legacy     bool      // a gwyh 0.1 node: it is not part of the choice, and its subscriptions are not counted
	state      state     // of our subscription to it
	subscriber bool      // it is subscribed to us
	linked     bool      // either makes a link
	askedAt    time.Time // when the last StartSubscription was sent
	asks       int       // StartSubscriptions without an answer
}

// Init names a peer that has just been made.
func (p *Peer) Init(id wire.NodeID) { p.id, p.legacy = id, !id.IsGo() }

// ID is the peer's node id.
func (p *Peer) ID() wire.NodeID { return p.id }

// Subscribing reports whether we have asked for a subscription to the peer, confirmed or not.
func (p *Peer) Subscribing() bool { return p.state != none }

// Asked reports whether we have asked for a subscription that the peer has not confirmed.
func (p *Peer) Asked() bool { return p.state == asked }

// Subscribed reports whether the peer has confirmed our subscription.
func (p *Peer) Subscribed() bool { return p.state == started }

// Subscriber reports whether the peer is subscribed to this node.
func (p *Peer) Subscriber() bool { return p.subscriber }

// AskedAt is when the last StartSubscription was sent; zero for never.
func (p *Peer) AskedAt() time.Time { return p.askedAt }
