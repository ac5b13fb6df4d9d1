package node

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// nameTakenFor is how long a conflict about this node's name counts. While the conflict lasts, it is reported about every
// 30 s.
const nameTakenFor = 70 * time.Second

// A nameTaken remembers that another live node has this node's name, so that nodes that know it do not have this one as a member.
// It is owned by the loop.
type nameTaken struct {
	name string
	by   netip.AddrPort
	at   time.Time // of the last conflict that this node lost; zero if there was none
}

// note takes a conflict about a name. A node that knows another one with the name, which has had it for longer,
// mostly has that one as the member (PROTOCOL.md M4).
func (t *nameTaken) note(now time.Time, self wire.NodeID, e *event.Event) {
	m, other := &e.Member, e.Other
	if m.ID != self {
		return
	}
	*t = nameTaken{}
	if other.Named < m.Named || other.Named == m.Named && bytes.Compare(other.ID[:], m.ID[:]) < 0 {
		*t = nameTaken{m.Name, other.Addr, now}
	}
}

// present returns the present warning, or an empty text.
func (t *nameTaken) present(now time.Time) string {
	if t.at.IsZero() || now.Sub(t.at) > nameTakenFor {
		return ""
	}
	return fmt.Sprintf("the node at %s has this node's name %q, and has had it for longer: nodes that know it do not have this node as a member", t.by, t.name)
}
