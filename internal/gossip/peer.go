package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/pacing"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// peer is a node at the other end of at least one session. It need not be a member, nor linked.
type peer struct {
	core   *Core
	id     wire.NodeID
	legacy bool
	set    *session.Set
	swim   swim.Peer
	timer  timer.Timer

	packets   packets.Peer
	neighbor  broadcast.Neighbor
	listed    bool              // it is in Core.cork
	receiving assembly.Incoming // that it began to send; some are whole or forgotten

	zone wire.Zone

	overlay overlay.Peer
	linked  bool      // it is in core.links
	deaf    bool      // it was silent when its last link ended
	beat    time.Time // when the next heartbeat is due

	gateway *legacy.Peer // nil for a Go node
	push    pushpull.Peer
	direct  direct.Peer
	sync    antientropy.Peer
	brings  members.Source
	dials   []handshake.AttemptID // that ended with this peer and are not confirmed
}

// roundTrip is the round-trip time to p as far as it is known, and a guess otherwise.
func (p *peer) roundTrip() time.Duration { return p.packets.RoundTrip() }

// Bounds of what a peer may declare about itself.
const (
	heartbeatMin  = 10 * time.Millisecond
	heartbeatMax  = 30 * time.Second
	legacyMessage = 21_000 // bytes of a broadcast that gwyh 0.1 surely takes
)

// handshakes are the handshakes of a core, and what the core does about their outcomes.
type handshakes struct {
	*handshake.Endpoint
	core     *Core
	dials    *joining.Dials
	outcomes outcome.Buffer[handshake.Outcome]

	boxes map[[16]byte]box // bound sessions by nonce prefix
	seqs  quota.Map[netip.AddrPort, uint32]

	keyIDs   []handshake.KeyID // of the keys accepted, the primary first
	keyTimer timer.Timer

	packet wire.Packet // scratch: the datagram being taken in
	drawn  drawn       // by it
}

// seqsMax bounds the addresses for which packets are counted (PROTOCOL.md 1, field s).
const seqsMax = 8192

// conclude acts on the outcomes that one input to the Endpoint has appended to h.outcomes.
func (h *handshakes) conclude(now time.Time, out []handshake.Outcome) {
	h.outcomes.Work(out, func(o *handshake.Outcome) { h.act(now, o) })
}

func (h *handshakes) act(now time.Time, o *handshake.Outcome) {
	switch o.Kind {
	case handshake.SendHandshake:
		h.sendHandshake(o.To, o.Message)
	case handshake.SendPacket:
		h.core.out.Pack(o.To, append(h.core.out.Buffer(), o.Packet...))
	case handshake.SessionEstablished:
		h.established(now, o.Session)
	case handshake.GoTeamReceived:
		h.goTeam(now, o.Handshake, o.Peer)
	case handshake.SendLegacyProbe:
		h.sendLegacyProbe(now, o.To, o.Handshake, o.Peer)
	case handshake.AttemptFailed:
		h.attemptFailed(now, o.Attempt, o.Err)
	case handshake.AttemptSlow:
		h.attemptSlow(o.Attempt)
	case handshake.PacketRejected:
		h.rejected(now, o)
	}
}

func (h *handshakes) sendHandshake(to wire.Path, hs *wire.Handshake) {
	c := h.core
	seq := uint32(0)
	if hs.Step != wire.StepCookie { // addresses that a stranger made up do not push others out of the count
		seq = h.nextSeq(to.Remote)
	}
	buf := wire.AppendHandshake(c.out.Buffer(), seq, c.cfg.ID, hs)
	if hs.Step == wire.StepOkBoss { // what a gwyh 0.1 node gets afterwards is not packed
		c.out.Pack(to, buf)
		return
	}
	c.out.Add(to, buf)
}

// established makes a session of a finished handshake and introduces this node under it. The identity is the first
// message of the session in both directions. The session carries nothing else until a box of the peer opened.
func (h *handshakes) established(now time.Time, e *handshake.Established) {
	c := h.core
	if e.Initiator {
		c.stats.HandshakesInitiated++
	} else {
		c.stats.HandshakesAccepted++
	}
	p := h.peerOf(now, e)
	s := session.New(now, session.Params{Self: c.cfg.ID, Peer: e.Peer, Handshake: e.Handshake, Initiator: e.Initiator,
		Legacy: e.Legacy, SendKey: e.SendKey, RecvKey: e.RecvKey, Prefix: e.Prefix, Timestamp: e.Timestamp,
		Fingerprint: e.Key, Path: e.Path, Suite: c.cfg.Suite, Rand: c.cfg.Rand})
	for _, old := range p.set.Add(now, s) {
		h.forget(p, old)
	}
	p.swim.Introduced(now)
	c.report.Established(now, p.id, p.set.Path().Remote, e.Initiator)
	if e.RTT > 0 {
		c.overlay.measured(p, e.RTT)
	}
	early := false
	if d, ok := h.dials.Get(e.Attempt); ok {
		p.dials = append(p.dials, e.Attempt)
		if j := c.joins.of(d); j != nil {
			j.Reached(p.id)
			c.heal.Reached(d.To, p.id)
			early = h.sealEarly(now, p, s, e)
		}
	}
	h.wake(p)
	var identity []byte
	if !e.Legacy {
		var ch *packets.Channel
		ch, identity = p.packets.AddChannel(now, s, c.transport.identity())
		h.boxes[s.Prefix()] = box{p, ch}
	}
	h.conclude(now, h.Introduce(h.outcomes, now, e, identity))
	if early {
		c.joins.ready(now, p)
	}
}

// peerOf finds or makes the peer of a handshake and takes in what its block says.
func (h *handshakes) peerOf(now time.Time, e *handshake.Established) *peer {
	c := h.core
	p := c.peers[e.Peer]
	if p == nil {
		h.makeRoom(now)
		p = &peer{core: c, id: e.Peer, legacy: e.Legacy, push: pushpull.Peer{ID: e.Peer}, direct: direct.Peer{ID: e.Peer}}
		p.overlay.Init(e.Peer)
		p.set = session.NewSet(c.cfg.ID, e.Peer, c.cfg.Rand)
		p.timer.Fire = p.tick
		pace := pacing.New(now, e.RTT, c.rng.Int64N, c.cfg.DatagramSize)
		p.packets = c.endpoint.NewPeer(packets.Params{Legacy: e.Legacy, Sessions: p.set, Timer: &p.timer, Pace: pace})
		c.peers[e.Peer] = p
		p.swim.ID = p.id
		c.swim.AddPeer(&p.swim)
		if e.Legacy {
			p.gateway = c.gateway.NewPeer(p.id)
		}
	}
	p.zone = e.Zone
	if e.HasVersions {
		p.push.Versions = e.Versions
	}
	p.swim.Heard = now
	p.push.Forget()
	p.packets.Path().SetPeerMax(int(e.MaxDatagram))
	p.swim.SetInterval(min(max(e.Heartbeat, heartbeatMin), heartbeatMax), c.cfg.ProbeInterval)
	p.push.SetCapabilities(e.Capabilities)
	c.report.Introduced(p.id, e.Name)
	if e.Legacy {
		p.packets.Path().SetPeerMax(pmtu.Max)
		p.swim.SetInterval(legacy.Interval, c.cfg.ProbeInterval)
	}
	return p
}

// unlinkedMax bounds the peers that carry no link (PROTOCOL.md 4, "Session").
const unlinkedMax = 4096

// makeRoom forgets the peer without a link that was silent longest, when there are too many.
func (h *handshakes) makeRoom(now time.Time) {
	c := h.core
	if len(c.peers)-len(c.links) < unlinkedMax {
		return
	}
	var oldest *peer
	for _, p := range c.peers {
		if p.linked {
			continue
		}
		if oldest == nil || p.swim.Heard.Before(oldest.swim.Heard) || p.swim.Heard.Equal(oldest.swim.Heard) && slices.Compare(p.id[:], oldest.id[:]) < 0 {
			oldest = p
		}
	}
	for _, s := range oldest.set.RemoveAll(now) {
		h.forget(oldest, s)
	}
	h.remove(now, oldest)
}

// sealEarly reports whether a Join may go on at once with a Go node that has answered: what it sends goes in one datagram
// with the OkBoss. What gets lost there is sent again as anything else is.
func (h *handshakes) sealEarly(now time.Time, p *peer, s *session.Session, e *handshake.Established) bool {
	if e.Legacy || !e.HasVersions || p.set.Current(now) != nil {
		return false
	}
	p.set.SealEarly(s)
	return true
}

// unwritten reports whether what was sent to an address waits for a slow transport. What repeats it waits too.
func (c *Core) unwritten(to netip.AddrPort) bool { return c.cfg.Unsent != nil && c.cfg.Unsent(to) }

// attemptFailed ends a Join, or lets another member be chosen.
func (h *handshakes) attemptFailed(now time.Time, a handshake.AttemptID, err error) {
	c := h.core
	c.stats.HandshakesFailed++
	d, _ := h.dials.Take(a)
	c.report.AttemptFailed(now, d.To, err)
	switch d.Purpose {
	case joining.ForJoin:
		if j := c.joins.of(d); j != nil {
			c.joins.end(now, j, err)
		}
	case joining.ForDirect:
		c.direct.conclude(now, c.direct.DialFailed(c.direct.outcomes, now, d.Token, err))
	case joining.ForPing:
		c.pings.pinged(now, c.pings.Fail(c.pings.outcomes, event.PingToken(d.Token), err))
	default:
		if p, m := c.peers[d.Member], c.members.Get(d.Member); m != nil && (p == nil || p.set.Current(now) == nil) {
			c.overlay.conclude(now, c.overlay.Avoid(c.overlay.acts, now, m.ID))
		}
	}
}

// attemptSlow gives a Join over a slow transport the time that it may take there.
func (h *handshakes) attemptSlow(a handshake.AttemptID) {
	d, _ := h.dials.Get(a)
	if j := h.core.joins.of(d); j != nil {
		h.core.joins.slow(j)
	}
}

func (h *handshakes) isSelf(addr netip.AddrPort) bool {
	cfg := &h.core.cfg
	return addr == cfg.Advertise || cfg.Own != nil && cfg.Own(addr)
}

// reachedSelf ends what was meant for an address that is one of this node's own.
func (h *handshakes) reachedSelf(now time.Time, a handshake.AttemptID) {
	c := h.core
	h.Cancel(a)
	switch d, _ := h.dials.Take(a); d.Purpose {
	case joining.ForJoin:
		c.heal.Reached(d.To, c.cfg.ID)
		if j := c.joins.of(d); j != nil {
			c.joins.end(now, j, nil)
		}
	case joining.ForDirect:
		c.direct.conclude(now, c.direct.ReachedSelf(c.direct.outcomes, d.Token))
	case joining.ForPing:
		c.pings.pinged(now, c.pings.ReachedSelf(c.pings.outcomes, now, event.PingToken(d.Token), c.cfg.Name))
	}
}

// rejected counts a refused handshake packet and says why in the log.
func (h *handshakes) rejected(now time.Time, o *handshake.Outcome) {
	c, r := h.core, o.Reason
	if r == handshake.Returned && h.isSelf(o.To.Remote) {
		h.reachedSelf(now, o.Attempt)
		return
	}
	c.stats.HandshakesRejected++
	c.stats.Rejected[r]++
	c.drop(DropHandshake)
	c.report.Rejected(now, o.From.Remote, r)
}

// dial begins a handshake.
func (h *handshakes) dial(now time.Time, to wire.Path, d joining.Dial, until time.Time) handshake.AttemptID {
	h.core.stats.HandshakesStarted++
	d.To = to.Remote
	h.core.report.Dial(now, d.To, d.Member)
	a, out := h.Initiate(h.outcomes, now, to, d.Member, until)
	h.dials.Add(a, d)
	h.conclude(now, out)
	return a
}

// dialMember begins a handshake that only a member may answer, to have a session with it.
func (h *handshakes) dialMember(now time.Time, to wire.Path, id wire.NodeID, most time.Duration) {
	h.dial(now, to, joining.Dial{Member: id}, now.Add(most))
}

// box is where the packets of one session go.
type box struct {
	peer    *peer
	channel *packets.Channel
}

// handleBox opens a box and takes in its messages.
func (h *handshakes) handleBox(now time.Time, from wire.Path, pkt *wire.Packet, size int) {
	c := h.core
	box, ok := h.boxes[[16]byte(pkt.Box.Nonce[:16])]
	if !ok {
		c.gateway.handleBox(now, from, pkt)
		return
	}
	p, ch := box.peer, box.channel
	plain, err := ch.Open(now, pkt)
	if err != nil {
		h.dropBox(err)
		return
	}
	h.drawn = drawn{}
	c.endpoint.BeginPacket()
	confirmed := h.opened(now, p, ch.Session, from)
	if ch.CountReceived(size) {
		c.transport.reportSoon(now, p, ch)
	}
	h.handlePlain(now, p, ch, from, plain)
	if confirmed { // by its identity, most likely, which has been read now
		h.ready(now, p)
	}
	c.transport.sendSettled(now, p, ch)
	ch.AskMissing(now)
}

func (h *handshakes) dropBox(err error) {
	c := h.core
	switch err {
	case session.ErrReplay:
		c.drop(DropReplay)
	default:
		c.drop(DropForged)
	}
}

// opened notes that a box of p opened. The first one of a session confirms it; what waited for that is
// ready to be done then.
func (h *handshakes) opened(now time.Time, p *peer, s *session.Session, from wire.Path) (confirmed bool) {
	c := h.core
	if silence, again := c.swim.HearPacket(now, &p.swim); again {
		c.report.HeardAgain(now, silence)
	}
	confirmed = p.set.Opened(now, s, from)
	h.wake(p)
	if confirmed {
		h.Confirm(now, s.Handshake(), p.id)
		c.swim.detect(now, c.swim.Answered(c.swim.outcomes, now, &p.swim))
	}
	if m := c.swim.AccusedOf(&p.swim); m != nil {
		c.swim.notify(now, p, m)
	}
	return confirmed
}

// ready does what waited for a session with p. A gwyh 0.1 node is asked for its messages by everyone
// that shakes hands with it; it takes no part in the choice.
func (h *handshakes) ready(now time.Time, p *peer) {
	c := h.core
	c.direct.ready(now, p)
	for _, a := range p.dials {
		d, _ := h.dials.Get(a)
		switch {
		case d.Purpose == joining.ForPing:
			c.pings.pingReady(now, p, event.PingToken(d.Token))
		case d.Purpose == joining.ForGreeting && !p.legacy:
			c.sync.greet(now, p)
		case d.Purpose == joining.ForComparison && !p.legacy:
			c.push.begin(now, p, false)
		}
		h.dials.Take(a)
	}
	p.dials = nil
	if p.legacy {
		c.gateway.ready(now, p)
	} else {
		c.overlay.conclude(now, c.overlay.SessionReady(c.overlay.acts, now, &p.overlay))
	}
	c.joins.ready(now, p)
	c.push.pullReady(now, p)
	c.transport.pump(now, p)
}

// handlePlain takes in the messages of an opened box of a Go node.
func (h *handshakes) handlePlain(now time.Time, p *peer, ch *packets.Channel, from wire.Path, plain []byte) {
	c := h.core
	var m wire.Message
	var err error
	for len(plain) > 0 {
		if plain, err = wire.ParseMessage(&m, plain); err != nil {
			c.drop(DropMalformedBody)
			return
		}
		c.report.Message(now, p.id, &m)
		h.handleMessage(now, p, ch, from, &m)
	}
}

func (h *handshakes) handleMessage(now time.Time, p *peer, ch *packets.Channel, from wire.Path, m *wire.Message) {
	c := h.core
	switch m.Kind {
	case wire.KindBroadcast:
		c.broadcast.handleBroadcast(now, p, m)
	case wire.KindFrame:
		c.broadcast.handleFrame(now, p, ch, m)
	case wire.KindNak:
		c.transport.handleNak(now, p, ch, m.Start, m.End)
	case wire.KindSettled:
		ch.HandleSettled(m.Data)
	case wire.KindHave:
		c.broadcast.handleHave(now, p, m.Data)
	case wire.KindWant:
		c.broadcast.handleWant(now, p, m.Data)
	case wire.KindPrune:
		c.broadcast.handlePrune(now, p, m.Data)
	case wire.KindGraft:
		c.broadcast.HandleGraft(&p.neighbor)
	case wire.KindReport:
		c.transport.handleReport(now, p, ch, m.Data)
	case wire.KindDirect:
		c.direct.handle(now, p, ch, m)
	case wire.KindDirectAck:
		c.direct.handleAck(now, p, m.Data)
	case wire.KindHeartbeat:
		c.leaving.remind(now, p)
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
		c.sync.handleSyncBuckets(now, p, m.Data)
	case wire.KindSyncWant:
		c.sync.handleSyncWant(now, p, m.Data)
	case wire.KindPing:
		c.pings.handlePing(now, from, p, ch, m.Data)
	case wire.KindAck:
		c.pings.handleAck(now, p, m.Data)
	case wire.KindIdentity:
		h.handleIdentity(p, m.Data)
	case wire.KindProbeFor:
		c.swim.handleProbeFor(now, p, m.Data)
	case wire.KindProbeResult:
		c.swim.handleProbeResult(now, p, m.Data)
	case wire.KindStateRefused:
		c.push.conclude(now, c.push.HandleRefused(c.push.outcomes, now, &p.push, m.Data))
	case wire.KindUnknown:
		c.drop(DropUnknownBody)
	default:
		c.drop(DropUnexpected)
	}
}

// handleIdentity takes note of the name and the versions of a peer. All else that an identity says came with the
// handshake's block already. What the peer is as a member comes with its alive entry.
func (h *handshakes) handleIdentity(p *peer, data []byte) {
	c := h.core
	var e wire.Member
	if err := wire.ParseIdentity(data, &e); err != nil {
		c.drop(DropMalformedBody)
		return
	}
	c.report.Introduced(p.id, string(e.Name))
	p.push.Versions = e.Versions
}

// forget drops what leads to a session.
func (h *handshakes) forget(p *peer, s *session.Session) {
	delete(h.boxes, s.Prefix())
	p.packets.Forget(s)
}

// wake makes p's timer due no later than its sessions want.
func (h *handshakes) wake(p *peer) {
	c := h.core
	if t := p.set.NextTimeout(); !t.IsZero() {
		c.timers.Advance(&p.timer, t)
	}
}

// tick does what is due for p and sets its timer anew.
func (p *peer) tick(now time.Time) {
	c := p.core
	if t := p.set.NextTimeout(); !t.IsZero() && !t.After(now) {
		c.hs.tickSessions(now, p)
	}
	if p.set.Len() == 0 {
		c.hs.remove(now, p)
		return
	}
	next := timer.Soonest(c.overlay.tickLink(now, p), c.sync.tickSync(now, p))
	next = timer.Soonest(next, c.transport.tickPackets(now, p))
	next = timer.Soonest(next, timer.Soonest(c.broadcast.tickBroadcast(now, p), c.hs.tickPath(now, p)))
	if next = timer.Soonest(next, p.set.NextTimeout()); !next.IsZero() {
		c.timers.Advance(&p.timer, next)
	}
}

// tickSessions closes, renews and probes as the sessions of p want it.
func (h *handshakes) tickSessions(now time.Time, p *peer) {
	c := h.core
	a := p.set.HandleTimeout(now)
	for _, closed := range a.Closed {
		h.forget(p, closed.Session)
	}
	if a.RenewTries > 0 {
		c.report.NotRenewed(now, p.id, a.RenewTries)
	}
	if a.Renew {
		h.dialMember(now, p.set.Path(), p.id, renewFor)
	}
	if a.PathChanged && !p.legacy {
		p.packets.Moved(now)
	}
	for _, probe := range a.Probes {
		if c.unwritten(probe.To.Remote) {
			continue
		}
		c.transport.plain = wire.AppendPing(c.transport.plain[:0], c.newID(), wire.Ping{Seq: probe.Token})
		h.boxes[probe.Session.Prefix()].channel.Send(now, probe.To, c.transport.plain)
	}
}

// renewFor is how long one attempt to renew a session goes on.
const renewFor = 30 * time.Second

// remove ends a peer without sessions. A member that was linked to us and cannot be talked to any more
// is dead as far as we know; if it is not, others hear it refute.
func (h *handshakes) remove(now time.Time, p *peer) {
	c := h.core
	if m := c.members.Get(p.id); p.linked && m != nil && m.Live() {
		c.membership.declareDead(now, m)
	}
	c.overlay.unlink(now, p)
	p.packets.Discard()
	c.timers.Stop(&p.timer)
	delete(c.peers, p.id)
	c.report.Forget(p.id)
	c.swim.RemovePeer(&p.swim)
	c.push.conclude(now, c.push.RemovePeer(c.push.outcomes, &p.push))
	for _, a := range p.dials {
		h.attemptFailed(now, a, ErrPeerGone)
	}
}

// acksMax is how many Pings of one datagram are answered. A node that means well sends one.
const acksMax = 4

// drawn is what the datagram in progress has drawn. It may have thousands of messages: what each of them may
// ask for has to be bounded for all together, or an insider's datagram draws many, be it to an address that is
// not his, or work that takes all of a node's time.
type drawn struct {
	acks int
}

// mayAck reports whether one more Ping is answered.
func (d *drawn) mayAck() bool {
	d.acks++
	return d.acks <= acksMax
}

// keyChange is how long a change of keys takes at most: sessions are renewed spread over it, so that a
// cluster does not shake hands all at once, and those of a removed key end with it.
const keyChange = 10 * time.Second

// SetKeys changes the pre-shared keys, the primary first. Sessions that another key than the primary
// vouched for are renewed, make before break; those of a key that is gone end when that is done, or
// after keyChange.
func (c *Core) SetKeys(now time.Time, keys []handshake.Key) {
	c.hs.SetKeys(keys)
	c.hs.keyIDs = c.hs.keyIDs[:0]
	for _, k := range keys[:min(len(keys), handshake.MaxKeys)] {
		c.hs.keyIDs = append(c.hs.keyIDs, k.ID())
	}
	for _, p := range c.hs.sortedPeers() {
		if s := p.set.Current(now); s != nil && !p.legacy && (len(c.hs.keyIDs) == 0 || s.Fingerprint() != c.hs.keyIDs[0]) {
			p.set.RenewBy(now, now.Add(time.Duration(c.rng.Int64N(int64(keyChange/2)))))
			c.hs.wake(p)
		}
	}
	c.timers.Set(&c.hs.keyTimer, now.Add(keyChange))
}

// endOldKeys closes the sessions that a key vouched for which is no longer accepted.
func (h *handshakes) endOldKeys(now time.Time) {
	c := h.core
	for _, p := range h.sortedPeers() {
		for i := p.set.Len() - 1; i >= 0; i-- {
			if s := p.set.At(i); !slices.Contains(h.keyIDs, s.Fingerprint()) {
				p.set.Remove(now, s)
				h.forget(p, s)
			}
		}
		c.timers.Advance(&p.timer, now)
	}
}

// sortedPeers is all peers in the order of their ids, for what must not depend on the order of a map.
func (h *handshakes) sortedPeers() []*peer {
	c := h.core
	all := make([]*peer, 0, len(c.peers))
	for _, p := range c.peers {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return all
}

// DatagramProbed is the largest datagram that is probed for beyond the configured size.
const DatagramProbed = pmtu.Probed

// mtuLinkUp begins the search for the largest datagram of a new link.
func (h *handshakes) mtuLinkUp(now time.Time, p *peer) {
	c := h.core
	p.packets.SearchPath(now, c.rng)
	h.tellPath(now, p)
}

// tickPath goes on with the search for the largest datagram to p. It returns when it is next needed.
func (h *handshakes) tickPath(now time.Time, p *peer) (next time.Time) {
	c := h.core
	next, gaveUp := p.packets.TickPath(now)
	if gaveUp != 0 {
		c.report.PathShrunk(now, p.id, gaveUp, p.packets.Path().Size())
	}
	h.tellPath(now, p)
	return next
}

// tellPath writes how large the datagrams to a peer may be, if that was found since the last call.
func (h *handshakes) tellPath(now time.Time, p *peer) {
	c := h.core
	if size, ok := p.packets.Path().Found(); ok {
		c.report.PathFound(now, p.id, size)
	}
}

// Refused notes that the system did not take a datagram. One that is too big for its path makes those to
// its peer smaller, down to what any path carries (the answer of RFC 8899 to a local verdict); for any
// other reason sending pauses for a moment. It is no loss: nothing is said about the path.
func (c *Core) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	for _, p := range c.hs.peersAt(to) {
		if tooBig {
			p.packets.TooBig(now, size)
		} else if p.linked {
			p.packets.Pace().Backoff(now)
		}
	}
}

// peersAt is the Go nodes that are sent to at an address.
func (h *handshakes) peersAt(to wire.Path) (found []*peer) {
	c := h.core
	for _, p := range c.peers {
		if !p.legacy && p.set.Path().Remote == to.Remote {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return found
}
