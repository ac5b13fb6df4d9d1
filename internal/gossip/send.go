package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// smallMessage is one plaintext on its way along several links. The arena keeps it for those that cannot send it at
// once, and for repair.
type smallMessage struct {
	plain []byte
	ref   arena.Ref
	told  bool // it was announced, and so can be asked for
}

// newSmall makes a small message of a plaintext, which may be scratch. It is valid until the next call.
func (c *Core) newSmall(now time.Time, plain []byte) *smallMessage {
	return c.smallMsg.set(now, &c.arena, plain)
}

func (m *smallMessage) set(now time.Time, a *arena.Arena, plain []byte) *smallMessage {
	ref := a.Put(now, plain)
	*m = smallMessage{plain: a.Get(ref), ref: ref}
	return m
}

// lags reports whether a link has small messages that wait.
func (c *Core) lags() bool {
	return slices.ContainsFunc(c.links, func(p *peer) bool { return p.packets.Waiting() > 0 })
}

// sendSmall sends a small message to p, or queues it, or drops it when too much waits. One that no datagram to p holds
// goes in pieces.
func (c *Core) sendSmall(now time.Time, p *peer, m *smallMessage) {
	switch p.packets.Send(now, m.ref) {
	case packets.Opened:
		c.list(p)
	case packets.Unfit:
		c.recut(now, p, m.plain)
		c.pump(now, p)
	}
}

// pump sends what waits for p as far as the pacing allows.
func (c *Core) pump(now time.Time, p *peer) {
	leaving := !c.self.Live()
	for unfit := p.packets.Pump(now, leaving); unfit != nil; unfit = p.packets.PumpOn(now, leaving) {
		c.recut(now, p, unfit)
	}
}

// sendPlain sends a plaintext of control to p at once: in pieces if its path carries no datagram of that size. Without a
// confirmed session it goes nowhere.
func (c *Core) sendPlain(now time.Time, p *peer, plain []byte) {
	s := p.set.Current(now)
	if s == nil {
		c.drop(DropUnknownSession)
		return
	}
	if s.Legacy() {
		to := p.set.Path()
		c.out.Add(to, s.SealLegacy(now, c.out.Buffer(), c.nextSeq(to.Remote), plain))
		return
	}
	if !p.packets.SendControl(now, plain) {
		c.direct.sendControl(now, p, plain)
	}
}

// sendRequest sends one of the requests without content.
func (c *Core) sendRequest(now time.Time, p *peer, k wire.Kind) {
	c.plain = wire.AppendRequest(c.plain[:0], c.newID(), k)
	c.sendPlain(now, p, c.plain)
}

// identityMeta is the most metadata, in bytes, of an identity. Longer comes with the alive entry only.
const identityMeta = 512

// identityMax is the most bytes of an identity's plaintext: what goes through any path.
const identityMax = datagramMin - wire.BoxOverhead

// identity is the plaintext that begins a session: it tells who this node is.
func (c *Core) identity() []byte {
	if c.self.Fill(&c.membership.entry); len(c.membership.entry.Meta) > identityMeta {
		c.membership.entry.Meta = nil
	}
	plain := wire.AppendIdentity(nil, c.newID(), &c.membership.entry)
	if len(plain) > identityMax {
		c.membership.entry.Meta = nil
		plain = wire.AppendIdentity(nil, c.newID(), &c.membership.entry)
	}
	return plain
}

// tickPackets sends what may be sent by now, probes the tail, asks for what is missing and reports. It returns when it is
// next needed.
func (c *Core) tickPackets(now time.Time, p *peer) (next time.Time) {
	if p.packets.PumpDue(now) {
		c.pump(now, p)
	}
	p.packets.ProbeTail(now)
	if p.packets.ReportDue(now) {
		c.report(now, p)
	}
	return p.packets.Tick(now)
}

// handleNak sends again what a peer did not receive.
func (c *Core) handleNak(now time.Time, p *peer, ch *packets.Channel, start, end uint32) {
	unfit, full := ch.HandleNak(now, start, end)
	var m wire.Message
	for len(unfit) > 0 {
		after, err := wire.ParseMessage(&m, unfit)
		if err != nil { // not of what we have written ourselves
			return
		}
		c.recut(now, p, unfit[:len(unfit)-len(after)])
		unfit = after
	}
	if full {
		c.sendSettled(now, p, ch)
	}
}

// sendSettled answers the Naks of one packet, if there were any, and sends what they ask for.
func (c *Core) sendSettled(now time.Time, p *peer, ch *packets.Channel) {
	if ch.SendSettled(now) {
		c.pump(now, p)
	}
}

// reportStrain is how many times as long as usual a peer waits for a report at most, while a link has a large backlog.
const reportStrain = 8

// reportSoon has what came reported, now or when the next report is due.
func (c *Core) reportSoon(now time.Time, p *peer, ch *packets.Channel) {
	if p.packets.RTT() == 0 && now.Sub(p.swim.PingedAt()) > packets.GuessedRTT {
		c.ping(now, p)
	}
	ch.WantReport(now)
	if p.packets.ReportDue(now) {
		c.report(now, p)
	}
}

// report tells p what was received from it. A parent is told later if more could not be passed on, so that it slows down.
func (c *Core) report(now time.Time, p *peer) {
	factor := 1
	if p.neighbor.Parent {
		factor = c.strain(now)
	}
	p.packets.SendReport(now, factor)
}

// strain is how many times as long as usual a parent waits for a report: one more for each part of the backlog of others
// beyond the bounds.
func (c *Core) strain(now time.Time) int {
	const part = assembly.StoreMax / 2 / reportStrain
	large := max(c.largeWanted(now)-assembly.StoreMax/2, 0)
	return min(1+c.backlog(now)/packets.SmallOwn+large/part, reportStrain)
}

// handleReport takes in how much of what was sent has arrived, and how quickly.
func (c *Core) handleReport(now time.Time, p *peer, ch *packets.Channel, data []byte) {
	r, err := wire.ParseReport(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	sent, ok := ch.HandleReport(now, r)
	if !ok {
		return
	}
	c.overlay.measured(p, p.packets.Pace().RTT())
	c.detect(now, c.swim.HearAnswer(c.detected, now, &p.swim, sent))
	c.arrived = ch.Confirm(now, r.Lowest, c.arrived[:0])
	for _, a := range c.arrived {
		largeOf(a).Shown(&p.neighbor)
	}
	clear(c.arrived)
	c.pump(now, p)
}
