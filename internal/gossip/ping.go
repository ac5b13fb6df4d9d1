package gossip

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/joining"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// AckPayloadMax bounds what the answer to a Ping carries, so that it fits into any datagram.
const AckPayloadMax = 1024

// pingTries is how often a Ping of the application's is sent, and pingsMax how many of them are under way.
const (
	pingTries = 3
	pingsMax  = 1024
)

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
		c.hs.dial(now, wire.Path{Remote: to}, joining.Dial{Purpose: joining.ForPing, Token: uint64(a.token)}, until)
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
	c.plain = c.appendPing(c.plain[:0], now, a.peer, swim.Purpose{Token: uint64(a.token)})
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

// appPingAnswered ends the Ping of a token, if the application waits for one.
func (c *Core) appPingAnswered(t PingToken, rtt time.Duration) {
	if i := slices.IndexFunc(c.appPings, func(a *appPing) bool { return a.token == t }); i >= 0 {
		c.endPing(c.appPings[i], rtt, nil)
	}
}

// appPingOf is the Ping of the application that a handshake was begun for; nil for none, or if it has ended.
func (c *Core) appPingOf(d joining.Dial) *appPing {
	i := slices.IndexFunc(c.appPings, func(a *appPing) bool { return uint64(a.token) == d.Token })
	if i < 0 || d.Purpose != joining.ForPing {
		return nil
	}
	return c.appPings[i]
}

// ping asks p for a sign of life; its answer also gives the round-trip time. What gwyh 0.1 answers
// without side effects is an empty Frame.
func (c *Core) ping(now time.Time, p *peer) {
	if p.legacy {
		c.plain = wire.AppendFrame(c.plain[:0], wire.Arrays, c.newID(), 0, 0, nil)
	} else {
		c.plain = c.appendPing(c.plain[:0], now, p, swim.Purpose{})
	}
	c.sendPlain(now, p, c.plain)
}

// appendPing appends a Ping for p to a plaintext.
func (c *Core) appendPing(b []byte, now time.Time, p *peer, purpose swim.Purpose) []byte {
	return p.swim.AppendPing(b, now, c.newID(), purpose)
}

// appendTurn adds a Ping to the heartbeat of a link if it is its turn.
func (c *Core) appendTurn(b []byte, now time.Time, p *peer) []byte {
	if !c.swim.TakeTurn(now, &p.swim) {
		return b
	}
	return c.appendPing(b, now, p, swim.Purpose{})
}

// handlePing answers to where the ping came from.
func (c *Core) handlePing(now time.Time, from wire.Path, p *peer, ch *packets.Channel, data []byte) {
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
	a, ok, out := c.swim.HearAck(c.detected, now, &p.swim, ack.Seq)
	if !ok {
		c.handlePathAck(now, p, ack.Seq)
		return
	}
	c.detect(now, out)
	c.measured(p, a.RTT)
	c.appPingAnswered(PingToken(a.Purpose.Token), a.RTT)
	if a.Purpose.Leave {
		c.leaveConfirmed(p)
	}
	if m := c.members.Get(p.id); c.cfg.Pings && m != nil && m.Live() {
		c.events = append(c.events, Event{Kind: EventPing, Member: m.Member, RTT: a.RTT, Data: bytes.Clone(ack.Payload)})
	}
}

// handlePathAck takes the answer to a Ping that probes the MTU of a path, or the path itself.
func (c *Core) handlePathAck(now time.Time, p *peer, seq uint64) {
	if p.packets.PathAnswered(now, seq) {
		c.tellPath(now, p)
		return
	}
	p.set.ProbeAnswered(now, seq)
	c.wake(p)
}
