// Package swim finds out which members live. It implements SWIM with Lifeguard's extensions (docs/PROTOCOL.md,
// "Failure detection").
//
// It owns what a node knows about the liveness of others: when each peer was last heard and last heard this node, the
// unanswered Pings, the probes, the suspicions, and the node's own health. It sets the State of live members to suspect
// and back to alive in the member table.
//
// It never sends a message, removes a member or reads a clock. An input returns what it wants done as Actions, which the
// core carries out in order.
//
// To read it: detector.go has the state, peer.go that of one peer, with silence.go and pings.go. swim.go has the inputs that
// concern all of it. hearing.go says when a link works in both directions, links.go which of them do, watch.go what follows
// from silence. probe.go and indirect.go find out whether a member lives, suspicion.go decides that it does not. health.go,
// census.go and partition.go stand for themselves.
package swim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// New makes the Detector of the node that table belongs to. It reads table, and writes the State, Since and Incarnation
// of its live entries. Its timers count with those of order, which fire in the order in which they were set.
func New(now time.Time, cfg Config, rng *rand.Rand, table *members.Table, order *timer.Heap) *Detector {
	d := &Detector{
		cfg:        cfg,
		rng:        rng,
		table:      table,
		self:       table.Self(),
		peers:      make(map[wire.NodeID]*Peer),
		suspicions: make(map[wire.NodeID]*suspicion),
		heardAny:   now,
	}
	d.timers.Follow(order)
	d.health.most = cfg.AwarenessMaxMultiplier - 1
	effects := effects{timers: &d.timers, out: &d.out}
	d.failures.init(effects)
	d.requests = requests{effects: effects, timeout: cfg.ProbeTimeout}
	d.census.timer.Fire = d.stepCensus
	d.patrol.Fire = d.startPatrol
	d.timers.Set(&d.patrol, now.Add(time.Duration(rng.Int64N(int64(patrolInterval)))))
	return d
}

// NextTimeout returns when HandleTimeout wants to be called. There is always such a time.
func (d *Detector) NextTimeout() time.Time { return d.timers.Next() }

// IsBefore reports whether what is due first here was set to be due before the soonest timer of h, which is not empty.
func (d *Detector) IsBefore(h *timer.Heap) bool { return d.timers.IsBefore(h) }

// HandleTimeout does the first thing that is due, if there is one. The caller repeats it, with the actions carried out
// in between, until NextTimeout is later than now. subscribed says whether this node has as many subscriptions as it
// aims at.
func (d *Detector) HandleTimeout(out []Action, now time.Time, subscribed bool) []Action {
	d.begin(out)
	d.census.enough = subscribed
	d.timers.RunNext(now)
	return d.take()
}

// AddPeer begins to keep p, whose ID is set.
func (d *Detector) AddPeer(p *Peer) { d.peers[p.ID], p.gone = p, false }

// RemovePeer forgets p, which has no link any more.
func (d *Detector) RemovePeer(p *Peer) {
	delete(d.peers, p.ID)
	p.gone = true
}

// LinkUp begins to watch a link, as if p had just been heard and had heard this node.
func (d *Detector) LinkUp(now time.Time, p *Peer) {
	p.linked = true
	d.links = append(d.links, p)
	p.Heard, p.heardUs, p.deafSince = now, now, time.Time{}
	p.lastTurn = now.Add(-time.Duration(d.rng.Int64N(int64(d.turn())))) // so that the turns of links do not meet
}

// LinkDown ends the watch of a link.
func (d *Detector) LinkDown(p *Peer) {
	p.linked = false
	d.links = slices.DeleteFunc(d.links, func(o *Peer) bool { return o == p })
	p.deafSince = time.Time{}
}

// NoteFailed notes that m, which has just become a tombstone, failed.
func (d *Detector) NoteFailed(now time.Time, m *members.Entry) {
	d.failures.noteFailed(now, m, d.table.Count()+1)
}

// NoteBack notes that a dead member is back, or another run of it.
func (d *Detector) NoteBack(out []Action, now time.Time, dead *members.Entry, restarted bool) []Action {
	d.begin(out)
	d.failures.noteBack(now, dead, restarted)
	return d.take()
}

// Requested returns the number of nodes that are being probed because others asked for it, at most RequestedMax.
func (d *Detector) Requested() int { return len(d.requests.probes) }

// Health returns the local health score: 0 if this node is well, at most AwarenessMaxMultiplier - 1.
func (d *Detector) Health() int { return d.health.score }
