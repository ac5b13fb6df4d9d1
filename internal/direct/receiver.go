package direct

import (
	"bytes"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ReceiverStats counts what a Receiver processed. Every field only increases.
type ReceiverStats struct {
	Delivered  uint64 // messages delivered to the application
	Pieces     uint64 // new pieces
	Duplicates uint64 // pieces and messages that had already arrived
	Malformed  uint64 // malformed direct messages
	Unknown    uint64 // messages with a use of a later version
	Oversize   uint64 // messages larger than their bound
	Unexpected uint64 // pieces that contradict other pieces of their message
	StoreFull  uint64 // pieces dropped because the store was full
}

// A Receiver processes direct messages of other nodes and remembers their ids. Create one with NewReceiver. It is not
// safe for concurrent use.
type Receiver struct {
	Stats ReceiverStats

	seen       seen.Singles
	store      *assembly.Store
	controlMax uint32
}

// NewReceiver returns a Receiver without remembered ids. store holds the messages that arrive in pieces. controlMax is
// the maximum size in bytes of a message of wire.UseControl.
func NewReceiver(store *assembly.Store, controlMax int) Receiver {
	return Receiver{store: store, controlMax: uint32(controlMax)}
}

// A Verdict is the result of checking a piece.
type Verdict uint8

const (
	Refused   Verdict = iota // the piece was dropped and counted
	Duplicate                // the message has already arrived: the caller acknowledges all of it
	New                      // the message has not arrived
)

// Check parses a piece of a message and returns its verdict. nested says that the piece is itself part of a message of
// wire.UseControl, which must not contain another one.
func (r *Receiver) Check(id *wire.MessageID, data []byte, nested bool) (wire.Direct, Verdict) {
	d, err := wire.ParseDirect(data)
	switch {
	case err != nil:
		r.Stats.Malformed++
	case !d.Use.Known():
		r.Stats.Unknown++
	case r.oversize(&d, nested):
		r.Stats.Oversize++
	case r.seen.Has(id):
		r.Stats.Duplicates++
		return d, Duplicate
	default:
		return d, New
	}
	return d, Refused
}

// oversize reports whether a piece exceeds a bound or is an empty piece of a non-empty message.
func (r *Receiver) oversize(d *wire.Direct, nested bool) bool {
	if d.Use == wire.UseControl && (nested || d.Total > r.controlMax) {
		return true
	}
	return d.Total > assembly.MessageMax || len(d.Data) == 0 && d.Total > 0
}

// Find returns the direct message with an id among those that a peer has begun, or nil if there is none.
func Find(in assembly.Incoming, id wire.MessageID) *assembly.Assembly {
	i := slices.IndexFunc(in, func(a *assembly.Assembly) bool { return a.Direct && a.ID == id && !a.Forgotten() })
	if i < 0 {
		return nil
	}
	return in[i]
}

// An Arrival is the result of processing a piece (PROTOCOL.md U3).
type Arrival struct {
	Whole bool
	Data  []byte // the complete message; owned by the caller

	Again bool           // the piece had already arrived: the sender asks for an acknowledgement
	Ack   wire.DirectAck // the acknowledgement to send in that case
}

// Whole returns the arrival of a message in one piece. It returns false if d is only a part of a message.
func Whole(d *wire.Direct) (Arrival, bool) {
	if len(d.Data) != int(d.Total) {
		return Arrival{}, false
	}
	return Arrival{Whole: true, Data: bytes.Clone(d.Data)}, true
}

// Write adds a piece to a. A complete message is removed from the store.
func (r *Receiver) Write(now time.Time, a *assembly.Assembly, d *wire.Direct) (v Arrival) {
	if a.Total != d.Total {
		r.Stats.Unexpected++
		return v
	}
	fresh, ok := r.store.Write(now, a, d.Offset, d.Data)
	switch {
	case !ok:
		r.Stats.StoreFull++
	case a.Complete():
		v.Whole, v.Data = true, a.Copy()
		r.store.Remove(a)
	case !fresh:
		r.Stats.Duplicates++
		upto := a.Have.Prefix()
		v.Again, v.Ack = true, wire.DirectAck{ID: a.ID, Upto: upto, Next: a.Have.After(upto, a.Total)}
	default:
		r.Stats.Pieces++
	}
	return v
}

// First reports whether a complete message is new, and remembers its id (PROTOCOL.md U2).
func (r *Receiver) First(now time.Time, id *wire.MessageID) bool { return r.seen.First(now, id) }

// WholeAck returns the acknowledgement of an entire message.
func WholeAck(id wire.MessageID, total uint32) wire.DirectAck {
	return wire.DirectAck{ID: id, Upto: total, Next: total}
}
