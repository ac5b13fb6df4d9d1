package delivery

import (
	"cmp"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
)

// slowShare is the share of the median link's rate below which a link causes no backpressure on messages of this node.
const slowShare = 1. / 32

// Congested reports whether a message of this node is refused now because the links that would carry it whole are full.
func (ds *Broadcasts) Congested(now time.Time, large bool) bool {
	full := func(p *Peer) bool { return p.Packets.Full(large) || !large && p.Packets.Pace().Held(now) }
	if !slices.ContainsFunc(ds.d.links, full) {
		return false
	}
	holders := ds.holders(now)
	defer clear(holders)
	var a broadcast.Admission
	for _, p := range holders[:fastEnough(holders)] {
		eager := ds.Disseminator.Eager(&p.Neighbor)
		if large {
			eager = ds.Disseminator.SendsLarge(&p.Neighbor)
		}
		a.Link(eager, full(p))
	}
	return a.Refused()
}

// holders returns the links whose backlog may cause backpressure (PROTOCOL.md T2), in any order. A silent peer, which may be
// dead, causes none. Neither does one that owes reports while others send theirs. If no peer does, the machine may be busy.
func (ds *Broadcasts) holders(now time.Time) []*Peer {
	links := ds.d.links
	reported := slices.ContainsFunc(links, func(p *Peer) bool { return p.Packets.Pace().Reports(now) })
	ds.holding = ds.holding[:0]
	for _, p := range links {
		if p.Legacy || p.holdsUp(now, reported) {
			ds.holding = append(ds.holding, p)
		}
	}
	return ds.holding
}

// holdsUp reports whether a backlog of p causes backpressure. Reported says that some peer has recently reported what it
// received.
func (p *Peer) holdsUp(now time.Time, reported bool) bool {
	pace := p.Packets.Pace()
	if reported && !pace.Proven(now) {
		return false
	}
	return !p.Swim.Silent(now) && !pace.Mute(now)
}

// fastEnough orders links by rate, the fastest first, and returns how many of them are not far slower than the median one.
// Most nodes wait for a few that are slower, but not for a few that are far slower.
func fastEnough(links []*Peer) int {
	rate := func(p *Peer) float64 { return p.Packets.Pace().Rate() }
	slices.SortFunc(links, func(a, b *Peer) int { return cmp.Compare(rate(b), rate(a)) })
	n := len(links)
	for n > 0 && rate(links[n-1]) < slowShare*rate(links[(len(links)-1)/2]) {
		n--
	}
	return n
}

// backlog returns the bytes of small messages queued for the neighbor with the largest backlog.
func (ds *Broadcasts) backlog(now time.Time) (largest int) {
	holders := ds.holders(now)
	defer clear(holders)
	for _, p := range holders {
		if !p.Legacy {
			largest = max(largest, p.Packets.Backlog())
		}
	}
	return largest
}

// Crowded reports whether messages that neighbors may still request take half of the store.
func (ds *Broadcasts) Crowded(now time.Time) bool {
	return ds.Store.Crowded(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeWanted returns the bytes of large messages that neighbors may still request, or less than half of the store.
func (ds *Broadcasts) largeWanted(now time.Time) int {
	return ds.Store.Wanted(now, func(a *assembly.Assembly) bool { return ds.largeExpected(now, a) })
}

// largeExpected reports whether a neighbor that may still request the message causes backpressure. A silent peer does
// not.
func (ds *Broadcasts) largeExpected(now time.Time, a *assembly.Assembly) bool {
	d := ds.d
	for n := range LargeOf(a).Expecting {
		if p := d.peers[n.ID]; p != nil && !p.Swim.Silent(now) {
			return true
		}
	}
	return false
}
