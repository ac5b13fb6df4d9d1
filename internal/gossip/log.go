package gossip

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// reporter writes the log and the trace of a core.
type reporter struct {
	core     *Core
	logbook  logbook.Book
	logTimer timer.Timer // of counts of lines left out
}

// log writes a line about a topic, within the topic's bound. A format quotes (%q) what a peer chose.
func (rp *reporter) log(now time.Time, t logbook.Topic, format string, args ...any) {

	var lines [2]string // the line, and perhaps the count of those left out before it
	rp.emitLines(now, rp.logbook.Append(lines[:0], now, t, format, args...))
}

// warn writes a line at WARN unless one of the same kind was written a short time ago. A format quotes (%q) what a peer
// chose.
func (rp *reporter) warn(now time.Time, kind, format string, args ...any) {

	var lines [1]string
	rp.emitLines(now, rp.logbook.AppendWarning(lines[:0], now, kind, format, args...))
}

// tickLog writes how many lines were left out.
func (rp *reporter) tickLog(now time.Time) {

	rp.emitLines(now, rp.logbook.Tick(nil, now))
}

func (rp *reporter) emitLines(now time.Time, lines []string) {
	c := rp.core
	for _, text := range lines {
		c.events.Add(event.Event{Kind: event.Log, Text: text})
	}
	if at := rp.logbook.NextTimeout(); !at.IsZero() {
		c.timers.Advance(&rp.logTimer, at)
	}
}

// SetDebug says whether anybody wants lines at DEBUG.
func (c *Core) SetDebug(wanted bool) { c.cfg.Debug = wanted }

// The lines about members, links and handshakes (docs/DESIGN.md, "The log"). Those at DEBUG cost nothing unless
// Config.Debug is set: the check stands before the arguments are made.

// whoIs is how log lines name a node that need not be a member.
func (rp *reporter) whoIs(id wire.NodeID) string {
	c := rp.core
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
func (rp *reporter) logArrival(now time.Time, a *members.Change) {
	c := rp.core
	m, joined := a.Member, a.Kind == members.Joined
	ago := now.Sub(a.FailedAt).Round(time.Millisecond)
	switch {
	case a.Replaces:
		rp.log(now, logbook.Back, "member %s was restarted", m)
	case !joined:
	case a.Failed == nil:
		rp.log(now, logbook.Joined, "member %s joined%s", m, inZone(m.Zone))
	case a.Restarted:
		rp.log(now, logbook.Back, "member %s is back: it was restarted after it failed %v ago", m, ago)
	default:
		rp.log(now, logbook.Back, "member %s is back: it had failed %v ago", m, ago)
	}
	if joined && a.Failed != nil {
		c.swim.detect(now, c.swim.NoteBack(c.swim.outcomes, now, a.Failed, a.Restarted))
	}
}

func inZone(z wire.Zone) string {
	if !z.Valid {
		return ""
	}
	return fmt.Sprintf(" in zone %q", z.Name)
}

// logRemoval writes that a member is gone.
func (rp *reporter) logRemoval(now time.Time, m *members.Entry) {
	c := rp.core
	switch {
	case m.State == wire.StateLeft:
		rp.log(now, logbook.Left, "member %s left", m)
		return
	case m.Accuser == wire.NodeID{}:
		rp.log(now, logbook.Failed, "member %s failed", m)
	default:
		rp.log(now, logbook.Failed, "member %s failed, as found by %s", m, rp.whoIs(m.Accuser))
	}
	if !m.Legacy() {
		c.swim.NoteFailed(now, m)
	}
}

// logConflict writes which of two live nodes keeps the name that both have.
func (rp *reporter) logConflict(now time.Time, existing *members.Entry, e *wire.Member) {
	c := rp.core
	keeps, out := existing.Addr, e.Addr
	if !members.Later(e, existing) {
		keeps, out = out, keeps
	}
	switch {
	case existing != c.members.Self():
		rp.log(now, logbook.Name, "two nodes have the name %q: the one at %s has had it for longer and keeps it, the one at %s is not a member",
			existing.Name, keeps, out)
	case out == c.members.Self().Addr:
		rp.log(now, logbook.Name, "this node is out: the name %q belongs to the node at %s, which has had it for longer. Other nodes do not have this node "+
			"as a member. Give each node a name of its own", existing.Name, keeps)
	default:
		rp.log(now, logbook.Name, "this node keeps the name %q, which it has had for longer: the node at %s is not a member", existing.Name, out)
	}
}

// logHeardAgain writes that this node hears others again, after nothing had come for some time.
func (rp *reporter) logHeardAgain(now time.Time, silence time.Duration) {

	rp.log(now, logbook.Partition, "this node hears other nodes again, after %v in which nothing came", silence.Round(time.Millisecond))
}

func (rp *reporter) logRefutation(now time.Time, m *members.Entry) {
	c := rp.core
	if c.cfg.Trace != nil {
		rp.traceSuspicion(now, "refuted", m, wire.NodeID{})
	}
	if c.cfg.Debug {
		rp.log(now, logbook.Refutation, "member %s is alive: it refuted the suspicion", m)
	}
}

// logDetection writes what the failure detector tells.
func (rp *reporter) logDetection(now time.Time, a *swim.Action) {
	c := rp.core
	if c.cfg.Trace != nil && a.Kind == swim.Suspected {
		rp.traceSuspicion(now, "raised", a.Member, a.By)
	}
	switch a.Kind {
	case swim.NobodyHeard:
		rp.warn(now, "alone", "nothing has come from any other node for %v: this node is cut off, or cannot receive, or is the only one left",
			a.Age.Round(time.Millisecond))
	case swim.FailedTogether:
		p := a.Partition
		rp.log(now, logbook.Partition, "%d of %d members failed within %v: the network is partitioned, or they crashed together",
			p.Failed, p.Members, p.Last.Sub(p.Began).Round(time.Millisecond))
	case swim.BackTogether:
		rp.logBackTogether(now, a.Partition)
	default:
		if c.cfg.Debug {
			rp.logProbe(now, a)
		}
	}
}

func (rp *reporter) logBackTogether(now time.Time, p *swim.Partition) {

	verdict := "the partition is over"
	if p.Restarted == p.Back {
		verdict = "they were restarted"
	}
	rp.log(now, logbook.Partition, "%d of %d members that failed together are back, %v after the first of them failed: %s",
		p.Back, p.Failed, now.Sub(p.Began).Round(time.Millisecond), verdict)
}

// logProbe writes a step of a probe, or of a suspicion.
func (rp *reporter) logProbe(now time.Time, a *swim.Action) {

	switch a.Kind {
	case swim.Suspected:
		rp.log(now, logbook.Suspicion, "%s suspects that member %s has failed", rp.whoIs(a.By), a.Member)
	case swim.ProbeStarted:
		rp.log(now, logbook.Probe, "probing member %s, which is silent or does not hear this node", a.Member)
	case swim.HelpersAsked:
		rp.log(now, logbook.Probe, "asked %d other nodes to probe member %s too", a.Count, a.Member)
	case swim.ProbeAnswered:
		rp.log(now, logbook.Probe, "member %s answered the probe", a.Member)
	case swim.ProbeVouched:
		rp.log(now, logbook.Probe, "member %s answered another node that probed it", a.Member)
	case swim.ProbeFailed:
		rp.log(now, logbook.Probe, "member %s did not answer the probe", a.Member)
	}
}

// logDial writes that a handshake begins. Members shake hands all the time, to measure the way and to probe each other,
// so those handshakes are written only if they fail.
func (rp *reporter) logDial(now time.Time, d *joining.Dial) {
	c := rp.core
	if c.cfg.Debug && !c.isLive(d.Member) {
		rp.log(now, logbook.Handshake, "shaking hands with %s", d.To)
	}
}

// logEstablished writes that a handshake with a node that is no member has ended.
func (rp *reporter) logEstablished(now time.Time, p *peer, initiator bool) {
	c := rp.core
	if !c.cfg.Debug || c.isLive(p.id) {
		return
	}
	who := "it"
	if initiator {
		who = "this node"
	}
	rp.log(now, logbook.Handshake, "shook hands with %s at %s: %s began", rp.whoIs(p.id), p.set.Path().Remote, who)
}

func (rp *reporter) logAttemptFailed(now time.Time, to netip.AddrPort, err error) {
	c := rp.core
	if c.cfg.Debug {
		rp.log(now, logbook.Handshake, "the handshake with %s failed: %v", to, err)
	}
}

func (rp *reporter) logLink(now time.Time, p *peer) {
	c := rp.core
	if c.cfg.Trace != nil {
		rp.traceLink(now, p)
	}
	if !c.cfg.Debug {
		return
	}
	what := "ended"
	if p.linked {
		what = "began"
	}
	rp.log(now, logbook.Link, "the link with %s %s", rp.whoIs(p.id), what)
}

func (rp *reporter) logAvoided(now time.Time, m *members.Entry, pause time.Duration) {
	c := rp.core
	if c.cfg.Debug {
		rp.log(now, logbook.Link, "member %s did not agree to a link: it is not asked again for about %v", m, pause)
	}
}

// logChoice writes which members this node subscribes to.
func (rp *reporter) logChoice(now time.Time) {
	c := rp.core
	if c.cfg.Trace != nil {
		rp.traceChoice(now, c.overlay.Choice())
	}
	if !c.cfg.Debug {
		return
	}
	choice := c.overlay.Choice()
	names := make([]string, len(choice))
	for i, id := range choice {
		names[i] = rp.whoIs(id)
	}
	rp.log(now, logbook.Choice, "chose %d of %d other members to subscribe to: %v", len(names), c.members.Count()-1, names)
}

// The events of a node (internal/trace). Whoever calls one of these functions has found c.cfg.Trace not to be nil, so that
// nothing is made for a trace that nobody wants.

// traceReceived writes that a datagram came.
func (rp *reporter) traceReceived(now time.Time, from wire.Path, b []byte) {
	c := rp.core
	c.cfg.Trace.Emit(now, trace.Event{Kind: trace.Packet, What: "received", Peer: from.Remote.String(), Bytes: len(b)})
}

// traceSent writes that datagrams were sent.
func (rp *reporter) traceSent(now time.Time, r *outbox.Run) {
	c := rp.core
	e := trace.Event{Kind: trace.Packet, What: "sent", Peer: r.To.Remote.String(), Bytes: len(r.Bytes)}
	if r.Count > 1 {
		e.Count = r.Count
	}
	c.cfg.Trace.Emit(now, e)
}

// traceHandshake writes which step of a handshake came.
func (rp *reporter) traceHandshake(now time.Time, from wire.Path, p *wire.Packet) {
	c := rp.core
	var h wire.Handshake
	if wire.ParseHandshake(&h, p.Handshake) == nil {
		c.cfg.Trace.Emit(now, trace.Event{Kind: trace.Message, What: "received", Peer: from.Remote.String(), Message: h.Step.String(), ID: h.ID.String()})
	}
}

// traceMessage writes that a message of a peer came.
func (rp *reporter) traceMessage(now time.Time, p *peer, m *wire.Message) {
	c := rp.core
	c.cfg.Trace.Emit(now, trace.Event{Kind: trace.Message, What: "received", Peer: rp.nameOf(p), Message: m.Kind.String(), ID: m.ID.String(), Bytes: len(m.Data)})
}

// traceLink writes that a link came up or went down.
func (rp *reporter) traceLink(now time.Time, p *peer) {
	c := rp.core
	what := "down"
	if p.linked {
		what = "up"
	}
	c.cfg.Trace.Emit(now, trace.Event{Kind: trace.Link, What: what, Peer: rp.nameOf(p)})
}

// traceSuspicion writes that a member is suspected, or is not any more. by is who suspects it.
func (rp *reporter) traceSuspicion(now time.Time, what string, m *members.Entry, by wire.NodeID) {
	c := rp.core
	e := trace.Event{Kind: trace.Suspicion, What: what, Peer: m.Name}
	if by != (wire.NodeID{}) {
		e.By = rp.plainName(by)
	}
	c.cfg.Trace.Emit(now, e)
}

// traceChoice writes which members this node subscribes to.
func (rp *reporter) traceChoice(now time.Time, choice []wire.NodeID) {
	c := rp.core
	names := make([]string, len(choice))
	for i, id := range choice {
		names[i] = rp.plainName(id)
	}
	c.cfg.Trace.Emit(now, trace.Event{Kind: trace.Choice, Peers: names})
}

// memberEvents is what a trace calls the events that are about a member.
var memberEvents = map[event.Kind]string{event.Join: "joined", event.Update: "updated", event.Conflict: "conflict"}

// traceEvents writes what the application is about to hear.
func (rp *reporter) traceEvents(events []event.Event) {
	c := rp.core
	for i := range events {
		e := &events[i]
		t := trace.Event{Kind: trace.Member, Peer: e.Member.Name}
		switch e.Kind {
		case event.Join, event.Update, event.Conflict:
			t.What = memberEvents[e.Kind]
		case event.Leave:
			t.What = e.Member.State.String()
		case event.Message:
			t = trace.Event{Kind: trace.Message, What: "delivered", Bytes: len(e.Data)}
		case event.Joined:
			t = trace.Event{Kind: trace.Node, What: "join ended"}
			if e.Err != nil {
				t.Text = e.Err.Error()
			}
		case event.Log:
			t = trace.Event{Kind: trace.Text, Text: e.Text}
		default:
			continue
		}
		c.cfg.Trace.EmitNow(t)
	}
}

// plainName is the name of a node, or its id if the name is not known.
func (rp *reporter) plainName(id wire.NodeID) string {
	c := rp.core
	if m := c.members.Get(id); m != nil && m.Name != "" {
		return m.Name
	}
	if p := c.peers[id]; p != nil && p.name != "" {
		return p.name
	}
	return id.String()
}
