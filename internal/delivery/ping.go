package delivery

import (
	"errors"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ErrOtherName reports that the node at an address does not have the requested name.
var ErrOtherName = errors.New("the node at this address has another name")

func newPings(d *Delivery) Pings { return Pings{d: d, timer: timer.Timer{Fire: d.Pings.tick}} }

// WantPayload asks the application for a payload, if Pings are enabled and ProbeInterval has passed.
func (ps *Pings) WantPayload(now time.Time) {
	if cfg := &ps.d.cfg; cfg.Pings && ps.payload.Want(now, cfg.ProbeInterval) {
		cfg.Events.Add(event.Event{Kind: event.PayloadWanted})
	}
}

// SetPayload sets the payload of further answers to Pings. It returns false if b is too large, and is not sent.
func (ps *Pings) SetPayload(b []byte) bool { return ps.payload.Set(b) }

// Ready sends the first application Ping to p, with which there is a session.
func (ps *Pings) Ready(now time.Time, p *Peer, t event.PingToken) {
	ps.Conclude(now, ps.Pings.SessionReady(ps.Outcomes, now, t, p.ID, ps.d.cfg.Report.Name(p.ID)))
}

// Conclude carries out the outcomes of one input to the application's Pings.
func (ps *Pings) Conclude(now time.Time, out []ping.Outcome) {
	if out != nil {
		ps.Outcomes.Work(out, func(o *ping.Outcome) { ps.act(now, o) })
	}
	ps.d.cfg.Timers.Plan(&ps.timer, ps.Pings.NextTimeout())
}

// tick handles the timeouts of the application's Pings that are due.
func (ps *Pings) tick(now time.Time) {
	for timer.Due(ps.Pings.NextTimeout(), now) {
		ps.Conclude(now, ps.Pings.HandleTimeout(ps.Outcomes, now))
	}
}

func (ps *Pings) act(now time.Time, o *ping.Outcome) {
	if o.Kind == ping.Send {
		ps.send(now, o)
		return
	}
	e := event.Event{Kind: event.Pinged, Ping: o.Token, RTT: o.RTT, Err: o.Err}
	switch o.Kind {
	case ping.Unanswered:
		e.Err = direct.ErrUnanswered
	case ping.OtherName:
		e.Err = ErrOtherName
	case ping.Legacy:
		e.Err = direct.ErrLegacy
	}
	ps.d.cfg.Events.Add(e)
}

func (ps *Pings) send(now time.Time, o *ping.Outcome) {
	d := ps.d
	p := d.peers[o.Peer]
	if p == nil {
		d.drop(stats.DropUnknownSession)
		return
	}
	d.Sender.Send(now, p, p.Swim.AppendPing(d.Sender.Begin(), now, d.newID(), swim.Purpose{Token: uint64(o.Token)}))
}

// Answer sends an Ack of a Ping on ch to a path.
func (ps *Pings) Answer(now time.Time, ch *packets.Channel, to wire.Path, seq uint64) {
	d := ps.d
	ch.Send(now, to, wire.AppendPing(d.Sender.Begin(), wire.KindAck, d.newID(), wire.Ping{Seq: seq, Payload: ps.payload.Data()}))
	ps.WantPayload(now)
}
