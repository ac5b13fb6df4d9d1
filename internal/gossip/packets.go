package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// packets is one peer as far as packets go: what is sent to it, what is queued, and what has been received. A legacy
// peer has no channels, and nothing is ever queued for it.
type packets struct {
	endpoint *endpoint
	sessions *session.Set
	timer    *timer.Timer // fires when Tick is due, and for whatever else its owner sets it
	channels []*channel   // of the sessions; none of a legacy peer
	legacy   bool
	linked   bool

	pace  *pacing.Controller
	rtt   time.Duration // zero before it was measured
	sent  uint64        // bytes of all packets
	moved time.Time     // when the peer last reported what it received

	open      openDatagram
	queue     queue
	transfers transfers
	ahead     ahead
	sendAt    time.Time // when the pacing lets the next datagram go; zero when nothing waits for that
	tail      tail
	reports   reports

	mtu    pmtu.Path
	risked risked
}

// newPackets makes the packets of a peer. timer is the peer's.
func (e *endpoint) newPackets(sessions *session.Set, timer *timer.Timer, pace *pacing.Controller, legacy bool) packets {
	return packets{endpoint: e, sessions: sessions, timer: timer, pace: pace, legacy: legacy, mtu: pmtu.New(&e.cfg.Paths, legacy)}
}

// guessedRTT stands for the round-trip time before any was measured.
const guessedRTT = 100 * time.Millisecond

// RoundTrip is the round-trip time to the peer as far as it is known, and a guess otherwise.
func (p *packets) RoundTrip() time.Duration {
	if p.rtt > 0 {
		return p.rtt
	}
	return guessedRTT
}

// RTT is the measured round-trip time; zero before the first measurement.
func (p *packets) RTT() time.Duration { return p.rtt }

// SetRTT takes in a measured round-trip time.
func (p *packets) SetRTT(rtt time.Duration) { p.rtt = rtt }

// SetLinked notes that a link with the peer begins or ends.
func (p *packets) SetLinked(now time.Time, linked bool) {
	p.linked = linked
	p.open.sealed = time.Time{}
	p.sessions.SetLinked(now, linked)
}

// SetMaxDatagram sets the size in bytes of the largest datagram that the peer takes.
func (p *packets) SetMaxDatagram(n int) { p.mtu.SetPeerMax(n) }

// Pace is the controller of the sending rate.
func (p *packets) Pace() *pacing.Controller { return p.pace }

// Room is how many bytes of plaintext one datagram to the peer holds.
func (p *packets) Room() int { return p.mtu.Usable() - wire.BoxOverhead }

// Backlog is the bytes of small messages that are queued.
func (p *packets) Backlog() int { return p.queue.bytes }

// Waiting is the number of small messages that are queued.
func (p *packets) Waiting() int { return p.queue.len() }

// Paused reports whether the pacing holds back what is queued, until a timer fires.
func (p *packets) Paused() bool { return !p.sendAt.IsZero() }

// wakeAt sets the timer to fire at a time, or earlier if it is set to that.
func (p *packets) wakeAt(at time.Time) { p.endpoint.timers.Advance(p.timer, at) }

// Channel is the channel that packets to the peer are sealed in; nil if there is none.
func (p *packets) Channel(now time.Time) *channel { return p.ChannelOf(p.sessions.Current(now)) }

// ChannelOf is the channel of a session; nil if there is none.
func (p *packets) ChannelOf(s *session.Session) *channel {
	for _, ch := range p.channels {
		if ch.Session == s {
			return ch
		}
	}
	return nil
}

// Forget drops what was kept of a session that has ended.
func (p *packets) Forget(s *session.Session) {
	p.endpoint.stats.DatagramsLost += s.Lost()
	p.channels = slices.DeleteFunc(p.channels, func(ch *channel) bool { return ch.Session == s })
	if p.reports.of != nil && p.reports.of.Session == s {
		p.reports.of = nil
	}
}

// Discard drops everything that is queued, because the last session has ended.
func (p *packets) Discard() {
	for _, t := range p.transfers.list {
		t.asm.pending--
	}
	p.endpoint.stats.Unreachable += uint64(len(p.transfers.list) + len(p.open.list))
	p.open, p.queue, p.transfers = openDatagram{}, queue{}, transfers{}
	p.sendAt, p.tail = time.Time{}, tail{}
}
