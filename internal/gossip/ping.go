package gossip

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// AckPayloadMax bounds what the answer to a Ping carries, so that it fits into any datagram.
const AckPayloadMax = 1024

// pingsOut is how many unanswered Pings to a peer are remembered, pingTries how often a Ping of the
// application's is sent, and pingsMax how many of those are under way.
const (
	pingsOut  = 8
	pingTries = 3
	pingsMax  = 1024
)

// sentPing is a Ping on its way.
type sentPing struct {
	seq uint64
	at  time.Time
	app *appPing // whose it is; nil for our own

	farewell bool // it went out with the news that we left
}

// ErrOtherName says that the node at an address goes by another name than the one asked for.
var ErrOtherName = errors.New("the node at this address has another name")

// PingToken names a Ping in the EventPinged that ends it.
type PingToken uint64

// appPing is a Ping that the application asked for.
type appPing struct {
	token PingToken
	name  string
	begun time.Time
	every time.Duration
	until time.Time
	peer  *peer // nil before there is a session
	timer timer.Timer
}

// ackPayload is what answers to Pings carry. The application is asked for it anew, at most once in a
// ProbeInterval, when one was sent: its next one may differ.
type ackPayload struct {
	data  []byte
	asked time.Time
	waits bool // for the application's answer
}

// wantPayload asks the application for a payload, if it has any and time has passed.
func (c *Core) wantPayload(now time.Time) {
	a := &c.ackPayload
	if c.cfg.Pings && !a.waits && now.Sub(a.asked) >= c.cfg.ProbeInterval {
		a.waits, a.asked = true, now
		c.events = append(c.events, Event{Kind: EventPayloadWanted})
	}
}

// SetAckPayload answers an EventPayloadWanted: what answers to Pings carry from now on. More than
// AckPayloadMax is not sent.
func (c *Core) SetAckPayload(now time.Time, b []byte) {
	c.ackPayload.waits = false
	if len(b) > AckPayloadMax {
		c.warn(now, "payload", "AckPayload of %d bytes, of which at most %d can be sent: not sent", len(b), AckPayloadMax)
		b = nil
	}
	c.ackPayload.data = bytes.Clone(b)
}

// Ping measures the time to the node at an address and back, after a handshake where there is no session.
// name, if any, is the name it has to have. An EventPinged with the token tells the end, at the latest at until.
func (c *Core) Ping(now time.Time, name string, to netip.AddrPort, until time.Time) (PingToken, error) {
	if len(c.appPings) >= pingsMax {
		return 0, ErrQueueFull
	}
	p, legacy := c.reach(now, to)
	if legacy {
		return 0, ErrLegacy
	}
	c.lastPing++
	a := &appPing{token: c.lastPing, name: name, begun: now, every: until.Sub(now) / pingTries, until: until}
	a.timer.Fire = func(now time.Time) { c.stepPing(now, a) }
	c.appPings = append(c.appPings, a)
	if p == nil {
		c.dial(now, wire.Path{Remote: to}, dial{ping: a}, until)
		c.timers.Set(&a.timer, until)
	} else {
		c.pingFor(now, p, a)
	}
	return a.token, nil
}

// pingFor sends the first Ping of the application's, to p, with whom there is a session.
func (c *Core) pingFor(now time.Time, p *peer, a *appPing) {
	switch {
	case !slices.Contains(c.appPings, a):
	case p.legacy:
		c.endPing(a, 0, ErrLegacy)
	case a.name != "" && a.name != c.nameOf(p):
		c.endPing(a, 0, ErrOtherName)
	default:
		a.peer = p
		c.stepPing(now, a)
	}
}

// nameOf is the name that a peer goes by: as a member, or as it introduced itself.
func (c *Core) nameOf(p *peer) string {
	if m := c.members.Get(p.id); m != nil && m.Name != "" {
		return m.Name
	}
	return p.name
}

func (c *Core) stepPing(now time.Time, a *appPing) {
	if !now.Before(a.until) || a.peer == nil {
		c.endPing(a, 0, ErrUnanswered)
		return
	}
	c.plain = c.appendPing(c.plain[:0], now, a.peer, a)
	c.sendPlain(now, a.peer, c.plain)
	c.timers.Set(&a.timer, timer.Soonest(a.until, now.Add(max(a.every, timer.MinTick))))
}

func (c *Core) endPing(a *appPing, rtt time.Duration, err error) {
	i := slices.Index(c.appPings, a)
	if i < 0 {
		return
	}
	c.appPings = slices.Delete(c.appPings, i, i+1)
	c.timers.Stop(&a.timer)
	c.events = append(c.events, Event{Kind: EventPinged, Ping: a.token, RTT: rtt, Err: err})
}

// ping asks p for a sign of life; its answer also gives the round-trip time. What gwyh 0.1 answers
// without side effects is an empty Frame.
func (c *Core) ping(now time.Time, p *peer) {
	if p.legacy {
		c.plain = wire.AppendFrame(c.plain[:0], wire.Arrays, c.newID(), 0, 0, nil)
	} else {
		c.plain = c.appendPing(c.plain[:0], now, p, nil)
	}
	c.sendPlain(now, p, c.plain)
}

// appendPing appends a Ping for p to a plaintext, and remembers when it went out.
func (c *Core) appendPing(b []byte, now time.Time, p *peer, a *appPing) []byte {
	p.swim.pinged = now
	p.swim.pingSeq++
	if len(p.swim.pings) >= pingsOut {
		p.swim.pings = slices.Delete(p.swim.pings, 0, 1)
	}
	p.swim.pings = append(p.swim.pings, sentPing{seq: p.swim.pingSeq, at: now, app: a})
	return wire.AppendPing(b, c.newID(), wire.Ping{Seq: p.swim.pingSeq})
}

// appendTurn adds a Ping to the heartbeat of the link whose turn it is: there is one in each ProbeInterval, or in
// each heartbeat interval if that is longer.
func (c *Core) appendTurn(b []byte, now time.Time, p *peer) []byte {
	if now.Sub(p.swim.lastTurn) < time.Duration(len(c.links))*max(c.cfg.ProbeInterval, c.cfg.Heartbeat) {
		return b
	}
	p.swim.lastTurn = now
	return c.appendPing(b, now, p, nil)
}

// handlePing answers to where the ping came from.
func (c *Core) handlePing(now time.Time, from wire.Path, p *peer, ch *channel, data []byte) {
	ping, err := wire.ParsePing(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	if !c.drawn.mayAck() {
		c.drop(DropOversize)
		return
	}
	c.remind(now, p)
	c.plain = wire.AppendAck(c.plain[:0], c.newID(), wire.Ping{Seq: ping.Seq, Payload: c.ackPayload.data})
	if c.cfg.AnswerAdvertised {
		from = p.set.Path()
	}
	ch.Send(now, from, c.plain)
	c.wantPayload(now)
}

// handleAck takes the answer to a ping of ours, or to one that probes a path.
func (c *Core) handleAck(now time.Time, p *peer, data []byte) {
	ack, err := wire.ParsePing(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	i := slices.IndexFunc(p.swim.pings, func(s sentPing) bool { return s.seq == ack.Seq })
	if i < 0 && p.packets.PathAnswered(now, ack.Seq) {
		c.tellPath(now, p)
		return
	}
	if i < 0 {
		p.set.ProbeAnswered(now, ack.Seq)
		c.wake(p)
		return
	}
	rtt := max(now.Sub(p.swim.pings[i].at), 1) // zero would mean unknown: a network in memory may take no time
	at, app, farewell := p.swim.pings[i].at, p.swim.pings[i].app, p.swim.pings[i].farewell
	p.swim.pings = slices.Delete(p.swim.pings, 0, i+1)
	p.swim.unheard = time.Time{}
	c.heardBy(now, p, at)
	p.swim.pinged = time.Time{}
	c.measured(p, rtt)
	c.swim.aware.note(-1)
	if app != nil {
		c.endPing(app, rtt, nil)
	}
	if farewell {
		c.farewellHeard(p)
	}
	if m := c.members.Get(p.id); c.cfg.Pings && m != nil && m.Live() {
		c.events = append(c.events, Event{Kind: EventPing, Member: m.Member, RTT: rtt, Data: bytes.Clone(ack.Payload)})
	}
}
