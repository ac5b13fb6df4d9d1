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

// newTransport makes the transport of c, whose endpoint is set.
func newTransport(c *Core) transport {
	return transport{core: c, arena: arena.New(arena.Config{Keep: c.keepFor(), Unused: c.endpoint.Heartbeats(2), Hold: 2 * packets.SmallMax}),
		cork: cork{timer: timer.Timer{Fire: func(now time.Time) { c.transport.sealDue(now, false) }}}}
}

// keepFor is for how long small messages are kept, for repair: digests speak of those of two thirds of that time, and the next one
// may come as late as the next heartbeat.
func (c *Core) keepFor() time.Duration { return min(c.endpoint.Heartbeats(2)*3/4, packets.SentHorizon) }

// newSmall makes a small message of a plaintext, which may be scratch. It is valid until the next call.
func (tr *transport) newSmall(now time.Time, plain []byte) *smallMessage {
	return tr.smallMsg.set(now, &tr.arena, plain)
}

func (m *smallMessage) set(now time.Time, a *arena.Arena, plain []byte) *smallMessage {
	ref := a.Put(now, plain)
	*m = smallMessage{plain: a.Get(ref), ref: ref}
	return m
}

// sendSmall sends a small message to p, or queues it, or drops it when too much waits. One that no datagram to p holds
// goes in pieces.
func (tr *transport) sendSmall(now time.Time, p *peer, m *smallMessage) {
	switch p.packets.Send(now, m.ref) {
	case packets.Opened:
		tr.list(p)
	case packets.Unfit:
		tr.recut(now, p, m.plain)
		tr.pump(now, p)
	}
}

// pump sends what waits for p as far as the pacing allows.
func (tr *transport) pump(now time.Time, p *peer) {
	c := tr.core
	leaving := !c.members.Self().Live()
	for unfit := p.packets.Pump(now, leaving); unfit != nil; unfit = p.packets.PumpOn(now, leaving) {
		tr.recut(now, p, unfit)
	}
}

// sendPlain sends a plaintext of control to p at once: in pieces if its path carries no datagram of that size. Without a
// confirmed session it goes nowhere.
func (tr *transport) sendPlain(now time.Time, p *peer, plain []byte) {
	if c := tr.core; !c.hs.SendControl(now, p.sessions, plain) {
		c.direct.sendControl(now, p, plain)
	}
}

// begin returns the buffer of the transport, empty. The caller appends a plaintext and hands the result to send before it
// calls anything else that sends.
func (tr *transport) begin() []byte { return tr.plain[:0] }

// send is sendPlain for a plaintext that was appended to the buffer that begin returned.
func (tr *transport) send(now time.Time, p *peer, plain []byte) {
	tr.plain = plain
	tr.sendPlain(now, p, plain)
}

// sendRequest sends one of the requests without content.
func (tr *transport) sendRequest(now time.Time, p *peer, k wire.Kind) {
	c := tr.core
	tr.send(now, p, wire.AppendRequest(tr.begin(), c.newID(), k))
}

// identityMeta is the most metadata, in bytes, of an identity. Longer comes with the alive entry only.
const identityMeta = 512

// identityMax is the most bytes of an identity's plaintext: what goes through any path.
const identityMax = pmtu.Min - wire.BoxOverhead

// identity is the plaintext that begins a session: it tells who this node is.
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

// tickPackets sends what may be sent by now, probes the tail, asks for what is missing and reports. It returns when it is
// next needed.
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

// handleNak sends again what a peer did not receive.
func (tr *transport) handleNak(now time.Time, p *peer, ch *packets.Channel, start, end uint32) {
	unfit, full := ch.HandleNak(now, start, end)
	var m wire.Message
	for len(unfit) > 0 {
		after, err := wire.ParseMessage(&m, unfit)
		if err != nil { // not of what we have written ourselves
			return
		}
		tr.recut(now, p, unfit[:len(unfit)-len(after)])
		unfit = after
	}
	if full {
		tr.sendSettled(now, p, ch)
	}
}

// sendSettled answers the Naks of one packet, if there were any, and sends what they ask for.
func (tr *transport) sendSettled(now time.Time, p *peer, ch *packets.Channel) {
	if ch.SendSettled(now) {
		tr.pump(now, p)
	}
}

// reportStrain is how many times as long as usual a peer waits for a report at most, while a link has a large backlog.
const reportStrain = 8

// reportSoon has what came reported, now or when the next report is due.
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

// report tells p what was received from it. It is told later if more could not be passed on, so that it slows down.
func (tr *transport) report(now time.Time, p *peer) {
	p.packets.SendReport(now, tr.strain(now))
}

// strain is how many times as long as usual a peer waits for a report: one more for each part of the backlog of others
// beyond the bounds.
func (tr *transport) strain(now time.Time) int {
	c := tr.core
	const part = assembly.StoreMax / 2 / reportStrain
	large := max(c.broadcast.largeWanted(now)-assembly.StoreMax/2, 0)
	return min(1+c.broadcast.backlog(now)/packets.SmallOwn+large/part, reportStrain)
}

// corkFor is how long, after the last one, a datagram on a busy link waits for company.
const corkFor = 250 * time.Microsecond

// list sees to it that what is open for p is sealed.
func (tr *transport) list(p *peer) {
	if !p.listed {
		p.listed = true
		tr.cork.unsealed = append(tr.cork.unsealed, p)
	}
}

// sealDue seals, at the end of a turn, the datagrams that may not wait, or all of them. On a busy link a datagram may
// wait for company.
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

// Flush lets nothing wait for company any more.
func (c *Core) Flush(now time.Time) {
	c.transport.sealDue(now, true)
}

// What was made for one datagram and does not fit into any that its path carries is cut into pieces: broadcasts into
// frames, all else into pieces of a direct message.

// recut queues a message of one datagram for p in pieces. The caller pumps.
func (tr *transport) recut(now time.Time, p *peer, plain []byte) {
	c := tr.core
	p.packets.Widen(now)
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil { // not of what we have written ourselves
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

// cut sends a small direct message in pieces. One that is to be acknowledged stays a large message until it is.
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
	if !x.Enlarge(now, m) { // tried again with its next repeat
		c.drop(stats.DropStoreFull)
		return
	}
	if p.packets.Transfer(m.Large) == nil {
		p.packets.Begin(now, m.Large, m.Use)
	}
	c.broadcast.sweepLater(now)
}

// sendControl sends a plaintext of control in pieces.
func (x *directs) sendControl(now time.Time, p *peer, plain []byte) {
	p.packets.Widen(now)
	if len(plain) > controlMax {
		x.core.drop(stats.DropOversize)
		return
	}
	x.sendPieces(now, p, x.NewID(), wire.UseControl, plain)
	p.packets.PumpSoon(now)
}

// sendPieces queues a message that nobody acknowledges in pieces for p.
func (x *directs) sendPieces(now time.Time, p *peer, id wire.MessageID, use wire.Use, data []byte) {
	c := x.core
	if len(p.packets.Transfers()) >= packets.TransfersMax {
		c.drop(stats.DropQueueFull)
		return
	}
	again := slices.ContainsFunc(p.packets.Transfers(), func(t *packets.Transfer) bool { return t.Message().Direct && t.Message().ID == id })
	if again { // two copies of it were lost
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

// sendLegacy passes a message on in the form of gwyh 0.1. A message above legacyMessage bytes is not sent: such
// a node would lose it silently, or be sent a datagram that UDP does not carry.
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

// ping asks p for a sign of life; its answer also gives the round-trip time. What gwyh 0.1 answers
// without side effects is an empty Frame.
func (tr *transport) ping(now time.Time, p *peer) {
	c := tr.core
	if p.legacy {
		tr.send(now, p, wire.AppendFrame(tr.begin(), wire.Arrays, c.newID(), 0, 0, nil))
	} else {
		tr.send(now, p, p.swim.AppendPing(tr.begin(), now, c.newID(), swim.Purpose{}))
	}
}
