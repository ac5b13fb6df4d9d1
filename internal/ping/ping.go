// Package ping keeps the Pings that the application asks for, and what the answers to Pings carry.
//
// It owns which Pings of the application are under way, when each is repeated and when it ends. It neither sends a
// message nor knows a peer or a session: an input returns what it wants done as Outcomes, which the core carries out in
// order. The Pings of failure detection are in package swim, which also says which Ping an answer belongs to.
//
// To read it: ping.go has the Pings, payload.go what the answers carry.
package ping

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of Pings.
const (
	Max   = 1024 // under way
	tries = 3    // how often a Ping is sent, unless an answer comes
)

// A Token names a Ping. Zero names none.
type Token uint64

// A Kind says what an Outcome asks of the core, or tells it.
type Kind uint8

const (
	// Send asks to send a Ping to Peer for Token.
	Send Kind = iota
	// Answered tells that Token was answered after RTT.
	Answered
	// Unanswered tells that no answer came in time.
	Unanswered
	// OtherName tells that the node at the address has another name than the one asked for.
	OtherName
	// Legacy tells that the node at the address is a gwyh 0.1 node, which does not answer Pings.
	Legacy
	// Unreached tells that there was no session, for the reason Err.
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

// Pings are those under way. The zero value has none. The inputs append their outcomes to out, which the caller owns, and
// return it as append does. Not for concurrent use.
type Pings struct {
	pings  []*ping
	last   Token
	timers timer.Heap
	out    []Outcome // the caller's buffer during an input; otherwise nil
}

type ping struct {
	token Token
	name  string // that the node has to have; empty for any
	began time.Time
	every time.Duration // between two tries
	until time.Time
	peer  wire.NodeID // zero before there is a session
	timer timer.Timer
}

// Begin begins a Ping that ends at until at the latest. name, if any, is the name that the node has to have. It returns
// false if Max Pings are under way. The core calls SessionReady when there is a session with the node.
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

// SessionReady sends the first Ping for t to peer, whose name is given. A Ping that has ended is left alone.
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

// ReachedSelf ends a Ping whose address turned out to be one of this node's own, which has the given name.
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

// Fail ends a Ping for which no session came about, for the reason err.
func (x *Pings) Fail(out []Outcome, t Token, err error) []Outcome {
	return x.endWith(out, x.find(t), Outcome{Kind: Unreached, Err: err})
}

// HandleTimeout does the first thing that is due, if there is one. The caller repeats it, with the outcomes carried out
// in between, until NextTimeout is later than now.
func (x *Pings) HandleTimeout(out []Outcome, now time.Time) []Outcome {
	x.out = out
	x.timers.RunNext(now)
	return x.take()
}

// NextTimeout returns when HandleTimeout wants to be called; zero for never.
func (x *Pings) NextTimeout() time.Time { return x.timers.Next() }

// Len returns the number of Pings under way.
func (x *Pings) Len() int { return len(x.pings) }

func (x *Pings) find(t Token) *ping {
	if i := slices.IndexFunc(x.pings, func(p *ping) bool { return p.token == t }); i >= 0 {
		return x.pings[i]
	}
	return nil
}

// step sends a Ping, unless its time is up.
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

// take ends the input in progress and returns the buffer to the caller, who owns it.
func (x *Pings) take() []Outcome {
	out := x.out
	x.out = nil
	return out
}
