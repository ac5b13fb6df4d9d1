package assembly

import (
	"slices"
	"time"
)

// Bounds of what one peer may have begun and not ended (docs/PROTOCOL.md, "Frames").
const (
	IncompleteSize  = 8 << 20        // bytes that have arrived, beyond which the peer may begin no further message
	StallGrace      = time.Second    // a message without progress for so long gives way to another
	incompleteTotal = 4 * MessageMax // declared bytes
	incompleteCount = 256            // messages
)

// A Budget is what messages that were begun and are not complete take of what a peer may begin.
type Budget struct {
	count, size int
	declared    uint64
}

// Take adds a message of total bytes, of which size have arrived.
func (g *Budget) Take(total, size uint32) {
	g.count++
	g.size += int(size)
	g.declared += uint64(total)
}

// Allows reports whether a message of total bytes may be begun while fewer than size bytes of the others have arrived.
func (g *Budget) Allows(total uint32, size int) bool {
	return g.count < incompleteCount && g.size < size && g.declared+uint64(total) <= incompleteTotal
}

// Incoming is the messages that one peer has begun.
type Incoming []*Assembly

// Admit decides whether the peer may begin a message of total bytes, and which of those that stand still give way to it.
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
