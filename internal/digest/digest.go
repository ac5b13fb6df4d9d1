// Package digest encodes digests, with which a node announces the broadcasts of an origin that it has (docs/PROTOCOL.md,
// "Repair by digests"). It owns no state and never sends anything. The package has one file.
package digest

import (
	"encoding/binary"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Digest says which broadcasts of one origin its sender has: those with counters from Top-Below to Top, except the
// holes (PROTOCOL.md Q7).
type Digest struct {
	Origin uint64     // the first 8 bytes of the message ids
	Top    uint64     // highest counter
	Below  uint16     // number of counters below Top that the digest covers; at most Top
	Age    wire.Delay // time since the sender received Top
	Delay  wire.Delay // delay of the origin's messages at the sender
	Lazy   bool       // the sender does not send full copies of this origin's messages
	Kept   bool       // the sender keeps Top for the receiver until the receiver shows that it has it
	Offer  bool       // Top is a large message that the sender has begun to receive, and the receiver may take it
	Holes  []Hole     // missing counters, highest first
}

// A Hole is the range of counters from Top-Below-N+1 to Top-Below.
type Hole struct{ Below, N uint16 }

// Bounds and sizes of a Digest.
const (
	HolesMax = 32
	MinSize  = 8 + 8 + 2 + 2 + 2 + 1 + 1
	MaxSize  = MinSize + HolesMax*holeSize

	holeSize = 4
)

// A List is a sequence of digests: the value of a Have. A digest is its origin (8 bytes), top (8), span, age, delay (2 each),
// flags (1; bit 0: lazy, bit 1: kept, bit 2: offer), number of holes (1), and per hole its offset below top and its length (2 each).
type List struct{ entries []byte }

// ListOf returns the List with the value of a Have. It aliases entries.
func ListOf(entries []byte) List { return List{entries} }

// Bytes returns the value of a Have. The List owns it.
func (l *List) Bytes() []byte { return l.entries }

// Add appends a digest. It must have at most HolesMax holes.
func (l *List) Add(d *Digest) {
	b := binary.BigEndian.AppendUint64(l.entries, d.Origin)
	b = binary.BigEndian.AppendUint64(b, d.Top)
	b = binary.BigEndian.AppendUint16(b, d.Below)
	b = binary.BigEndian.AppendUint16(b, uint16(d.Age))
	b = binary.BigEndian.AppendUint16(b, uint16(d.Delay))
	var flags byte
	if d.Lazy {
		flags |= 1
	}
	if d.Kept {
		flags |= 2
	}
	if d.Offer {
		flags |= 4
	}
	b = append(b, flags, byte(len(d.Holes)))
	for _, hole := range d.Holes {
		b = binary.BigEndian.AppendUint16(b, hole.Below)
		b = binary.BigEndian.AppendUint16(b, hole.N)
	}
	l.entries = b
}

// Size returns the encoded size of the digests in bytes.
func (l *List) Size() int { return len(l.entries) }

// Next removes the first digest from l and overwrites d with it. It returns false if l is empty or malformed.
func (l *List) Next(d *Digest) bool {
	b := l.entries
	if len(b) < MinSize {
		return false
	}
	holes := d.Holes[:0]
	*d = Digest{Origin: binary.BigEndian.Uint64(b), Top: binary.BigEndian.Uint64(b[8:]), Below: binary.BigEndian.Uint16(b[16:]),
		Age: wire.Delay(binary.BigEndian.Uint16(b[18:])), Delay: wire.Delay(binary.BigEndian.Uint16(b[20:])), Lazy: b[22]&1 != 0, Kept: b[22]&2 != 0, Offer: b[22]&4 != 0}
	n := int(b[23])
	b = b[MinSize:]
	if n > HolesMax || len(b) < n*holeSize || uint64(d.Below) > d.Top {
		return false
	}
	for ; n > 0; n-- {
		holes = append(holes, Hole{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])})
		b = b[holeSize:]
	}
	d.Holes, l.entries = holes, b
	return true
}

// Has reports whether the sender of the digest has the message with the given counter.
func (d *Digest) Has(counter uint64) bool {
	if counter > d.Top || d.Top-counter > uint64(d.Below) {
		return false
	}
	below := d.Top - counter
	for _, h := range d.Holes {
		if below >= uint64(h.Below) && below-uint64(h.Below) < uint64(h.N) {
			return false
		}
	}
	return true
}
