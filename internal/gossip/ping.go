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
	core     *Core
	payload  ping.Payload
	outcomes outcome.Buffer[ping.Outcome]
	timer    timer.Timer // at NextTimeout
}

// wantPayload asks the application for a payload, if it has any and time has passed.
func (ps *pings) wantPayload(now time.Time) {
	c := ps.core
	if c.cfg.Pings && ps.payload.Want(now, c.cfg.ProbeInterval) {
		c.events.add(Event{Kind: EventPayloadWanted})
	}
}

// SetAckPayload answers an EventPayloadWanted: what answers to Pings carry from now on. More than
// AckPayloadMax is not sent.
func (c *Core) SetAckPayload(now time.Time, b []byte) {
	if !c.pings.payload.Set(b) {
		c.reporter.warn(now, "payload", "AckPayload of %d bytes, of which at most %d can be sent: not sent", len(b), AckPayloadMax)
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
		c.pings.pinged(now, nil)
	} else {
		c.pings.pingReady(now, p, t)
	}
	return t, nil
}

// pingReady sends the first Ping of the application's to p, with which there is a session.
func (ps *pings) pingReady(now time.Time, p *peer, t PingToken) {
	c := ps.core
	ps.pinged(now, ps.SessionReady(ps.outcomes, now, t, p.id, c.reporter.nameOf(p)))
}

// pinged carries out what one input to the application's Pings wants done.
func (ps *pings) pinged(now time.Time, out []ping.Outcome) {
	c := ps.core
	if out != nil {
		ps.outcomes.Work(out, func(o *ping.Outcome) { ps.actOnPing(now, o) })
	}
	if at := ps.NextTimeout(); at.IsZero() {
		c.timers.Stop(&ps.timer)
	} else if !ps.timer.Pending() || ps.timer.At() != at {
		c.timers.Set(&ps.timer, at)
	}
}

// tickPings does what is due for the application's Pings.
func (ps *pings) tickPings(now time.Time) {

	for at := ps.NextTimeout(); !at.IsZero() && !at.After(now); at = ps.NextTimeout() {
		ps.pinged(now, ps.HandleTimeout(ps.outcomes, now))
	}
}

func (ps *pings) actOnPing(now time.Time, o *ping.Outcome) {
	c := ps.core
	if o.Kind == ping.Send {
		ps.sendAppPing(now, o)
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
	c.events.add(e)
}

func (ps *pings) sendAppPing(now time.Time, o *ping.Outcome) {
	c := ps.core
	p := c.peers[o.Peer]
	if p == nil {
		c.drop(DropUnknownSession)
		return
	}
	c.transport.plain = ps.appendPing(c.transport.plain[:0], now, p, swim.Purpose{Token: uint64(o.Token)})
	c.transport.sendPlain(now, p, c.transport.plain)
}

// nameOf is the name that a peer goes by: as a member, or as it introduced itself.
func (rp *reporter) nameOf(p *peer) string {
	c := rp.core
	if m := c.members.Get(p.id); m != nil && m.Name != "" {
		return m.Name
	}
	return p.name
}

// ping asks p for a sign of life; its answer also gives the round-trip time. What gwyh 0.1 answers
// without side effects is an empty Frame.
func (ps *pings) ping(now time.Time, p *peer) {
	c := ps.core
	if p.legacy {
		c.transport.plain = wire.AppendFrame(c.transport.plain[:0], wire.Arrays, c.newID(), 0, 0, nil)
	} else {
		c.transport.plain = ps.appendPing(c.transport.plain[:0], now, p, swim.Purpose{})
	}
	c.transport.sendPlain(now, p, c.transport.plain)
}

// appendPing appends a Ping for p to a plaintext.
func (ps *pings) appendPing(b []byte, now time.Time, p *peer, purpose swim.Purpose) []byte {
	c := ps.core
	return p.swim.AppendPing(b, now, c.newID(), purpose)
}

// appendTurn adds a Ping to the heartbeat of a link if it is its turn.
func (ps *pings) appendTurn(b []byte, now time.Time, p *peer) []byte {
	c := ps.core
	if !c.swim.TakeTurn(now, &p.swim) {
		return b
	}
	return ps.appendPing(b, now, p, swim.Purpose{})
}

// handlePing answers to where the ping came from.
func (ps *pings) handlePing(now time.Time, from wire.Path, p *peer, ch *packets.Channel, data []byte) {
	c := ps.core
	ping, err := wire.ParsePing(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	if !c.hs.drawn.mayAck() {
		c.drop(DropOversize)
		return
	}
	c.leaving.remind(now, p)
	c.transport.plain = wire.AppendAck(c.transport.plain[:0], c.newID(), wire.Ping{Seq: ping.Seq, Payload: ps.payload.Data()})
	if c.cfg.AnswerAdvertised {
		from = p.set.Path()
	}
	ch.Send(now, from, c.transport.plain)
	ps.wantPayload(now)
}

// handleAck takes the answer to a ping of ours, or to one that probes a path.
func (ps *pings) handleAck(now time.Time, p *peer, data []byte) {
	c := ps.core
	ack, err := wire.ParsePing(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	a, ok, out := c.swim.HearAck(c.swim.outcomes, now, &p.swim, ack.Seq)
	if !ok {
		ps.handlePathAck(now, p, ack.Seq)
		return
	}
	c.swim.detect(now, out)
	c.overlay.measured(p, a.RTT)
	ps.pinged(now, ps.HandleAck(ps.outcomes, PingToken(a.Purpose.Token), a.RTT))
	if a.Purpose.Leave {
		c.leaving.leaveConfirmed(p)
	}
	if m := c.members.Get(p.id); c.cfg.Pings && m != nil && m.Live() {
		c.events.add(Event{Kind: EventPing, Member: m.Member, RTT: a.RTT, Data: bytes.Clone(ack.Payload)})
	}
}

// handlePathAck takes the answer to a Ping that probes the MTU of a path, or the path itself.
func (ps *pings) handlePathAck(now time.Time, p *peer, seq uint64) {
	c := ps.core
	if p.packets.PathAnswered(now, seq) {
		c.hs.tellPath(now, p)
		return
	}
	p.set.ProbeAnswered(now, seq)
	c.hs.wake(p)
}
