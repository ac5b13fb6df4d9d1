package assembly

import (
	"slices"
	"time"
)

// Bounds of the incomplete messages that one peer may have begun (docs/PROTOCOL.md, "Frames").
const (
	IncompleteSize  = 8 << 20        // arrived bytes above which the peer may begin no further message
	StallGrace      = time.Second    // a message without progress for this time may be dropped for another one
	incompleteTotal = 4 * MessageMax // maximum declared bytes
	incompleteCount = 256            // maximum messages
)

// A Budget sums up the incomplete messages that a peer has begun.
type Budget struct {
	count, size int
	declared    uint64
}

// Take adds a message of total bytes, of which size bytes have arrived.
func (g *Budget) Take(total, size uint32) {
	g.count++
	g.size += int(size)
	g.declared += uint64(total)
}

// Allows reports whether a message of total bytes may begin: fewer than size bytes of the others must have arrived.
func (g *Budget) Allows(total uint32, size int) bool {
	return g.count < incompleteCount && g.size < size && g.declared+uint64(total) <= incompleteTotal
}

// Incoming holds the messages that one peer has begun.
type Incoming []*Assembly

// Admit reports whether the peer may begin a message of total bytes, and which stalled messages must be dropped for it
// (PROTOCOL.md F3).
func (in *Incoming) Admit(now time.Time, total uint32) (evicted []*Assembly, ok bool) {
	var used Budget
	*in = slices.DeleteFunc(*in, func(a *Assembly) bool {
		over := a.Forgotten() || a.Complete()
		if !over {
			used.Take(a.Total, uint32(a.bytes))
		}
		return over
	})
	if used.Allows(total, IncompleteSize) {
		return nil, true
	}
	used = Budget{}
	for _, a := range *in {
		if now.Sub(a.Progress) > StallGrace {
			evicted = append(evicted, a)
		} else {
			used.Take(a.Total, uint32(a.bytes))
		}
	}
	return evicted, used.Allows(total, IncompleteSize)
}
