// Package broadcast decides how messages get from their origin to every node: which neighbors are sent a full copy of each
// message and which an announcement, from which neighbors full copies are taken, and what is requested of whom.
//
// The choice is made for each origin. A node takes full copies of an origin's messages from a few neighbors, its parents:
// those whose copies come first. The others send digests, and what is missing is requested from them. A message of an
// origin that a node knows nothing of floods (docs/PROTOCOL.md, "Paths"). This is reverse-path flood-and-prune with
// the announcements of Plumtree (Leitão et al., DI-FCUL TR-07-14).
//
// The package owns what is known of each neighbor ([Neighbor]) and of each origin, which messages were met, announced and
// requested, and who has shown that it has a large message ([Large]). It never sends: an input returns outcomes, and the
// core encodes and sends the messages that they ask for. It does not know sessions, queues or the bytes of a message. It
// has no clock, lock or goroutine.
//
// To read it: neighbor.go, origin.go, large.go and missing.go (what is known of a neighbor, of an origin, of a large message and
// of what was announced and is not here), broadcast.go (the root), outcome.go, links.go (links and time), learn.go and
// parents.go (which neighbors bring an origin's messages first, and which of them are its parents), steer.go (Prune and
// Graft), spread.go (who is sent a full copy), digest.go (what is announced), announced.go (what others announce, and
// what is requested) with grace.go, serve.go (requests of others), pieces.go (large messages), then held.go, recent.go and
// load.go.
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

// MessageMax is the most bytes of one message.
const MessageMax = assembly.MessageMax

// Config is what a Disseminator is made of.
type Config struct {
	Self      uint64        // the origin id of this node's messages
	Heartbeat time.Duration // interval of this node's heartbeats
	Keep      time.Duration // for how long small messages are kept; less than 3 s counts as 3 s
}

// A Disseminator is the dissemination of one node. The zero value is not ready; see [New]. Not for concurrent use.
type Disseminator struct {
	Stats Stats
	Seen  seen.Set  // messages that were met, of other nodes and of this one
	Held  HeldQueue // messages of this node that wait for its first link

	whole seen.Source // large messages that are whole, whoever brought them

	cfg       Config
	epoch     time.Time   // origin of the times that are kept as durations
	neighbors []*Neighbor // in the order in which their links came up
	slots     []*Neighbor // by Neighbor.slot; nil where none is linked
	origins   origins
	pieces    *origin   // stands for all origins as far as their large messages go
	learning  []*origin // whose parents are chosen when what was sampled has settled, in that order
	missing   missingTable
	recent    recentMessages
	large     map[wire.MessageID]*Large
	kept      []*Large            // the large messages that are here, in the order in which they came
	keptOf    map[uint64][]*Large // the same by their origin
	grace     grace
	passed    uint64    // messages that passed; see Neighbor.credit
	news      time.Time // when the oldest message passed that a heartbeat has not announced yet; zero for none
	next      time.Time // when Tick is next needed; zero for never

	digest digest.Digest // scratch
}

// Stats counts what a Disseminator did. All fields only grow.
type Stats struct {
	Announced uint64 // digests sent: one for each origin and neighbor
	Requested uint64 // pieces requested that were announced and did not come
	Repaired  uint64 // messages that came because they were requested
	Prunes    uint64 // neighbors asked to become lazy, once for each origin
	Grafts    uint64 // neighbors asked to become eager, once for each origin
	Stops     uint64 // neighbors asked to send no more of a large message

	Malformed  uint64 // messages of neighbors that do not parse
	Unexpected uint64 // announcements of nodes without a link, and requests beyond what was announced
	Oversize   uint64 // pieces of messages beyond their bound
	Overflow   uint64 // announcements beyond what one neighbor may make
	Abandoned  uint64 // announced messages that did not come, however often requested
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
	d.pieces = &origin{id: wire.AllLarge, topFrom: -1}
	d.origins.add(cfg.Self, 0, 0).chosen = true // it needs no parents
	return d
}

// since returns a time as what is kept of it.
func (d *Disseminator) since(now time.Time) time.Duration {
	if d.epoch.IsZero() {
		d.epoch = now.Add(-time.Hour) // so that 0 is long ago
	}
	return now.Sub(d.epoch)
}

// Next returns when Tick is next needed; zero for never.
func (d *Disseminator) Next() time.Time { return d.next }

// recentFor is for how many times Config.Keep it is remembered where a small message is kept: the arena may keep it longer.
const recentFor = 2

// Kept remembers where the bytes of a small message are kept that passes, for neighbors that request it.
func (d *Disseminator) Kept(now time.Time, id *wire.MessageID, place arena.Ref) {
	if id.HasOrigin() {
		d.recent.put(now, id, place, recentFor*d.cfg.Keep)
	}
}

// Remembered returns of how many small messages it is known where their bytes are kept.
func (d *Disseminator) Remembered() int { return d.recent.len() }

// Place returns where the bytes of a small message are kept that passed lately.
func (d *Disseminator) Place(id *wire.MessageID) (arena.Ref, bool) { return d.recent.get(id) }

// wake has Tick called at a time, or before.
func (d *Disseminator) wake(at time.Time) { d.next = timer.Soonest(d.next, at) }

// lookup returns a large message; nil if it is not here.
func (d *Disseminator) lookup(id wire.MessageID) *Large {
	if l := d.large[id]; l != nil && !l.released {
		return l
	}
	return nil
}

// Requests returns how many messages are announced and have not come.
func (d *Disseminator) Requests() int { return len(d.missing.byID) }

// Origins returns how many origins the node knows the parents of.
func (d *Disseminator) Origins() int { return len(d.origins.byID) }

// origin returns what is known of an origin; nil for nothing. [wire.AllLarge] stands for the large messages of all.
func (d *Disseminator) origin(id uint64) *origin {
	if id == wire.AllLarge {
		return d.pieces
	}
	return d.origins.byID[id]
}

// IsParent reports whether full copies of an origin's messages are taken from n.
func (d *Disseminator) IsParent(id uint64, n *Neighbor) bool {
	o := d.origin(id)
	if o == nil || !n.linked {
		return false
	}
	return n.slot < len(o.paths) && o.paths[n.slot].is(parent)
}

// Parents returns how many parents there are for all origins together.
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
