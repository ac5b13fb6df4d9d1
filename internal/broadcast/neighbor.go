package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Neighbor is the other end of one link, as dissemination sees it. The core keeps it beside what else it knows of the
// peer, and passes a pointer to it. The zero value is a neighbor without a link. Fields that are exported are the core's to
// read; it writes RTT and Source only.
type Neighbor struct {
	ID     wire.NodeID
	RTT    time.Duration // round trip, or a guess before one was measured; above zero while linked
	Eager  bool          // it is sent full copies; a lazy neighbor is sent announcements
	Parent bool          // full copies are taken from it
	Source seen.Source   // of messages, whether it is linked or not

	linked bool
	load   load

	// As a parent: see parents.go and duplicates.go.
	score      float64        // how often it was among the first two lately
	firsts     int            // first copies of small messages from it since the parents were last chosen
	duplicates int            // duplicates of small messages from it since then
	steered    time.Time      // when it was last sent a Prune or a Graft
	stopped    wire.MessageID // the message that the last Prune named
	stops      int            // messages that it was asked to stop since stopsSince
	stopsSince time.Time
	noticed    time.Time // scratch of byNotice

	// What it has announced: see announced.go and requests.go.
	expected  expected
	open      int           // entries of the request table that name it
	requested time.Time     // when it was last sent a request
	patience  time.Duration // how long it takes to answer a request, at least; zero until it was slow
	impatient time.Time     // when patience last grew because no answer came

	// What is announced to it: see batch.go and serve.go.
	batch      wire.Have // announcements that wait for company
	batchSince time.Time // since when the first of them waits
	credit     int       // pieces that it may still request
}

// Linked reports whether the link with n is up.
func (n *Neighbor) Linked() bool { return n.linked }

// HasAnnounced reports whether n has announced a message that has not come.
func (n *Neighbor) HasAnnounced(id wire.MessageID) bool { return n.expected.has(id) }

// Expected returns how many announcements of n wait for their messages.
func (n *Neighbor) Expected() int { return n.expected.len() }
