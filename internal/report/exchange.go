package report

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// OwnStateTooLarge writes that the state of this application is too large to send.
func (r *Reporter) OwnStateTooLarge(now time.Time, size uint64, limit int) {
	r.warn(now, "own state", "LocalState returned %d bytes, of which at most %d can be sent: no other node gets it", size, limit)
}

// StateTooLarge writes that the state of another node is too large to send.
func (r *Reporter) StateTooLarge(now time.Time, id wire.NodeID, at netip.AddrPort, size uint64, limit int) {
	r.warn(now, "state", "the state of %q at %s has %d bytes, of which at most %d can be sent: it is not merged", r.Name(id), at, size, limit)
}

// Vetoed writes that this application refuses to merge with another node's cluster.
func (r *Reporter) Vetoed(now time.Time, id wire.NodeID, at netip.AddrPort, veto error) {
	r.warn(now, "merge", "not becoming one cluster with %q at %s: %q", r.Name(id), at, veto.Error())
}

// VetoedByPeer writes that another node refuses this one.
func (r *Reporter) VetoedByPeer(now time.Time, id wire.NodeID, at netip.AddrPort, reason string) {
	r.warn(now, "refused", "%q at %s refuses this node: %q", r.Name(id), at, reason)
}

// KeptOut writes that the application refuses a node as a member.
func (r *Reporter) KeptOut(now time.Time, m *members.Member, veto error) {
	r.warn(now, "alive", "%q at %s is kept out: %q", m.Name, m.Addr, veto.Error())
}

// Misfit writes that a node and a member have incompatible versions.
func (r *Reporter) Misfit(now time.Time, e *wire.Member, member *members.Entry) {
	r.warn(now, "versions", "%q at %s is kept out: %v", e.Name, e.Addr, pushpull.Disagreement(string(e.Name), e.Versions, member))
}

// PayloadTooLarge writes that the payload of answers to Pings is too large to send.
func (r *Reporter) PayloadTooLarge(now time.Time, size, limit int) {
	r.warn(now, "payload", "AckPayload of %d bytes, of which at most %d can be sent: not sent", size, limit)
}
