package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// newDirects returns the direct messages of c, whose configuration and rng are set.
func newDirects(c *Core) directs {
	x := &c.direct
	return directs{core: c, timer: timer.Timer{Fire: x.tick}, receiver: direct.NewReceiver(&c.broadcast.store, controlMax),
		Sender: direct.NewSender(direct.Config{SmallMax: c.cfg.DatagramSize - wire.BoxOverhead - wire.DirectOverhead, Store: &c.broadcast.store}, c.rng)}
}

// Send sends data to the node at an address, after a handshake if there is no session. A reliable message is repeated
// until it is acknowledged or until has passed, and an event.Sent with the token reports the result. Any other message
// is sent once. Send keeps a copy of data (PROTOCOL.md U5).
func (c *Core) Send(now time.Time, to netip.AddrPort, data []byte, reliable bool, until time.Time) (event.SendToken, error) {
	x := &c.direct
	p, legacy := x.reach(now, to)
	if legacy && len(data) <= MessageMax {
		return 0, ErrLegacy
	}
	m := &direct.Message{ID: x.NewID(), To: to, Use: wire.UseMessage, Until: until}
	if reliable {
		m.Use = wire.UseReliable
	}
	if err := x.begin(now, m, p, data); err != nil {
		return 0, err
	}
	return m.Token(), nil
}

// Has reports whether this node has all of a broadcast, or is its origin. It reports true for broadcasts long past.
func (c *Core) Has(id wire.MessageID) bool {
	a := c.broadcast.store.Get(id)
	return (a == nil || a.Complete()) && c.broadcast.Seen.Has(&id)
}

// LastBroadcast returns the id of the last broadcast of this node.
func (c *Core) LastBroadcast() wire.MessageID { return c.ids.Last() }

// SendMember sends data once to one member: a broadcast from before the member joined (wire.UseRepeat), or a query
// whether the member has a broadcast (wire.UseCoverage). An event.Coverage reports the answer unless the query or the
// answer is lost. To a member that is gone or runs gwyh 0.1 nothing is sent. SendMember keeps a copy of data.
func (c *Core) SendMember(now time.Time, to wire.NodeID, use wire.Use, data []byte, until time.Time) error {
	x, e := &c.direct, c.members.Get(to)
	if gone := e == nil || !e.Live(); gone || e.Legacy() || e == c.members.Self() {
		return nil
	}
	p, legacy := x.reach(now, e.Addr)
	if legacy {
		return nil
	}
	return x.begin(now, &direct.Message{ID: x.NewID(), To: e.Addr, Use: use, Until: until}, p, data)
}

// begin starts to send data as the content of m to p. If p is nil, it starts once there is a session.
func (x *directs) begin(now time.Time, m *direct.Message, p *peer, data []byte) error {
	c := x.core
	var to *direct.Peer
	var roundTrip time.Duration
	switch {
	case len(data) > MessageMax:
		return &TooLargeError{Size: len(data), Max: MessageMax}
	case p != nil && p.packets.Full(x.IsLarge(len(data))):
		return ErrQueueFull
	case p != nil:
		to, roundTrip = &p.direct, p.roundTrip()
	}
	out, err := x.Begin(x.outcomes, now, m, data, to, roundTrip)
	if err != nil {
		return err
	}
	if m.Large != nil {
		c.broadcast.sweepLater(now)
	}
	x.conclude(now, out)
	return nil
}

// reach returns the Go node at an address if there is a usable session with it. If a gwyh 0.1 node is at the address,
// reach returns nil and legacy is true.
func (x *directs) reach(now time.Time, to netip.AddrPort) (p *peer, legacy bool) {
	c := x.core
	if p := x.peerOf(x.Route(to)); p != nil && p.set.Current(now) != nil {
		if e := c.members.Get(p.id); e == nil || e.Live() {
			return p, false
		}
	}
	x.SetRoute(to, nil)
	if p = c.hs.peerAt(now, to); p == nil || p.legacy {
		return nil, p != nil
	}
	x.SetRoute(to, &p.direct)
	return p, false
}

// peerOf returns the peer that contains d, or nil if that peer is gone or d is nil.
func (x *directs) peerOf(d *direct.Peer) *peer {
	if d == nil {
		return nil
	}
	if p := x.core.peers[d.ID]; p != nil && &p.direct == d {
		return p
	}
	return nil
}

// conclude carries out the outcomes of one input to the Sender.
func (x *directs) conclude(now time.Time, out []direct.Outcome) {
	x.outcomes.Work(out, func(o *direct.Outcome) { x.act(now, o) })
	x.core.timers.Plan(&x.timer, x.NextTimeout())
}

// tick handles the timeouts that are due.
func (x *directs) tick(now time.Time) {
	for m := x.Due(now); m != nil; m = x.Due(now) {
		x.conclude(now, x.HandleTimeout(x.outcomes, now, m, x.sessionWith(now, m.Peer())))
	}
	x.conclude(now, x.outcomes)
}

// sessionWith returns what the Sender needs to know about the session with a peer.
func (x *directs) sessionWith(now time.Time, d *direct.Peer) direct.Session {
	p := x.peerOf(d)
	if p == nil {
		return direct.Session{}
	}
	return direct.Session{Current: p.set.Current(now) != nil, Heard: p.swim.Heard, Unwritten: x.core.hs.Unwritten(p.set.Path().Remote)}
}

func (x *directs) act(now time.Time, o *direct.Outcome) {
	c := x.core
	switch o.Kind {
	case direct.Dial:
		c.hs.dial(now, wire.Path{Remote: o.To}, joining.Dial{Purpose: joining.ForDirect, Token: o.Dial}, o.Until)
		return
	case direct.Ended:
		x.ended(now, o)
		return
	}
	p := x.peerOf(o.Peer)
	if p == nil {
		return
	}
	switch o.Kind {
	case direct.Send:
		x.send(now, p, o.Message)
	case direct.Repeat:
		x.repeat(now, p, o.Message, o.Missing)
	case direct.EndTransfer:
		p.packets.EndTransfer(o.Message.Large)
	}
}

// ended reports how a message ended to the exchange that it belongs to, or to the application.
func (x *directs) ended(now time.Time, o *direct.Outcome) {
	c, m := x.core, o.Message
	if e, ok := m.For.(*pushpull.Exchange); ok {
		c.push.conclude(now, c.push.SendEnded(c.push.outcomes, e, m.ID, o.Err))
		return
	}
	c.events.Add(event.Event{Kind: event.Sent, Send: m.Token(), Err: o.Err})
}

func (x *directs) send(now time.Time, p *peer, m *direct.Message) {
	if m.Large == nil {
		x.sendWhole(now, p, m)
		return
	}
	if p.packets.Transfer(m.Large) == nil {
		p.packets.Begin(now, m.Large, m.Use)
	}
	x.core.transport.pump(now, p)
}

// sendWhole sends a small message.
func (x *directs) sendWhole(now time.Time, p *peer, m *direct.Message) {
	c := x.core
	plain := wire.AppendDirect(c.transport.begin(), m.ID, wire.Direct{Use: m.Use, Total: uint32(len(m.Data)), Data: m.Data})
	c.transport.sendSmall(now, p, c.transport.newSmall(now, plain))
}

// repeat sends a message again: of a large one the missing range and the last byte, unless it is still being sent.
func (x *directs) repeat(now time.Time, p *peer, m *direct.Message, missing rangeset.Range) {
	switch {
	case m.Large == nil:
		x.sendWhole(now, p, m)
		return
	case p.packets.Transferring(m.Large):
		return
	case !missing.Empty():
		p.packets.Resend(now, m.Large, missing)
	}
	p.packets.Resend(now, m.Large, rangeset.Range{From: m.Large.Total - 1, To: m.Large.Total})
	x.core.transport.pump(now, p)
}

// ready sends the messages that waited for a session with p.
func (x *directs) ready(now time.Time, p *peer) {
	if waiting, _ := x.Len(); waiting == 0 {
		return
	}
	var dials []uint64
	for _, a := range p.dials {
		if d, _ := x.core.hs.dials.Get(a); d.Purpose == joining.ForDirect {
			dials = append(dials, d.Token)
		}
	}
	x.conclude(now, x.SessionReady(x.outcomes, now, &p.direct, p.roundTrip(), dials...))
}

// handleAck ends a message that p acknowledges, or sends the range that p reports missing.
func (x *directs) handleAck(now time.Time, p *peer, data []byte) {
	ack, err := wire.ParseDirectAck(data)
	if err != nil {
		x.core.drop(stats.DropMalformedBody)
		return
	}
	m := x.Awaited(ack.ID)
	sending := m != nil && m.Large != nil && p.packets.Transferring(m.Large)
	x.conclude(now, x.HandleAck(x.outcomes, now, m, ack, &p.direct, p.roundTrip(), sending))
}

// handle receives a piece of a direct message. A message that needs an acknowledgment is acknowledged when it is
// complete, and whenever a duplicate piece arrives, because the sender then waits for one. If a plaintext that was sent
// in pieces is complete, handle returns it for the caller to process.
func (x *directs) handle(now time.Time, in received, m *wire.Message) (control []byte) {
	d, verdict := x.receiver.Check(&m.ID, m.Data, in.inner)
	switch {
	case verdict == direct.Refused:
	case verdict == direct.Duplicate:
		x.ack(now, in, d.Use, direct.WholeAck(m.ID, d.Total))
	case d.Use.Exchanged() && !x.core.push.expects(now, in.peer, m.ID, d):
	default:
		return x.handleNew(now, in, m.ID, &d)
	}
	return nil
}

func (x *directs) handleNew(now time.Time, in received, id wire.MessageID, d *wire.Direct) (control []byte) {
	v, whole := direct.Whole(d)
	if !whole {
		c := x.core
		c.transport.reportSoon(now, in.peer, in.channel)
		a := direct.Find(in.peer.receiving, id)
		if a == nil {
			a = c.broadcast.beginReceiving(now, in.peer, id, d.Total, true)
		}
		if a == nil {
			return nil
		}
		c.push.Receives(&in.peer.push, a)
		v = x.receiver.Write(now, a, d)
	}
	switch {
	case v.Whole:
		return x.deliver(now, in, d.Use, id, v.Data)
	case v.Again:
		x.ack(now, in, d.Use, v.Ack)
	}
	return nil
}

func (x *directs) deliver(now time.Time, in received, use wire.Use, id wire.MessageID, data []byte) (control []byte) {
	c := x.core
	first := x.receiver.First(now, &id)
	x.ack(now, in, use, direct.WholeAck(id, uint32(len(data))))
	switch {
	case !first:
	case use.Exchanged():
		c.push.conclude(now, c.push.HandleMessage(c.push.outcomes, now, &c.members, &in.peer.push, use, id, data))
	case use == wire.UseControl:
		return data
	case use == wire.UseRepeat:
		x.deliverMessage(event.ViaRepeat, data)
	case use == wire.UseCoverage, use == wire.UseCoverageAnswer:
		x.handleCoverage(now, in, use, data)
	default:
		x.deliverMessage(event.ViaDirect, data)
	}
	return nil
}

// handleCoverage answers the query whether this node has a broadcast, or handles the answer to one.
func (x *directs) handleCoverage(now time.Time, in received, use wire.Use, data []byte) {
	c := x.core
	v, err := direct.ParseCoverage(use, data)
	switch {
	case err != nil:
		c.drop(stats.DropMalformedBody)
	case use == wire.UseCoverage:
		v.Has = c.Has(v.ID)
		in.channel.Answer(now, direct.AppendCoverageAnswer(c.transport.begin(), x.NewID(), v))
	default:
		c.events.Add(event.Event{Kind: event.Coverage, From: in.peer.id, ID: v.ID, Has: v.Has})
	}
}

func (x *directs) deliverMessage(via event.Via, data []byte) {
	x.receiver.Stats.Delivered++
	x.core.events.Add(event.Event{Kind: event.Message, Via: via, Data: data})
}

func (x *directs) ack(now time.Time, in received, use wire.Use, ack wire.DirectAck) {
	if !use.Acknowledged() {
		return
	}
	c := x.core
	in.channel.Answer(now, wire.AppendDirectAck(c.transport.begin(), c.newID(), ack))
}
