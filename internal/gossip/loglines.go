package gossip

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// The lines about members, links and handshakes (docs/DESIGN.md, "The log"). Those at DEBUG cost nothing unless
// Config.Debug is set: the check stands before the arguments are made.

// whoIs is how log lines name a node that need not be a member.
func (c *Core) whoIs(id wire.NodeID) string {
	if id == c.cfg.ID {
		return "this node"
	}
	if m := c.members.Get(id); m != nil && m.Name != "" {
		return fmt.Sprintf("%q", m.Name)
	}
	if p := c.peers[id]; p != nil && p.name != "" {
		return fmt.Sprintf("%q", p.name)
	}
	return id.String()
}

// logArrival writes how a node became a member, or was restarted.
func (c *Core) logArrival(now time.Time, a *members.Change) {
	m, joined := a.Member, a.Kind == members.Joined
	ago := now.Sub(a.FailedAt).Round(time.Millisecond)
	switch {
	case a.Replaces:
		c.log(now, logbook.Back, "member %s was restarted", m)
	case !joined:
	case a.Failed == nil:
		c.log(now, logbook.Joined, "member %s joined%s", m, inZone(m.Zone))
	case a.Restarted:
		c.log(now, logbook.Back, "member %s is back: it was restarted after it failed %v ago", m, ago)
	default:
		c.log(now, logbook.Back, "member %s is back: it had failed %v ago", m, ago)
	}
	if joined && a.Failed != nil {
		c.detect(now, c.swim.NoteBack(c.detected, now, a.Failed, a.Restarted))
	}
}

func inZone(z wire.Zone) string {
	if !z.Valid {
		return ""
	}
	return fmt.Sprintf(" in zone %q", z.Name)
}

// logRemoval writes that a member is gone.
func (c *Core) logRemoval(now time.Time, m *members.Entry) {
	switch {
	case m.State == wire.StateLeft:
		c.log(now, logbook.Left, "member %s left", m)
		return
	case m.Accuser == wire.NodeID{}:
		c.log(now, logbook.Failed, "member %s failed", m)
	default:
		c.log(now, logbook.Failed, "member %s failed, as found by %s", m, c.whoIs(m.Accuser))
	}
	if !m.Legacy() {
		c.swim.NoteFailed(now, m)
	}
}

// logConflict writes which of two live nodes keeps the name that both have.
func (c *Core) logConflict(now time.Time, existing *members.Entry, e *wire.Member) {
	keeps, out := existing.Addr, e.Addr
	if !members.Later(e, existing) {
		keeps, out = out, keeps
	}
	switch {
	case existing != c.self:
		c.log(now, logbook.Name, "two nodes have the name %q: the one at %s has had it for longer and keeps it, the one at %s is not a member",
			existing.Name, keeps, out)
	case out == c.self.Addr:
		c.log(now, logbook.Name, "this node is out: the name %q belongs to the node at %s, which has had it for longer. Other nodes do not have this node "+
			"as a member. Give each node a name of its own", existing.Name, keeps)
	default:
		c.log(now, logbook.Name, "this node keeps the name %q, which it has had for longer: the node at %s is not a member", existing.Name, out)
	}
}

// logHeardAgain writes that this node hears others again, after nothing had come for some time.
func (c *Core) logHeardAgain(now time.Time, silence time.Duration) {
	c.log(now, logbook.Partition, "this node hears other nodes again, after %v in which nothing came", silence.Round(time.Millisecond))
}

func (c *Core) logRefutation(now time.Time, m *members.Entry) {
	if c.cfg.Trace != nil {
		c.traceSuspicion(now, "refuted", m, wire.NodeID{})
	}
	if c.cfg.Debug {
		c.log(now, logbook.Refutation, "member %s is alive: it refuted the suspicion", m)
	}
}

// logDetection writes what the failure detector tells.
func (c *Core) logDetection(now time.Time, a *swim.Action) {
	if c.cfg.Trace != nil && a.Kind == swim.Suspected {
		c.traceSuspicion(now, "raised", a.Member, a.By)
	}
	switch a.Kind {
	case swim.NobodyHeard:
		c.warn(now, "alone", "nothing has come from any other node for %v: this node is cut off, or cannot receive, or is the only one left",
			a.Age.Round(time.Millisecond))
	case swim.FailedTogether:
		p := a.Partition
		c.log(now, logbook.Partition, "%d of %d members failed within %v: the network is partitioned, or they crashed together",
			p.Failed, p.Members, p.Last.Sub(p.Began).Round(time.Millisecond))
	case swim.BackTogether:
		c.logBackTogether(now, a.Partition)
	default:
		if c.cfg.Debug {
			c.logProbe(now, a)
		}
	}
}

func (c *Core) logBackTogether(now time.Time, p *swim.Partition) {
	verdict := "the partition is over"
	if p.Restarted == p.Back {
		verdict = "they were restarted"
	}
	c.log(now, logbook.Partition, "%d of %d members that failed together are back, %v after the first of them failed: %s",
		p.Back, p.Failed, now.Sub(p.Began).Round(time.Millisecond), verdict)
}

// logProbe writes a step of a probe, or of a suspicion.
func (c *Core) logProbe(now time.Time, a *swim.Action) {
	switch a.Kind {
	case swim.Suspected:
		c.log(now, logbook.Suspicion, "%s suspects that member %s has failed", c.whoIs(a.By), a.Member)
	case swim.ProbeStarted:
		c.log(now, logbook.Probe, "probing member %s, which is silent or does not hear this node", a.Member)
	case swim.HelpersAsked:
		c.log(now, logbook.Probe, "asked %d other nodes to probe member %s too", a.Count, a.Member)
	case swim.ProbeAnswered:
		c.log(now, logbook.Probe, "member %s answered the probe", a.Member)
	case swim.ProbeVouched:
		c.log(now, logbook.Probe, "member %s answered another node that probed it", a.Member)
	case swim.ProbeFailed:
		c.log(now, logbook.Probe, "member %s did not answer the probe", a.Member)
	}
}

// logDial writes that a handshake begins. Members shake hands all the time, to measure the way and to probe each other,
// so those handshakes are written only if they fail.
func (c *Core) logDial(now time.Time, d *joining.Dial) {
	if c.cfg.Debug && !c.isLive(d.Member) {
		c.log(now, logbook.Handshake, "shaking hands with %s", d.To)
	}
}

// logEstablished writes that a handshake with a node that is no member has ended.
func (c *Core) logEstablished(now time.Time, p *peer, initiator bool) {
	if !c.cfg.Debug || c.isLive(p.id) {
		return
	}
	who := "it"
	if initiator {
		who = "this node"
	}
	c.log(now, logbook.Handshake, "shook hands with %s at %s: %s began", c.whoIs(p.id), p.set.Path().Remote, who)
}

func (c *Core) logAttemptFailed(now time.Time, to netip.AddrPort, err error) {
	if c.cfg.Debug {
		c.log(now, logbook.Handshake, "the handshake with %s failed: %v", to, err)
	}
}

func (c *Core) logLink(now time.Time, p *peer) {
	if c.cfg.Trace != nil {
		c.traceLink(now, p)
	}
	if !c.cfg.Debug {
		return
	}
	what := "ended"
	if p.linked {
		what = "began"
	}
	c.log(now, logbook.Link, "the link with %s %s", c.whoIs(p.id), what)
}

func (c *Core) logAvoided(now time.Time, m *members.Entry, pause time.Duration) {
	if c.cfg.Debug {
		c.log(now, logbook.Link, "member %s did not agree to a link: it is not asked again for about %v", m, pause)
	}
}

// logChoice writes which members this node subscribes to.
func (c *Core) logChoice(now time.Time) {
	if c.cfg.Trace != nil {
		c.traceChoice(now, c.overlay.Choice())
	}
	if !c.cfg.Debug {
		return
	}
	choice := c.overlay.Choice()
	names := make([]string, len(choice))
	for i, id := range choice {
		names[i] = c.whoIs(id)
	}
	c.log(now, logbook.Choice, "chose %d of %d other members to subscribe to: %v", len(names), c.members.Count()-1, names)
}
