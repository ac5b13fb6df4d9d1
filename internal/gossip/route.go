package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// conclude acts on the outcomes that one input to the Endpoint has appended to h.outcomes.
func (h *handshakes) conclude(now time.Time, out []handshake.Outcome) {
	h.outcomes.Work(out, func(o *handshake.Outcome) { h.act(now, o) })
}

func (h *handshakes) act(now time.Time, o *handshake.Outcome) {
	if h.Send(now, o) {
		return
	}
	switch o.Kind {
	case handshake.SessionEstablished:
		h.established(now, o.Session)
	case handshake.GoTeamReceived:
		if p := h.HandleGoTeam(now, o.Handshake, o.Peer); p != nil {
			h.ready(now, h.core.peers[p.ID])
		}
	case handshake.AttemptFailed:
		h.attemptFailed(now, o.Attempt, o.Err)
	case handshake.AttemptSlow:
		h.attemptSlow(now, o.Attempt)
	case handshake.PacketRejected:
		h.rejected(now, o)
	}
}

// established handles a completed handshake, and introduces this node in the new session. The identity is the first
// message of the session in both directions (PROTOCOL.md M1).
func (h *handshakes) established(now time.Time, e *handshake.Established) {
	c := h.core
	p := h.peerOf(now, e)
	s := h.Establish(now, p.Node, e)
	p.Swim.Introduced(now)
	c.report.Established(now, p.ID, p.Sessions.Path().Remote, e.Initiator)
	if e.RTT > 0 {
		c.overlay.measured(p, e.RTT)
	}
	early := false
	if d, ok := h.dials.Get(e.Attempt); ok {
		p.dials = append(p.dials, e.Attempt)
		p.NoteAnsweredAt(now, d.To)
		if j := c.joins.Of(d); j != nil {
			j.Reached(p.ID)
			c.heal.Reached(d.To, p.ID)
			early = h.SealEarly(now, p.Node, s, e)
		}
	}
	var self wire.Member
	h.conclude(now, h.Introduce(h.outcomes, now, p.Node, s, e, c.members.Self().Fill(&self)))
	if early { // the Join need not wait for a packet of the peer
		c.joins.ready(now, p)
	}
}

// peerOf returns the peer of a handshake, making it if needed, and gives the components the handshake's data.
func (h *handshakes) peerOf(now time.Time, e *handshake.Established) *peer {
	c := h.core
	p := c.peers[e.Peer]
	if p == nil {
		if old := h.MakeRoom(now, len(c.links)); old != nil {
			h.remove(now, c.peers[old.ID])
		}
		p = h.newPeer(now, e)
		p.Timer.Fire = func(now time.Time) { h.tick(now, p) }
	}
	p.Swim.Heard = now
	p.push.Forget()
	p.push.SetCapabilities(e.Capabilities)
	c.report.Introduced(p.ID, e.Name)
	if e.HasVersions {
		p.push.Versions = e.Versions
	}
	interval := e.Heartbeat
	if e.Legacy {
		interval = legacy.Interval
	}
	p.Swim.SetInterval(interval, c.cfg.Detection.ProbeInterval)
	return p
}

// rejected counts a refused handshake packet and logs the reason.
func (h *handshakes) rejected(now time.Time, o *handshake.Outcome) {
	c, r := h.core, o.Reason
	if r == handshake.Returned && h.isSelf(o.To.Remote) {
		h.reachedSelf(now, o.Attempt)
		return
	}
	if p := c.peers[o.Peer]; r == handshake.Unfinished && p != nil && p.Swim.HeardUsSince(now.Add(-handshake.HalfOpenLife)) {
		return // the peer has got what this node sent since: it needed the handshake no more
	}
	h.Stats().Reject(o.From.Remote, r)
	c.report.Rejected(now, o.From.Remote, o.Peer, r)
}

// handleBox opens a box and handles its messages.
func (h *handshakes) handleBox(now time.Time, from wire.Path, pkt *wire.Packet, size int) {
	c := h.core
	o, ok := h.Open(now, pkt)
	if !ok {
		return
	}
	p, ch := c.peers[o.Peer.ID], o.Channel
	confirmed := h.opened(now, p, &o, from)
	if ch == nil {
		if confirmed {
			h.ready(now, p)
		}
		var m wire.Message
		if c.gateway.handleOpened(now, p, &m, o.Plain) {
			c.broadcast.ReceiveBroadcast(now, &p.Peer, &m)
		}
		return
	}
	if ch.CountReceived(size) {
		c.sender.ReportSoon(now, &p.Peer, ch)
	}
	h.handlePlain(now, received{peer: p, channel: ch, from: from}, o.Plain)
	if confirmed { // most likely by its identity, which has been handled by now
		h.ready(now, p)
	}
	c.sender.SendSettled(now, &p.Peer, ch)
	ch.EndPacket(now)
}

// opened notifies the components that a packet of p has opened.
func (h *handshakes) opened(now time.Time, p *peer, o *peers.Opened, from wire.Path) (confirmed bool) {
	c := h.core
	if silence, again := c.swim.HearPacket(now, &p.Swim); again {
		c.report.HeardAgain(now, silence)
	}
	if confirmed = h.HandleOpened(now, o, from); confirmed {
		c.swim.detect(now, c.swim.Answered(c.swim.outcomes, now, &p.Swim))
	}
	if m := c.swim.AccusedOf(&p.Swim); m != nil {
		c.swim.messages.Notify(now, &p.Peer, m)
	}
	return confirmed
}

// handlePlain handles the messages of a plaintext of a Go node (PROTOCOL.md P1).
func (h *handshakes) handlePlain(now time.Time, in received, plain []byte) {
	c := h.core
	var m wire.Message
	var err error
	for len(plain) > 0 {
		if plain, err = wire.ParseMessage(&m, plain); err != nil {
			c.drop(stats.DropMalformedBody)
			return
		}
		c.report.Message(now, in.peer.ID, &m)
		if c.delivery.Accepts(&in.peer.Peer, &m) {
			h.handleMessage(now, in, &m)
		}
	}
}

func (h *handshakes) handleMessage(now time.Time, in received, m *wire.Message) {
	c, p, ch := h.core, in.peer, in.channel
	switch m.Kind {
	case wire.KindCast, wire.KindBeacon:
		c.broadcast.ReceiveBroadcast(now, &p.Peer, m)
	case wire.KindFrame:
		c.broadcast.ReceiveFrame(now, &p.Peer, ch, m)
	case wire.KindNak:
		c.sender.HandleNak(now, &p.Peer, ch, m.Start, m.End)
	case wire.KindSettled:
		ch.HandleSettled(m.Data)
	case wire.KindHave:
		c.broadcast.ReceiveHave(now, &p.Peer, m.Data)
	case wire.KindWant:
		c.broadcast.ReceiveWant(now, &p.Peer, m.Data)
	case wire.KindPrune:
		c.broadcast.Disseminator.HandleSteer(&p.Neighbor, m.Data, true)
	case wire.KindGraft:
		c.broadcast.Disseminator.HandleSteer(&p.Neighbor, m.Data, false)
	case wire.KindStripes:
		c.broadcast.ReceiveStripes(now, &p.Peer, m.Data)
	case wire.KindStop:
		c.broadcast.ReceiveStop(&p.Peer, m.Data)
	case wire.KindReport:
		h.handleReport(now, p, ch, m.Data)
	case wire.KindDirect:
		if control := c.direct.handle(now, in, m); control != nil {
			h.handlePlain(now, received{peer: p, channel: ch, from: p.Sessions.Path(), inner: true}, control)
		}
	case wire.KindClock:
		c.broadcast.ReceiveClock(now, &p.Peer, m.Data)
	case wire.KindDirectAck:
		c.direct.conclude(now, c.direct.ReceiveAck(c.direct.outcomes, now, &p.Peer, m.Data))
	case wire.KindHeartbeat:
		c.swim.messages.Remind(now, &p.Peer)
		c.overlay.conclude(now, c.overlay.HandleHeartbeat(c.overlay.acts, &p.overlay))
	case wire.KindStartSubscription:
		c.overlay.handleStart(now, p)
	case wire.KindSubscriptionStarted:
		c.overlay.conclude(now, c.overlay.HandleStarted(c.overlay.acts, &c.overlay, &p.overlay))
	case wire.KindEndSubscription:
		c.overlay.conclude(now, c.overlay.HandleEnd(c.overlay.acts, now, &p.overlay))
	case wire.KindMembers:
		c.membership.handleMembers(now, p, m.Data, byNews)
	case wire.KindSyncMembers:
		c.membership.handleMembers(now, p, m.Data, byComparison)
	case wire.KindSyncRoot:
		c.sync.handleSyncRoot(now, p, m.Data)
	case wire.KindSyncBuckets:
		c.entries.ReceiveBuckets(now, &p.Peer, m.Data)
	case wire.KindSyncWant:
		c.entries.ReceiveWant(now, &p.Peer, m.Data)
	case wire.KindPing:
		c.swim.messages.ReceivePing(now, in.from, &p.Peer, ch, m.Data)
	case wire.KindAck:
		c.swim.handleAck(now, p, m.Data)
	case wire.KindIdentity:
		h.handleIdentity(p, m.Data)
	case wire.KindProbeFor:
		c.swim.detect(now, c.swim.messages.ReceiveProbeFor(c.swim.outcomes, now, &p.Peer, m.Data))
	case wire.KindProbeResult:
		c.swim.detect(now, c.swim.messages.ReceiveProbeResult(c.swim.outcomes, now, &p.Peer, m.Data))
	case wire.KindStateRefused:
		c.push.conclude(now, c.push.HandleRefused(c.push.outcomes, now, &p.push, m.Data))
	case wire.KindUnknown:
		c.drop(stats.DropUnknownBody)
	default:
		c.drop(stats.DropUnexpected)
	}
}

// handleIdentity records the name and the versions of a peer. The handshake already contained everything else in the
// identity. The peer's membership comes with its alive entry.
func (h *handshakes) handleIdentity(p *peer, data []byte) {
	c := h.core
	var e wire.Member
	if err := wire.ParseIdentity(data, &e); err != nil {
		c.drop(stats.DropMalformedBody)
		return
	}
	c.report.Introduced(p.ID, string(e.Name))
	p.push.Versions = e.Versions
}

// tick does what is due for p and sets its timer again.
func (h *handshakes) tick(now time.Time, p *peer) {
	c := h.core
	if h.tickSessions(now, p); p.Sessions.Len() == 0 {
		h.remove(now, p)
		return
	}
	next := timer.Soonest(c.overlay.tickLink(now, p), c.sync.tickSync(now, p))
	next = timer.Soonest(next, c.sender.Tick(now, &p.Peer))
	next = timer.Soonest(next, c.delivery.TickPath(now, &p.Peer))
	if next = timer.Soonest(next, p.Sessions.NextTimeout()); !next.IsZero() {
		c.timers.Advance(&p.Timer, next)
	}
}

// tickSessions closes, renews and probes the sessions of p as needed.
func (h *handshakes) tickSessions(now time.Time, p *peer) {
	a := h.HandleTimeout(now, p.Node)
	if a.RenewTries > 0 {
		h.core.report.NotRenewed(now, p.ID, a.RenewTries)
	}
	if a.Renew {
		h.dialMember(now, p.Sessions.Path(), p.ID, renewFor)
	}
	h.Probe(now, p.Node, &a)
}

// remove ends a peer without sessions. A linked member that is no longer reachable is declared dead. If it is alive,
// other nodes receive its refutation.
func (h *handshakes) remove(now time.Time, p *peer) {
	c := h.core
	if m := c.members.Get(p.ID); p.Linked && m != nil && m.Live() {
		c.membership.declareDead(now, m)
	}
	c.overlay.unlink(now, p)
	h.Remove(p.Node)
	delete(c.peers, p.ID)
	c.delivery.Remove(&p.Peer)
	c.report.Forget(p.ID)
	c.swim.RemovePeer(&p.Swim)
	if p.Legacy {
		c.gateway.bridge.Remove(p.gateway)
	}
	c.push.conclude(now, c.push.RemovePeer(c.push.outcomes, &p.push))
	for _, a := range p.dials {
		h.attemptFailed(now, a, pushpull.ErrPeerGone)
	}
}

// handleReport handles a report of what has arrived, and how quickly.
func (h *handshakes) handleReport(now time.Time, p *peer, ch *packets.Channel, data []byte) {
	c := h.core
	r, err := wire.ParseReport(data)
	if err != nil {
		c.drop(stats.DropMalformedBody)
		return
	}
	sent, ok := ch.HandleReport(now, r)
	if !ok {
		return
	}
	c.overlay.measured(p, p.Packets.Pace().RTT())
	c.swim.detect(now, c.swim.HearAnswer(c.swim.outcomes, now, &p.Swim, sent))
	c.broadcast.Confirm(now, &p.Peer, ch, r.Lowest)
	c.sender.Pump(now, &p.Peer)
}
