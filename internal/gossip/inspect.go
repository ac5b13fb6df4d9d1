package gossip

import (
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// NumMembers returns the number of live members, including this node.
func (c *Core) NumMembers() int { return c.members.Count() }

// Holdings returns the numbers of objects that the core keeps.
func (c *Core) Holdings() stats.Holdings {
	waiting, awaited := c.direct.Sender.Len()
	return stats.Holdings{Tombstones: c.members.CountTombstones(), Peers: len(c.peers), Links: len(c.links), Sessions: c.hs.Sessions(),
		Timers: c.timers.Len(), Dials: c.hs.dials.Len(), Joins: c.joins.Len(), Sends: waiting + awaited, Queued: c.broadcast.Store.Size() + c.broadcast.Held.Bytes()}
}

// A Link is a peer with which broadcasts are exchanged, as the components know it. It is read-only, and valid until the
// next input.
type Link struct {
	ID       wire.NodeID
	Name     string // empty if unknown
	Zone     wire.Zone
	Packets  *packets.Peer
	Sessions *session.Set
	Liveness *swim.Peer
	Overlay  *overlay.Peer
}

// EachLink calls yield with each link, in the order in which the links began.
func (c *Core) EachLink(yield func(Link)) {
	for _, p := range c.links {
		yield(Link{ID: p.ID, Name: c.report.Name(p.ID), Zone: p.Node.Zone, Packets: p.Packets, Sessions: p.Sessions, Liveness: &p.Swim, Overlay: &p.overlay})
	}
}

// Table returns the member table for reading.
func (c *Core) Table() *members.Table { return &c.members }

// Detector returns the failure detector for reading.
func (c *Core) Detector() *swim.Detector { return c.swim.Detector }

// Beacons returns what beacons have shown, for reading.
func (c *Core) Beacons() *beacon.Beacons { return c.broadcast.Beacons }

// Parents returns the neighbors from which this node takes full copies of the messages of an origin.
func (c *Core) Parents(origin uint64) (list []wire.NodeID) {
	for _, p := range c.links {
		if c.broadcast.Disseminator.IsParent(origin, &p.Neighbor) {
			list = append(list, p.ID)
		}
	}
	return list
}

// SetWatched sets whether each event.Duplicate is wanted.
func (c *Core) SetWatched(wanted bool) { c.broadcast.Watched = wanted }
