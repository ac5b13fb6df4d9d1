package liveness

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// The inputs below append the actions of the detector to out and return it. The caller performs them in order.

// ReceivePing sends an Ack to the path on which the Ping arrived (PROTOCOL.md P8).
func (m *Messenger) ReceivePing(now time.Time, from wire.Path, p *delivery.Peer, ch *packets.Channel, data []byte) {
	ping, err := wire.ParsePing(data)
	switch {
	case err != nil:
		m.drop(stats.DropMalformedBody)
		return
	case !m.cfg.Delivery.Endpoint.MayAck():
		m.drop(stats.DropOversize)
		return
	}
	m.Remind(now, p)
	if m.cfg.AnswerAdvertised {
		from = p.Sessions.Path()
	}
	m.cfg.Delivery.Pings.Answer(now, ch, from, ping.Seq)
}

// An Ack is the answer to a Ping of this node that did not probe a path.
type Ack struct {
	swim.Answer
	Payload []byte // of the application that answered, valid until the next input
}

// ReceiveAck handles the answer to a Ping of this node. It reports false if there is nothing more to do: the Ping probed
// a path, or its datagram size, or no such Ping was sent. Otherwise the caller performs the actions and calls Acknowledged.
func (m *Messenger) ReceiveAck(out []swim.Action, now time.Time, p *delivery.Peer, data []byte) (_ []swim.Action, a Ack, ok bool) {
	ack, err := wire.ParsePing(data)
	if err != nil {
		m.drop(stats.DropMalformedBody)
		return out, Ack{}, false
	}
	answer, ok, out := m.cfg.Detector.HearAck(out, now, &p.Swim, ack.Seq)
	if !ok {
		m.pathAnswered(now, p, ack.Seq)
	}
	return out, Ack{Answer: answer, Payload: ack.Payload}, ok
}

// pathAnswered handles the answer to a Ping that probes the MTU of a path, or the path itself.
func (m *Messenger) pathAnswered(now time.Time, p *delivery.Peer, seq uint64) {
	if m.cfg.Delivery.PathAnswered(now, p, seq) {
		return
	}
	p.Sessions.ProbeAnswered(now, seq)
	m.cfg.Sessions.Wake(p.Node)
}

// Acknowledged reports an answer to the application: as the result of its Ping, if it asked for one, and as an event, if
// it has a PingDelegate.
func (m *Messenger) Acknowledged(now time.Time, p *delivery.Peer, a Ack) {
	pings := &m.cfg.Delivery.Pings
	pings.Conclude(now, pings.Pings.HandleAck(pings.Outcomes, event.PingToken(a.Purpose.Token), a.RTT))
	if e := m.cfg.Members.Get(p.ID); m.cfg.Pings && e != nil && e.Live() {
		m.cfg.Events.Add(event.Event{Kind: event.Ping, Member: e.Member, RTT: a.RTT, Data: bytes.Clone(a.Payload)})
	}
}

// ReceiveProbeFor handles a request of p to probe a node. An address that no member may have is not used.
func (m *Messenger) ReceiveProbeFor(out []swim.Action, now time.Time, p *delivery.Peer, data []byte) []swim.Action {
	f, err := wire.ParseProbeFor(data)
	switch {
	case err != nil:
		m.drop(stats.DropMalformedBody)
		return out
	case !f.Target.IsGo():
		m.drop(stats.DropUnexpected)
		return out
	}
	if m.cfg.Allow != nil && !m.cfg.Allow(f.Addr.Addr()) {
		f.Addr = netip.AddrPort{}
	}
	out, ok := m.cfg.Detector.HandleProbeFor(out, now, &p.Swim, &f)
	if !ok {
		m.drop(stats.DropOversize)
	}
	return out
}

// ReceiveProbeResult handles the result of an indirect probe by p.
func (m *Messenger) ReceiveProbeResult(out []swim.Action, now time.Time, p *delivery.Peer, data []byte) []swim.Action {
	r, err := wire.ParseProbeResult(data)
	if err != nil {
		m.drop(stats.DropMalformedBody)
		return out
	}
	return m.cfg.Detector.HandleProbeResult(out, now, &p.Swim, r)
}
