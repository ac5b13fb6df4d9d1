package report

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Enter starts an input.
func (r *Reporter) Enter(now time.Time) { r.cfg.Trace.Enter(now) }

// Received traces that a datagram arrived.
func (r *Reporter) Received(now time.Time, from wire.Path, b []byte) {
	if r.cfg.Trace != nil {
		r.cfg.Trace.Emit(now, trace.Event{Kind: trace.Packet, What: "received", Peer: from.Remote.String(), Bytes: len(b)})
	}
}

// Sent traces that datagrams were sent.
func (r *Reporter) Sent(now time.Time, run *outbox.Run) {
	if r.cfg.Trace == nil {
		return
	}
	e := trace.Event{Kind: trace.Packet, What: "sent", Peer: run.To.Remote.String(), Bytes: len(run.Bytes)}
	if run.Count > 1 {
		e.Count = run.Count
	}
	r.cfg.Trace.Emit(now, e)
}

// Handshake traces which step of a handshake arrived.
func (r *Reporter) Handshake(now time.Time, from wire.Path, p *wire.Packet) {
	if r.cfg.Trace == nil {
		return
	}
	var h wire.Handshake
	if q := *p; q.ParseHandshake(&h) == nil {
		r.cfg.Trace.Emit(now, trace.Event{Kind: trace.Message, What: "received", Peer: from.Remote.String(), Message: h.Step.String(), ID: h.ID.String()})
	}
}

// Message traces that a message of a peer arrived.
func (r *Reporter) Message(now time.Time, from wire.NodeID, m *wire.Message) {
	if r.cfg.Trace != nil {
		r.cfg.Trace.Emit(now, trace.Event{Kind: trace.Message, What: "received", Peer: r.Name(from), Message: m.Kind.String(), ID: m.ID.String(), Bytes: len(m.Data)})
	}
}

// Events traces the events that are passed to the application.
func (r *Reporter) Events(events []event.Event) {
	if r.cfg.Trace == nil {
		return
	}
	for i := range events {
		if t := traced(&events[i]); t.Kind != "" {
			r.cfg.Trace.EmitNow(t)
		}
	}
}

// traced returns the trace event of an event. Its Kind is empty if there is none.
func traced(e *event.Event) trace.Event {
	switch e.Kind {
	case event.Join:
		return trace.Event{Kind: trace.Member, Peer: e.Member.Name, What: "joined"}
	case event.Update:
		return trace.Event{Kind: trace.Member, Peer: e.Member.Name, What: "updated"}
	case event.Conflict:
		return trace.Event{Kind: trace.Member, Peer: e.Member.Name, What: "conflict"}
	case event.Leave:
		return trace.Event{Kind: trace.Member, Peer: e.Member.Name, What: e.Member.State.String()}
	case event.Message:
		return trace.Event{Kind: trace.Message, What: "delivered", Bytes: len(e.Data)}
	case event.Joined:
		t := trace.Event{Kind: trace.Node, What: "join ended"}
		if e.Err != nil {
			t.Text = e.Err.Error()
		}
		return t
	case event.Log:
		return trace.Event{Kind: trace.Text, Text: e.Text}
	}
	return trace.Event{}
}
