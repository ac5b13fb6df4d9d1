package gwyh01

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// open opens a box and handles its message. before is the number of the previous packet from the same address.
func (n *Node) open(now time.Time, pkt *wire.Packet, before uint32) {
	p := n.find(pkt.Sender)
	if p == nil || !p.met || !n.unseal(p, &pkt.Box) {
		n.stats.Unopened++
		return
	}
	var m wire.Message
	if _, err := wire.ParseMessage(&m, pkt.Box.Data); err != nil {
		return
	}
	direct := m.Kind == wire.KindFrame || m.Kind == wire.KindNak // not forwarded, and the id is not remembered
	fresh := direct || n.first(m.ID)
	if fresh && !direct {
		n.forward(&m)
	}
	n.nak(now, p, m.Kind, before+1, pkt.Seq)
	if fresh {
		n.handle(now, p, &m)
	}
}

// nak answers a box with a Nak. It answers Naks only as fast as a live node can, because nodes that answer each
// other's Naks would otherwise have ever more of them in flight.
func (n *Node) nak(now time.Time, p *peer, k wire.Kind, start, end uint32) {
	if k != wire.KindNak {
		n.sendTo(p, wire.AppendNak(nil, n.uuid(), start, end))
		return
	}
	if n.nakAt.After(now) {
		return // one is already waiting
	}
	n.nakAt = n.nakAt.Add(nakEvery)
	if !n.nakAt.After(now) {
		n.nakAt = now
		n.sendTo(p, wire.AppendNak(nil, n.uuid(), start, end))
		return
	}
	n.after(now, n.nakAt.Sub(now), func(time.Time) { n.sendTo(p, wire.AppendNak(nil, n.uuid(), start, end)) })
}

func (n *Node) unseal(p *peer, box *wire.Box) bool {
	var subkey [32]byte
	n.cfg.Suite.Subkey(&subkey, &p.key, (*[16]byte)(box.Nonce[:16]))
	return n.cfg.Suite.Open(&subkey, (*[8]byte)(box.Nonce[16:]), &box.Tag, box.Data)
}

// first reports whether a message id is new, and records it.
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

// forward sends a Broadcast or a PeerRequest under its own id to every subscriber, including the one that it came
// from. Subscribers cannot tell it from one that the node made.
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

// handle acts on a new message as if the peer had made it.
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
		n.hearOfAll(now, list)
	case wire.KindPeerStatus:
		n.takeStatus(now, m)
	}
}

// takeNak multiplies the pause between handshake packets to the peer's address by 2 to 8.
func (n *Node) takeNak(p *peer) {
	n.stats.NaksReceived++
	if p.id.IsGo() {
		n.stats.NaksOfGo++
	}
	r := n.route(p.addr)
	if r.delay == 0 {
		r.delay = nakDelay
		return
	}
	r.delay = min(r.delay*n.draw(200, 801)/100, nakDelayMax)
}

// subscribed starts the watchdog for the heartbeats of a source.
func (n *Node) subscribed(now time.Time, p *peer) {
	n.stats.Ready = true
	p.beat = now
	if p.source {
		return
	}
	p.source = true
	n.after(now, watchdog, func(now time.Time) { n.watch(now, p) })
}

// watch declares a source down if it sends no heartbeat for 15 s.
func (n *Node) watch(now time.Time, p *peer) {
	if !p.source {
		return
	}
	if left := p.beat.Add(watchdog).Sub(now); left > 0 {
		n.after(now, left, func(now time.Time) { n.watch(now, p) })
		return
	}
	n.forget(p)
	n.chooseLater(now, p.id)
	n.flood(wire.AppendPeerStatus(nil, n.messageID(), wire.Peer{Addr: p.addr, ID: p.id, Zone: p.zone}, false))
}

// peerList returns all known nodes, with or without a completed handshake.
func (n *Node) peerList() (list []wire.Peer) {
	for _, p := range n.peers {
		list = append(list, wire.Peer{Addr: p.addr, ID: p.id, Zone: p.zone})
	}
	return list
}

// takeStatus accepts every status of other nodes without a check.
func (n *Node) takeStatus(now time.Time, m *wire.Message) {
	of, up, err := wire.ParsePeerStatus(m.Data)
	if err != nil || of.ID == n.cfg.ID {
		return
	}
	if up {
		n.hearOf(of)
	} else if p := n.find(of.ID); p != nil {
		n.forget(p)
	}
	n.chooseLater(now, of.ID)
}

// hearOf records a node that another node announced. A handshake follows only if the node is chosen.
func (n *Node) hearOf(o wire.Peer) (fresh bool) {
	if o.ID == n.cfg.ID || n.find(o.ID) != nil {
		return false
	}
	n.peers = append(n.peers, &peer{id: o.ID, addr: o.Addr, zone: o.Zone})
	return true
}

func (n *Node) hearOfAll(now time.Time, list []wire.Peer) {
	for _, o := range list {
		if n.hearOf(o) {
			n.chooseLater(now, o.ID)
		}
	}
}

// chooseLater postpones the next choice: each news of a peer restarts the pause. A node that has all its
// subscriptions does not choose.
func (n *Node) chooseLater(now time.Time, because wire.NodeID) {
	if n.Sources() >= n.cfg.Subscriptions {
		return
	}
	pause := n.cfg.ChooseAfter
	if pause == nil {
		pause = func(wire.NodeID) time.Duration { return n.draw(chooseMin, chooseMax) }
	}
	n.choice++
	turn := n.choice
	n.after(now, pause(because), func(now time.Time) {
		if turn == n.choice {
			n.choose(now)
		}
	})
}

// choose subscribes to the chosen peers that the node is not subscribed to, after a handshake where there is no key,
// and ends all other subscriptions.
func (n *Node) choose(now time.Time) {
	chosen := slices.Clone(n.peers)
	slices.SortStableFunc(chosen, func(a, b *peer) int { return cmp.Compare(n.rank(a), n.rank(b)) })
	chosen = chosen[:min(len(chosen), n.cfg.Subscriptions)]
	for _, p := range slices.Clone(n.peers) {
		switch wanted := slices.Contains(chosen, p); {
		case wanted == p.source:
		case !wanted:
			p.source = false
			n.request(p, wire.KindEndSubscription)
		case p.met:
			n.request(p, wire.KindStartSubscription)
		case p.addr.Port() > 0:
			n.sayHello(now, p.addr, true)
		}
	}
}

// rank returns the order of a peer. The order of peers is constant and differs between nodes.
func (n *Node) rank(p *peer) uint64 {
	h := fnv.New64a()
	h.Write(n.cfg.ID[:])
	h.Write(p.id[:])
	return h.Sum64()
}

// flood sends a message to all subscribers.
func (n *Node) flood(plain []byte) {
	for _, p := range n.peers {
		if p.subscriber && p.met {
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
