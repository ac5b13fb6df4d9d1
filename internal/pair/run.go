package pair

import (
	"bytes"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// roundsMax is how many datagrams and timeouts one call of Run handles before it fails the test.
const roundsMax = 100_000

// Run advances virtual time and handles everything that is due. Datagrams arrive at once.
func (w *World) Run(d time.Duration) {
	w.T.Helper()
	end := w.Now.Add(d)
	for range roundsMax {
		w.A.Delivery.Sender.SealDue(w.Now, true)
		w.B.Delivery.Sender.SealDue(w.Now, true)
		if w.A.sendTo(w.B) || w.B.sendTo(w.A) {
			continue
		}
		next := timer.Soonest(w.A.next(), w.B.next())
		if next.IsZero() || next.After(end) {
			w.Now = end
			return
		}
		if next.After(w.Now) {
			w.Now = next
		}
		w.A.timeout()
		w.B.timeout()
	}
	w.T.Fatal("endless traffic")
}

// Lose discards the datagrams that wait to be sent, and returns their number.
func (n *Node) Lose() (count int) {
	n.Delivery.Sender.SealDue(n.w.Now, true)
	n.Out.Drain(1, func(outbox.Run) { count++ })
	return count
}

func (n *Node) next() time.Time { return timer.Soonest(n.Timers.Next(), n.Sessions.NextTimeout()) }

func (n *Node) timeout() {
	for timer.Due(n.Sessions.NextTimeout(), n.w.Now) {
		n.conclude(n.Sessions.Endpoint.HandleTimeout(n.outcomes, n.w.Now))
	}
	n.Timers.Run(n.w.Now)
}

// sendTo passes the datagrams of n to the other node and to gwyh 0.1 nodes, and reports whether there were any.
func (n *Node) sendTo(other *Node) (any bool) {
	type datagram struct {
		to    wire.Path
		bytes []byte
	}
	var list []datagram
	n.Out.Drain(1, func(r outbox.Run) { list = append(list, datagram{r.To, bytes.Clone(r.Bytes)}) })
	for _, d := range list {
		if i := slices.IndexFunc(n.legacy, func(l *Legacy) bool { return l.Path.Remote == d.to.Remote }); i >= 0 {
			n.legacy[i].receive(d.bytes)
		} else {
			other.receive(n.Path, d.bytes)
		}
	}
	return len(list) > 0
}

func (n *Node) conclude(out []handshake.Outcome) { n.outcomes.Work(out, n.act) }

func (n *Node) act(o *handshake.Outcome) {
	if n.Sessions.Send(n.w.Now, o) || o.Kind != handshake.SessionEstablished {
		return
	}
	if n.Peer == nil {
		n.Peer = &delivery.Peer{}
		n.Delivery.Add(n.Peer, n.Sessions.Add(n.w.Now, o.Session, &n.Peer.Timer))
		n.Peer.Timer.Fire = n.tick
		n.Detector.AddPeer(&n.Peer.Swim)
	}
	n.Peer.Swim.Heard = n.w.Now
	n.Peer.Swim.SetInterval(time.Second, time.Second)
	s := n.Sessions.Establish(n.w.Now, n.Peer.Node, o.Session)
	var self wire.Member
	n.conclude(n.Sessions.Introduce(n.outcomes, n.w.Now, n.Peer.Node, s, o.Session, n.Members.Self().Fill(&self)))
}

// tick does what is due for the peer.
func (n *Node) tick(now time.Time) {
	next := n.Delivery.Sender.Tick(now, n.Peer)
	if n.Tick != nil {
		next = timer.Soonest(next, n.Tick(now))
	}
	n.advance(n.Peer, next)
}

// advance sets the timer of a peer, unless at is zero.
func (n *Node) advance(p *delivery.Peer, at time.Time) {
	if !at.IsZero() {
		n.Timers.Advance(&p.Timer, at)
	}
}

func (n *Node) receive(from wire.Path, b []byte) {
	for len(b) > 0 {
		var p wire.Packet
		if err := wire.NextPacket(&p, b); err != nil {
			n.w.T.Fatal(err)
		}
		if p.Kind == wire.PacketHandshake {
			n.conclude(n.Sessions.HandlePacket(n.outcomes, n.w.Now, from, &p))
		} else if o, ok := n.Sessions.Open(n.w.Now, &p); ok {
			n.opened(from, &o, len(b)-len(p.Rest))
		}
		b = p.Rest
	}
}

// opened handles a packet of size bytes, as a core does.
func (n *Node) opened(from wire.Path, o *peers.Opened, size int) {
	now, sender := n.w.Now, &n.Delivery.Sender
	n.Sessions.HandleOpened(now, o, from)
	n.Detector.HearPacket(now, &n.Peer.Swim)
	if o.Channel.CountReceived(size) {
		sender.ReportSoon(now, n.Peer, o.Channel)
	}
	n.HandlePlain(Arrival{From: from, Channel: o.Channel}, o.Plain)
	sender.SendSettled(now, n.Peer, o.Channel)
	o.Channel.EndPacket(now)
}

// HandlePlain passes the messages of a plaintext to Handle, except those that only repair and pace packets.
func (n *Node) HandlePlain(in Arrival, plain []byte) {
	for len(plain) > 0 {
		var m wire.Message
		rest, err := wire.ParseMessage(&m, plain)
		if err != nil {
			n.w.T.Fatal(err)
		}
		n.Kinds = append(n.Kinds, m.Kind)
		if !n.repair(in, &m) && n.Handle != nil {
			n.Handle(in, &m)
		}
		plain = rest
	}
}

// repair handles the messages by which packets are repaired and paced. It returns false for all others.
func (n *Node) repair(in Arrival, m *wire.Message) bool {
	now, sender := n.w.Now, &n.Delivery.Sender
	switch m.Kind {
	case wire.KindNak:
		sender.HandleNak(now, n.Peer, in.Channel, m.Start, m.End)
	case wire.KindSettled:
		in.Channel.HandleSettled(m.Data)
	case wire.KindReport:
		r, err := wire.ParseReport(m.Data)
		if err != nil {
			n.w.T.Fatal(err)
		}
		if _, ok := in.Channel.HandleReport(now, r); ok {
			n.Delivery.Broadcasts.Confirm(now, n.Peer, in.Channel, r.Lowest)
			sender.Pump(now, n.Peer)
		}
	default:
		return false
	}
	return true
}

// Kinds returns the kinds of the messages that arrived.
func (l *Legacy) Kinds() (kinds []wire.Kind) {
	for i := range l.Got {
		kinds = append(kinds, l.Got[i].Kind)
	}
	return kinds
}

// receive handles a datagram, of which a gwyh 0.1 node reads the first message.
func (l *Legacy) receive(b []byte) {
	var p wire.Packet
	if err := wire.NextPacket(&p, b); err != nil {
		l.w.T.Fatal(err)
	}
	plain, err := l.s.Open(l.w.Now, &p)
	if err != nil {
		l.w.T.Fatal(err)
	}
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		l.w.T.Fatal(err)
	}
	l.Got = append(l.Got, m)
}
