package direct

import (
	"bytes"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ReceiverStats counts what a Receiver took in. The fields only grow.
type ReceiverStats struct {
	Delivered  uint64 // messages to the application
	Pieces     uint64 // that were new
	Duplicates uint64 // pieces and messages that were not
	Malformed  uint64 // what is no direct message
	Unknown    uint64 // uses of a later version
	Oversize   uint64 // messages beyond their bound
	Unexpected uint64 // pieces that contradict others of their message
	StoreFull  uint64 // pieces that found no room
}

// A Receiver takes in the direct messages of other nodes, and remembers which ones came. Make it with NewReceiver. Not
// for concurrent use.
type Receiver struct {
	Stats ReceiverStats

	seen       seen.Singles
	store      *assembly.Store
	controlMax uint32
}

// NewReceiver makes a Receiver that has met no message. store has the messages that arrive in pieces. controlMax is the
// most bytes of a message of wire.UseControl.
func NewReceiver(store *assembly.Store, controlMax int) Receiver {
	return Receiver{store: store, controlMax: uint32(controlMax)}
}

// A Verdict says what becomes of a piece.
type Verdict uint8

const (
	Refused   Verdict = iota // it is dropped, and was counted
	Duplicate                // its message is here: the caller acknowledges all of it
	New                      // its message is not here
)

// Check parses a piece of a message and says what becomes of it. nested says that it is itself part of a message of
// wire.UseControl, in which there may be no further one.
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

// oversize reports whether a piece breaks a bound, or an empty piece is sent of a message that is not empty.
func (r *Receiver) oversize(d *wire.Direct, nested bool) bool {
	if d.Use == wire.UseControl && (nested || d.Total > r.controlMax) {
		return true
	}
	return d.Total > assembly.MessageMax || len(d.Data) == 0 && d.Total > 0
}

// Find returns the direct message with an id among those that a peer has begun; nil for none.
func Find(in assembly.Incoming, id wire.MessageID) *assembly.Assembly {
	i := slices.IndexFunc(in, func(a *assembly.Assembly) bool { return a.Direct && a.ID == id && !a.Forgotten() })
	if i < 0 {
		return nil
	}
	return in[i]
}

// An Arrival is what a piece brings.
type Arrival struct {
	Whole bool
	Data  []byte // of the whole message, the caller's to keep

	Again bool           // the piece was here before: the sender asks
	Ack   wire.DirectAck // what to answer then
}

// Whole returns what a message in one piece brings, and false if d is only a part of one.
func Whole(d *wire.Direct) (Arrival, bool) {
	if len(d.Data) != int(d.Total) {
		return Arrival{}, false
	}
	return Arrival{Whole: true, Data: bytes.Clone(d.Data)}, true
}

// Write takes in a piece of a. The store forgets a when it is whole.
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

// First reports whether a whole message was not met before, and remembers it.
func (r *Receiver) First(now time.Time, id *wire.MessageID) bool { return r.seen.First(now, id) }

// WholeAck acknowledges all of a message.
func WholeAck(id wire.MessageID, total uint32) wire.DirectAck {
	return wire.DirectAck{ID: id, Upto: total, Next: total}
}
