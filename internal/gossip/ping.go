package gossip

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// AckPayloadMax bounds what the answer to a Ping carries, so that it fits into any datagram.
const AckPayloadMax = ping.PayloadMax

// ErrOtherName says that the node at an address goes by another name than the one asked for.
var ErrOtherName = errors.New("the node at this address has another name")

// PingToken names a Ping in the EventPinged that ends it.
type PingToken = ping.Token

// pings is the core's share of the application's Pings.
type pings struct {
	ping.Pings
	payload  ping.Payload
	outcomes outcome.Buffer[ping.Outcome]
	timer    timer.Timer // at NextTimeout
}

// wantPayload asks the application for a payload, if it has any and time has passed.
func (c *Core) wantPayload(now time.Time) {
	if c.cfg.Pings && c.pings.payload.Want(now, c.cfg.ProbeInterval) {
		c.events = append(c.events, Event{Kind: EventPayloadWanted})
	}
}

// SetAckPayload answers an EventPayloadWanted: what answers to Pings carry from now on. More than
// AckPayloadMax is not sent.
func (c *Core) SetAckPayload(now time.Time, b []byte) {
	if !c.pings.payload.Set(b) {
		c.warn(now, "payload", "AckPayload of %d bytes, of which at most %d can be sent: not sent", len(b), AckPayloadMax)
	}
}

// Ping measures the time to the node at an address and back, after a handshake where there is no session.
// name, if any, is the name it has to have. An EventPinged with the token tells the end, at the latest at until.
func (c *Core) Ping(now time.Time, name string, to netip.AddrPort, until time.Time) (PingToken, error) {
	if c.pings.Len() >= ping.Max {
		return 0, ErrQueueFull
	}
	p, legacy := c.direct.reach(now, to)
	if legacy {
		return 0, ErrLegacy
	}
	t, _ := c.pings.Begin(now, name, until)
	if p == nil {
		c.hs.dial(now, wire.Path{Remote: to}, joining.Dial{Purpose: joining.ForPing, Token: uint64(t)}, until)
		c.pinged(now, nil)
	} else {
		c.pingReady(now, p, t)
	}
	return t, nil
}

// pingReady sends the first Ping of the application's to p, with which there is a session.
func (c *Core) pingReady(now time.Time, p *peer, t PingToken) {
	c.pinged(now, c.pings.SessionReady(c.pings.outcomes, now, t, p.id, c.nameOf(p)))
}

// pinged carries out what one input to the application's Pings wants done.
func (c *Core) pinged(now time.Time, out []ping.Outcome) {
	if out != nil {
		c.pings.outcomes.Work(out, func(o *ping.Outcome) { c.actOnPing(now, o) })
	}
	if at := c.pings.NextTimeout(); at.IsZero() {
		c.timers.Stop(&c.pings.timer)
	} else if !c.pings.timer.Pending() || c.pings.timer.At() != at {
		c.timers.Set(&c.pings.timer, at)
	}
}

// tickPings does what is due for the application's Pings.
func (c *Core) tickPings(now time.Time) {
	for at := c.pings.NextTimeout(); !at.IsZero() && !at.After(now); at = c.pings.NextTimeout() {
		c.pinged(now, c.pings.HandleTimeout(c.pings.outcomes, now))
	}
}

func (c *Core) actOnPing(now time.Time, o *ping.Outcome) {
	if o.Kind == ping.Send {
		c.sendAppPing(now, o)
		return
	}
	e := Event{Kind: EventPinged, Ping: o.Token, RTT: o.RTT, Err: o.Err}
	switch o.Kind {
	case ping.Unanswered:
		e.Err = ErrUnanswered
	case ping.OtherName:
		e.Err = ErrOtherName
	case ping.Legacy:
		e.Err = ErrLegacy
	}
	c.events = append(c.events, e)
}

func (c *Core) sendAppPing(now time.Time, o *ping.Outcome) {
	p := c.peers[o.Peer]
	if p == nil {
		c.drop(DropUnknownSession)
		return
	}
	c.plain = c.appendPing(c.plain[:0], now, p, swim.Purpose{Token: uint64(o.Token)})
	c.sendPlain(now, p, c.plain)
}

// nameOf is the name that a peer goes by: as a member, or as it introduced itself.
func (c *Core) nameOf(p *peer) string {
	if m := c.members.Get(p.id); m != nil && m.Name != "" {
		return m.Name
	}
	return p.name
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
	c.plain = wire.AppendAck(c.plain[:0], c.newID(), wire.Ping{Seq: ping.Seq, Payload: c.pings.payload.Data()})
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
	c.overlay.measured(p, a.RTT)
	c.pinged(now, c.pings.HandleAck(c.pings.outcomes, PingToken(a.Purpose.Token), a.RTT))
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
