package handshake

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// repeatsMax is the number of repetitions of a peer that are answered per handshake. A correct peer sends fewer.
// Answers to more would only help an attacker that spoofs the address of a third party.
const repeatsMax = 16

// handleHello answers a new and valid Hello with an Ohai, and a repetition of a half-open one with the same Ohai.
func (e *Endpoint) handleHello(now time.Time, from wire.Path, sender wire.NodeID, h *wire.Handshake, a *allowance) Reason {
	key := halfKey{sender, h.ID}
	if x := e.half.all[key]; x != nil {
		return e.repeatHello(from, x, h)
	}
	if off(now, h.Timestamp) > boundWindow {
		return TimeOff
	}
	nanos := h.Timestamp.UnixNano()
	if e.ledger(sender).seen(now, sender, nanos) {
		return Replayed
	}
	m, why := newResponder(&e.self, &e.ring, a, e.legacy, now, sender, h, e.origin)
	if why != accepted {
		return why
	}
	if !m.bound { // its OkBoss proves no id, so it is recorded at once
		e.ledger(sender).record(now, sender, nanos)
	}
	x := &halfOpen{key: key, m: m, source: network(from.Remote.Addr()), path: e.replyTo(from, m.block.Advertise)}
	x.place = place{sender, prefix(from.Remote.Addr(), 32)}
	e.open(now, x)
	e.sendHandshake(x.path, x.m.Ohai())
	return accepted
}

// repeatHello answers a repeated Hello at the source of the repetition (PROTOCOL.md H5).
func (e *Endpoint) repeatHello(from wire.Path, x *halfOpen, h *wire.Handshake) Reason {
	switch {
	case !x.m.RepeatsHello(h):
		return OtherContent
	case x.m.Done():
		return Replayed
	case x.repeats == repeatsMax:
		return TooManyRepeats
	}
	x.repeats++
	e.sendHandshake(e.replyTo(from, x.m.block.Advertise), x.m.Ohai())
	return accepted
}

// open adds a half-open handshake, and drops the oldest one of the same place, source or kind if a limit is reached
// (PROTOCOL.md H8).
func (e *Endpoint) open(now time.Time, x *halfOpen) {
	for old := e.half.room(x); old != nil; old = e.half.room(x) {
		e.expire(old)
	}
	e.half.add(x)
	x.timer.Fire = func(time.Time) { e.expire(x) }
	e.timers.Set(&x.timer, now.Add(HalfOpenLife))
}

// expire drops a handshake. If it is not complete, our answer probably did not reach the peer.
func (e *Endpoint) expire(x *halfOpen) {
	if !x.m.Done() {
		e.add(Outcome{Kind: PacketRejected, From: x.path, Reason: Unfinished, Peer: x.key.node})
	}
	e.drop(x)
}

func (e *Endpoint) drop(x *halfOpen) {
	e.timers.Stop(&x.timer)
	e.half.remove(x)
}

// handleOkBoss completes a handshake that a peer began. It does so once; a repeated OkBoss gets the stored answer.
func (e *Endpoint) handleOkBoss(now time.Time, from wire.Path, sender wire.NodeID, h *wire.Handshake) Reason {
	x := e.half.all[halfKey{sender, h.ID}]
	if x == nil {
		return UnknownHandshake
	}
	if x.m.Done() {
		return e.repeatOkBoss(from, x, h)
	}
	next, est, why := x.m.OkBoss(h)
	if why != accepted {
		return why
	}
	if x.m = next; x.m.bound {
		e.ledger(sender).record(now, sender, x.m.timestamp.UnixNano())
	}
	x.path = e.replyTo(from, x.m.block.Advertise)
	est.Path = x.path
	e.establish(&est)
	return accepted
}

// introduceResponder answers the OkBoss after the core has created the session.
func (e *Endpoint) introduceResponder(now time.Time, s *Established, identity []byte) {
	x := e.half.all[halfKey{s.Peer, s.Handshake}]
	if x == nil || !x.m.Done() {
		return
	}
	x.identity = identity
	x.repeats = 0
	e.timers.Set(&x.timer, now.Add(HalfOpenLife))
	if !x.m.bound {
		e.startGoTeams(now, x)
	}
	e.answerOkBoss(x.path, x)
}

func (e *Endpoint) repeatOkBoss(from wire.Path, x *halfOpen, h *wire.Handshake) Reason {
	switch {
	case !x.m.RepeatsOkBoss(h):
		return OtherContent
	case x.repeats == repeatsMax:
		return TooManyRepeats
	}
	x.repeats++
	e.answerOkBoss(e.replyTo(from, x.m.block.Advertise), x)
	return accepted
}

// answerOkBoss sends our identity to a Go node, or a GoTeam and an empty Frame to a legacy node.
func (e *Endpoint) answerOkBoss(to wire.Path, x *halfOpen) {
	if !x.m.bound {
		e.sendHandshake(to, &wire.Handshake{ID: x.key.id, Step: wire.StepGoTeam})
		e.add(Outcome{Kind: SendLegacyProbe, To: to, Handshake: x.key.id, Peer: x.key.node})
	} else if x.identity != nil {
		e.add(Outcome{Kind: SendPacket, To: to, Packet: x.identity})
	}
}

// startGoTeams repeats the GoTeam until a box opens or the limit of repetitions is reached (PROTOCOL.md L1).
func (e *Endpoint) startGoTeams(now time.Time, x *halfOpen) {
	end := now.Add(HalfOpenLife)
	x.timer.Fire = func(now time.Time) {
		if !now.Before(end) {
			e.drop(x)
			return
		}
		if x.confirmed || x.goTeams == goTeamRepeats {
			e.timers.Set(&x.timer, end)
			return
		}
		x.goTeams++
		e.answerOkBoss(x.path, x)
		e.timers.Set(&x.timer, now.Add(goLadder.delay(x.goTeams, e.origin)))
	}
	e.timers.Set(&x.timer, now.Add(goLadder.delay(0, e.origin)))
}
