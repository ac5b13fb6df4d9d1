package peer

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Peer is the packet state of one peer. It must not be copied after first use. It is not safe for concurrent use.
type Peer struct {
	endpoint *Endpoint
	linked   bool
	sessions *session.Set
	timer    *timer.Timer
	channels []*Channel // one per session; none for a legacy peer

	pace    *pacing.Controller
	rtt     time.Duration // zero before the first measurement
	sent    uint64        // bytes of all packets sent
	arrived uint64        // packets of the peer that arrived
	missed  uint64        // packets of the peer that were requested again
	moved   time.Time     // when the peer last sent a report
	ahead   ahead
	sendAt  time.Time // when the pacing allows the next datagram; zero if nothing waits for it

	open      openDatagram
	queue     queue
	transfers transfers

	tail    tail
	reports reports
	mtu     pmtu.Path
	risked  risked
}

// openDatagram is a datagram of small messages that is not sealed yet.
type openDatagram struct {
	list   []arena.Ref
	size   int       // bytes of plaintext
	sealed time.Time // when the last one was sealed
}

// tail is the state of the probes that follow the last packet. The packet number of a probe reveals the loss of earlier
// packets.
type tail struct {
	at    time.Time // when the next probe is due; zero for none
	tries int       // probes sent since the last other packet
}

// reports says when the next delivery report is sent to the peer.
type reports struct {
	unreported int       // bytes received since the last report
	of         *Channel  // the channel whose report is due; nil for none
	notBefore  time.Time // earliest time of the next report
	quick      time.Time // the same for a quick one: see quickBytes
}

// risked is the last packet that may be too large for its path. An empty Frame follows it, so its loss is noticed even
// if nothing more is sent.
type risked struct {
	ch     *Channel // nil for none
	number uint64   // of the packet
	size   int      // bytes
}

// A Channel is a session with a Go node plus the state of its packets.
type Channel struct {
	*session.Session
	peer     *Peer
	log      *session.SentLog[content]
	grown    bool   // the log has grown beyond what a quiet channel needs
	identity int    // bytes of the session's first packet
	begun    bool   // something other than the identity was sent
	chatter  uint64 // packet numbers since the last packet that would be retransmitted
	base     uint64 // Peer.sent when the channel began, less the identity: all earlier bytes count as arrived
	received uint64 // bytes of all packets that were decrypted
}

// Params configures a Peer.
type Params struct {
	Legacy   bool
	Sessions *session.Set       // with the peer
	Timer    *timer.Timer       // fires when the peer, or its owner, has something to do; the owner then calls Tick
	Pace     *pacing.Controller // limits what is sent to the peer
}

// NewPeer returns a peer with empty queues.
func (e *Endpoint) NewPeer(p Params) Peer {
	return Peer{endpoint: e, sessions: p.Sessions, timer: p.Timer, pace: p.Pace,
		mtu: pmtu.New(&e.cfg.Paths, p.Legacy)}
}

// GuessedRTT is the round-trip time assumed before the first measurement.
const GuessedRTT = 100 * time.Millisecond

// RoundTrip returns the round-trip time to the peer, or GuessedRTT before the first measurement.
func (p *Peer) RoundTrip() time.Duration {
	if p.rtt > 0 {
		return p.rtt
	}
	return GuessedRTT
}

// RTT returns the measured round-trip time, or zero before the first measurement.
func (p *Peer) RTT() time.Duration { return p.rtt }

// SetRTT records a measured round-trip time.
func (p *Peer) SetRTT(rtt time.Duration) { p.rtt = rtt }

// SetLinked notes that a link with the peer begins or ends. Broadcasts are sent only over a link.
func (p *Peer) SetLinked(now time.Time, linked bool) {
	p.linked = linked
	p.open.sealed = time.Time{}
	p.sessions.SetLinked(now, linked)
	p.queueChanged()
}

// queueChanged updates the arena's count of non-empty queues of links, and the endpoint's count of records. It is called
// after each change of the queue.
func (p *Peer) queueChanged() {
	p.endpoint.queued += p.queue.records() - p.queue.counted
	p.queue.counted = p.queue.records()
	held := p.linked && p.queue.len() > 0
	switch {
	case held == p.queue.held:
	case held:
		p.endpoint.cfg.Arena.Await()
	default:
		p.endpoint.cfg.Arena.Release()
	}
	p.queue.held = held
}

// Linked reports whether the peer has a link with this node.
func (p *Peer) Linked() bool { return p.linked }

// Pace returns the controller of the sending rate. The peer owns it.
func (p *Peer) Pace() *pacing.Controller { return p.pace }

// Sent returns the number of bytes in all packets sent to the peer.
func (p *Peer) Sent() uint64 { return p.sent }

// Arrived returns the number of packets of the peer that arrived, of those that CountReceived counted.
func (p *Peer) Arrived() uint64 { return p.arrived }

// Missed returns the number of packets of the peer that were requested again.
func (p *Peer) Missed() uint64 { return p.missed }

// Room returns the maximum number of plaintext bytes in one datagram to the peer.
func (p *Peer) Room() int { return p.mtu.Usable() - wire.BoxOverhead }

// Backlog returns the number of bytes of queued small messages.
func (p *Peer) Backlog() int { return p.queue.bytes }

// Waiting returns the number of queued small messages.
func (p *Peer) Waiting() int { return p.queue.len() }

// IsQueued reports whether the small message at a place in the arena waits in the queue.
func (p *Peer) IsQueued(off uint64) bool { return p.queue.has(off) }

// HasOpen reports whether a datagram is open, so that Seal must be called at the end of the turn.
func (p *Peer) HasOpen() bool { return len(p.open.list) > 0 }

// SealedAt returns when the last datagram of small messages was sealed.
func (p *Peer) SealedAt() time.Time { return p.open.sealed }

// Paused reports whether the pacing delays queued messages until the timer fires.
func (p *Peer) Paused() bool { return !p.sendAt.IsZero() }

// Channel returns the channel in which packets to the peer are sealed, or nil if there is none.
func (p *Peer) Channel(now time.Time) *Channel { return p.ChannelOf(p.sessions.Current(now)) }

// ChannelOf returns the channel of a session, or nil if there is none.
func (p *Peer) ChannelOf(s *session.Session) *Channel {
	for _, ch := range p.channels {
		if ch.Session == s {
			return ch
		}
	}
	return nil
}

// AddChannel adds a channel for a session and returns the session's first packet, which the handshake carries. identity
// is the plaintext of that packet.
func (p *Peer) AddChannel(now time.Time, s *session.Session, identity []byte) (ch *Channel, packet []byte) {
	packet = s.Seal(now, nil, identity)
	p.sent += uint64(len(packet))
	p.pace.Sent(now, len(packet))
	ch = &Channel{Session: s, peer: p, log: session.NewSentLog[content](SentHorizon, &p.endpoint.sent), identity: len(packet)}
	p.channels = append(p.channels, ch)
	return ch, packet
}

// Remembered returns the number of sent packets that are kept for retransmission.
func (p *Peer) Remembered() (n int) {
	for _, ch := range p.channels {
		n += ch.log.Len()
	}
	return n
}

// Forget drops the state of a session that has ended.
func (p *Peer) Forget(s *session.Session) {
	p.endpoint.stats.DatagramsLost += s.Lost()
	p.channels = slices.DeleteFunc(p.channels, func(ch *Channel) bool {
		if ch.Session == s {
			ch.log.Release()
		}
		return ch.Session == s
	})
	if p.reports.of != nil && p.reports.of.Session == s {
		p.reports.of = nil
	}
}

// Discard drops all queued messages because the last session has ended.
func (p *Peer) Discard() {
	for _, t := range p.transfers.list {
		t.message.Pending--
	}
	p.endpoint.stats.Unreachable += uint64(len(p.transfers.list) + len(p.open.list))
	p.open, p.transfers = openDatagram{}, transfers{}
	p.queue.drop(p.queue.len())
	p.queueChanged()
	p.queue = queue{}
	p.sendAt, p.tail = time.Time{}, tail{}
}
