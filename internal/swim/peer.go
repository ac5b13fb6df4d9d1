package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Peer is the failure detection state of one peer. The core sets ID and calls SetInterval. The Detector keeps a
// pointer to it from AddPeer to RemovePeer.
type Peer struct {
	ID    wire.NodeID
	Heard time.Time // when a packet of the peer last opened

	linked    bool
	gone      bool          // RemovePeer was called
	ask       time.Duration // silence after which the peer is asked for an answer
	check     time.Duration // silence after which the peer is probed
	lost      time.Duration // silence after which a link with the peer ends
	heardUs   time.Time     // the peer has opened a packet that this node sent at this time or later
	deafSince time.Time     // when the peer began to report that it has not heard this node for long; zero if it does not
	promised  time.Duration // within which this node sends the peer its next heartbeat; zero before the first one
	askedAt   time.Time     // when the peer was last asked because it was silent
	checkedAt time.Time     // when the path was last checked because of silence
	guarded   time.Time     // the peer is watched without a link until this time
	vouched   time.Time     // when a helper last reported that the peer is alive
	noticed   time.Time     // when the peer was last notified that it is accused
	indirect  quota.Bucket  // limits the probes that the peer requests
	brought   quota.Bucket  // limits the accusations that the peer brings

	pingSeq  uint64 // number of the last Ping
	pings    []sentPing
	pingedAt time.Time // when the last Ping was sent; zero after an answer
	lastTurn time.Time // when its heartbeat last carried a Ping
}

// legacy reports whether the peer is a legacy node.
func (p *Peer) legacy() bool { return !p.ID.IsGo() }

// Bounds of the heartbeat interval that a peer may declare.
const (
	intervalMin = 10 * time.Millisecond
	intervalMax = 30 * time.Second
)

// SetInterval sets the heartbeat interval that the peer declares, for a node whose ProbeInterval is probe. An interval
// beyond the bounds counts as the bound. The heartbeats of legacy nodes never count as rarer than probes.
func (p *Peer) SetInterval(interval, probe time.Duration) {
	interval = min(max(interval, intervalMin), intervalMax)
	if p.legacy() {
		probe = interval
	}
	p.ask, p.check, p.lost = SilenceOf(interval, probe, SilenceAsk), SilenceOf(interval, probe, SilenceCheck), SilenceOf(interval, probe, SilenceLost)
}

// Promise records within which time this node sends the peer its next heartbeat.
func (p *Peer) Promise(gap time.Duration) { p.promised = gap }

// Promised returns the time that was given to Promise last, or zero.
func (p *Peer) Promised() time.Duration { return p.promised }

// Check returns the silence after which the peer is probed.
func (p *Peer) Check() time.Duration { return p.check }

// Silent reports whether the peer has been silent for so long that it is probed.
func (p *Peer) Silent(now time.Time) bool { return now.Sub(p.Heard) > p.check }

// Introduced records that a handshake with the peer is complete, which shows that the peer hears this node.
func (p *Peer) Introduced(now time.Time) { p.heardUs = now }

// Guard makes the Detector watch the peer until the given time even without a link. The peer may be a new member that
// no other node watches yet.
func (p *Peer) Guard(until time.Time) { p.guarded = until }

// Guarded reports whether the peer is watched even without a link.
func (p *Peer) Guarded(now time.Time) bool { return p.guarded.After(now) }

// DeafSince returns when the peer began to report that it has not heard this node for long, or zero if it does not.
func (p *Peer) DeafSince() time.Time { return p.deafSince }

// HeardUsSince reports whether the peer has received what this node sent at the given time or later.
func (p *Peer) HeardUsSince(at time.Time) bool { return !p.heardUs.Before(at) }

// mutual returns the latest time at which both directions between this node and the peer are known to have worked.
func (p *Peer) mutual() time.Time {
	if !p.deafSince.IsZero() && p.heardUs.Before(p.Heard) {
		return p.heardUs
	}
	return p.Heard
}

// works reports whether both directions have worked within the silence after which the peer is probed.
func (p *Peer) works(now time.Time) bool { return now.Sub(p.mutual()) < p.check }

// A Purpose says what a Ping is for besides liveness and the round-trip time. The zero value means no other purpose.
type Purpose struct {
	Token uint64 // identifies a Ping of the application; 0 for none
	Leave bool   // the Ping is sent with the message that this node leaves
}

// sentPing is a Ping that has not been answered.
type sentPing struct {
	seq     uint64
	at      time.Time
	purpose Purpose
}
