package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// sentHorizon is how long what went out is remembered for repair, at most, and logHorizon how long at
// least: five requests of a peer come within ten round trips.
const (
	sentHorizon = 10 * time.Second
	logHorizon  = time.Second
	logNewest   = 32 // datagrams that are remembered until two heartbeats have gone out
)

// A channel is a session with a Go node and what is known of the datagrams in it.
type channel struct {
	*session.Session
	peer     *peer
	log      *session.SentLog[sent]
	grown    bool   // the log, beyond what a quiet link needs
	identity int    // bytes of the box that began the session
	begun    bool   // something but the identity went out
	chatter  uint64 // counters since the last one whose content would be sent again
	base     uint64 // peer.sent when the channel began, the identity not counted: all before counts as arrived
	received uint64 // bytes of all datagrams opened
}

// sent is what one datagram carried: small messages in the arena, a piece of a large one, or nothing
// that would be sent again.
type sent struct {
	off     uint64 // of the plaintext in the arena, or of an index of its messages; 0 for none
	size    uint32 // of the plaintext or index
	index   bool
	probe   bool      // a padded Ping: its loss says nothing of the rate
	settled bool      // it was sent again: its counter means nothing any more
	asm     *assembly // the large message; nil for none
	piece   rangeset.Range
	total   uint64 // peer.sent with this datagram
}

// identityMeta is the most metadata, in bytes, of an identity. Longer comes with the alive entry only.
const identityMeta = 512

// identityMax is the most bytes of an identity's plaintext: what goes through any path.
const identityMax = datagramMin - wire.BoxOverhead

// addChannel begins a channel with the box that tells who we are.
func (c *Core) addChannel(now time.Time, p *peer, s *session.Session) (identity []byte) {
	if c.self.Fill(&c.entry); len(c.entry.Meta) > identityMeta {
		c.entry.Meta = nil
	}
	plain := wire.AppendIdentity(nil, c.newID(), &c.entry)
	if len(plain) > identityMax {
		c.entry.Meta = nil
		plain = wire.AppendIdentity(nil, c.newID(), &c.entry)
	}
	identity = s.Seal(now, nil, plain)
	p.sent += uint64(len(identity))
	p.pace.Sent(now, len(identity))
	ch := &channel{Session: s, peer: p, log: session.NewSentLog[sent](sentHorizon), identity: len(identity)}
	p.channels = append(p.channels, ch)
	c.boxes[s.Prefix()] = ch
	return identity
}

// transmit seals a plaintext in a channel, remembers what it was, and queues the datagram.
func (c *Core) transmit(now time.Time, ch *channel, to wire.Path, plain []byte, what sent) {
	out := c.out.Buffer()
	buf := ch.Seal(now, out, plain)
	n := len(buf) - len(out)
	switch {
	case n == 0: // the session is closed, or its counters are used up
		c.drop(DropUnknownSession)
		return
	case what.probe && ch.peer.mtu.ProbesWhole():
		c.out.AddProbe(to, buf)
	case what.probe:
		c.out.Add(to, buf)
	default:
		c.out.Pack(to, buf)
	}
	p := ch.peer
	if !ch.begun {
		ch.begun = true
		ch.base = p.sent - uint64(ch.identity)
	}
	p.sent += uint64(n)
	what.total = p.sent
	ch.chatter++
	if what.asm != nil || what.off != 0 {
		ch.chatter = 0
	}
	ch.log.Put(ch.Sent(), now, n, what)
	ch.grown = ch.grown || ch.log.Len() > 4*logNewest
	p.pace.Sent(now, n)
	if what.asm != nil || what.off != 0 {
		c.riskMTU(now, ch, n)
	}
}

// tickLog forgets what no Nak will ask for any more. It returns when it is next needed. If nothing follows a
// datagram that is lost, the peer learns of it from the next heartbeat, or from the one after that if the first is lost
// too. So the newest datagrams are kept that long.
func (p *peer) tickLog(now time.Time) (next time.Time) {
	keep := min(max(10*p.roundTrip(), logHorizon), sentHorizon)
	if len(p.bulk) > 0 { // the peer may be deaf for a while, and ask then
		keep = sentHorizon
	}
	newest := max(keep, p.core.heartbeats(2)+2*p.roundTrip())
	for _, ch := range p.channels {
		ch.log.DropBefore(now.Add(-newest), 0, func(sent) {})
		ch.log.DropBefore(now.Add(-keep), logNewest, func(sent) {})
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

// heartbeats is the longest time in which n heartbeats go out, with some for the scheduling of either end.
func (c *Core) heartbeats(n time.Duration) time.Duration { return n * c.cfg.Heartbeat * 5 / 4 }
