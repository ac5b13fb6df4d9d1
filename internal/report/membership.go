package report

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Arrival writes how a node became a member, or that it restarted.
func (r *Reporter) Arrival(now time.Time, a *members.Change) {
	m := a.Member
	ago := now.Sub(a.FailedAt).Round(time.Millisecond)
	switch {
	case a.Replaces:
		r.log(now, logbook.Back, "member %s was restarted", m)
	case a.Kind != members.Joined:
	case a.Failed == nil:
		r.log(now, logbook.Joined, "member %s joined%s", m, inZone(m.Zone))
	case a.Restarted:
		r.log(now, logbook.Back, "member %s is back: it was restarted after it failed %v ago", m, ago)
	default:
		r.log(now, logbook.Back, "member %s is back: it had failed %v ago", m, ago)
	}
}

func inZone(z wire.Zone) string {
	if !z.Valid {
		return ""
	}
	return fmt.Sprintf(" in zone %q", z.Name)
}

// Removal writes that a member failed or left.
func (r *Reporter) Removal(now time.Time, a *members.Change) {
	m := a.Member
	switch {
	case m.State == wire.StateLeft:
		r.log(now, logbook.Left, "member %s left", m)
	case m.Accuser() == wire.NodeID{}:
		r.log(now, logbook.Failed, "member %s failed%s", m, lastHeard(now, a))
	default:
		r.log(now, logbook.Failed, "member %s failed, detected by %s%s", m, r.Who(m.Accuser()), lastHeard(now, a))
	}
}

// lastHeard says whether a member that failed was silent, or did not hear this node. It returns "" without a link.
func lastHeard(now time.Time, a *members.Change) string {
	ago := func(t time.Time) time.Duration { return now.Sub(t).Round(time.Millisecond) }
	switch {
	case a.Heard.IsZero():
		return ""
	case a.DeafSince.IsZero():
		return fmt.Sprintf(": its last packet arrived %v ago", ago(a.Heard))
	}
	return fmt.Sprintf(": its last packet arrived %v ago, and it has reported for %v that it hears nothing of this node "+
		"(check the firewall and NAT on the way there)", ago(a.Heard), ago(a.DeafSince))
}

// Leaving writes that this node leaves.
func (r *Reporter) Leaving(now time.Time) { r.log(now, logbook.Left, "this node leaves") }

// Returning writes that this node has joined again after it left.
func (r *Reporter) Returning(now time.Time) {
	r.log(now, logbook.Joined, "this node is a member again after it left")
}

// Conflict writes that a live member keeps its name, which the node of the entry e claims too.
func (r *Reporter) Conflict(now time.Time, member *members.Entry, e *wire.Member) {
	switch {
	case member != r.cfg.Members.Self():
		r.log(now, logbook.Name, "two nodes have the name %q: the one at %s keeps it, the one at %s is not a member", member.Name, member.Addr, e.Addr)
	case members.Later(e, member):
		r.log(now, logbook.Name, "this node keeps the name %q, which it has had for longer: the node at %s is not a member", member.Name, e.Addr)
	default:
		r.log(now, logbook.Name, "the node at %s has this node's name %q, and has had it for longer: nodes that know it do not have this node as a member. "+
			"Give each node a name of its own", e.Addr, member.Name)
	}
}

// Reserved writes that the name of an entry is reserved for a node that failed.
func (r *Reporter) Reserved(now time.Time, e *wire.Member, dead *members.Entry) {
	r.warn(now, "held", "the name %q is kept for the node at %s, which failed a short time ago: the node at %s has to wait", e.Name, dead.Addr, e.Addr)
}

// Refusal writes why an alive entry is not accepted. It writes one line per reason at a time.
func (r *Reporter) Refusal(now time.Time, reason string, e *wire.Member, err error) {
	r.warn(now, "refusal "+reason, "member %q at %s is not accepted: %v", e.Name, e.Addr, err)
}

// LegacyLimit writes that a broadcast of size bytes does not reach the gwyh 0.1 members.
func (r *Reporter) LegacyLimit(now time.Time, size, limit int) {
	r.warn(now, "legacy size", "a broadcast of %d bytes does not go to the %d gwyh 0.1 members: they accept at most %d bytes", size, r.cfg.Members.CountLegacy(), limit)
}

// LegacyDown writes that gwyh 0.1 nodes consider this node down.
func (r *Reporter) LegacyDown(now time.Time) {
	r.warn(now, "legacy down", "gwyh 0.1 nodes consider this node down: beginning new handshakes with them")
}
