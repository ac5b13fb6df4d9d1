package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/exchange"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Send sends data to the node at an address, after a handshake if there is no session. A reliable message is repeated
// until it is acknowledged or until has passed, and an event.Sent with the token reports the result. Any other message
// is sent once. Send keeps a copy of data (PROTOCOL.md U5).
func (c *Core) Send(now time.Time, to netip.AddrPort, data []byte, reliable bool, until time.Time) (event.SendToken, error) {
	m, out, err := c.direct.SendTo(c.direct.outcomes, now, to, data, reliable, until)
	if err != nil {
		return 0, err
	}
	c.direct.conclude(now, out)
	return m.Token(), nil
}

// SendMember sends data once to one member: a broadcast from before the member joined (wire.UseRepeat), or a query
// whether the member has a broadcast (wire.UseCoverage). An event.Coverage reports the answer unless the query or the
// answer is lost. It sends nothing to a member that is gone or runs gwyh 0.1. SendMember keeps a copy of data.
func (c *Core) SendMember(now time.Time, to wire.NodeID, use wire.Use, data []byte, until time.Time) error {
	out, err := c.direct.SendMember(c.direct.outcomes, now, to, use, data, until)
	if err == nil {
		c.direct.conclude(now, out)
	}
	return err
}

// conclude carries out the outcomes of one input to the direct messages.
func (x *directs) conclude(now time.Time, out []direct.Outcome) {
	x.outcomes.Work(out, func(o *direct.Outcome) { x.act(now, o) })
	x.core.timers.Plan(&x.timer, x.Sender.NextTimeout())
}

// tick handles the timeouts that are due.
func (x *directs) tick(now time.Time) {
	for m := x.Sender.Due(now); m != nil; m = x.Sender.Due(now) {
		x.conclude(now, x.Sender.HandleTimeout(x.outcomes, now, m, x.SessionWith(now, m)))
	}
	x.conclude(now, x.outcomes)
}

func (x *directs) act(now time.Time, o *direct.Outcome) {
	c := x.core
	if x.Perform(now, o) {
		return
	}
	if o.Kind == direct.Dial {
		c.hs.dial(now, wire.Path{Remote: o.To}, joining.Dial{Purpose: joining.ForDirect, Token: o.Dial}, o.Until)
		return
	}
	if e := exchange.ExchangeOf(o.Message); e != nil {
		c.push.conclude(now, c.push.SendEnded(c.push.outcomes, e, o.Message.ID, o.Err))
		return
	}
	c.events.Add(event.Event{Kind: event.Sent, Send: o.Message.Token(), Err: o.Err})
}

// ready sends the messages that waited for a session with p.
func (x *directs) ready(now time.Time, p *peer) {
	if waiting, _ := x.Sender.Len(); waiting == 0 {
		return
	}
	var dials []uint64
	for _, a := range p.dials {
		if d, _ := x.core.hs.dials.Get(a); d.Purpose == joining.ForDirect {
			dials = append(dials, d.Token)
		}
	}
	x.conclude(now, x.Ready(x.outcomes, now, &p.Peer, dials))
}

// handle receives a piece of a direct message. If a plaintext that was sent in pieces is complete, handle returns it for
// the caller to process.
func (x *directs) handle(now time.Time, in received, m *wire.Message) (control []byte) {
	c, p := x.core, in.peer
	piece, ok := x.Check(now, in.channel, m, in.inner)
	switch {
	case !ok:
		return nil
	case piece.Use.Exchanged() && !c.push.expects(now, p, m.ID, piece):
		x.AcknowledgeUnwanted(now, in.channel, m.ID, &piece)
		return nil
	}
	a, v := x.Receive(now, &p.Peer, in.channel, m.ID, &piece)
	if a != nil {
		c.push.Receives(&p.push, a)
	}
	switch {
	case !v.Whole, !x.Deliver(now, &p.Peer, in.channel, piece.Use, m.ID, v.Data):
	case piece.Use == wire.UseControl:
		return v.Data
	default:
		c.push.conclude(now, c.push.HandleMessage(c.push.outcomes, now, &c.members, &p.push, piece.Use, m.ID, v.Data))
	}
	return nil
}

// newDirects returns the direct messages of c, whose delivery is set.
func newDirects(c *Core) directs {
	return directs{core: c, Directs: &c.delivery.Directs, timer: timer.Timer{Fire: c.direct.tick}}
}
