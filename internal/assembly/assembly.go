// Package assembly keeps the large messages of a node: those that arrive in pieces, and those that are on their way to
// other nodes. All peers that a message is sent to read from the same bytes.
//
// A Store owns the memory. It has a bound, allocates only what has arrived, and forgets what is needed least when it is
// full. A Store sends nothing and knows no peers: Spread tells it who still wants a message.
//
// To read it: assembly.go has one message, incoming.go bounds what one peer may begin, store.go has the Store, and need.go
// what it forgets first.
package assembly

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of one message (docs/PROTOCOL.md, "Frames").
const (
	MessageMax = 16 << 20 // bytes

	chunkSize = 64 << 10 // memory grows by so much as a message arrives
	RangesMax = 2048     // separate ranges of bytes; more is no honest loss
)

// An Assembly is a large message as far as it has arrived. The store sets the fields above Pending; the others belong to
// those who transfer and deliver the message. It must not be copied.
type Assembly struct {
	ID       wire.MessageID
	Total    uint32 // bytes of the whole message
	Direct   bool   // for one node alone; Store.Get does not find it
	Have     rangeset.Set
	Began    time.Time // when the first byte came
	Progress time.Time // when bytes last came, or were last sent

	Pending   int      // transfers that it is needed for, and whoever else needs it
	PassedOn  bool     // it was queued for all links
	Delivered bool     // the application has it
	Ours      bool     // a broadcast of this node
	Kept      bool     // somebody waits for its acknowledgement: it is not forgotten before that
	Use       wire.Use // of a direct message of this node
	Spread    Spread   // what dissemination knows of it; nil if nobody can request it

	chunks [][]byte // allocated when their first byte arrives; nil once the message was forgotten
	bytes  int      // of the chunks there are
}

// Spread is what dissemination knows of a broadcast. Its methods change nothing, except Release.
type Spread interface {
	Awaited() bool // a neighbor may still request the message
	Owned() bool   // a neighbor has shown that it has the message, or receives it from another node
	Release()      // the store has forgotten the message
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

// requestable reports whether a neighbor may still request the message.
func (a *Assembly) requestable() bool { return a.Spread != nil && a.Spread.Awaited() }

// elsewhere reports whether another node has the message.
func (a *Assembly) elsewhere() bool { return a.Spread != nil && a.Spread.Owned() }
