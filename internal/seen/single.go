package seen

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of ids that are kept one by one (docs/PROTOCOL.md, "Seen").
const (
	singleMax   = 1 << 15         // ids of a generation
	singleAge   = 2 * time.Minute // after which a generation ends
	singleBytes = 3 << 20         // bytes of two generations, at most
)

// Singles remembers ids one by one, in two generations of bounded count and age. It remembers an id for singleAge at least, unless
// singleMax others come after it in this time. The zero value
// is empty.
type Singles struct {
	current map[wire.MessageID]struct{}
	before  map[wire.MessageID]struct{} // the generation before it
	turned  time.Time                   // when the current generation began
}

// Has reports whether an id is remembered.
func (s *Singles) Has(id *wire.MessageID) bool {
	_, current := s.current[*id]
	_, before := s.before[*id]
	return current || before
}

// First reports whether an id is not remembered, and remembers it.
func (s *Singles) First(now time.Time, id *wire.MessageID) bool {
	if s.Has(id) {
		return false
	}
	if s.current == nil || len(s.current) >= singleMax || now.Sub(s.turned) > singleAge {
		s.before, s.current, s.turned = s.current, make(map[wire.MessageID]struct{}), now
	}
	s.current[*id] = struct{}{}
	return true
}
