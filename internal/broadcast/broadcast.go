// Package broadcast decides how messages get from their origin to every node: which neighbors are sent a full copy of
// each message and which an announcement, from which neighbors full copies are taken, and what is requested from which
// neighbor.
//
// The choice is made per origin. A node takes full copies of an origin's messages from a few neighbors, its parents:
// those whose copies arrive first. The other neighbors send digests, and the node requests what is missing. Messages of
// an unknown origin are flooded (docs/PROTOCOL.md, "Paths"). This is reverse-path flood-and-prune with the announcements
// of Plumtree (Leitão et al., DI-FCUL TR-07-14).
//
// The package owns the state of each neighbor ([Neighbor]) and each origin, the sets of received, announced and
// requested messages, and the record of which neighbors have a large message ([Large]). It never sends: an input returns
// outcomes, and the core encodes and sends the messages that they ask for. It does not know sessions, queues or the
// bytes of a message, and it has no clock, lock or goroutine.
//
// Reading order: neighbor.go, origin.go, large.go and missing.go (state of a neighbor, an origin, a large message and a
// missing message), broadcast.go (the root), outcome.go, links.go (links and time), learn.go, candidates.go and parents.go (choice of
// parents), steer.go (Prune and Graft), spread.go (who is sent a full copy), digest.go (own announcements), announced.go
// and grace.go (announcements of others, and requests), serve.go (requests of others), pieces.go (large messages),
// then stripes.go and offers.go (who sends them).
package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// MessageMax is the maximum size of one message in bytes.
const MessageMax = assembly.MessageMax

// Config configures a Disseminator.
type Config struct {
	Self         uint64        // origin id of this node's messages
	HeartbeatGap time.Duration // longest time between two heartbeats of this node to a neighbor
	Keep         time.Duration // minimum time for which small messages are kept; values below 3 s mean 3 s
	SeenMax      int           // maximum bytes of the ids of messages; zero means seen.Budget
}

// A Disseminator is the dissemination of one node. Use [New] to create one. It is not safe for concurrent use.
type Disseminator struct {
	Stats Stats
	Seen  seen.Set // ids of messages sent or received

	whole seen.Source // complete large messages, whichever neighbor sent them

	cfg       Config
	epoch     time.Time   // reference for times stored as durations
	neighbors []*Neighbor // in the order in which their links came up
	slots     []*Neighbor // indexed by Neighbor.slot; nil for a free slot
	origins   origins
	learning  []*origin // origins that wait for the copies of a probe, ordered by probeEnds
	missing   missingTable
	recent    arena.Index
	large     map[wire.MessageID]*Large
	kept      []*Large            // the known large messages, in order of arrival
	keptOf    map[uint64][]*Large // the same, by origin
	failed    []wire.NodeID       // the last neighbors that failed and have not returned
	grace     grace
	passed    uint64    // number of messages seen; see Neighbor.credit
	news      time.Time // when the oldest message passed that no heartbeat has announced yet; zero for none
	soonSent  time.Time // when scheduled digests were last sent
	next      time.Time // when other work of Tick is due; zero for none

	digest digest.Digest // scratch
}

// Stats counts events of a Disseminator. Every field only increases.
type Stats struct {
	Announced uint64 // digests sent, one per origin and neighbor
	Requested uint64 // ranges requested because they were announced and did not arrive
	Repaired  uint64 // messages that arrived because they were requested
	Prunes    uint64 // neighbors asked to become lazy, counted per origin
	Grafts    uint64 // neighbors asked to become eager, counted per origin
	Stops     uint64 // neighbors asked to stop sending a large message
	Stripes   uint64 // neighbors told which stripes of large messages this node takes, counted per origin

	Malformed  uint64 // messages from neighbors that do not parse
	Unexpected uint64 // announcements from nodes without a link, and requests beyond a neighbor's credit
	Oversize   uint64 // pieces beyond the maximum message size
	Overflow   uint64 // announcements beyond a neighbor's bound
	Abandoned  uint64 // announced messages that never arrived despite requests
}

// New returns the Disseminator of a node without links.
func New(cfg Config) *Disseminator {
	cfg.Keep = max(cfg.Keep, keepMin)
	d := &Disseminator{
		cfg:     cfg,
		large:   make(map[wire.MessageID]*Large),
		keptOf:  make(map[uint64][]*Large),
		missing: missingTable{byID: make(map[wire.MessageID]*missing)},
		grace:   grace{length: graceMin},
		origins: origins{byID: make(map[uint64]*origin)},
	}
	d.Seen.Budget = cfg.SeenMax
	d.origins.add(cfg.Self, 0, 0).chosen = true // it needs no parents
	return d
}

// since returns a time as a duration since the epoch, the form in which times are stored.
func (d *Disseminator) since(now time.Time) time.Duration {
	if d.epoch.IsZero() {
		d.epoch = now.Add(-time.Hour) // so that 0 is in the distant past
	}
	return now.Sub(d.epoch)
}

// wake makes Tick due at the given time or earlier.
func (d *Disseminator) wake(at time.Time) { d.next = timer.Soonest(d.next, at) }

// recentFor times Config.Keep is the time for which the places of small messages are known: the arena may keep longer.
const recentFor = 2

// Kept records where a small message is stored so that neighbors can request it.
func (d *Disseminator) Kept(now time.Time, id *wire.MessageID, place arena.Ref) {
	if id.HasOrigin() {
		d.recent.Put(now, id, place, recentFor*d.cfg.Keep)
	}
}

// Remembered returns the number of small messages whose place is known.
func (d *Disseminator) Remembered() int { return d.recent.Len() }

// Place returns where a recent small message is stored.
func (d *Disseminator) Place(id *wire.MessageID) (arena.Ref, bool) { return d.recent.Get(id) }

// lookup returns a large message, or nil if it is unknown or released.
func (d *Disseminator) lookup(id wire.MessageID) *Large {
	if l := d.large[id]; l != nil && !l.released {
		return l
	}
	return nil
}

// Requests returns the number of announced messages that have not arrived.
func (d *Disseminator) Requests() int { return len(d.missing.byID) }

// Origins returns the number of origins with known paths.
func (d *Disseminator) Origins() int { return len(d.origins.byID) }

// originOf returns the origin of a message, and adds it if needed. It returns nil if there is no room.
func (d *Disseminator) originOf(now time.Time, id *wire.MessageID) *origin {
	if o := d.origins.byID[id.Origin()]; o != nil || !id.HasOrigin() {
		return o
	}
	o := d.origins.add(id.Origin(), d.since(now), len(d.slots))
	if o == nil {
		return nil
	}
	o.top, o.topFrom = id.Counter()-1, -1
	o.marks = [marks]uint64{o.top, o.top, o.top}
	o.chosen = o.id == d.cfg.Self // its own messages need no parents
	return o
}

// IsParent reports whether n is a parent for an origin.
func (d *Disseminator) IsParent(id uint64, n *Neighbor) bool {
	o := d.origins.byID[id]
	return n.linked && o.has(n) && o.paths[n.slot].is(parent)
}

// Parents returns the number of parents, summed over all origins.
func (d *Disseminator) Parents() (count int) {
	for o := range d.origins.all {
		for i := range o.paths {
			if o.paths[i].is(parent) {
				count++
			}
		}
	}
	return count
}
