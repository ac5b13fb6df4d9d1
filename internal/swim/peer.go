package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Peer is what failure detection knows of one peer. The core sets ID and calls SetInterval. The Detector keeps
// a pointer from AddPeer to RemovePeer.
type Peer struct {
	ID    wire.NodeID
	Heard time.Time // when a packet of the peer last opened

	linked    bool
	gone      bool          // RemovePeer was called
	check     time.Duration // of silence, before the peer is probed
	lost      time.Duration // of silence, before a link with it ends
	heardUs   time.Time     // the peer has heard what this node sent at this time, or later
	deafSince time.Time     // since when the peer says that it has not heard this node for long; zero if it does not say so
	checkedAt time.Time     // when the path was last checked because of silence
	guarded   time.Time     // until when it is watched without a link
	vouched   time.Time     // when another node last said that it lives
	noticed   time.Time     // when it was last told that it is accused
	indirect  quota.Bucket  // probes that it asks for

	pingSeq  uint64 // of the last Ping
	pings    []sentPing
	pingedAt time.Time // when the last Ping went out; zero once one was answered
	lastTurn time.Time // when its heartbeat last had one
}

// legacy reports whether the peer is a gwyh 0.1 node.
func (p *Peer) legacy() bool { return !p.ID.IsGo() }

// SetInterval sets the interval of the peer's heartbeats, as it declares, for a node that probes in the given interval.
// The heartbeats of gwyh 0.1 nodes are never taken for rare.
func (p *Peer) SetInterval(interval, probe time.Duration) {
	if p.legacy() {
		probe = interval
	}
	p.check, p.lost = SilenceOf(interval, probe, SilenceCheck), SilenceOf(interval, probe, SilenceLost)
}

// Check returns the silence after which the peer is probed.
func (p *Peer) Check() time.Duration { return p.check }

// Silent reports whether the peer has been silent so long that it is probed.
func (p *Peer) Silent(now time.Time) bool { return now.Sub(p.Heard) > p.check }

// Introduced notes that a handshake with the peer has ended, which it has therefore heard.
func (p *Peer) Introduced(now time.Time) { p.heardUs = now }

// Guard watches the peer until a time although there is no link with it: it may be a new member that no other node
// watches yet.
func (p *Peer) Guard(until time.Time) { p.guarded = until }

// Guarded reports whether the peer is watched although there is no link with it.
func (p *Peer) Guarded(now time.Time) bool { return p.guarded.After(now) }

// DeafSince returns since when the peer says that it has not heard this node for long; zero if it does not say so.
func (p *Peer) DeafSince() time.Time { return p.deafSince }

// mutual is until when both directions between this node and the peer are known to have worked.
func (p *Peer) mutual() time.Time {
	if !p.deafSince.IsZero() && p.heardUs.Before(p.Heard) {
		return p.heardUs
	}
	return p.Heard
}

// works reports whether both directions worked lately.
func (p *Peer) works(now time.Time) bool { return now.Sub(p.mutual()) < p.check }

// A Purpose is what a Ping is for beside a sign of life and the round-trip time. The zero value is nothing else.
type Purpose struct {
	Token uint64 // of a Ping of the application; 0 for none
	Leave bool   // the Ping goes with the news that this node leaves
}

// sentPing is a Ping that has no answer yet.
type sentPing struct {
	seq     uint64
	at      time.Time
	purpose Purpose
}
