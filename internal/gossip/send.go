package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newEndpoint(c *Core) *packets.Endpoint {
	return packets.NewEndpoint(packets.Config{Heartbeat: c.cfg.Heartbeat, Paths: pmtu.Config{Size: c.cfg.DatagramSize, Max: c.cfg.DatagramMax},
		IDs: &c.ids, Out: &c.out, Arena: &c.transport.arena, Timers: &c.timers})
}

// newTransport returns the transport of c, whose endpoint is set.
func newTransport(c *Core) transport {
	return transport{core: c, arena: arena.New(arena.Config{Keep: c.keepFor(), Unused: c.endpoint.Heartbeats(2), Hold: 2 * packets.SmallMax}),
		cork: cork{timer: timer.Timer{Fire: func(now time.Time) { c.transport.sealDue(now, false) }}}}
}

// keepFor returns how long small messages are kept for repair. Digests announce messages for two thirds of that time,
// and the next digest may be sent as late as the next heartbeat.
func (c *Core) keepFor() time.Duration { return min(c.endpoint.Heartbeats(2)*3/4, packets.SentHorizon) }

// newSmall makes a small message of a plaintext, which may be scratch. The message is valid until the next call.
func (tr *transport) newSmall(now time.Time, plain []byte) *smallMessage {
	return tr.smallMsg.set(now, &tr.arena, plain)
}

func (m *smallMessage) set(now time.Time, a *arena.Arena, plain []byte) *smallMessage {
	ref := a.Put(now, plain)
	*m = smallMessage{plain: a.Get(ref), ref: ref}
	return m
}

// sendSmall sends a small message to p, queues it, or drops it if the queue is full. A message that fits in no datagram
// to p is sent in pieces.
func (tr *transport) sendSmall(now time.Time, p *peer, m *smallMessage) {
	switch p.packets.Send(now, m.ref) {
	case packets.Opened:
		tr.list(p)
	case packets.Unfit:
		tr.recut(now, p, m.plain)
		tr.pump(now, p)
	}
}

// pump sends messages queued for p as far as pacing allows.
func (tr *transport) pump(now time.Time, p *peer) {
	c := tr.core
	leaving := !c.members.Self().Live()
	for unfit := p.packets.Pump(now, leaving); unfit != nil; unfit = p.packets.PumpOn(now, leaving) {
		tr.recut(now, p, unfit)
	}
}

// sendPlain sends a control plaintext to p at once, in pieces if the path does not carry a datagram of that size.
// Without a confirmed session it sends nothing.
func (tr *transport) sendPlain(now time.Time, p *peer, plain []byte) {
	if c := tr.core; !c.hs.SendControl(now, p.sessions, plain) {
		c.direct.sendControl(now, p, plain)
	}
}

// begin returns the empty buffer of the transport. The caller appends a plaintext and passes the result to send before
// it calls anything else that sends.
func (tr *transport) begin() []byte { return tr.plain[:0] }

// send is like sendPlain, for a plaintext appended to the buffer that begin returned.
func (tr *transport) send(now time.Time, p *peer, plain []byte) {
	tr.plain = plain
	tr.sendPlain(now, p, plain)
}

// sendRequest sends a request, which has no content.
func (tr *transport) sendRequest(now time.Time, p *peer, k wire.Kind) {
	c := tr.core
	tr.send(now, p, wire.AppendRequest(tr.begin(), c.newID(), k))
}

// identityMeta is the maximum metadata of an identity in bytes. Longer metadata comes only with the alive entry.
const identityMeta = 512

// identityMax is the maximum size of an identity's plaintext in bytes. It fits through any path.
const identityMax = pmtu.Min - wire.BoxOverhead

// identity returns the first plaintext of a session, which identifies this node (PROTOCOL.md P5).
func (tr *transport) identity() []byte {
	c := tr.core
	var e wire.Member
	if c.members.Self().Fill(&e); len(e.Meta) > identityMeta {
		e.Meta = nil
	}
	plain := wire.AppendIdentity(nil, c.newID(), &e)
	if len(plain) > identityMax {
		e.Meta = nil
		plain = wire.AppendIdentity(nil, c.newID(), &e)
	}
	return plain
}

// tickPackets sends what is due, probes the tail, requests missing packets and reports. It returns the time of the next
// call.
func (tr *transport) tickPackets(now time.Time, p *peer) (next time.Time) {
	if p.packets.PumpDue(now) {
		tr.pump(now, p)
	}
	p.packets.ProbeTail(now)
	if p.packets.ReportDue(now) {
		tr.report(now, p)
	}
	return p.packets.Tick(now)
}

// handleNak retransmits what a peer did not receive.
func (tr *transport) handleNak(now time.Time, p *peer, ch *packets.Channel, start, end uint32) {
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
		tr.sendSettled(now, p, ch)
	}
}

// sendSettled answers the Naks of one packet, if there were any, and sends what they request.
func (tr *transport) sendSettled(now time.Time, p *peer, ch *packets.Channel) {
	if ch.SendSettled(now) {
		tr.pump(now, p)
	}
}

// reportStrain is the maximum factor by which reports are delayed while a link has a large backlog.
const reportStrain = 8

// reportSoon schedules a report of what arrived, and sends it if it is due.
func (tr *transport) reportSoon(now time.Time, p *peer, ch *packets.Channel) {
	c := tr.core
	if p.packets.RTT() == 0 && now.Sub(p.swim.PingedAt()) > packets.GuessedRTT {
		c.transport.ping(now, p)
	}
	ch.WantReport(now)
	if p.packets.ReportDue(now) {
		tr.report(now, p)
	}
}

// report reports to p what was received from it. A backlog delays the report, so that p slows down.
func (tr *transport) report(now time.Time, p *peer) {
	p.packets.SendReport(now, tr.strain(now))
}

// strain returns the factor by which reports are delayed. It is 1 plus 1 for each part of the neighbors' backlog beyond
// the limits (PROTOCOL.md T1).
func (tr *transport) strain(now time.Time) int {
	c := tr.core
	const part = assembly.StoreMax / 2 / reportStrain
	large := max(c.broadcast.largeWanted(now)-assembly.StoreMax/2, 0)
	return min(1+c.broadcast.backlog(now)/packets.SmallOwn+large/part, reportStrain)
}

// corkFor is how long after the last datagram the next one on a busy link waits for more messages.
const corkFor = 250 * time.Microsecond

// list adds p to the peers whose open datagrams will be sealed.
func (tr *transport) list(p *peer) {
	if !p.listed {
		p.listed = true
		tr.cork.unsealed = append(tr.cork.unsealed, p)
	}
}

// sealDue runs at the end of a turn. It seals all open datagrams, or only those that must not wait: on a busy link a
// datagram may wait for more messages.
func (tr *transport) sealDue(now time.Time, all bool) {
	c := tr.core
	var next time.Time
	tr.cork.unsealed = slices.DeleteFunc(tr.cork.unsealed, func(p *peer) bool {
		if until := p.packets.SealedAt().Add(corkFor); p.mayWait() && !all && until.After(now) {
			next = timer.Soonest(next, until)
		} else {
			p.packets.Seal(now)
		}
		p.listed = p.packets.HasOpen()
		return !p.listed
	})
	c.timers.Plan(&tr.cork.timer, next)
}

// Flush seals all open datagrams.
func (c *Core) Flush(now time.Time) {
	c.transport.sealDue(now, true)
}

// A message made for one datagram may be larger than any datagram of its path. It is cut into pieces: a broadcast into
// frames, any other message into pieces of a direct message.

// recut queues a message of one datagram for p in pieces. The caller calls pump (PROTOCOL.md Z4).
func (tr *transport) recut(now time.Time, p *peer, plain []byte) {
	c := tr.core
	p.packets.Widen(now)
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil { // impossible: this node wrote the plaintext
		return
	}
	switch m.Kind {
	case wire.KindCast:
		c.broadcast.cutFor(now, p, nil, m.ID, m.Data, true)
	case wire.KindDirect:
		c.direct.cut(now, p, m.ID, m.Data)
	default:
		c.direct.sendControl(now, p, plain)
	}
}

// cut sends a small direct message in pieces. A reliable message stays a large message until it is acknowledged.
func (x *directs) cut(now time.Time, p *peer, id wire.MessageID, data []byte) {
	c := x.core
	d, err := wire.ParseDirect(data)
	if err != nil || int(d.Total) != len(d.Data) {
		return
	}
	m := x.Awaited(id)
	if m == nil {
		x.sendPieces(now, p, id, d.Use, d.Data)
		return
	}
	if !x.Enlarge(now, m) { // the next repeat tries again
		c.drop(stats.DropStoreFull)
		return
	}
	if p.packets.Transfer(m.Large) == nil {
		p.packets.Begin(now, m.Large, m.Use)
	}
	c.broadcast.sweepLater(now)
}

// sendControl sends a control plaintext in pieces (PROTOCOL.md U7).
func (x *directs) sendControl(now time.Time, p *peer, plain []byte) {
	p.packets.Widen(now)
	if len(plain) > controlMax {
		x.core.drop(stats.DropOversize)
		return
	}
	x.sendPieces(now, p, x.NewID(), wire.UseControl, plain)
	p.packets.PumpSoon(now)
}

// sendPieces queues a message that needs no acknowledgment for p in pieces.
func (x *directs) sendPieces(now time.Time, p *peer, id wire.MessageID, use wire.Use, data []byte) {
	c := x.core
	if len(p.packets.Transfers()) >= packets.TransfersMax {
		c.drop(stats.DropQueueFull)
		return
	}
	again := slices.ContainsFunc(p.packets.Transfers(), func(t *packets.Transfer) bool { return t.Message().Direct && t.Message().ID == id })
	if again { // two copies of the message were lost
		return
	}
	a := c.broadcast.store.Add(now, id, data, true)
	if a == nil {
		c.drop(stats.DropStoreFull)
		return
	}
	p.packets.Begin(now, a, use)
	c.broadcast.sweepLater(now)
}

// sendLegacy passes a message on in the form of gwyh 0.1. It does not send a message above legacyMessage bytes, because
// such a node would lose it silently, or UDP could not carry the datagram (PROTOCOL.md L7).
func (tr *transport) sendLegacy(now time.Time, p *peer, id wire.MessageID, data []byte) {
	c := tr.core
	if len(data) > legacyMessage {
		c.drop(stats.DropLegacySize)
		c.report.LegacyLimit(now, len(data), legacyMessage)
		return
	}
	c.stats.BroadcastsForwarded++
	tr.sendPlain(now, p, wire.AppendBroadcast(nil, wire.Arrays, id, data))
}

// ping asks p for an answer, which shows that p is alive and gives the round-trip time. A gwyh 0.1 node gets an empty
// Frame, which it answers without side effects.
func (tr *transport) ping(now time.Time, p *peer) {
	c := tr.core
	if p.legacy {
		tr.send(now, p, wire.AppendFrame(tr.begin(), wire.Arrays, c.newID(), 0, 0, nil))
	} else {
		tr.send(now, p, p.swim.AppendPing(tr.begin(), now, c.newID(), swim.Purpose{}))
	}
}
