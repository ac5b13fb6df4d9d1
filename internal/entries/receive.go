package entries

import (
	"iter"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Received returns the entries of a message. An entry is valid for one step. If the message is malformed, that is counted,
// and the entries before the fault are handled.
func (e *Entries) Received(data []byte) iter.Seq[*wire.Member] {
	return func(yield func(*wire.Member) bool) {
		it := wire.IterMembers(data)
		for more := true; more; {
			n := 0
			for n < len(e.batch) && more {
				if more = it.Next(&e.batch[n]); more {
					n++
				}
			}
			e.cfg.Members.Touch(e.batch[:n])
			for i := range n {
				if !yield(&e.batch[i]) {
					return
				}
			}
		}
		if it.Err() != nil {
			e.drop(stats.DropMalformedBody)
		}
	}
}
