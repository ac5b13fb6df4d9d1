// Package assembly stores the large messages of a node: those that arrive in pieces, and those that are being sent to
// other nodes. All transfers of a message read from the same bytes.
//
// A Store owns the memory. It has a bound, allocates only what has arrived, and drops the least needed messages when it
// is full. A Store sends nothing and does not know peers: Spread reports which nodes still need a message.
//
// Reading order: assembly.go (one message), incoming.go (bounds what one peer may begin), store.go (the Store), need.go
// (what the Store drops first).
package assembly

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of one message (docs/PROTOCOL.md, "Frames").
const (
	MessageMax = 16 << 20 // maximum size in bytes

	chunkSize = 64 << 10 // size of the allocations as a message arrives, in bytes
	RangesMax = 2048     // maximum separate byte ranges; honest loss causes fewer
)

// An Assembly is a large message as far as it has arrived. The store sets the fields above Pending; the code that
// transfers and delivers the message sets the others. An Assembly must not be copied (PROTOCOL.md F1).
type Assembly struct {
	ID       wire.MessageID
	Total    uint32 // size of the complete message in bytes
	Direct   bool   // a direct message; Store.Get does not find it
	Have     rangeset.Set
	Began    time.Time // when the first byte arrived
	Progress time.Time // when bytes last arrived or were last sent

	Pending   int      // number of transfers and other users that need it
	PassedOn  bool     // it was queued for all links
	Delivered bool     // it was delivered to the application
	Ours      bool     // a broadcast of this node
	Kept      bool     // its acknowledgement is awaited; it is not dropped before that
	Use       wire.Use // use of a direct message of this node
	Spread    Spread   // its dissemination state; nil if no node can request it

	chunks [][]byte // allocated when their first byte arrives; nil after the message was dropped
	bytes  int      // bytes in allocated chunks
}

// Spread is the dissemination state of a broadcast. Its methods change nothing, except Release.
type Spread interface {
	Awaited() bool // a neighbor may still request the message
	Owned() bool   // a neighbor has shown that it has the message or receives it from another node
	Release()      // called when the store has dropped the message
}

// Complete reports whether all bytes have arrived.
func (a *Assembly) Complete() bool { return a.Have.Covers(0, a.Total) }

// Forgotten reports whether the store has dropped the message. Its bytes cannot be read after that.
func (a *Assembly) Forgotten() bool { return a.chunks == nil }

// Allocated returns the memory of the message in bytes.
func (a *Assembly) Allocated() int { return a.bytes }

// Piece returns the bytes [from, to), cut at the end of the first chunk. They must have arrived. The slice is read-only
// and valid until the message is dropped.
func (a *Assembly) Piece(from, to uint32) []byte {
	chunk := a.chunks[from/chunkSize]
	begin := from % chunkSize
	end := min(begin+to-from, uint32(len(chunk)))
	return chunk[begin:end]
}

// Copy returns a copy of the complete message, which the caller owns. The message must be complete.
func (a *Assembly) Copy() []byte {
	b := make([]byte, 0, a.Total)
	for _, c := range a.chunks {
		b = append(b, c...)
	}
	return b
}

// requestable reports whether a neighbor may still request the message.
func (a *Assembly) requestable() bool { return a.Spread != nil && a.Spread.Awaited() }

// elsewhere reports whether another node has the message.
func (a *Assembly) elsewhere() bool { return a.Spread != nil && a.Spread.Owned() }
