package members

import (
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// hasLeft reports whether a left entry proves a departure of its node that is not m's last one or an earlier one. m is
// the entry of that node, or nil.
func hasLeft(m *Entry, e *wire.Member) bool {
	n := nodeid.Departures(e.ID, &e.Proof)
	return n > 0 && (m == nil || n > m.Departures)
}

// noteDeparture records the departure that an alive or left entry about m proves, so that its proof and earlier ones prove
// nothing any more (docs/PROTOCOL.md M8).
func (m *Entry) noteDeparture(e *wire.Member) {
	m.Departures = max(m.Departures, nodeid.Departures(e.ID, &e.Proof))
}
