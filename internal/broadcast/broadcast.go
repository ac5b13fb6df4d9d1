// Package broadcast decides how messages get from their origin to every node: which neighbors are sent a full copy and
// which an announcement, from which neighbors full copies are taken, and what is requested of whom.
//
// Small messages go to all neighbors while a link carries few. On a busy link, and for large messages, a neighbor that
// does not want full copies is sent announcements, and requests what does not come (docs/PROTOCOL.md,
// "Announcements"). The idea is Plumtree's: Leitão et al., DI-FCUL TR-07-14. A node takes full copies from the two
// neighbors that were first lately, its parents.
//
// The package owns what is known of each neighbor ([Neighbor]), which messages were met, announced and requested, and who
// has shown that it has a large message ([Large]). It never sends: an input returns outcomes, and the core encodes and
// sends the messages that they ask for. It does not know sessions, queues or the bytes of a message. It has no clock,
// lock or goroutine.
//
// To read it: neighbor.go and large.go (what is known of a neighbor and of a large message), broadcast.go (the root),
// outcome.go, spread.go (who is sent a copy), announced.go (announcements of neighbors, and what is requested) with
// expected.go and requests.go, batch.go and serve.go (announcements to neighbors, and their requests), parents.go,
// duplicates.go and steer.go (from whom copies are taken), then held.go, recent.go and lately.go.
package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// MessageMax is the most bytes of one message.
const MessageMax = assembly.MessageMax

// A Disseminator is the dissemination of one node. The zero value is not ready; see [New]. Not for concurrent use.
type Disseminator struct {
	Stats  Stats
	Seen   seen.Set  // messages that were met, of other nodes and of this one
	Held   HeldQueue // messages of this node that wait for its first link
	Recent Recent    // where the small messages are kept that were announced
	Lately Lately    // the small messages that passed in the last seconds

	whole seen.Source // large messages that are whole, whoever brought them

	neighbors []*Neighbor // in the order in which their links came up
	large     map[wire.MessageID]*Large
	requests  requests
	grace     grace
	want      wire.Want // requests being written: memory of a SendRequest

	firsts     int // first copies of small messages since the parents were last chosen
	duplicates int // duplicates of small messages since then
}

// Stats counts what a Disseminator did. All fields only grow.
type Stats struct {
	Announced uint64 // messages announced instead of sent, one per link
	Requested uint64 // pieces requested that were announced and did not come
	Prunes    uint64 // neighbors asked to become lazy, or to stop one message
	Grafts    uint64 // neighbors asked to become eager

	Malformed  uint64 // messages of neighbors that do not parse
	Unexpected uint64 // announcements of nodes without a link, and requests of what was not announced
	Oversize   uint64 // announcements of messages beyond their bound
	Overflow   uint64 // announcements beyond what one neighbor may make
	Abandoned  uint64 // announced messages that did not come, however often requested
}

// New returns the Disseminator of a node without links.
func New() *Disseminator {
	return &Disseminator{
		large:    make(map[wire.MessageID]*Large),
		requests: requests{byID: make(map[wire.MessageID]request)},
		grace:    grace{length: graceMin},
	}
}

// LinkUp begins to exchange broadcasts with n. Both ends send everything until one of them asks for less. rtt is the
// round trip to n, or a guess.
func (d *Disseminator) LinkUp(n *Neighbor, id wire.NodeID, rtt time.Duration) {
	d.LinkDown(n)
	*n = Neighbor{ID: id, RTT: rtt, linked: true, Eager: true, Parent: true, Source: n.Source}
	d.neighbors = append(d.neighbors, n)
	for _, l := range d.large {
		l.told = slices.DeleteFunc(l.told, func(o *Neighbor) bool { return o == n }) // n has forgotten the announcement
	}
}

// LinkDown ends the exchange of broadcasts with n, and forgets what n announced and what was requested of it. It does
// nothing to a neighbor without a link.
func (d *Disseminator) LinkDown(n *Neighbor) {
	d.neighbors = slices.DeleteFunc(d.neighbors, func(o *Neighbor) bool { return o == n })
	d.requests.forgetAll(n)
	*n = Neighbor{ID: n.ID, Source: n.Source}
}

// Sweep forgets what is too old. It returns false if nothing is left for it to do later. The core calls it about once a second
// while it returns true or large messages are there.
func (d *Disseminator) Sweep(now time.Time) (more bool) {
	d.Held.sweep(now)
	d.Recent.sweep(now)
	for id, l := range d.large {
		if l.released {
			delete(d.large, id)
		}
	}
	return len(d.Held.messages) > 0 || d.Recent.Len() > 0
}

// Parents returns how many neighbors full copies are taken from.
func (d *Disseminator) Parents() (count int) {
	for _, n := range d.neighbors {
		if n.Parent {
			count++
		}
	}
	return count
}

// Eager returns how many neighbors are sent full copies.
func (d *Disseminator) Eager() (count int) {
	for _, n := range d.neighbors {
		if n.Eager {
			count++
		}
	}
	return count
}

// Begin takes note that a large message of total bytes is here, or comes. pieces is what has arrived; it stays the core's,
// and is read until [Large.Release].
func (d *Disseminator) Begin(id wire.MessageID, total uint32, pieces *rangeset.Set) *Large {
	l := &Large{id: id, total: total, pieces: pieces}
	d.large[id] = l
	return l
}

// lookup returns a large message that is here; nil if it is not.
func (d *Disseminator) lookup(id *wire.MessageID) *Large {
	if len(d.large) == 0 {
		return nil
	}
	if l := d.large[*id]; l != nil && !l.released {
		return l
	}
	return nil
}

// Shown takes note that n has shown that it has the message id, or gets it from another node.
func (d *Disseminator) Shown(n *Neighbor, id wire.MessageID) { d.lookup(&id).shown(n) }

// Requests returns how many messages were requested and have not come.
func (d *Disseminator) Requests() int { return len(d.requests.byID) }
