// Package ping manages the Pings that the application requests, and the payload of answers to Pings.
//
// It owns the application's Pings in progress and the times of their retransmission and expiry. It sends no messages and
// does not know peers or sessions: an input returns Outcomes, which the core processes in order. The Pings of failure
// detection are in package swim, which also determines the Ping that an answer belongs to.
//
// Reading order: ping.go (the Pings), payload.go (the content of answers).
package ping

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of Pings.
const (
	Max   = 1024 // maximum number in progress
	tries = 3    // maximum number of times that a Ping is sent
)

// A Token identifies a Ping. Zero means none.
type Token uint64

// A Kind says what an Outcome asks of the core or reports to it.
type Kind uint8

const (
	// Send asks the core to send a Ping to Peer for Token.
	Send Kind = iota
	// Answered reports that Token was answered after RTT.
	Answered
	// Unanswered reports that no answer arrived in time.
	Unanswered
	// OtherName reports that the node at the address does not have the expected name.
	OtherName
	// Legacy reports that the node at the address is a gwyh 0.1 node, which does not answer Pings.
	Legacy
	// Unreached reports that there was no session because of Err.
	Unreached
)

// An Outcome is one result of an input. Each Token has exactly one Outcome other than Send.
type Outcome struct {
	Kind  Kind
	Token Token
	Peer  wire.NodeID
	RTT   time.Duration
	Err   error
}

// Pings holds the Pings in progress. The zero value is empty. The inputs append their outcomes to out, which the caller
// owns, and return the result. Pings is not safe for concurrent use.
type Pings struct {
	pings  []*ping
	last   Token
	timers timer.Heap
	out    []Outcome // the caller's buffer during an input, otherwise nil
}

type ping struct {
	token Token
	name  string // required name of the node; empty for any
	began time.Time
	every time.Duration // interval of retransmissions
	until time.Time
	peer  wire.NodeID // zero before there is a session
	timer timer.Timer
}

// Begin begins a Ping that ends no later than until. A non-empty name is the required name of the node. Begin returns
// false if Max Pings are in progress. The core calls SessionReady when there is a session with the node.
func (x *Pings) Begin(now time.Time, name string, until time.Time) (Token, bool) {
	if len(x.pings) >= Max {
		return 0, false
	}
	x.last++
	p := &ping{token: x.last, name: name, began: now, every: until.Sub(now) / tries, until: until}
	p.timer.Fire = func(now time.Time) { x.step(now, p) }
	x.pings = append(x.pings, p)
	x.timers.Set(&p.timer, until)
	return p.token, true
}

// SessionReady sends the first Ping for t to peer, which has the given name. It does nothing if the Ping has ended.
func (x *Pings) SessionReady(out []Outcome, now time.Time, t Token, peer wire.NodeID, name string) []Outcome {
	p := x.find(t)
	if p == nil {
		return out
	}
	x.out = out
	switch {
	case !peer.IsGo():
		x.end(p, Outcome{Kind: Legacy})
	case p.name != "" && p.name != name:
		x.end(p, Outcome{Kind: OtherName})
	default:
		p.peer = peer
		x.step(now, p)
	}
	return x.take()
}

// ReachedSelf ends a Ping whose address is one of this node's own. name is this node's name.
func (x *Pings) ReachedSelf(out []Outcome, now time.Time, t Token, name string) []Outcome {
	p := x.find(t)
	if p == nil {
		return out
	}
	o := Outcome{Kind: Answered, RTT: now.Sub(p.began)}
	if p.name != "" && p.name != name {
		o = Outcome{Kind: OtherName}
	}
	return x.endWith(out, p, o)
}

// HandleAck ends a Ping that was answered. It does nothing if t is zero or has ended.
func (x *Pings) HandleAck(out []Outcome, t Token, rtt time.Duration) []Outcome {
	return x.endWith(out, x.find(t), Outcome{Kind: Answered, RTT: rtt})
}

// Fail ends a Ping because there is no session. err is the reason.
func (x *Pings) Fail(out []Outcome, t Token, err error) []Outcome {
	return x.endWith(out, x.find(t), Outcome{Kind: Unreached, Err: err})
}

// HandleTimeout performs the first action that is due, if any. The caller repeats it, and processes the outcomes after
// each call, until NextTimeout is later than now.
func (x *Pings) HandleTimeout(out []Outcome, now time.Time) []Outcome {
	x.out = out
	x.timers.RunNext(now)
	return x.take()
}

// NextTimeout returns when HandleTimeout must be called. Zero means never.
func (x *Pings) NextTimeout() time.Time { return x.timers.Next() }

// Len returns the number of Pings in progress.
func (x *Pings) Len() int { return len(x.pings) }

func (x *Pings) find(t Token) *ping {
	if i := slices.IndexFunc(x.pings, func(p *ping) bool { return p.token == t }); i >= 0 {
		return x.pings[i]
	}
	return nil
}

// step sends a Ping, or ends it if its time is up.
func (x *Pings) step(now time.Time, p *ping) {
	if !now.Before(p.until) || p.peer == (wire.NodeID{}) {
		x.end(p, Outcome{Kind: Unanswered})
		return
	}
	x.out = append(x.out, Outcome{Kind: Send, Token: p.token, Peer: p.peer})
	x.timers.Set(&p.timer, timer.Soonest(p.until, now.Add(max(p.every, timer.MinTick))))
}

// endWith ends p, which may be nil, as an input of its own.
func (x *Pings) endWith(out []Outcome, p *ping, o Outcome) []Outcome {
	if p == nil {
		return out
	}
	x.out = out
	x.end(p, o)
	return x.take()
}

func (x *Pings) end(p *ping, o Outcome) {
	x.pings = slices.DeleteFunc(x.pings, func(other *ping) bool { return other == p })
	x.timers.Stop(&p.timer)
	o.Token = p.token
	x.out = append(x.out, o)
}

// take ends the current input and returns the buffer to the caller, who owns it.
func (x *Pings) take() []Outcome {
	out := x.out
	x.out = nil
	return out
}
