package delivery

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
)

// slowShare is the share of the fastest link's rate below which a link causes no backpressure on messages of this node.
const slowShare = 1. / 32

// Congested reports whether a message of this node is refused now because the links that would carry it whole are full.
// A silent peer, which may be dead, causes no backpressure, and neither does one that is far slower than others.
func (ds *Broadcasts) Congested(now time.Time, large bool) bool {
	d := ds.d
	fastest := 0.
	for _, p := range d.links {
		fastest = max(fastest, p.Packets.Pace().Rate())
	}
	var a broadcast.Admission
	for _, p := range d.links {
		pace := p.Packets.Pace()
		full := p.Packets.Full(large) || !large && pace.Held(now)
		silent := !p.Legacy && !p.holdsUp(now)
		if silent || pace.Rate() < slowShare*fastest {
			continue
		}
		eager := ds.Disseminator.Eager(&p.Neighbor)
		if large {
			eager = ds.Disseminator.SendsLarge(&p.Neighbor)
		}
		a.Link(eager, full)
	}
	return a.Refused()
}

// backlog returns the bytes of small messages queued for the neighbor with the largest backlog.
func (ds *Broadcasts) backlog(now time.Time) (largest int) {
	for _, p := range ds.d.links {
		if p.holdsUp(now) {
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
