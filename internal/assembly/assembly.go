// Package assembly keeps the large messages of a node: those that arrive in pieces, and those that are on their way to
// other nodes. All peers that a message is sent to read from the same bytes.
//
// A Store owns the memory. It has a bound, allocates only what has arrived, and forgets what is needed least when it is
// full. A Store sends nothing, and knows peers by their ids only; which of them are linked, it is told.
//
// To read it: assembly.go has one message, incoming.go bounds what one peer may begin, store.go has the Store, and need.go
// what it forgets first.
package assembly

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of one message (docs/PROTOCOL.md, "Frames").
const (
	MessageMax = 16 << 20 // bytes

	chunkSize = 64 << 10 // memory grows by so much as a message arrives
	rangesMax = 2048     // separate ranges of bytes; more is no honest loss
)

// An Assembly is a large message as far as it has arrived. The store sets the fields above Pending; the others belong to
// those who transfer and deliver the message. It must not be copied.
type Assembly struct {
	ID       wire.MessageID
	Total    uint32 // bytes of the whole message
	Direct   bool   // for one node alone; Store.Get does not find it
	Have     rangeset.Set
	Began    time.Time // when the first byte came
	Came     time.Time // when bytes last came
	Progress time.Time // when bytes last came, or were last sent

	Pending   int      // transfers that it is needed for, and whoever else needs it
	PassedOn  bool     // it was queued for all links
	Delivered bool     // the application has it
	Ours      bool     // a broadcast of this node
	Kept      bool     // somebody waits for its acknowledgement: it is not forgotten before that
	Use       wire.Use // of a direct message of this node
	Sources   []Source // who has sent pieces, in the order of their first ones

	chunks    [][]byte // allocated when their first byte arrives; nil once the message was forgotten
	bytes     int      // of the chunks there are
	announced []wire.NodeID
	supplied  []wire.NodeID
}

// A Source is a peer that has sent a piece of a message.
type Source struct {
	Peer wire.NodeID
	At   time.Time // when the first one came
}

// Complete reports whether all bytes have arrived.
func (a *Assembly) Complete() bool { return a.Have.Covers(0, a.Total) }

// Forgotten reports whether the store has forgotten the message. Nothing can be read from it then.
func (a *Assembly) Forgotten() bool { return a.chunks == nil }

// Allocated returns how many bytes of memory the message takes.
func (a *Assembly) Allocated() int { return a.bytes }

// Piece returns the bytes [from, to), or those of them up to the end of their chunk. They must have arrived, and are
// valid until the message is forgotten. They must not be written to.
func (a *Assembly) Piece(from, to uint32) []byte {
	chunk := a.chunks[from/chunkSize]
	begin := from % chunkSize
	end := min(begin+to-from, uint32(len(chunk)))
	return chunk[begin:end]
}

// Copy returns the whole message, the caller's to keep. It must be complete.
func (a *Assembly) Copy() []byte {
	b := make([]byte, 0, a.Total)
	for _, c := range a.chunks {
		b = append(b, c...)
	}
	return b
}

// Announced notes that the message was announced to a neighbor, which may request it.
func (a *Assembly) Announced(neighbor wire.NodeID) {
	if !slices.Contains(a.announced, neighbor) {
		a.announced = append(a.announced, neighbor)
	}
}

// Supplied notes that a neighbor has the message, or receives it from another node.
func (a *Assembly) Supplied(neighbor wire.NodeID) {
	if !slices.Contains(a.supplied, neighbor) {
		a.supplied = append(a.supplied, neighbor)
	}
}

// Elsewhere reports whether a neighbor has the message, or receives it from another node.
func (a *Assembly) Elsewhere() bool { return len(a.supplied) > 0 }

// requestable reports whether a neighbor may still request the message: it was announced to the neighbor, which would
// announce it in turn, and has not shown that it has it.
func (a *Assembly) requestable() bool {
	return slices.ContainsFunc(a.announced, a.lacks)
}

// lacks reports whether nothing shows that a neighbor has the message.
func (a *Assembly) lacks(neighbor wire.NodeID) bool { return !slices.Contains(a.supplied, neighbor) }

// expected is requestable for the neighbors that heard accepts.
func (a *Assembly) expected(heard func(wire.NodeID) bool) bool {
	return slices.ContainsFunc(a.announced, func(n wire.NodeID) bool { return a.lacks(n) && heard(n) })
}

// From notes that a peer has sent a piece. It reports whether that was the peer's first.
func (a *Assembly) From(peer wire.NodeID, now time.Time) (first bool) {
	if first = !slices.ContainsFunc(a.Sources, func(s Source) bool { return s.Peer == peer }); first {
		a.Sources = append(a.Sources, Source{peer, now})
	}
	return first
}
