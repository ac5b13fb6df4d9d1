package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Send sends a plaintext at once and never retransmits it. The pacing counts it but does not delay it.
func (ch *Channel) Send(now time.Time, to wire.Path, plain []byte) {
	ch.peer.endpoint.caused.add(len(plain))
	ch.transmit(now, to, plain, content{})
}

// transmit seals a plaintext, remembers what it carried, and queues the datagram.
func (ch *Channel) transmit(now time.Time, to wire.Path, plain []byte, what content) {
	p, e := ch.peer, ch.peer.endpoint
	before := e.cfg.Out.Buffer()
	buf := ch.Seal(now, before, plain)
	n := len(buf) - len(before)
	switch {
	case n == 0: // the session is closed, or its packet numbers are exhausted
		e.stats.UnknownSession++
		return
	case what.probe && p.mtu.ProbesWhole():
		e.cfg.Out.AddProbe(to, buf)
	case what.probe:
		e.cfg.Out.Add(to, buf)
	default:
		e.cfg.Out.Pack(to, buf)
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

// risk makes sure that the loss of a packet is noticed if the packet may be too large for its path.
func (ch *Channel) risk(now time.Time, size int) {
	p := ch.peer
	if p.mtu.Risky(now, size) {
		p.risked = risked{ch: ch, number: ch.Sent(), size: size}
		p.probeTailLater(now)
	}
}

// SendControl sends a control plaintext at once. It returns false and sends nothing if the plaintext does not fit into a
// datagram. Most plaintexts fit into any path. A larger one is kept and sent again in pieces if it turns out to be too
// large for the path. The peer must have a channel.
func (p *Peer) SendControl(now time.Time, plain []byte) (fits bool) {
	if len(plain) > p.Room() {
		return false
	}
	what := content{}
	p.endpoint.caused.add(len(plain))
	if len(plain) > pmtu.Min-wire.BoxOverhead {
		what = carries(p.endpoint.cfg.Arena.Put(now, plain))
	}
	p.Channel(now).transmit(now, p.sessions.Path(), plain, what)
	return true
}

// AppendChatter appends a Settled for the latest consecutive packet numbers that carried nothing to retransmit. The peer
// then does not request lost Naks or lost answers to them, so no exchange about them continues indefinitely, whatever
// the loss.
func (ch *Channel) AppendChatter(b []byte) []byte {
	n := min(ch.chatter, nakMax)
	if n == 0 {
		return b
	}
	after := ch.Sent() + 1
	return wire.AppendSettled(b, ch.peer.endpoint.cfg.IDs.Control(), wire.Settled{Start: uint32(after - n), End: uint32(after)})
}

// Unrevealed reports whether the peer cannot notice yet that the last packet to it was lost, although that packet carried
// something that is retransmitted.
func (p *Peer) Unrevealed(now time.Time) bool {
	ch := p.Channel(now)
	return ch != nil && ch.chatter == 0 && ch.log.Len() > 0
}

// tidyLogs drops log entries that no Nak will request and returns the time of the next call. If no packet follows a lost
// one, the peer learns of the loss from the next heartbeat, or from the second if the first is lost too. The newest
// packets are kept for that long.
func (p *Peer) tidyLogs(now time.Time) (next time.Time) {
	keep := min(max(10*p.RoundTrip(), logHorizon), SentHorizon)
	if len(p.transfers.list) > 0 { // the peer may receive nothing for a while and request packets then
		keep = SentHorizon
	}
	newest := max(keep, p.endpoint.Heartbeats(2)+2*p.RoundTrip())
	for _, ch := range p.channels {
		ch.log.DropBefore(now.Add(-newest), 0, func(content) {})
		ch.log.DropBefore(now.Add(-keep), logNewest, func(content) {})
		if ch.grown = ch.grown && ch.log.Len() > logNewest; ch.grown {
			next = now.Add(keep)
		}
	}
	return next
}
