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

// A Peer is one peer's packets. It must not be copied once it is in use. Not for concurrent use.
type Peer struct {
	endpoint *Endpoint
	linked   bool
	sessions *session.Set
	timer    *timer.Timer
	channels []*Channel // of the sessions; none of a legacy peer

	pace   *pacing.Controller
	rtt    time.Duration // zero before it was measured
	sent   uint64        // bytes of all packets
	missed uint64        // packets of the peer that were asked for again
	moved  time.Time     // when the peer last reported what it received
	ahead  ahead
	sendAt time.Time // when the pacing lets the next datagram go; zero when nothing waits for that

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

// tail is the probes that follow what was last sent: the packet number of a probe uncovers the loss of what was sent
// before it.
type tail struct {
	at    time.Time // when the next probe is due; zero for none
	tries int       // probes sent since something else was
}

// reports is when the peer is told what was received from it.
type reports struct {
	unreported int       // bytes received since the last report
	of         *Channel  // that a report is due of; nil for none
	notBefore  time.Time // no report is sent before
}

// risked is the last packet of which it is not known whether its path carries it. An empty Frame is sent after it, so
// that its loss is noticed although nothing else is sent.
type risked struct {
	ch     *Channel // nil for none
	number uint64   // of the packet
	size   int      // bytes
}

// A Channel is a session with a Go node, with what is known of the packets in it.
type Channel struct {
	*session.Session
	peer     *Peer
	log      *session.SentLog[content]
	grown    bool   // the log has grown beyond what a quiet channel needs
	identity int    // bytes of the packet that began the session
	begun    bool   // something other than the identity was sent
	chatter  uint64 // packet numbers since the last packet that would be retransmitted
	base     uint64 // Peer.sent when the channel began, without the identity: all bytes before count as arrived
	received uint64 // bytes of all packets that were opened
}

// Params are what a Peer is made of.
type Params struct {
	Legacy   bool
	Sessions *session.Set       // with the peer
	Timer    *timer.Timer       // fires when the peer, or its owner, has something to do; the owner then calls Tick
	Pace     *pacing.Controller // of what is sent to the peer
}

// NewPeer returns a peer for which nothing is queued.
func (e *Endpoint) NewPeer(p Params) Peer {
	return Peer{endpoint: e, sessions: p.Sessions, timer: p.Timer, pace: p.Pace,
		mtu: pmtu.New(&e.cfg.Paths, p.Legacy)}
}

// GuessedRTT stands for the round-trip time before any was measured.
const GuessedRTT = 100 * time.Millisecond

// RoundTrip returns the round-trip time to the peer as far as it is known, and a guess of 100 ms otherwise.
func (p *Peer) RoundTrip() time.Duration {
	if p.rtt > 0 {
		return p.rtt
	}
	return GuessedRTT
}

// RTT returns the measured round-trip time; zero before the first measurement.
func (p *Peer) RTT() time.Duration { return p.rtt }

// SetRTT takes in a measured round-trip time.
func (p *Peer) SetRTT(rtt time.Duration) { p.rtt = rtt }

// SetLinked notes that a link with the peer begins or ends. Broadcasts are sent along a link only.
func (p *Peer) SetLinked(now time.Time, linked bool) {
	p.linked = linked
	p.open.sealed = time.Time{}
	p.sessions.SetLinked(now, linked)
	p.queueChanged()
}

// queueChanged tells the arena whether the queue of a link awaits something in it. It follows each change of the queue.
func (p *Peer) queueChanged() {
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

// Linked reports whether there is a link with the peer.
func (p *Peer) Linked() bool { return p.linked }

// Pace returns the controller of the sending rate.
func (p *Peer) Pace() *pacing.Controller { return p.pace }

// Sent returns the bytes of all packets that were sent to the peer.
func (p *Peer) Sent() uint64 { return p.sent }

// Missed returns how many packets of the peer were asked for again.
func (p *Peer) Missed() uint64 { return p.missed }

// Room returns how many bytes of plaintext one datagram to the peer holds.
func (p *Peer) Room() int { return p.mtu.Usable() - wire.BoxOverhead }

// Backlog returns the bytes of small messages that are queued.
func (p *Peer) Backlog() int { return p.queue.bytes }

// Waiting returns the number of small messages that are queued.
func (p *Peer) Waiting() int { return p.queue.len() }

// HasOpen reports whether a datagram is open, so that Seal is to be called at the end of the turn.
func (p *Peer) HasOpen() bool { return len(p.open.list) > 0 }

// SealedAt returns when the last datagram of small messages was sealed.
func (p *Peer) SealedAt() time.Time { return p.open.sealed }

// Paused reports whether the pacing holds back what is queued, until the timer fires.
func (p *Peer) Paused() bool { return !p.sendAt.IsZero() }

// Channel returns the channel that packets to the peer are sealed in; nil if there is none.
func (p *Peer) Channel(now time.Time) *Channel { return p.ChannelOf(p.sessions.Current(now)) }

// ChannelOf returns the channel of a session; nil if there is none.
func (p *Peer) ChannelOf(s *session.Session) *Channel {
	for _, ch := range p.channels {
		if ch.Session == s {
			return ch
		}
	}
	return nil
}

// AddChannel begins a channel for a session. identity is the plaintext of its first packet, which the handshake
// carries. AddChannel returns that packet.
func (p *Peer) AddChannel(now time.Time, s *session.Session, identity []byte) (ch *Channel, packet []byte) {
	packet = s.Seal(now, nil, identity)
	p.sent += uint64(len(packet))
	p.pace.Sent(now, len(packet))
	ch = &Channel{Session: s, peer: p, log: session.NewSentLog[content](SentHorizon), identity: len(packet)}
	p.channels = append(p.channels, ch)
	return ch, packet
}

// Remembered returns the number of sent packets that are remembered for retransmission.
func (p *Peer) Remembered() (n int) {
	for _, ch := range p.channels {
		n += ch.log.Len()
	}
	return n
}

// Forget drops what was kept of a session that has ended.
func (p *Peer) Forget(s *session.Session) {
	p.endpoint.stats.DatagramsLost += s.Lost()
	p.channels = slices.DeleteFunc(p.channels, func(ch *Channel) bool { return ch.Session == s })
	if p.reports.of != nil && p.reports.of.Session == s {
		p.reports.of = nil
	}
}

// Discard drops everything that is queued, because the last session has ended.
func (p *Peer) Discard() {
	for _, t := range p.transfers.list {
		t.message.Pending--
	}
	p.endpoint.stats.Unreachable += uint64(len(p.transfers.list) + len(p.open.list))
	p.open, p.queue.urgent, p.queue.normal, p.transfers = openDatagram{}, nil, nil, transfers{}
	p.queueChanged()
	p.queue = queue{}
	p.sendAt, p.tail = time.Time{}, tail{}
}
