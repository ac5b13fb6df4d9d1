// Package swim detects which members are alive. It implements SWIM with the extensions of Lifeguard (docs/PROTOCOL.md,
// "Failure detection").
//
// It owns what a node knows about the liveness of other nodes: when each peer was last heard and last heard this node,
// the unanswered Pings, the probes, the suspicions, and the node's own health. It sets the State of live members to
// suspect and back to alive in the member table.
//
// It never sends a message, removes a member or reads a clock. An input returns Actions, which the core carries out in
// order.
//
// Reading order: detector.go (the state), peer.go (the state of a peer), silence.go, pings.go, swim.go (general
// inputs), hearing.go (whether a link works in both directions), links.go, watch.go (what silence causes), probe.go,
// indirect.go, suspicion.go, ration.go. health.go, census.go and partition.go are independent.
package swim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// New returns the Detector of the node that owns table. It reads table, and writes State, Since and Incarnation of its
// live entries. Its timers and those of order are numbered together, so they fire in the order in which they were set.
func New(now time.Time, cfg Config, rng *rand.Rand, table *members.Table, order *timer.Heap) *Detector {
	d := &Detector{
		cfg:        cfg,
		rng:        rng,
		table:      table,
		self:       table.Self(),
		peers:      make(map[wire.NodeID]*Peer),
		suspicions: make(map[wire.NodeID]*suspicion),
		heardAny:   now,
		ration:     newRation(),
	}
	d.timers.Follow(order)
	d.health.max = cfg.AwarenessMaxMultiplier - 1
	effects := effects{timers: &d.timers, out: &d.out}
	d.failures.init(effects)
	d.requests = requests{effects: effects, timeout: cfg.ProbeTimeout}
	d.census.timer.Fire = d.stepCensus
	d.patrol.Fire = d.startPatrol
	d.refutals.init(effects, d.self, cfg.ProbeInterval, func(now time.Time, claimed wire.State) {
		d.Stats.SuspicionsRefuted++
		if claimed != wire.StateAlive {
			d.health.noteAccused(now, cfg.ProbeInterval)
		}
	})
	d.timers.Set(&d.patrol, now.Add(time.Duration(rng.Int64N(int64(patrolInterval)))))
	return d
}

// NextTimeout returns when HandleTimeout must be called. It is never zero.
func (d *Detector) NextTimeout() time.Time { return d.timers.Next() }

// IsBefore reports whether the next timer of d was set to fire before the next timer of h, which is not empty.
func (d *Detector) IsBefore(h *timer.Heap) bool { return d.timers.IsBefore(h) }

// HandleTimeout runs the first timer that is due, if there is one. The caller repeats it, and carries out the actions
// in between, until NextTimeout is later than now. subscribed says whether this node has as many subscriptions as it
// aims at.
func (d *Detector) HandleTimeout(out []Action, now time.Time, subscribed bool) []Action {
	d.begin(out)
	d.census.subscribed = subscribed
	d.timers.RunNext(now)
	return d.take()
}

// AddPeer adds p, whose ID is set. The Detector keeps p until RemovePeer.
func (d *Detector) AddPeer(p *Peer) { d.peers[p.ID], p.gone = p, false }

// RemovePeer removes p, which has no link any more.
func (d *Detector) RemovePeer(p *Peer) {
	delete(d.peers, p.ID)
	p.gone = true
}

// LinkUp begins to watch a link, as if p had just been heard and, unless it is suspected, had heard this node.
func (d *Detector) LinkUp(now time.Time, p *Peer) {
	p.linked = true
	d.links = append(d.links, p)
	p.Heard, p.deafSince = now, time.Time{}
	if d.suspicions[p.ID] == nil {
		p.heardUs = now
	}
	p.lastTurn = now.Add(-time.Duration(d.rng.Int64N(int64(d.turn())))) // so that the turns of links do not coincide
}

// LinkDown stops watching a link.
func (d *Detector) LinkDown(p *Peer) {
	p.linked = false
	d.links = slices.DeleteFunc(d.links, func(o *Peer) bool { return o == p })
	p.deafSince = time.Time{}
}

// NoteFailed records that m, which has just become a tombstone, failed.
func (d *Detector) NoteFailed(now time.Time, m *members.Entry) {
	d.failures.noteFailed(now, m, d.table.Count()+1)
}

// NoteBack records that a dead member is back, or that a new run of it is.
func (d *Detector) NoteBack(out []Action, now time.Time, dead *members.Entry, restarted bool) []Action {
	d.begin(out)
	d.failures.noteBack(now, dead, restarted)
	return d.take()
}

// Requested returns the number of nodes that are being probed for other nodes, at most RequestedMax.
func (d *Detector) Requested() int { return len(d.requests.probes) }

// Health returns the local health score, from 0 (well) to AwarenessMaxMultiplier - 1.
func (d *Detector) Health() int { return d.health.score }
