package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A link works only if both of its ends hear each other. A packet from a peer shows one direction. The other direction
// shows in what the peer says: how long ago it heard this node (every SyncRoot has that), an answer to something that was
// sent to it, or a handshake (docs/PROTOCOL.md V9).

// noticeInterval is the least time between two notices to a peer that it is accused.
const noticeInterval = 250 * time.Millisecond

// HearPacket notes that a packet of p opened. If NobodyHeard was told before, HearPacket returns true, and how long
// nothing had come.
func (d *Detector) HearPacket(now time.Time, p *Peer) (silence time.Duration, again bool) {
	p.Heard = now
	if p.legacy() {
		return 0, false
	}
	silence, again = now.Sub(d.heardAny), d.alone
	d.heardAny, d.alone = now, false
	return silence, again
}

// AccusedOf returns the entry that p has to be told because it was just heard although it is suspected or taken for
// dead. It returns nil, quickly, if there is none.
func (d *Detector) AccusedOf(p *Peer) *members.Entry {
	if len(d.suspicions) == 0 && !d.table.MayHaveTombstones() {
		return nil
	}
	m := d.table.Get(p.ID)
	if m != nil && (m.State == wire.StateSuspect || m.State == wire.StateDead) {
		return m
	}
	return nil
}

// MayNotify reports whether p may be told now that it is accused, and counts that as done.
func (d *Detector) MayNotify(now time.Time, p *Peer) bool {
	if now.Sub(p.noticed) < noticeInterval {
		return false
	}
	p.noticed = now
	return true
}

// HearAnswer notes that p has heard something that this node sent at the given time or later.
func (d *Detector) HearAnswer(out []Action, now time.Time, p *Peer, at time.Time) []Action {
	d.begin(out)
	d.hearAnswer(now, p, at)
	return d.take()
}

// HearAck takes the answer to a Ping. It returns false if no Ping of that number waits for an answer.
func (d *Detector) HearAck(out []Action, now time.Time, p *Peer, seq uint64) (a Answer, ok bool, _ []Action) {
	s, ok := p.takePing(seq)
	if !ok {
		return a, false, out
	}
	d.begin(out)
	p.deafSince = time.Time{}
	d.hearAnswer(now, p, s.at)
	p.pingedAt = time.Time{}
	d.health.note(-1)
	return Answer{RTT: max(now.Sub(s.at), 1), Purpose: s.purpose}, true, d.take() // zero would mean unknown: a network in memory may take no time
}

// HearReport takes in how long ago p heard this node, as p says. A peer that has not heard it for several heartbeats of
// this node gets a Ping, and is probed soon if it does not answer.
func (d *Detector) HearReport(out []Action, now time.Time, p *Peer, ago, rtt time.Duration) []Action {
	d.begin(out)
	d.hearAnswer(now, p, now.Add(-ago-rtt))
	switch {
	case !p.linked || ago < d.cfg.ownSilence(SilenceCheck):
		p.deafSince = time.Time{}
	case p.deafSince.IsZero():
		p.deafSince = now
		d.add(Action{Kind: SendPing, Peer: p})
		d.add(Action{Kind: Watch, Peer: p, At: now.Add(d.deafPause())})
	}
	return d.take()
}

// deafPause is how long a peer that has not heard this node has to answer before others are asked about it. Most such
// peers have lost two heartbeats, and hear the Ping.
func (d *Detector) deafPause() time.Duration { return d.cfg.ProbeTimeout / 5 }

func (d *Detector) hearAnswer(now time.Time, p *Peer, at time.Time) {
	if at.After(p.heardUs) {
		p.heardUs = at
	}
	d.answered(now, p)
}

// Answered ends what waited for an answer of p, which has confirmed a session.
func (d *Detector) Answered(out []Action, now time.Time, p *Peer) []Action {
	d.begin(out)
	d.answered(now, p)
	return d.take()
}

// answered ends what waited for an answer of p. Only what p has heard since it began counts: a node that cannot hear
// goes on to send.
func (d *Detector) answered(now time.Time, p *Peer) {
	if pr := d.probeOf(p.ID); pr != nil && !p.heardUs.Before(pr.began) {
		d.probeAnswered(p, pr)
	}
	d.requests.heard(p)
	if s := d.suspicions[p.ID]; s != nil && s.private && !p.heardUs.Before(s.began) {
		d.dropSuspicion(now, d.table.Get(p.ID))
	}
}

// turn is the time in which each link is measured once.
func (d *Detector) turn() time.Duration {
	return time.Duration(len(d.links)) * max(d.cfg.ProbeInterval, d.cfg.Heartbeat)
}

// TakeTurn reports whether the heartbeat of a link has a Ping this time: each ProbeInterval, or each heartbeat interval
// if that is longer, is the turn of one link.
func (d *Detector) TakeTurn(now time.Time, p *Peer) bool {
	if now.Sub(p.lastTurn) < d.turn() {
		return false
	}
	p.lastTurn = now
	return true
}

// Forgive notes that this node itself did not run for a time: its timers were late, so nothing was taken in either. No
// peer counts as silent for that time, and decisions in progress begin anew.
func (d *Detector) Forgive(now time.Time, late time.Duration) {
	d.health.note(1)
	for _, p := range d.links {
		if heard := now.Add(-p.check); p.Heard.Before(heard) {
			p.Heard = heard
		}
		p.deafSince = time.Time{} // this node did not send either
	}
	d.heardAny = d.heardAny.Add(late)
	for _, pr := range d.probes {
		d.timers.Set(&pr.timer, now.Add(d.probeTimeout(now)))
	}
	for _, m := range d.table.Live() {
		if s := d.suspicionOf(m); s != nil {
			s.began = s.began.Add(late)
			d.awaitDecision(now, m, s)
		}
	}
}
