package gwyh01

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An initiation is a handshake that the node started, from its Hello to the GoTeam.
type initiation struct {
	stamp  time.Time
	secret nodeid.PrivateKey
	met    *peer // the peer that the GoTeam will install; nil before an Ohai
	asks   bool  // a StartSubscription follows the GoTeam
}

// A half is a handshake that a peer started, from its Hello to the OkBoss.
type half struct {
	met  peer
	ohai wire.Handshake
}

// sayHello starts a handshake with fresh keys. If asks is set, a StartSubscription follows it.
func (n *Node) sayHello(now time.Time, to netip.AddrPort, asks bool) {
	x := &initiation{stamp: now, asks: asks}
	h := wire.Handshake{ID: n.uuid(), Step: wire.StepHello, Zone: n.cfg.Zone, Timestamp: now, Hmacs: n.hmacs(now)}
	x.secret, h.PublicKey = n.keyPair()
	n.inits[h.ID] = x
	n.route(to).greeted = true
	n.after(now, handshakeFor, func(time.Time) {
		if n.inits[h.ID] == x && x.met == nil {
			delete(n.inits, h.ID)
			n.route(to).greeted = false
		}
	})
	n.say(now, to, 0, &h)
}

func (n *Node) keyPair() (nodeid.PrivateKey, [32]byte) {
	var random [32]byte
	n.fill(random[:])
	return n.cfg.Agreement(&random)
}

// hmacs returns one Hmac per key, over messages of 69 to 419 random bytes.
func (n *Node) hmacs(stamp time.Time) (list []wire.Hmac) {
	for i := range n.keys {
		m := make([]byte, n.draw(69, 420))
		n.fill(m)
		list = append(list, wire.Hmac{Sum: n.keys[i].hmac(m, stamp), Message: m})
	}
	return list
}

// verifies reports whether a timestamp is within the window and any Hmac was made with one of the node's keys. It
// does not detect the node's own Hmacs sent back.
func (n *Node) verifies(now time.Time, hmacs []wire.Hmac, stamp time.Time) bool {
	if now.Round(0).Sub(stamp.Round(0)).Abs() > n.cfg.Window {
		return false
	}
	return slices.ContainsFunc(hmacs, func(h wire.Hmac) bool {
		return slices.ContainsFunc(n.keys, func(k key) bool { return k.hmac(h.Message, stamp) == h.Sum })
	})
}

func (n *Node) handshake(now time.Time, from netip.AddrPort, sender wire.NodeID, h *wire.Handshake) {
	switch h.Step {
	case wire.StepHello:
		n.takeHello(now, from, sender, h)
	case wire.StepOhai:
		n.takeOhai(now, from, sender, h)
	case wire.StepOkBoss:
		n.takeOkBoss(now, from, h)
	case wire.StepGoTeam:
		if x := n.inits[h.ID]; x != nil && x.met != nil && x.met.id == sender {
			delete(n.inits, h.ID)
			n.install(now, x.met)
			if x.asks {
				n.request(n.find(sender), wire.KindStartSubscription)
			}
		}
	}
}

// takeHello answers immediately. If a Hello went to the address or came from it before, it answers after a pause.
func (n *Node) takeHello(now time.Time, from netip.AddrPort, sender wire.NodeID, h *wire.Handshake) {
	if !n.verifies(now, h.Hmacs, h.Timestamp) {
		return
	}
	x := &half{met: peer{id: sender, zone: h.Zone, addr: from, stamp: h.Timestamp, met: true}}
	x.ohai = wire.Handshake{ID: h.ID, Step: wire.StepOhai, Zone: n.cfg.Zone, Hmacs: n.hmacs(h.Timestamp)}
	n.fill(x.ohai.Challenge[:])
	secret, public := n.keyPair()
	x.ohai.PublicKey = public
	shared, ok := secret.Agree(&h.PublicKey)
	if !ok {
		return
	}
	x.met.key = boxKey(&shared)
	n.halves[h.ID] = x
	r := n.route(from)
	n.after(now, handshakeFor, func(time.Time) {
		if n.halves[h.ID] == x {
			delete(n.halves, h.ID)
			r.greeted = false
		}
	})
	var late time.Duration
	if r.greeted {
		late = n.draw(greetMin, greetMax)
	}
	r.greeted = true
	n.say(now, from, late, &x.ohai)
}

func (n *Node) takeOhai(now time.Time, from netip.AddrPort, sender wire.NodeID, h *wire.Handshake) {
	x := n.inits[h.ID]
	if x == nil || x.met != nil || !n.verifies(now, h.Hmacs, x.stamp) {
		return
	}
	shared, ok := x.secret.Agree(&h.PublicKey)
	if !ok {
		return
	}
	x.met = &peer{id: sender, zone: h.Zone, addr: from, stamp: x.stamp, met: true, key: boxKey(&shared)}
	answer := wire.Handshake{ID: h.ID, Step: wire.StepOkBoss}
	for i := range n.keys {
		answer.Responses = append(answer.Responses, n.keys[i].response(&h.Challenge, &h.PublicKey, h.ID))
	}
	n.say(now, from, 0, &answer)
}

func (n *Node) takeOkBoss(now time.Time, from netip.AddrPort, h *wire.Handshake) {
	x := n.halves[h.ID]
	if x == nil {
		return
	}
	for i := range n.keys {
		if slices.Contains(h.Responses, n.keys[i].response(&x.ohai.Challenge, &x.ohai.PublicKey, h.ID)) {
			delete(n.halves, h.ID)
			n.install(now, &x.met)
			n.say(now, from, 0, &wire.Handshake{ID: h.ID, Step: wire.StepGoTeam})
			return
		}
	}
}

// install creates a peer from a completed handshake, or gives the existing peer the new key unless its key came from
// a newer Hello. In both cases it sends news to the subscribers and triggers choose.
func (n *Node) install(now time.Time, met *peer) {
	n.stats.Handshakes++
	p := n.find(met.id)
	switch {
	case p == nil:
		p = new(peer)
		*p = *met
		n.peers = append(n.peers, p)
	case !p.met || met.stamp.After(p.stamp):
		p.addr, p.zone, p.key, p.stamp, p.met = met.addr, met.zone, met.key, met.stamp, true
	}
	n.chooseLater(now, p.id)
	n.flood(wire.AppendPeerStatus(nil, n.messageID(), wire.Peer{Addr: met.addr, ID: met.id, Zone: met.zone}, true))
}

// say sends a handshake packet after late, or after the pause since the last one to the address, which Naks lengthen.
func (n *Node) say(now time.Time, to netip.AddrPort, late time.Duration, h *wire.Handshake) {
	if late > 0 {
		n.after(now, late, func(now time.Time) { n.say(now, to, 0, h) })
		return
	}
	r := n.route(to)
	next := r.said.Add(max(r.delay, nakDelay))
	r.said = now
	if next.After(now) {
		n.after(now, next.Sub(now), func(time.Time) { n.sendHandshake(to, h) })
		return
	}
	n.sendHandshake(to, h)
}

func (n *Node) sendHandshake(to netip.AddrPort, h *wire.Handshake) {
	n.send(to, wire.AppendHandshake(nil, n.seq(to), n.cfg.ID, h))
}

// seq returns the number of the next packet to an address. Handshakes and boxes share the numbers.
func (n *Node) seq(to netip.AddrPort) uint32 {
	r := n.route(to)
	r.sent++
	return r.sent
}

func (n *Node) send(to netip.AddrPort, b []byte) {
	if len(b) > datagramMax {
		n.stats.TooLarge++
		return
	}
	n.out = append(n.out, datagram{to, b})
}
