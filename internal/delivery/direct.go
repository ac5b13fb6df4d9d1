package delivery

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newDirects(d *Delivery) Directs {
	store := &d.Broadcasts.Store
	small := d.cfg.DatagramSize - wire.BoxOverhead - wire.DirectOverhead
	return Directs{d: d, receiver: direct.NewReceiver(store, ControlMax), Sender: direct.NewSender(direct.Config{SmallMax: small, Store: store}, d.cfg.RNG)}
}

// ReceiverStats returns the counters of received messages.
func (x *Directs) ReceiverStats() *direct.ReceiverStats { return &x.receiver.Stats }

// SendTo begins to send data to the node at an address. A reliable message is repeated until it is acknowledged or until has
// passed. Any other message is sent once. SendTo keeps a copy of data.
func (x *Directs) SendTo(out []direct.Outcome, now time.Time, to netip.AddrPort, data []byte, reliable bool, until time.Time) (*direct.Message, []direct.Outcome, error) {
	p, legacy := x.Reach(now, to)
	if legacy && len(data) <= MessageMax {
		return nil, out, direct.ErrLegacy
	}
	m := &direct.Message{ID: x.Sender.NewID(), To: to, Use: wire.UseMessage, Until: until}
	if reliable {
		m.Use = wire.UseReliable
	}
	out, err := x.Start(out, now, m, p, data)
	return m, out, err
}

// SendMember sends data once to one member: a broadcast from before the member joined (wire.UseRepeat), or a query
// whether the member has a broadcast (wire.UseCoverage). It sends nothing to a member that is gone or runs gwyh 0.1.
// SendMember keeps a copy of data.
func (x *Directs) SendMember(out []direct.Outcome, now time.Time, to wire.NodeID, use wire.Use, data []byte, until time.Time) ([]direct.Outcome, error) {
	t := x.d.cfg.Members
	e := t.Get(to)
	if gone := e == nil || !e.Live(); gone || e.Legacy() || e == t.Self() {
		return out, nil
	}
	p, legacy := x.Reach(now, e.Addr)
	if legacy {
		return out, nil
	}
	return x.Start(out, now, &direct.Message{ID: x.Sender.NewID(), To: e.Addr, Use: use, Until: until}, p, data)
}

// Start starts to send data as the content of m to p. If p is nil, it starts once there is a session.
func (x *Directs) Start(out []direct.Outcome, now time.Time, m *direct.Message, p *Peer, data []byte) ([]direct.Outcome, error) {
	var to *direct.Peer
	var roundTrip time.Duration
	switch {
	case len(data) > MessageMax:
		return out, &TooLargeError{Size: len(data), Max: MessageMax}
	case p != nil && p.Packets.Full(x.Sender.IsLarge(len(data))):
		return out, direct.ErrQueueFull
	case p != nil:
		to, roundTrip = &p.Direct, p.RoundTrip()
	}
	out, err := x.Sender.Begin(out, now, m, data, to, roundTrip)
	if err == nil && m.Large != nil {
		x.d.Broadcasts.SweepLater(now)
	}
	return out, err
}

// Reach returns the Go node at an address if there is a usable session with it. If a gwyh 0.1 node is at the address,
// Reach returns nil and legacy is true.
func (x *Directs) Reach(now time.Time, to netip.AddrPort) (p *Peer, legacy bool) {
	d := x.d
	if p := x.peerOf(x.Sender.Route(to)); p != nil && p.Sessions.Current(now) != nil {
		if e := d.cfg.Members.Get(p.ID); e == nil || e.Live() {
			return p, false
		}
	}
	x.Sender.SetRoute(to, nil)
	if p = d.PeerAt(now, to); p == nil || p.Legacy {
		return nil, p != nil
	}
	x.Sender.SetRoute(to, &p.Direct)
	return p, false
}

// peerOf returns the peer that contains of, or nil if that peer is gone or of is nil.
func (x *Directs) peerOf(of *direct.Peer) *Peer {
	if of == nil {
		return nil
	}
	if p := x.d.peers[of.ID]; p != nil && &p.Direct == of {
		return p
	}
	return nil
}

// SessionWith returns what the Sender needs to know about the session with the receiver of m.
func (x *Directs) SessionWith(now time.Time, m *direct.Message) direct.Session {
	p := x.peerOf(m.Peer())
	if p == nil {
		return direct.Session{}
	}
	unwritten := x.d.sessions.Unwritten(p.Sessions.Path().Remote) || p.Packets.IsQueued(m.Place)
	return direct.Session{Current: p.Sessions.Current(now) != nil, Heard: p.Swim.Heard, Unwritten: unwritten}
}

// Perform acts on an outcome that needs nothing except the peer. It returns false for direct.Dial and direct.Ended, on
// which the caller acts.
func (x *Directs) Perform(now time.Time, o *direct.Outcome) bool {
	if o.Kind == direct.Dial || o.Kind == direct.Ended {
		return false
	}
	p := x.peerOf(o.Peer)
	if p == nil {
		return true
	}
	switch o.Kind {
	case direct.Send:
		x.send(now, p, o.Message)
	case direct.Repeat:
		x.repeat(now, p, o.Message, o.Missing)
	case direct.EndTransfer:
		p.Packets.EndTransfer(o.Message.Large)
	}
	return true
}

func (x *Directs) send(now time.Time, p *Peer, m *direct.Message) {
	if m.Large == nil {
		x.sendWhole(now, p, m)
		return
	}
	if p.Packets.Transfer(m.Large) == nil {
		p.Packets.Begin(now, m.Large, m.Use)
	}
	x.d.Sender.Pump(now, p)
}

// sendWhole sends a small message.
func (x *Directs) sendWhole(now time.Time, p *Peer, m *direct.Message) {
	d := x.d
	plain := wire.AppendDirect(d.Sender.Begin(), m.ID, wire.Direct{Use: m.Use, Total: uint32(len(m.Data)), Data: m.Data})
	small := d.Sender.NewSmall(now, plain)
	m.Place = small.Ref.Off
	d.Sender.SendSmall(now, p, small)
}

// repeat sends a message again: of a large one the missing range and the last byte, unless it is still being sent.
func (x *Directs) repeat(now time.Time, p *Peer, m *direct.Message, missing rangeset.Range) {
	switch {
	case m.Large == nil:
		x.sendWhole(now, p, m)
		return
	case p.Packets.Transferring(m.Large):
		return
	case !missing.Empty():
		p.Packets.Resend(now, m.Large, missing)
	}
	p.Packets.Resend(now, m.Large, rangeset.Range{From: m.Large.Total - 1, To: m.Large.Total})
	x.d.Sender.Pump(now, p)
}

// Ready sends the messages that waited for a session with p. dials are the numbers of the direct.Dial outcomes whose
// handshakes have ended with p.
func (x *Directs) Ready(out []direct.Outcome, now time.Time, p *Peer, dials []uint64) []direct.Outcome {
	return x.Sender.SessionReady(out, now, &p.Direct, p.RoundTrip(), dials...)
}

// ReceiveAck ends a message that p acknowledges, or sends the range that p reports missing.
func (x *Directs) ReceiveAck(out []direct.Outcome, now time.Time, p *Peer, data []byte) []direct.Outcome {
	ack, err := wire.ParseDirectAck(data)
	if err != nil {
		x.d.drop(stats.DropMalformedBody)
		return out
	}
	m := x.Sender.Awaited(ack.ID)
	sending := m != nil && m.Large != nil && p.Packets.Transferring(m.Large)
	return x.Sender.HandleAck(out, now, m, ack, &p.Direct, p.RoundTrip(), sending)
}

// Check parses a piece of a message that arrived on ch. inner says that the piece itself arrived in pieces. Check returns false
// if the piece was refused, or if the message has arrived already: it is then acknowledged again, because the sender waits
// for that. Otherwise the caller passes the piece to Receive.
func (x *Directs) Check(now time.Time, ch *packets.Channel, m *wire.Message, inner bool) (wire.Direct, bool) {
	piece, verdict := x.receiver.Check(&m.ID, m.Data, inner)
	if verdict == direct.Duplicate {
		x.ack(now, ch, piece.Use, direct.WholeAck(m.ID, piece.Total))
	}
	if ofApplication(piece.Use) && x.d.isRefused(ch.Session.Peer()) {
		x.d.drop(stats.DropUnexpected)
		return piece, false
	}
	return piece, verdict == direct.New
}

// ofApplication reports whether a use is that of a message which the application of another node has made.
func ofApplication(u wire.Use) bool { return u <= wire.UseReliable || u == wire.UseRepeat }

// Receive adds a piece to its message. It returns the assembly of a message in several pieces, and the message if it is
// complete. If the piece had already arrived, what is missing is requested.
func (x *Directs) Receive(now time.Time, p *Peer, ch *packets.Channel, id wire.MessageID, piece *wire.Direct) (a *assembly.Assembly, v direct.Arrival) {
	v, whole := direct.Whole(piece)
	if whole {
		return nil, v
	}
	x.d.Sender.ReportSoon(now, p, ch)
	if a = direct.Find(p.Receiving, id); a == nil {
		a = x.d.Broadcasts.beginReceiving(now, p, id, piece.Total, true)
	}
	if a == nil {
		return nil, v
	}
	if v = x.receiver.Write(now, a, piece); v.Again {
		x.ack(now, ch, piece.Use, v.Ack)
	}
	return a, v
}

// AcknowledgeUnwanted acknowledges an answer that this node does not await, as if all of it had arrived, so that its
// sender stops repeating it (PROTOCOL.md B1). It ignores pushes: their sender waits for an answer or a refusal.
func (x *Directs) AcknowledgeUnwanted(now time.Time, ch *packets.Channel, id wire.MessageID, piece *wire.Direct) {
	if piece.Use.IsAnswer() {
		x.ack(now, ch, piece.Use, direct.WholeAck(id, piece.Total))
	}
}

// Deliver acknowledges a complete message, and delivers it to the application the first time. It returns true if the message
// is new and for the caller: a part of an exchange, or a control plaintext.
func (x *Directs) Deliver(now time.Time, p *Peer, ch *packets.Channel, use wire.Use, id wire.MessageID, data []byte) bool {
	first := x.receiver.First(now, &id)
	x.ack(now, ch, use, direct.WholeAck(id, uint32(len(data))))
	switch {
	case !first:
	case use.Exchanged(), use == wire.UseControl:
		return true
	case use == wire.UseRepeat:
		x.deliverMessage(event.ViaRepeat, data)
	case use == wire.UseCoverage, use == wire.UseCoverageAnswer:
		x.receiveCoverage(now, p, ch, use, data)
	default:
		x.deliverMessage(event.ViaDirect, data)
	}
	return false
}

// receiveCoverage answers the query whether this node has a broadcast, or handles the answer to one.
func (x *Directs) receiveCoverage(now time.Time, p *Peer, ch *packets.Channel, use wire.Use, data []byte) {
	d := x.d
	v, err := direct.ParseCoverage(use, data)
	switch {
	case err != nil:
		d.drop(stats.DropMalformedBody)
	case use == wire.UseCoverage:
		v.Has = d.Broadcasts.Has(v.ID)
		ch.Answer(now, direct.AppendCoverageAnswer(d.Sender.Begin(), x.Sender.NewID(), v))
	default:
		d.cfg.Events.Add(event.Event{Kind: event.Coverage, From: p.ID, ID: v.ID, Has: v.Has})
	}
}

func (x *Directs) deliverMessage(via event.Via, data []byte) {
	x.receiver.Stats.Delivered++
	x.d.cfg.Events.Add(event.Event{Kind: event.Message, Via: via, Data: data})
}

func (x *Directs) ack(now time.Time, ch *packets.Channel, use wire.Use, ack wire.DirectAck) {
	if use.Acknowledged() {
		ch.Answer(now, wire.AppendDirectAck(x.d.Sender.Begin(), x.d.newID(), ack))
	}
}

// cut sends a small direct message in pieces. A reliable message stays a large message until it is acknowledged.
func (x *Directs) cut(now time.Time, p *Peer, id wire.MessageID, data []byte) {
	d := x.d
	piece, err := wire.ParseDirect(data)
	if err != nil || int(piece.Total) != len(piece.Data) {
		return
	}
	m := x.Sender.Awaited(id)
	if m == nil {
		x.sendPieces(now, p, id, piece.Use, piece.Data)
		return
	}
	if !x.Sender.Enlarge(now, m) { // the next repeat tries again
		d.drop(stats.DropStoreFull)
		return
	}
	if p.Packets.Transfer(m.Large) == nil {
		p.Packets.Begin(now, m.Large, m.Use)
	}
	d.Broadcasts.SweepLater(now)
}

// sendControl sends a control plaintext in pieces (PROTOCOL.md U7).
func (x *Directs) sendControl(now time.Time, p *Peer, plain []byte) {
	p.Packets.Widen(now)
	if len(plain) > ControlMax {
		x.d.drop(stats.DropOversize)
		return
	}
	x.sendPieces(now, p, x.Sender.NewID(), wire.UseControl, plain)
	p.Packets.PumpSoon(now)
}

// sendPieces queues a message that needs no acknowledgment for p in pieces.
func (x *Directs) sendPieces(now time.Time, p *Peer, id wire.MessageID, use wire.Use, data []byte) {
	d := x.d
	if len(p.Packets.Transfers()) >= packets.TransfersMax {
		d.drop(stats.DropQueueFull)
		return
	}
	again := slices.ContainsFunc(p.Packets.Transfers(), func(t *packets.Transfer) bool { return t.Message().Direct && t.Message().ID == id })
	if again { // two copies of the message were lost
		return
	}
	a := d.Broadcasts.Store.Add(now, id, data, true)
	if a == nil {
		d.drop(stats.DropStoreFull)
		return
	}
	p.Packets.Begin(now, a, use)
	d.Broadcasts.SweepLater(now)
}
