package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

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
var memberEvents = map[EventKind]string{EventJoin: "joined", EventUpdate: "updated", EventConflict: "conflict"}

// traceEvents writes what the application is about to hear.
func (rp *reporter) traceEvents(events []Event) {
	c := rp.core
	for i := range events {
		e := &events[i]
		t := trace.Event{Kind: trace.Member, Peer: e.Member.Name}
		switch e.Kind {
		case EventJoin, EventUpdate, EventConflict:
			t.What = memberEvents[e.Kind]
		case EventLeave:
			t.What = e.Member.State.String()
		case EventMessage:
			t = trace.Event{Kind: trace.Message, What: "delivered", Bytes: len(e.Data)}
		case EventJoined:
			t = trace.Event{Kind: trace.Node, What: "join ended"}
			if e.Err != nil {
				t.Text = e.Err.Error()
			}
		case EventLog:
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
