package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// What gwyh 0.1 nodes say of each other and of us (docs/PROTOCOL.md L3, L5, L6).
const (
	hopesMax   = 32              // addresses that will be tried at once
	hopeFor    = 2 * time.Second // within which one is: whoever is first tells all Go nodes
	listAfter  = 2 * time.Second // from a Join to the question who else there is
	listAnswer = 10 * time.Second
	listPeers  = 64 // looked at of the answer
)

// handleStatus takes a PeerStatus. It is passed on once, if we know nothing better.
func (c *Core) handleStatus(now time.Time, p *peer, m *wire.Message) {
	of, up, err := wire.ParsePeerStatus(m.Data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
		return
	case !c.seen.first(now, &m.ID):
		return
	case of.ID == c.cfg.ID:
		if !up {
			c.refuteOwnDown(now)
		}
		return
	}
	known := c.members.get(of.ID)
	live := known != nil && known.live()
	switch {
	case of.ID.IsGo(): // Go nodes speak for themselves, and tell their own address
		if live == up && (!up || known.Addr == of.Addr) {
			c.passStatus(now, p, m.ID, of, up)
		}
	case up:
		c.passStatus(now, p, m.ID, of, true)
		if !live {
			c.hope(now, of, false)
		}
	default:
		c.handleDown(now, p, m.ID, of, live)
	}
}

// handleDown takes the word of a gwyh 0.1 node that another is down.
func (c *Core) handleDown(now time.Time, p *peer, id wire.MessageID, of wire.Peer, live bool) {
	about := c.peers[of.ID]
	switch {
	case about != nil && about.legacy && about.set.Current(now) != nil && live:
		c.checkDown(now, about, claim{status: id, from: p})
	case !live:
		c.passStatus(now, p, id, of, false)
	}
}

// passStatus sends a PeerStatus to the gwyh 0.1 peers but the one it came from.
func (c *Core) passStatus(now time.Time, from *peer, id wire.MessageID, of wire.Peer, up bool) {
	for _, p := range c.links {
		if p.legacy && p != from && p.id != of.ID && tellable(p, of.Addr) {
			c.plain = wire.AppendPeerStatus(c.plain[:0], id, of, up)
			c.sendPlain(now, p, c.plain)
		}
	}
}

// tellable reports whether an address may be told to a gwyh 0.1 peer: it would take one of another family
// than its own for its network's.
func tellable(p *peer, addr netip.AddrPort) bool {
	own := p.set.Path().Remote.Addr().Unmap()
	return addr.IsValid() && addr.Port() > 0 && own.Is4() == addr.Addr().Unmap().Is4()
}

// floodStatus tells the gwyh 0.1 peers of a member. That they pass it back is no news.
func (c *Core) floodStatus(now time.Time, m *member, up bool) {
	id := c.newID()
	c.seen.first(now, &id)
	c.passStatus(now, nil, id, wire.Peer{Addr: m.Addr, ID: m.ID, Zone: m.Zone}, up)
}

// leaveLegacy says good-bye: an EndSubscription would run through their cluster and end others' links.
func (c *Core) leaveLegacy(now time.Time) { c.floodStatus(now, c.self, false) }

// hope tries to reach a node of which a gwyh 0.1 peer told, unless some Go node does so first. The rate is
// bounded, for anybody may be named.
func (c *Core) hope(now time.Time, of wire.Peer, greet bool) {
	addr := netip.AddrPortFrom(of.Addr.Addr().Unmap(), of.Addr.Port())
	own := c.cfg.Advertise.Addr().Unmap()
	switch {
	case c.old.hopes >= hopesMax, !addr.IsValid() || addr.Port() == 0 || addr == c.cfg.Advertise:
		c.drop(DropOversize)
		return
	case own.IsValid() && own.Is4() != addr.Addr().Is4(), c.cfg.Allow != nil && !c.cfg.Allow(addr.Addr()):
		c.drop(DropAddress)
		return
	}
	c.old.hopes++
	ok := c.legacyLater(now, c.between(0, hopeFor), func(now time.Time) {
		m := c.members.get(of.ID)
		if m != nil && m.live() || c.dialing(of.ID) || !c.self.live() {
			c.old.hopes--
			return
		}
		if greet {
			c.meet(now, addr)
		} else {
			c.dial(now, wire.Path{Remote: addr}, dial{member: of.ID}, now.Add(dialFor))
		}
		if !c.legacyLater(now, dialFor, func(time.Time) { c.old.hopes-- }) {
			c.old.hopes--
		}
	})
	if !ok {
		c.old.hopes--
	}
}

// askForPeers follows a Join that reached a gwyh 0.1 node. Its PeerList runs through their cluster, so it is sent
// once, and not before others have had time to find us.
func (c *Core) askForPeers(now time.Time, p *peer) {
	c.legacyLater(now, listAfter, func(now time.Time) {
		if p.old.listAsked.IsZero() && c.members.count()-1 < c.cfg.Subscriptions && c.peers[p.id] == p && c.self.live() {
			p.old.listAsked = now
			c.sendRequest(now, p, wire.KindPeerList)
		}
	})
}

// handlePeers takes the answer to our PeerList; others are passed on ones. A Go node that it names is asked for
// its members.
func (c *Core) handlePeers(now time.Time, p *peer, data []byte) {
	if asked := p.old.listAsked; asked.IsZero() || now.Sub(asked) > listAnswer {
		return
	}
	list, err := wire.ParsePeers(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	for _, of := range list[:min(len(list), listPeers)] {
		if m := c.members.get(of.ID); of.ID != c.cfg.ID && (m == nil || !m.live()) {
			c.hope(now, of, of.ID.IsGo())
		}
	}
}
