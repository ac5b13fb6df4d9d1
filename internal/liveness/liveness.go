// Package liveness carries the messages of failure detection to peers and from them: Pings and their answers, indirect
// probes, accusations and what refutes them.
//
// A Messenger owns nothing except what it needs to send. It decides how a peer is made to answer, what an accused member
// is shown, and which requests of peers are refused. It never decides who is alive: the failure detector (internal/swim)
// does. It never changes the member table or a link, and begins no handshake: those actions of the detector are the
// caller's, and Perform says which they are.
//
// Reading order: liveness.go (what the detector wants sent), receive.go (messages of peers).
package liveness

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a Messenger. All fields except Allow and the last two are required.
type Config struct {
	Delivery *delivery.Delivery
	Entries  *entries.Entries
	Detector *swim.Detector
	Members  *members.Table
	Sessions *peers.Table
	IDs      *wire.IDs
	Timers   *timer.Heap  // timers of the node
	Events   *event.Queue // where answers to Pings are queued
	Report   *report.Reporter
	Stats    *stats.Stats

	Allow            func(netip.Addr) bool // reports whether a member may have the address; nil allows all
	AnswerAdvertised bool                  // Pings are answered at the address that their sender advertises
	Pings            bool                  // an event.Ping reports each answer of a member to a Ping
}

// A Messenger carries the messages of failure detection of one node. Create it with New. It is not safe for concurrent
// use.
type Messenger struct {
	cfg    Config
	sender *delivery.Sender // of cfg.Delivery
}

// New returns a Messenger.
func New(cfg Config) *Messenger { return &Messenger{cfg: cfg, sender: &cfg.Delivery.Sender} }

// Perform executes an action of the detector as far as that means to send, to log or to wait. It reports false if the
// rest is the caller's: a handshake for Reach, the links for EndLink and DropLink, and the member table for DeclareDead,
// RemoveAlone and Refute.
func (m *Messenger) Perform(now time.Time, a *swim.Action) bool {
	switch a.Kind {
	case swim.SendPing, swim.SendNotice, swim.SendProbeFor, swim.SendProbeResult, swim.CheckPath, swim.Watch:
		if p := m.cfg.Delivery.Peer(a.Peer.ID); p != nil {
			m.performOn(now, p, a)
		}
	case swim.Reach:
		return m.reach(now, m.cfg.Delivery.Peer(a.ID), a.Again)
	case swim.Spread:
		m.spread(now, a)
	case swim.TakeCensus:
		m.cfg.Detector.StartCensus(now)
	case swim.EndLink, swim.DropLink, swim.DeclareDead, swim.RemoveAlone, swim.Refute:
		return false
	default:
		m.cfg.Report.Detection(now, a)
	}
	return true
}

// performOn executes an action that concerns p.
func (m *Messenger) performOn(now time.Time, p *delivery.Peer, a *swim.Action) {
	switch a.Kind {
	case swim.SendPing:
		m.sender.Ping(now, p)
	case swim.SendNotice:
		m.Notify(now, p, a.Member)
	case swim.SendProbeFor:
		m.sender.Send(now, p, wire.AppendProbeFor(m.sender.Begin(), m.newID(), a.ProbeFor))
	case swim.SendProbeResult:
		m.sender.Send(now, p, wire.AppendProbeResult(m.sender.Begin(), m.newID(), a.ProbeResult))
	case swim.CheckPath:
		p.Sessions.CheckPath(now)
		m.cfg.Sessions.Wake(p.Node)
	case swim.Watch:
		m.cfg.Timers.Advance(&p.Timer, a.At)
	}
}

// spread passes the new accusations of a member on to all links except the one that sent them.
func (m *Messenger) spread(now time.Time, a *swim.Action) {
	var via wire.NodeID
	if a.Peer != nil {
		via = a.Peer.ID
	}
	m.cfg.Entries.SpreadAccusation(now, a.Member, via)
}

// reach tests whether a node is alive by a Ping if there is a session with it. p is nil if there is none. It reports
// whether that is enough. If again is set, a Ping was not answered and the node may have closed its side of the session,
// so a Ping is never enough.
func (m *Messenger) reach(now time.Time, p *delivery.Peer, again bool) bool {
	if p == nil || p.Sessions.Current(now) == nil {
		return false
	}
	m.pingSilent(now, p)
	return !again
}

// pingSilent sends a Ping that also states how long ago p was heard, so that p does not rely until the next heartbeat
// on a node that no longer receives.
func (m *Messenger) pingSilent(now time.Time, p *delivery.Peer) {
	if p.Legacy || !p.Linked {
		m.sender.Ping(now, p)
		return
	}
	b := p.Swim.AppendPing(m.sender.Begin(), now, m.newID(), swim.Purpose{})
	m.sender.Send(now, p, wire.AppendSyncRoot(b, m.newID(), m.cfg.Entries.RootFor(now, p)))
}

// Notify sends p the entry that suspects it or declares it dead, so that p refutes it.
func (m *Messenger) Notify(now time.Time, p *delivery.Peer, e *members.Entry) {
	if p.Legacy || p.Sessions.Current(now) == nil || !m.cfg.Detector.MayNotify(now, &p.Swim) {
		return
	}
	m.cfg.Entries.Correct(now, p, e)
}

// Remind notifies a peer that still considers this node a member that it has left. It does nothing if it has not left.
func (m *Messenger) Remind(now time.Time, p *delivery.Peer) {
	if self := m.cfg.Members.Self(); !self.Live() && !p.Legacy {
		m.Notify(now, p, self)
	}
}

// newID returns the id of a message of failure detection.
func (m *Messenger) newID() wire.MessageID { return m.cfg.IDs.Control() }

func (m *Messenger) drop(d stats.Drop) { m.cfg.Stats.Dropped[d]++ }
