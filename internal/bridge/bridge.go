// Package bridge carries what nodes of gwyh 0.1 and Go nodes are told about each other: status messages among the peers of
// gwyh 0.1, and queries and entries about these among the Go nodes.
//
// A Bridge knows which parts of a node's state belong to a gwyh 0.1 peer, and answers with them what the gateway
// (internal/legacy) queries. The gateway decides everything. The Bridge sends what the gateway wants sent, and chooses
// among the links those that may get it. It never changes a member, a link or a subscription, and begins no handshake:
// those outcomes of the gateway are the caller's, and Perform says which they are.
package bridge

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a Bridge. All fields are required.
type Config struct {
	Gateway  *legacy.Gateway
	Delivery *delivery.Delivery
	Entries  *entries.Entries
	Members  *members.Table
	Overlay  *overlay.Overlay
	Dials    *joining.Dials
	IDs      *wire.IDs
	Report   *report.Reporter
}

// A Bridge carries the messages between nodes of gwyh 0.1 and Go nodes. Create it with New. It implements [legacy.Node]. It
// is not safe for concurrent use.
type Bridge struct {
	cfg    Config
	sender *delivery.Sender // of cfg.Delivery
	peers  map[wire.NodeID]peer
}

// A peer is what a node keeps about a gwyh 0.1 peer.
type peer struct {
	*delivery.Peer
	overlay *overlay.Peer
	push    *pushpull.Peer
}

// New returns a Bridge without peers.
func New(cfg Config) *Bridge {
	return &Bridge{cfg: cfg, sender: &cfg.Delivery.Sender, peers: make(map[wire.NodeID]peer)}
}

// Add adds a gwyh 0.1 peer, and returns the gateway's state of it.
func (b *Bridge) Add(p *delivery.Peer, o *overlay.Peer, push *pushpull.Peer) *legacy.Peer {
	b.peers[p.ID] = peer{Peer: p, overlay: o, push: push}
	return b.cfg.Gateway.AddPeer(p.ID)
}

// Remove removes a gwyh 0.1 peer.
func (b *Bridge) Remove(p *legacy.Peer) {
	delete(b.peers, p.ID())
	b.cfg.Gateway.RemovePeer(p)
}

// Contact returns the current state of a peer, or the zero Contact if there is no such peer.
func (b *Bridge) Contact(now time.Time, of *legacy.Peer) legacy.Contact {
	p, ok := b.peers[of.ID()]
	if !ok {
		return legacy.Contact{}
	}
	return legacy.Contact{Session: p.Sessions.Current(now) != nil, Opened: p.Sessions.LastOpened(), Heard: p.Swim.Heard,
		Subscribing: p.overlay.Subscribing(), AskedAt: p.overlay.RequestedAt(), Subscriber: p.overlay.Subscriber(),
		Undecided: p.push.Asked(), Vetoed: p.push.Vetoed, Remote: p.Sessions.Path().Remote, Zone: p.Node.Zone}
}

// Dialing reports whether a handshake with a node is in progress.
func (b *Bridge) Dialing(id wire.NodeID) bool { return b.cfg.Dials.Dialing(id) }

// Avoids reports whether a member recently refused a subscription, or did not answer.
func (b *Bridge) Avoids(now time.Time, id wire.NodeID) bool { return b.cfg.Overlay.Avoids(now, id) }

// Perform executes an outcome of the gateway as far as that means to send or to log. It reports false if the outcome is
// the caller's.
func (b *Bridge) Perform(now time.Time, o *legacy.Outcome) bool {
	switch o.Kind {
	case legacy.Ping, legacy.Request, legacy.Resubscribe:
		if p, ok := b.peers[o.Peer.ID()]; ok {
			b.performOn(now, p, o)
		}
	case legacy.PassQuestion:
		b.passQuestion(now, o)
	case legacy.SendEntry:
		b.sendEntry(now, o)
	case legacy.PassStatus:
		b.passStatus(now, o.From, o.Status, o.Of, o.Up)
	case legacy.AnnounceStatus:
		b.Announce(now, o.Of, o.Up)
	case legacy.CalledDown:
		b.cfg.Report.LegacyDown(now)
	default:
		return false
	}
	return true
}

// performOn sends p what the gateway wants sent to it.
func (b *Bridge) performOn(now time.Time, p peer, o *legacy.Outcome) {
	switch o.Kind {
	case legacy.Ping:
		b.sender.Ping(now, p.Peer)
	case legacy.Request:
		b.sender.SendRequest(now, p.Peer, o.Request)
	case legacy.Resubscribe:
		p.overlay.RequestedAgain(now)
		b.sender.SendRequest(now, p.Peer, wire.KindStartSubscription)
	}
}

// passQuestion sends the query whether a gwyh 0.1 member is heard to all linked Go nodes except its sender.
func (b *Bridge) passQuestion(now time.Time, o *legacy.Outcome) {
	for _, p := range b.cfg.Delivery.Links() {
		if p.ID == o.From || p.Legacy {
			continue
		}
		w := b.cfg.Entries.News(p)
		w.AddAccusation(now, o.Member.ID, o.Incarnation, o.By)
		w.Flush(now)
	}
}

// sendEntry sends a Go node the entry of a gwyh 0.1 member that it has not heard of recently.
func (b *Bridge) sendEntry(now time.Time, o *legacy.Outcome) {
	p := b.cfg.Delivery.Peer(o.ID)
	if p == nil {
		return
	}
	w := b.cfg.Entries.News(p)
	w.Add(now, o.Member)
	w.Flush(now)
}

// IsNews records that the PeerStatus of a legacy.StatusArrived has arrived, and reports whether it is the first copy.
func (b *Bridge) IsNews(now time.Time, o *legacy.Outcome) bool {
	p, ok := b.peers[o.From]
	return ok && b.cfg.Delivery.Broadcasts.Disseminator.Seen.First(now, &o.Status, &p.Neighbor.Source)
}

// passStatus sends a PeerStatus to all gwyh 0.1 peers except the one that it came from and the one that it is about. A peer
// that would misread the address does not get it.
func (b *Bridge) passStatus(now time.Time, from wire.NodeID, id wire.MessageID, of wire.Peer, up bool) {
	for _, p := range b.cfg.Delivery.Links() {
		known := p.ID == from || p.ID == of.ID
		if p.Legacy && !known && legacy.Representable(p.Sessions.Path().Remote, of.Addr) {
			b.sender.Send(now, p, wire.AppendPeerStatus(b.sender.Begin(), id, of, up))
		}
	}
}

// Announce sends the gwyh 0.1 peers the status of a node. Its id counts as seen, so forwarded copies are ignored.
func (b *Bridge) Announce(now time.Time, of wire.Peer, up bool) {
	id := b.cfg.IDs.Control()
	b.cfg.Delivery.Broadcasts.Disseminator.Seen.First(now, &id, nil)
	b.passStatus(now, wire.NodeID{}, id, of, up)
}

// Leave reports this node as down to gwyh 0.1 nodes. It sends no EndSubscription, because that would spread through
// their cluster and end the links of other nodes (PROTOCOL.md L2).
func (b *Bridge) Leave(now time.Time) {
	self := b.cfg.Members.Self()
	b.Announce(now, wire.Peer{Addr: self.Addr, ID: self.ID, Zone: self.Zone}, false)
}
