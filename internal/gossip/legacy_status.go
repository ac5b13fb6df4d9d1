package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What gwyh 0.1 nodes say of each other and of us (docs/PROTOCOL.md L3, L5, L6).
const (
	hopesMax   = 32              // addresses that will be tried at once
	hopeFor    = 2 * time.Second // within which one is: whoever is first tells all Go nodes
	hintBurst  = 8               // PeerStatus about unknown Go nodes that are followed in a row,
	hintEvery  = time.Second     // and one more after each of these
	listAfter  = 2 * time.Second // from the first contact with a seed to the question who else there is
	listPause  = time.Second     // between two such questions of this node
	listAgain  = time.Minute     // between the questions of a node that knows no other Go node, doubled
	listRarely = 5 * time.Minute // up to this
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
	case !c.seen.First(now, &m.ID):
		return
	case of.ID == c.cfg.ID:
		if !up {
			c.refuteOwnDown(now)
		}
		return
	}
	known := c.members.Get(of.ID)
	live := known != nil && known.Live()
	switch {
	case of.ID.IsGo(): // a Go node speaks for itself, and tells its own address
		switch {
		case live == up && (!up || known.Addr == of.Addr):
			c.passStatus(now, p, m.ID, of, up)
		case up && !live:
			c.followHint(now, of)
		}
	case up:
		c.passStatus(now, p, m.ID, of, true)
		if !live {
			c.hopeForLegacy(now, of)
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
func (c *Core) floodStatus(now time.Time, m *members.Entry, up bool) {
	id := c.newID()
	c.seen.First(now, &id)
	c.passStatus(now, nil, id, wire.Peer{Addr: m.Addr, ID: m.ID, Zone: m.Zone}, up)
}

// leaveLegacy says good-bye: an EndSubscription would run through their cluster and end others' links.
func (c *Core) leaveLegacy(now time.Time) { c.floodStatus(now, c.self, false) }

// followHint shakes hands with a Go node that no Go node has told of. The PeerStatus is not believed: the handshake
// is aimed at the id and proves it, and the node becomes a member by its own alive entry.
func (c *Core) followHint(now time.Time, of wire.Peer) {
	if !c.old.hints.Take(now, quota.Rate{Burst: hintBurst, Every: hintEvery}) {
		c.drop(DropOversize)
		return
	}
	c.hope(now, of, func(now time.Time, at netip.AddrPort) { c.meetNode(now, at, of.ID) })
}

// hope tries to reach a node that a gwyh 0.1 peer named, unless another Go node reaches it first. The number of such
// attempts is bounded, because a peer may name any address.
func (c *Core) hope(now time.Time, of wire.Peer, reach func(now time.Time, at netip.AddrPort)) {
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
		m := c.members.Get(of.ID)
		if m != nil && m.Live() || c.dialing(of.ID) || !c.self.Live() {
			c.old.hopes--
			return
		}
		reach(now, addr)
		if !c.legacyLater(now, dialFor, func(time.Time) { c.old.hopes-- }) {
			c.old.hopes--
		}
	})
	if !ok {
		c.old.hopes--
	}
}

// askSeed follows the first contact with a gwyh 0.1 seed: while this node knows fewer Go nodes than it would
// subscribe to, the seed is asked once for the nodes that it knows. A PeerList is forwarded through the cluster of
// gwyh 0.1 nodes, so it waits until others have had time to find this node, and for the PeerLists to other seeds.
func (c *Core) askSeed(now time.Time, p *peer) {
	if p.old.listWanted {
		return
	}
	at := now.Add(listAfter)
	if c.old.listNext.After(at) {
		at = c.old.listNext
	}
	p.old.listWanted = c.legacyLater(now, at.Sub(now), func(now time.Time) {
		if c.members.CountGo()-1 < c.cfg.Subscriptions {
			c.askForPeers(now, p)
		}
	})
	if p.old.listWanted {
		c.old.listNext = at.Add(listPause)
	}
}

// askAgain asks one of the gwyh 0.1 members that this node has a session with for the nodes that it knows, while this
// node knows no other Go node: a Go node may have come since, or the answer may have been lost.
func (c *Core) askAgain(now time.Time, list []*members.Entry) {
	o := &c.old
	if c.members.CountGo() > 1 {
		o.listWait = 0
		return
	}
	if o.listLast.IsZero() {
		o.listLast = now // it came to us: there is time
	}
	if now.Sub(o.listLast) < max(o.listWait, listAgain) {
		return
	}
	list = slices.DeleteFunc(list, func(m *members.Entry) bool {
		p := c.peers[m.ID]
		return p == nil || p.set.Current(now) == nil
	})
	if len(list) > 0 {
		o.listWait = min(max(2*o.listWait, listAgain), listRarely)
		c.askForPeers(now, c.peers[list[c.rng.IntN(len(list))].ID])
	}
}

func (c *Core) askForPeers(now time.Time, p *peer) {
	if c.peers[p.id] == p && c.self.Live() {
		p.old.listAsked, c.old.listLast = now, now
		c.sendRequest(now, p, wire.KindPeerList)
	}
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
		m := c.members.Get(of.ID)
		switch known := of.ID == c.cfg.ID || m != nil && m.Live(); {
		case known:
		case of.ID.IsGo():
			c.hope(now, of, c.meet)
		default:
			c.hopeForLegacy(now, of)
		}
	}
}

// hopeForLegacy tries to reach a gwyh 0.1 node that another one named.
func (c *Core) hopeForLegacy(now time.Time, of wire.Peer) {
	c.hope(now, of, func(now time.Time, at netip.AddrPort) {
		c.dial(now, wire.Path{Remote: at}, dial{member: of.ID}, now.Add(dialFor))
	})
}
