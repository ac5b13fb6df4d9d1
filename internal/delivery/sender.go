package delivery

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// newSender returns the Sender of d, whose Endpoint is set.
func newSender(d *Delivery) Sender {
	return Sender{d: d, Arena: arena.New(arena.Config{Keep: d.keepFor(), Unused: d.Endpoint.Heartbeats(2), Hold: 2 * packets.SmallMax, Max: d.cfg.Memory.Small}),
		sealTimer: timer.Timer{Fire: func(now time.Time) { d.Sender.SealDue(now, false) }}}
}

// Unsealed returns the number of open datagrams, which the next call of SealDue may seal.
func (tr *Sender) Unsealed() int { return len(tr.unsealed) }

// Rest releases memory that a burst needed. It is called once per heartbeat interval.
func (tr *Sender) Rest(now time.Time) {
	tr.d.cfg.Out.Rest()
	tr.d.cfg.Events.Rest()
	if tr.Arena.Rest(now) {
		tr.smallMsg = SmallMessage{} // its plaintext is in the released memory
	}
}

// NewSmall makes a small message of a plaintext, which may be scratch. The message is valid until the next call.
func (tr *Sender) NewSmall(now time.Time, plain []byte) *SmallMessage {
	return tr.smallMsg.set(now, &tr.Arena, plain)
}

func (m *SmallMessage) set(now time.Time, a *arena.Arena, plain []byte) *SmallMessage {
	ref := a.Put(now, plain)
	*m = SmallMessage{Plain: a.Get(ref), Ref: ref}
	return m
}

// SendSmall sends a small message to p, queues it, or drops it if the queue is full. A message that fits in no datagram
// to p is sent in pieces.
func (tr *Sender) SendSmall(now time.Time, p *Peer, m *SmallMessage) {
	switch p.Packets.Send(now, m.Ref) {
	case packets.Opened:
		tr.list(p)
	case packets.Unfit:
		tr.recut(now, p, m.Plain)
		tr.Pump(now, p)
	}
}

// Pump sends messages queued for p as far as pacing allows.
func (tr *Sender) Pump(now time.Time, p *Peer) {
	d := tr.d
	leaving := !d.cfg.Members.Self().Live()
	for unfit := p.Packets.Pump(now, leaving); unfit != nil; unfit = p.Packets.PumpOn(now, leaving) {
		tr.recut(now, p, unfit)
	}
}

// SendPlain sends a control plaintext to p at once, in pieces if the path does not carry a datagram of that size.
// Without a confirmed session it sends nothing.
func (tr *Sender) SendPlain(now time.Time, p *Peer, plain []byte) {
	if d := tr.d; !d.sessions.SendControl(now, p.Node, plain) {
		d.Directs.sendControl(now, p, plain)
	}
}

// Begin returns the empty buffer of the transport. The caller appends a plaintext and passes the result to send before
// it calls anything else that sends.
func (tr *Sender) Begin() []byte { return tr.plain[:0] }

// Send is like sendPlain, for a plaintext appended to the buffer that begin returned.
func (tr *Sender) Send(now time.Time, p *Peer, plain []byte) {
	tr.plain = plain
	tr.SendPlain(now, p, plain)
}

// SendRequest sends a request, which has no content.
func (tr *Sender) SendRequest(now time.Time, p *Peer, k wire.Kind) {
	d := tr.d
	tr.Send(now, p, wire.AppendRequest(tr.Begin(), d.newID(), k))
}

// Tick sends what is due, probes the tail, requests missing packets and reports. It returns the time of the next
// call.
func (tr *Sender) Tick(now time.Time, p *Peer) (next time.Time) {
	if p.Packets.PumpDue(now) {
		tr.Pump(now, p)
	}
	p.Packets.ProbeTail(now)
	if p.Packets.ReportDue(now) {
		tr.Report(now, p)
	}
	return p.Packets.Tick(now)
}

// HandleNak retransmits what a peer did not receive.
func (tr *Sender) HandleNak(now time.Time, p *Peer, ch *packets.Channel, start, end uint32) {
	unfit, full := ch.HandleNak(now, start, end)
	var m wire.Message
	for len(unfit) > 0 {
		after, err := wire.ParseMessage(&m, unfit)
		if err != nil { // impossible: this node wrote the plaintext
			return
		}
		tr.recut(now, p, unfit[:len(unfit)-len(after)])
		unfit = after
	}
	if full {
		tr.SendSettled(now, p, ch)
	}
}

// SendSettled answers the Naks of one packet, if there were any, and sends what they request.
func (tr *Sender) SendSettled(now time.Time, p *Peer, ch *packets.Channel) {
	if ch.SendSettled(now) {
		tr.Pump(now, p)
	}
}

// ReportDelayMax is the maximum factor by which reports are delayed while a link has a large backlog.
const ReportDelayMax = 8

// ReportSoon schedules a report of what arrived, and sends it if it is due.
func (tr *Sender) ReportSoon(now time.Time, p *Peer, ch *packets.Channel) {
	d := tr.d
	if p.Packets.RTT() == 0 && now.Sub(p.Swim.PingedAt()) > packets.GuessedRTT {
		d.Sender.Ping(now, p)
	}
	ch.WantReport(now)
	if p.Packets.ReportDue(now) {
		tr.Report(now, p)
	}
}

// Report reports to p what was received from it. A backlog delays the report, so that p slows down.
func (tr *Sender) Report(now time.Time, p *Peer) {
	p.Packets.SendReport(now, tr.reportDelay(now))
}

// reportDelay returns the factor by which reports are delayed. It is 1 plus 1 for each part of the neighbors' backlog beyond
// the limits (PROTOCOL.md T1).
func (tr *Sender) reportDelay(now time.Time) int {
	d := tr.d
	const part = assembly.StoreMax / 2 / ReportDelayMax
	large := max(d.Broadcasts.largeWanted(now)-assembly.StoreMax/2, 0)
	return min(1+d.Broadcasts.backlog(now)/packets.SmallOwn+large/part, ReportDelayMax)
}

// corkFor is how long after the last datagram the next one on a busy link waits for more messages.
const corkFor = 250 * time.Microsecond

// list adds p to the peers whose open datagrams will be sealed.
func (tr *Sender) list(p *Peer) {
	if !p.listed {
		p.listed = true
		tr.unsealed = append(tr.unsealed, p)
	}
}

// SealDue runs at the end of a turn. It seals all open datagrams, or only those that must not wait: on a busy link a
// datagram may wait for more messages.
func (tr *Sender) SealDue(now time.Time, all bool) {
	d := tr.d
	var next time.Time
	tr.unsealed = slices.DeleteFunc(tr.unsealed, func(p *Peer) bool {
		if until := p.Packets.SealedAt().Add(corkFor); p.mayWait() && !all && until.After(now) {
			next = timer.Soonest(next, until)
		} else {
			p.Packets.Seal(now)
			d.Broadcasts.carryFor(now, p)
		}
		p.listed = p.Packets.HasOpen()
		return !p.listed
	})
	d.cfg.Timers.Plan(&tr.sealTimer, next)
}

// A message made for one datagram may be larger than any datagram of its path. It is cut into pieces: a broadcast into
// frames, any other message into pieces of a direct message.

// recut queues a message of one datagram for p in pieces. The caller calls Pump (PROTOCOL.md Z4).
func (tr *Sender) recut(now time.Time, p *Peer, plain []byte) {
	d := tr.d
	p.Packets.Widen(now)
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil { // impossible: this node wrote the plaintext
		return
	}
	switch m.Kind {
	case wire.KindCast:
		d.Broadcasts.cutFor(now, p, nil, m.ID, m.Data, true)
	case wire.KindDirect:
		d.Directs.cut(now, p, m.ID, m.Data)
	default:
		d.Directs.sendControl(now, p, plain)
	}
}

// sendLegacy passes a message on in the form of gwyh 0.1. It does not send a message above LegacyMax bytes, because
// such a node would lose it silently, or UDP could not carry the datagram (PROTOCOL.md L7).
func (tr *Sender) sendLegacy(now time.Time, p *Peer, id wire.MessageID, data []byte) {
	d := tr.d
	if len(data) > LegacyMax {
		d.drop(stats.DropLegacySize)
		d.cfg.Report.LegacyLimit(now, len(data), LegacyMax)
		return
	}
	d.cfg.Stats.BroadcastsForwarded++
	tr.SendPlain(now, p, wire.AppendBroadcast(nil, wire.Arrays, id, data))
}

// Ping asks p for an answer, which shows that p is alive and gives the round-trip time. A gwyh 0.1 node gets an empty
// Frame, which it answers without side effects.
func (tr *Sender) Ping(now time.Time, p *Peer) {
	d := tr.d
	if p.Legacy {
		tr.Send(now, p, wire.AppendFrame(tr.Begin(), wire.Arrays, d.newID(), 0, 0, nil))
	} else {
		tr.Send(now, p, p.Swim.AppendPing(tr.Begin(), now, d.newID(), swim.Purpose{}))
	}
}
