package gwyh01

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// open takes in a box. before is the number of the packet that came before it from the same address.
func (n *Node) open(now time.Time, pkt *wire.Packet, before uint32) {
	p := n.find(pkt.Sender)
	if p == nil || !n.unseal(p, &pkt.Box) {
		n.stats.Unopened++
		return
	}
	var m wire.Message
	if _, err := wire.ParseMessage(&m, pkt.Box.Data); err != nil {
		return
	}
	direct := m.Kind == wire.KindFrame || m.Kind == wire.KindNak // neither is passed on, nor its id remembered
	fresh := direct || n.first(m.ID)
	if fresh && !direct {
		n.forward(&m)
	}
	if !isModel(p.id) {
		n.sendTo(p, wire.AppendNak(nil, n.uuid(), before+1, pkt.Seq))
	}
	if fresh {
		n.handle(now, p, &m)
	}
}

func (n *Node) unseal(p *peer, box *wire.Box) bool {
	var subkey [32]byte
	n.cfg.Suite.Subkey(&subkey, &p.key, (*[16]byte)(box.Nonce[:16]))
	return n.cfg.Suite.Open(&subkey, (*[8]byte)(box.Nonce[16:]), &box.Tag, box.Data)
}

// first reports whether a message id is new, and remembers it.
func (n *Node) first(id wire.MessageID) bool {
	if n.seen[id] {
		return false
	}
	if len(n.order) == seenMax {
		for _, old := range n.order[:seenMax/2] {
			delete(n.seen, old)
		}
		n.order = append(n.order[:0], n.order[seenMax/2:]...)
	}
	n.seen[id] = true
	n.order = append(n.order, id)
	return true
}

// forward sends a Broadcast or a PeerRequest on, under its own id, to every subscriber: to the one that it
// came from too. They cannot tell it from one of the node's own.
func (n *Node) forward(m *wire.Message) {
	var b []byte
	switch m.Kind {
	case wire.KindBroadcast:
		b = wire.AppendBroadcast(nil, wire.Arrays, m.ID, m.Data)
	case wire.KindPeers:
		list, err := wire.ParsePeers(bytes.Clone(m.Data))
		if err != nil {
			return
		}
		b = wire.AppendPeers(nil, m.ID, list)
	case wire.KindPeerStatus:
		peer, up, err := wire.ParsePeerStatus(bytes.Clone(m.Data))
		if err != nil {
			return
		}
		b = wire.AppendPeerStatus(nil, m.ID, peer, up)
	case wire.KindPeerList, wire.KindStartSubscription, wire.KindSubscriptionStarted, wire.KindEndSubscription, wire.KindHeartbeat:
		b = wire.AppendRequest(nil, m.ID, m.Kind)
	default:
		return
	}
	n.flood(b)
}

// handle acts on a message that was not seen before, as if it were the peer's own.
func (n *Node) handle(now time.Time, p *peer, m *wire.Message) {
	switch m.Kind {
	case wire.KindBroadcast:
		n.heard = append(n.heard, bytes.Clone(m.Data))
	case wire.KindNak:
		n.takeNak(p)
	case wire.KindStartSubscription:
		p.subscriber = true
		n.request(p, wire.KindSubscriptionStarted)
	case wire.KindSubscriptionStarted:
		n.subscribed(now, p)
	case wire.KindEndSubscription:
		p.subscriber = false
	case wire.KindHeartbeat:
		p.beat = now
	case wire.KindPeerList:
		n.sendTo(p, wire.AppendPeers(nil, n.messageID(), n.peerList()))
	case wire.KindPeers:
		list, _ := wire.ParsePeers(m.Data)
		for _, o := range list {
			n.hearOf(now, o)
		}
	case wire.KindPeerStatus:
		n.takeStatus(now, m)
	}
}

// takeNak makes handshake packets to the peer's address later, by a factor of 2 to 8.
func (n *Node) takeNak(p *peer) {
	n.stats.NaksReceived++
	r := n.route(p.addr)
	r.delay = min(max(r.delay, nakDelay)*n.draw(2, 9), nakDelayMax)
}

// subscribed begins to wait for the heartbeats of a source.
func (n *Node) subscribed(now time.Time, p *peer) {
	n.stats.Ready = true
	p.beat = now
	if p.source {
		return
	}
	p.source = true
	n.after(now, watchdog, func(now time.Time) { n.watch(now, p) })
}

// watch calls a source down that has not beaten for 15 s.
func (n *Node) watch(now time.Time, p *peer) {
	if !p.source {
		return
	}
	if left := p.beat.Add(watchdog).Sub(now); left > 0 {
		n.after(now, left, func(now time.Time) { n.watch(now, p) })
		return
	}
	n.forget(p)
	n.flood(wire.AppendPeerStatus(nil, n.messageID(), wire.Peer{Addr: p.addr, ID: p.id, Zone: p.zone}, false))
}

func (n *Node) peerList() (list []wire.Peer) {
	for _, p := range n.peers {
		list = append(list, wire.Peer{Addr: p.addr, ID: p.id, Zone: p.zone})
	}
	return list
}

// takeStatus believes whatever is said of others.
func (n *Node) takeStatus(now time.Time, m *wire.Message) {
	of, up, err := wire.ParsePeerStatus(m.Data)
	if err != nil || of.ID == n.cfg.ID {
		return
	}
	if up {
		n.hearOf(now, of)
	} else if p := n.find(of.ID); p != nil {
		n.forget(p)
	}
}

// hearOf greets a node that is new to it, soon.
func (n *Node) hearOf(now time.Time, o wire.Peer) {
	if o.ID == n.cfg.ID || n.find(o.ID) != nil || o.Addr.Port() == 0 {
		return
	}
	n.after(now, n.draw(0, curiosity), func(now time.Time) {
		if n.find(o.ID) == nil {
			n.sayHello(now, o.Addr)
		}
	})
}

// flood sends a message to all subscribers.
func (n *Node) flood(plain []byte) {
	for _, p := range n.peers {
		if p.subscriber {
			n.sendTo(p, plain)
		}
	}
}

func (n *Node) request(p *peer, k wire.Kind) {
	n.sendTo(p, wire.AppendRequest(nil, n.messageID(), k))
}

func (n *Node) sendTo(p *peer, plain []byte) {
	var subkey [32]byte
	var nonce [24]byte
	var tag [16]byte
	n.fill(nonce[:])
	n.cfg.Suite.Subkey(&subkey, &p.key, (*[16]byte)(nonce[:16]))
	sealed := make([]byte, len(plain))
	n.cfg.Suite.Seal(&subkey, (*[8]byte)(nonce[16:]), &tag, sealed, plain)
	n.send(p.addr, wire.AppendBoxArrays(nil, n.seq(p.addr), n.cfg.ID, &nonce, &tag, sealed))
}
