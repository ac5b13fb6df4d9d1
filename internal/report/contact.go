package report

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Dial writes that a handshake begins. Only the given node may answer it, if id is not zero. Members often have
// handshakes, to measure round-trip times and to probe each other, so those are written only if they fail.
func (r *Reporter) Dial(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if r.cfg.Debug && !r.cfg.Members.IsLive(id) {
		r.log(now, logbook.Handshake, "beginning a handshake with %s", to)
	}
}

// Established writes that a handshake with a node that is not a member is complete.
func (r *Reporter) Established(now time.Time, id wire.NodeID, at netip.AddrPort, initiator bool) {
	if !r.cfg.Debug || r.cfg.Members.IsLive(id) {
		return
	}
	who := "the other node"
	if initiator {
		who = "this node"
	}
	r.log(now, logbook.Handshake, "completed a handshake with %s at %s, begun by %s", r.Who(id), at, who)
}

// AttemptFailed writes why a handshake failed.
func (r *Reporter) AttemptFailed(now time.Time, to netip.AddrPort, err error) {
	if r.cfg.Debug {
		r.log(now, logbook.Handshake, "the handshake with %s failed: %v", to, err)
	}
}

// Rejected writes why a handshake packet with the sender id was refused: an operator who sets up a cluster needs to know
// about a wrong key, label or clock. A call that writes nothing is cheap, because strangers can cause calls.
func (r *Reporter) Rejected(now time.Time, from netip.AddrPort, id wire.NodeID, reason handshake.Reason) {
	kind := rejections[reason]
	switch {
	case r.book.Suppress(now, kind):
	case reason == handshake.FalseID:
		r.warn(now, kind, "handshake with %s refused: %s: it shows that of %s (does an attacker have the key?)", from, reason, r.Who(id))
	default:
		r.warn(now, kind, "handshake with %s refused: %s%s", from, reason, advice[reason])
	}
}

// advice contains what an operator can check after a refusal.
var advice = [handshake.Reasons]string{
	handshake.TimeOff:       " (do the clocks of both nodes agree to 60 s?)",
	handshake.BadKey:        " (do both nodes have the same key and label?)",
	handshake.Unfinished:    " (it began the handshake: does what this node sends reach it?)",
	handshake.LegacyRefused: " (Config.AllowLegacy admits gwyh 0.1 nodes)",
}

// rejections contains the kinds of warnings about refused handshake packets.
var rejections = func() (kinds [handshake.Reasons]string) {
	for r := range kinds {
		kinds[r] = "reject " + handshake.Reason(r).String()
	}
	return kinds
}()

// NotRenewed writes that the session with a peer was not renewed.
func (r *Reporter) NotRenewed(now time.Time, id wire.NodeID, tries int) {
	r.warn(now, "renew", "the session with %s was not renewed in %d tries: continuing with the old one", r.Who(id), tries)
}

// PathShrunk writes that datagrams of a size no longer reach a peer.
func (r *Reporter) PathShrunk(now time.Time, id wire.NodeID, lost, size int) {
	r.warn(now, "mtu", "datagrams of %d bytes to %s do not arrive: continuing with %d", lost, r.Who(id), size)
}

// PathFound writes the maximum datagram size to a peer.
func (r *Reporter) PathFound(now time.Time, id wire.NodeID, size int) {
	r.log(now, logbook.Path, "datagrams of %d bytes reach %s", size, r.Who(id))
}

// LinkUp writes that the link with a peer began.
func (r *Reporter) LinkUp(now time.Time, id wire.NodeID) { r.link(now, id, "up", "began") }

// LinkDown writes that the link with a peer ended.
func (r *Reporter) LinkDown(now time.Time, id wire.NodeID) { r.link(now, id, "down", "ended") }

func (r *Reporter) link(now time.Time, id wire.NodeID, traced, logged string) {
	if r.cfg.Trace != nil {
		r.cfg.Trace.Emit(now, trace.Event{Kind: trace.Link, What: traced, Peer: r.Name(id)})
	}
	if r.cfg.Debug {
		r.log(now, logbook.Link, "the link with %s %s", r.Who(id), logged)
	}
}

// Avoided writes that a member is not asked for a link for some time.
func (r *Reporter) Avoided(now time.Time, m *members.Entry, pause time.Duration) {
	if r.cfg.Debug {
		r.log(now, logbook.Link, "member %s refused a link: no further request to it for about %v", m, pause)
	}
}

// Choice writes which members this node subscribes to.
func (r *Reporter) Choice(now time.Time, choice []wire.NodeID) {
	if r.cfg.Trace != nil {
		r.cfg.Trace.Emit(now, trace.Event{Kind: trace.Choice, Peers: namesOf(choice, r.plain)})
	}
	if r.cfg.Debug {
		r.log(now, logbook.Choice, "chose %d of %d other members to subscribe to: %v", len(choice), r.cfg.Members.Count()-1, namesOf(choice, r.Who))
	}
}

func namesOf(nodes []wire.NodeID, name func(wire.NodeID) string) []string {
	names := make([]string, len(nodes))
	for i, id := range nodes {
		names[i] = name(id)
	}
	return names
}
