package swim

import (
	"cmp"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A link works only if both of its ends hear each other. A packet from a peer shows that one direction works. The
// other direction works if the peer reports that it heard this node recently (in every SyncRoot), answers something that
// this node sent, or completes a handshake (docs/PROTOCOL.md V9).

// noticeInterval is the minimum time between two notices to a peer that it is accused.
const noticeInterval = 250 * time.Millisecond

// HearPacket records that a packet of p opened. If NobodyHeard was reported before, HearPacket returns true and the
// time in which no packet came from any Go node.
func (d *Detector) HearPacket(now time.Time, p *Peer) (silence time.Duration, again bool) {
	p.Heard = now
	if p.legacy() {
		return 0, false
	}
	silence, again = now.Sub(d.heardAny), d.alone
	d.heardAny, d.alone = now, false
	return silence, again
}

// AccusedOf returns the entry of p if p, which was just heard, is suspected or dead, so that it can be sent to p. It
// returns nil otherwise, without a table lookup in the usual case.
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

// MayNotify reports whether p may now be notified that it is accused. If so, it counts the notice as sent.
func (d *Detector) MayNotify(now time.Time, p *Peer) bool {
	if now.Sub(p.noticed) < noticeInterval {
		return false
	}
	p.noticed = now
	return true
}

// HearAnswer records that p has opened a packet that this node sent at the given time or later.
func (d *Detector) HearAnswer(out []Action, now time.Time, p *Peer, at time.Time) []Action {
	d.begin(out)
	d.hearAnswer(now, p, at)
	return d.take()
}

// HearAck handles the answer to a Ping. It returns false if no Ping with that number waits for an answer.
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
	return Answer{RTT: max(now.Sub(s.at), 1), Purpose: s.purpose}, true, d.take() // zero would mean unknown, and a network in memory may take no time
}

// HearReport handles p's report of how long ago it heard this node. If that is several heartbeats of this node, p gets
// a Ping, and is probed soon if it does not answer.
func (d *Detector) HearReport(out []Action, now time.Time, p *Peer, ago, rtt time.Duration) []Action {
	d.begin(out)
	d.hearAnswer(now, p, now.Add(-ago-rtt))
	switch {
	case !p.linked || ago < SilenceOf(cmp.Or(p.promised, d.cfg.Heartbeat), d.cfg.ProbeInterval, SilenceAsk):
		p.deafSince = time.Time{}
	case p.deafSince.IsZero():
		p.deafSince = now
		d.add(Action{Kind: SendPing, Peer: p})
		d.add(Action{Kind: Watch, Peer: p, At: now.Add(d.deafPause())})
	}
	return d.take()
}

// deafPause returns the time that a peer that has not heard this node has to answer before helpers are asked. Most
// such peers have lost two heartbeats and do receive the Ping.
func (d *Detector) deafPause() time.Duration { return d.cfg.ProbeTimeout / 5 }

func (d *Detector) hearAnswer(now time.Time, p *Peer, at time.Time) {
	if at.After(p.heardUs) {
		p.heardUs = at
	}
	d.answered(now, p)
}

// Answered handles a session that p has confirmed: it ends whatever waited for an answer of p.
func (d *Detector) Answered(out []Action, now time.Time, p *Peer) []Action {
	d.begin(out)
	d.answered(now, p)
	return d.take()
}

// answered ends whatever waited for an answer of p, if p has heard this node since it began. A packet from p alone is
// not enough, because a node that cannot hear still sends.
func (d *Detector) answered(now time.Time, p *Peer) {
	if pr := d.probeOf(p.ID); pr != nil && !p.heardUs.Before(pr.began) {
		d.probeAnswered(p, pr)
	}
	d.requests.heard(p)
	if s := d.suspicions[p.ID]; s != nil && s.private && !p.heardUs.Before(s.began) {
		d.dropSuspicion(now, d.table.Get(p.ID))
	}
}

// turn returns the time in which each link is measured once.
func (d *Detector) turn() time.Duration {
	return time.Duration(len(d.links)) * max(d.cfg.ProbeInterval, d.cfg.Heartbeat)
}

// TakeTurn reports whether the next heartbeat to p carries a Ping. One link has its turn in each ProbeInterval, or in
// each heartbeat interval if that is longer (PROTOCOL.md V8).
func (d *Detector) TakeTurn(now time.Time, p *Peer) bool {
	if now.Sub(p.lastTurn) < d.turn() {
		return false
	}
	p.lastTurn = now
	return true
}

// HandlePause handles a time in which this node did not run: its timers were late, and it did not read packets either.
// That time does not count as silence of any peer, and decisions in progress start again (PROTOCOL.md V7).
func (d *Detector) HandlePause(now time.Time, late time.Duration) {
	d.health.note(1)
	for _, p := range d.peers { // whether linked or not: the order does not matter
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
