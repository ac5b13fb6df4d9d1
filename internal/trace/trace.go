// Package trace writes the events in a node, one JSON object per line, for people and tools that look for the cause of
// a problem. It is off by default: a node without a Tracer makes no events, and compares with nil once for each.
//
// A Log owns the writer and the format of the time. A Tracer is the Log of one node. Neither decides what is an event:
// trace.go in internal/gossip does. Keys and payloads are never written.
//
// There is one file.
package trace

import (
	"encoding/json"
	"io"
	"strconv"
	"time"
)

// Kind is the subject of an event.
type Kind string

const (
	Packet    Kind = "packet"    // datagrams were sent to, received from or lost on the way to or from Peer, an address
	Message   Kind = "message"   // a message was received from a peer or delivered to the application
	Link      Kind = "link"      // a link came up or went down
	Member    Kind = "member"    // a member joined, was updated, failed or left
	Suspicion Kind = "suspicion" // a node suspected a member, or a member refuted that
	Choice    Kind = "choice"    // the node chose the members to subscribe to
	Node      Kind = "node"      // a node was started or crashed
	Text      Kind = "log"       // a line of the log
)

// An Event is one event in a node. Empty fields are left out of the line.
type Event struct {
	Kind    Kind     `json:"event"`
	What    string   `json:"what,omitempty"`    // what happened: sent, received, up, down, joined ...
	Peer    string   `json:"peer,omitempty"`    // the other node: its name if that is known, its id, or its address
	By      string   `json:"by,omitempty"`      // the node that caused it
	Message string   `json:"message,omitempty"` // kind of a message, or step of a handshake
	ID      string   `json:"id,omitempty"`      // of a message
	Bytes   int      `json:"bytes,omitempty"`
	Count   int      `json:"count,omitempty"` // number of datagrams if there are several
	Peers   []string `json:"peers,omitempty"`
	Text    string   `json:"text,omitempty"`
}

// A Log writes the events of one or more nodes. It is not safe for concurrent use.
type Log struct {
	w     io.Writer
	start time.Time
	err   error
}

// NewLog returns a Log. Times are written as seconds since start, for virtual time. If start is zero, they are written
// as RFC 3339.
func NewLog(w io.Writer, start time.Time) *Log { return &Log{w: w, start: start} }

// Err returns the error that ended the log, or nil. Nothing is written after an error.
func (l *Log) Err() error { return l.err }

// Tracer returns the Tracer of the named node.
func (l *Log) Tracer(node string) *Tracer { return &Tracer{log: l, node: node} }

// A Tracer writes the events of one node. A nil Tracer writes nothing.
type Tracer struct {
	log  *Log
	node string
	now  time.Time // of the last Emit or Enter
}

// Enter records the time for EmitNow.
func (t *Tracer) Enter(now time.Time) {
	if t != nil {
		t.now = now
	}
}

// EmitNow is like Emit with the time of the last Emit or Enter, for callers without a clock.
func (t *Tracer) EmitNow(e Event) {
	if t != nil {
		t.Emit(t.now, e)
	}
}

// Emit writes an event.
func (t *Tracer) Emit(now time.Time, e Event) {
	if t == nil || t.log.err != nil {
		return
	}
	t.now = now
	b, err := json.Marshal(line{t.log.at(now), t.node, e})
	if err == nil {
		_, err = t.log.w.Write(append(b, '\n'))
	}
	t.log.err = err
}

// line is an Event with the fields that the Tracer adds.
type line struct {
	At   json.RawMessage `json:"t"`
	Node string          `json:"node"`
	Event
}

// at returns a time in the format of the log.
func (l *Log) at(now time.Time) json.RawMessage {
	if l.start.IsZero() {
		return strconv.AppendQuote(nil, now.UTC().Format(time.RFC3339Nano))
	}
	return strconv.AppendFloat(nil, now.Sub(l.start).Seconds(), 'f', 6, 64)
}
