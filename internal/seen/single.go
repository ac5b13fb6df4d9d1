package seen

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of single ids (docs/PROTOCOL.md, "Seen").
const (
	singleMax   = 1 << 15         // maximum ids in a generation
	singleAge   = 2 * time.Minute // maximum age of a generation
	singleBytes = 3 << 20         // maximum bytes of two generations
)

// Singles records single ids in two generations of bounded size and age. An id is kept for at least singleAge, unless
// singleMax others follow within that time. The zero value is empty (PROTOCOL.md D7).
type Singles struct {
	current map[wire.MessageID]struct{}
	before  map[wire.MessageID]struct{} // the previous generation
	turned  time.Time                   // when the current generation began
}

// Has reports whether an id is recorded.
func (s *Singles) Has(id *wire.MessageID) bool {
	_, current := s.current[*id]
	_, before := s.before[*id]
	return current || before
}

// First reports whether an id is not recorded, and records it.
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
