package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the sent log. A peer asks for a lost packet five times within ten round trips.
const (
	sentHorizon = 10 * time.Second // what was sent is remembered for at most so long
	logHorizon  = time.Second      // and for at least so long
	logNewest   = 32               // packets that are remembered until two heartbeats have been sent
)

// A channel is a session with a Go node, with what is known of the packets in it.
type channel struct {
	*session.Session
	peer     *packets
	log      *session.SentLog[content]
	grown    bool   // the log has grown beyond what a quiet channel needs
	identity int    // bytes of the packet that began the session
	begun    bool   // something other than the identity was sent
	chatter  uint64 // packet numbers since the last packet that would be retransmitted
	base     uint64 // packets.sent when the channel began, without the identity: all bytes before count as arrived
	received uint64 // bytes of all packets that were opened
}

// content is what one packet carried: small messages in the arena, a piece of a large message, or nothing that would be
// retransmitted.
type content struct {
	off     uint64 // of the plaintext in the arena, or of an index of its messages; 0 for none
	size    uint32 // of the plaintext or index
	index   bool
	probe   bool      // a padded Ping: its loss says nothing about the rate
	settled bool      // it was sent again: its packet number means nothing any more
	asm     *assembly // the large message; nil for none
	piece   rangeset.Range
	total   uint64 // packets.sent with this packet
}

// repairable reports whether the packet would be retransmitted if it were lost.
func (c *content) repairable() bool { return c.asm != nil || c.off != 0 }

// AddChannel begins a channel for a session. identity is the plaintext of its first packet, which the handshake
// carries; AddChannel returns that packet.
func (p *packets) AddChannel(now time.Time, s *session.Session, identity []byte) (ch *channel, packet []byte) {
	packet = s.Seal(now, nil, identity)
	p.sent += uint64(len(packet))
	p.pace.Sent(now, len(packet))
	ch = &channel{Session: s, peer: p, log: session.NewSentLog[content](sentHorizon), identity: len(packet)}
	p.channels = append(p.channels, ch)
	return ch, packet
}

// Send sends a plaintext at once that is not retransmitted. It is counted by the pacing and does not wait for it.
func (ch *channel) Send(now time.Time, to wire.Path, plain []byte) {
	ch.transmit(now, to, plain, content{})
}

// transmit seals a plaintext, remembers what it carried, and queues the datagram.
func (ch *channel) transmit(now time.Time, to wire.Path, plain []byte, what content) {
	p, e := ch.peer, ch.peer.endpoint
	before := e.out.Buffer()
	buf := ch.Seal(now, before, plain)
	n := len(buf) - len(before)
	switch {
	case n == 0: // the session is closed, or its packet numbers are used up
		e.stats.UnknownSession++
		return
	case what.probe && p.mtu.ProbesWhole():
		e.out.AddProbe(to, buf)
	case what.probe:
		e.out.Add(to, buf)
	default:
		e.out.Pack(to, buf)
	}
	if !ch.begun {
		ch.begun = true
		ch.base = p.sent - uint64(ch.identity)
	}
	p.sent += uint64(n)
	what.total = p.sent
	ch.chatter++
	if what.repairable() {
		ch.chatter = 0
	}
	ch.log.Put(ch.Sent(), now, n, what)
	ch.grown = ch.grown || ch.log.Len() > 4*logNewest
	p.pace.Sent(now, n)
	if what.repairable() {
		ch.risk(now, n)
	}
}

// SendControl sends a plaintext of control at once. It returns false, and sends nothing, if the plaintext does not fit
// into a datagram. Any path carries most of them. A larger one is kept and sent again in pieces if it turns out to be
// too large for the path.
func (p *packets) SendControl(now time.Time, plain []byte) (fits bool) {
	if len(plain) > p.Room() {
		return false
	}
	what := content{}
	if len(plain) > datagramMin-wire.BoxOverhead {
		what.off, what.size = p.endpoint.arena.put(now, plain), uint32(len(plain))
	}
	p.Channel(now).transmit(now, p.sessions.Path(), plain, what)
	return true
}

// tidyLog forgets what no Nak will ask for any more. It returns when it is next needed. If no packet follows one that
// is lost, the peer learns of the loss from the next heartbeat, or from the second if the first is lost too. So the
// newest packets are kept that long.
func (p *packets) tidyLog(now time.Time) (next time.Time) {
	keep := min(max(10*p.RoundTrip(), logHorizon), sentHorizon)
	if len(p.transfers.list) > 0 { // the peer may hear nothing for a while, and ask then
		keep = sentHorizon
	}
	newest := max(keep, p.endpoint.heartbeats(2)+2*p.RoundTrip())
	for _, ch := range p.channels {
		ch.log.DropBefore(now.Add(-newest), 0, func(content) {})
		ch.log.DropBefore(now.Add(-keep), logNewest, func(content) {})
		if ch.grown && ch.log.Len() <= logNewest {
			ch.log.Shrink()
			ch.grown = false
		}
		if ch.grown {
			next = now.Add(keep)
		}
	}
	return next
}
