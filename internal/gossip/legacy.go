package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// handleBox opens a box without a known nonce prefix: one of a gwyh 0.1 node, whose nonces are
// random and whose sessions are tried newest first.
func (g *gateway) handleBox(now time.Time, from wire.Path, pkt *wire.Packet) {
	c := g.core
	p := c.peers[pkt.Sender]
	if p == nil || !p.legacy {
		c.drop(DropUnknownSession)
		return
	}
	for i := p.set.Len() - 1; i >= 0; i-- {
		s := p.set.At(i)
		if plain, err := s.Open(now, pkt); err == nil {
			confirmed := c.hs.opened(now, p, s, from)
			if confirmed {
				c.hs.ready(now, p)
			}
			g.heard(now, p)
			g.handlePlain(now, p, plain)
			return
		}
	}
	c.drop(DropForged)
}

// handlePlain takes in the one message of a gwyh 0.1 box. What follows it is ignored, as gwyh 0.1 does.
func (g *gateway) handlePlain(now time.Time, p *peer, plain []byte) {
	c := g.core
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		c.drop(DropMalformedBody)
		return
	}
	if c.cfg.Trace != nil {
		c.reporter.traceMessage(now, p, &m)
	}
	switch m.Kind {
	case wire.KindBroadcast:
		if p.push.Vetoed || c.members.Get(p.id) == nil {
			c.drop(DropUnexpected) // it was kept out
			return
		}
		c.broadcast.handleBroadcast(now, p, &m)
	case wire.KindStartSubscription:
		g.handleStart(now, p, &m)
	case wire.KindSubscriptionStarted:
		if p.overlay.Asked() && !c.ids.Made(&m.ID) {
			c.overlay.conclude(now, c.overlay.SetStarted(c.overlay.acts, &p.overlay))
		}
	case wire.KindHeartbeat:
		p.gateway.Beat(now)
	case wire.KindPeerStatus:
		g.handleStatus(now, p, &m)
	case wire.KindPeers:
		g.HandlePeers(now, legacyNode{c}, &c.members, p.gateway, m.Data)
		g.conclude(now, g.outcomes)
	case wire.KindNak, wire.KindFrame, wire.KindEndSubscription, wire.KindPeerList:
		// Signs of life only: PROTOCOL.md 3 says why none of them is answered.
	default:
		c.drop(DropUnexpected)
	}
}

// handleStart answers each StartSubscription except this node's own, which gwyh 0.1 nodes forward back.
func (g *gateway) handleStart(now time.Time, p *peer, m *wire.Message) {
	c := g.core
	if !c.ids.Made(&m.ID) {
		g.conclude(now, g.HandleStart(g.outcomes, now, legacyNode{c}, &c.members, p.gateway))
	}
}

// handleStatus takes a PeerStatus that this node has not seen before.
func (g *gateway) handleStatus(now time.Time, p *peer, m *wire.Message) {
	c := g.core
	of, up, err := wire.ParsePeerStatus(m.Data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
	case c.broadcast.Seen.First(now, &m.ID):
		g.conclude(now, g.HandleStatus(g.outcomes, now, legacyNode{c}, &c.members, legacy.Status{ID: m.ID, From: p.id, Of: of, Up: up}))
	}
}

// goTeam lets boxes be sealed under a session that we began with a gwyh 0.1 node.
func (h *handshakes) goTeam(now time.Time, id wire.HandshakeID, peer wire.NodeID) {
	c, p := h.core, h.core.peers[peer]
	if s := p.legacySession(id); s != nil {
		p.set.Confirm(now, s)
		h.Confirm(now, id, peer)
		c.hs.ready(now, p)
	}
}

// sendLegacyProbe seals an empty Frame under a session that a gwyh 0.1 node began: its Nak confirms.
func (h *handshakes) sendLegacyProbe(now time.Time, to wire.Path, id wire.HandshakeID, peer wire.NodeID) {
	c := h.core
	if s := c.peers[peer].legacySession(id); s != nil {
		c.transport.plain = wire.AppendFrame(c.transport.plain[:0], wire.Arrays, c.newID(), 0, 0, nil)
		c.out.Add(to, s.SealLegacy(now, c.out.Buffer(), h.nextSeq(to.Remote), c.transport.plain))
	}
}

func (p *peer) legacySession(id wire.HandshakeID) *session.Session {
	if p == nil || !p.legacy {
		return nil
	}
	for i := range p.set.Len() {
		if s := p.set.At(i); s.Handshake() == id {
			return s
		}
	}
	return nil
}

// sendBroadcast passes a message on in the form of gwyh 0.1. A message above legacyMessage bytes is not sent: such
// a node would lose it silently, or be sent a datagram that UDP does not carry.
func (g *gateway) sendBroadcast(now time.Time, p *peer, id wire.MessageID, data []byte) {
	c := g.core
	if len(data) > legacyMessage {
		c.drop(DropLegacySize)
		g.warnSize(now, len(data))
		return
	}
	c.stats.BroadcastsForwarded++
	c.transport.sendPlain(now, p, wire.AppendBroadcast(nil, wire.Arrays, id, data))
}

// warnSize says that a broadcast does not reach the gwyh 0.1 members.
func (g *gateway) warnSize(now time.Time, size int) {
	c := g.core
	c.reporter.warn(now, "legacy size", "a broadcast of %d bytes does not go to the %d gwyh 0.1 members: they take at most %d bytes", size, c.members.CountLegacy(), legacyMessage)
}
