package handshake

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	hellosMax = 8                // the maximum number of unanswered Hellos of an attempt that are kept
	helloLife = 5 * time.Second  // how long one Hello is repeated; a later repetition would look replayed
	ohaiLife  = 10 * time.Second // how long an Ohai is accepted; the responder keeps its state no longer
)

// An attempt is a call of Initiate in progress. It sends Hellos until one is answered, and then OkBosses until a
// box opens. If the peer has forgotten the handshake, so that no box opens, the attempt starts again with a Hello.
type attempt struct {
	id     AttemptID
	to     wire.Path
	peer   wire.NodeID // zero if unknown
	legacy bool        // the peer may be a legacy node, so every Hello begins a new handshake
	ladder *ladder
	until  time.Time
	due    time.Time // when the attempt continues, unless it ends earlier

	hellos   []*pending // oldest first, at most hellosMax
	sends    int        // Hellos sent
	answered *pending   // the Hello whose OkBoss is being repeated
	heard    bool       // a valid Ohai arrived
	sent     time.Time  // when the last packet was sent
	unsent   bool       // the last packet was not yet written when its repetition was due
	slow     bool       // AttemptSlow was reported
	last     Reason     // of the last rejected Ohai
	cookie   cookie     // the last one that the peer sent
	cookieAt time.Time  // when it arrived; zero for never
	timer    timer.Timer
}

// A pending is one Hello of an attempt.
type pending struct {
	attempt    *attempt
	m          Initiator
	rings      int       // the value of Endpoint.rings when the Hello was made
	cookie     cookie    // the one that the Hello carries
	cookied    bool      // the peer answered it with a cookie
	sent       time.Time // when the Hello was first sent
	sends      int       // of the Hello
	path       wire.Path // source of the Ohai
	answeredAt time.Time
	okBosses   int    // sent by the timer
	repeats    int    // answered repetitions of the Ohai
	identity   []byte // sealed; nil for a legacy peer
}

// Initiate begins a handshake with any node at the address, or only with the node peer if peer is not zero. The
// attempt ends by Confirm, by Cancel, by the outcome GoTeamReceived or, at the time until, by AttemptFailed.
func (e *Endpoint) Initiate(out []Outcome, now time.Time, to wire.Path, peer wire.NodeID, until time.Time) (AttemptID, []Outcome) {
	e.begin(out)
	e.lastAttempt++
	a := &attempt{
		id: e.lastAttempt, to: to, peer: peer, until: until,
		legacy: e.legacy && !peer.IsGo(),
		ladder: &goLadder,
	}
	if a.legacy && peer != (wire.NodeID{}) {
		a.ladder = &legacyLadder
	}
	a.timer.Fire = func(now time.Time) { e.attemptDue(now, a) }
	e.attempts[a.id] = a
	e.sayHello(now, a)
	return a.id, e.take()
}

// Extend sets the end of an attempt to until.
func (e *Endpoint) Extend(id AttemptID, until time.Time) {
	if a := e.attempts[id]; a != nil {
		a.until = until
		e.wake(a, a.due)
	}
}

// Cancel ends an attempt without an outcome.
func (e *Endpoint) Cancel(id AttemptID) {
	if a := e.attempts[id]; a != nil {
		e.end(a)
	}
}

// end removes an attempt. Its session, if there is one, belongs to the core.
func (e *Endpoint) end(a *attempt) {
	e.timers.Stop(&a.timer)
	delete(e.attempts, a.id)
	e.forget(a, len(a.hellos))
}

// forget removes the attempt's first n Hellos.
func (e *Endpoint) forget(a *attempt, n int) {
	for _, p := range a.hellos[:n] {
		delete(e.pending, p.m.hello.ID)
		p.m.secret = nil
	}
	a.hellos = append(a.hellos[:0], a.hellos[n:]...)
}

// attemptDue runs when the attempt's timer expires, and sends the attempt's next packet or ends it (PROTOCOL.md E7).
func (e *Endpoint) attemptDue(now time.Time, a *attempt) {
	switch {
	case !now.Before(a.until):
		e.end(a)
		e.add(Outcome{Kind: AttemptFailed, Attempt: a.id, Err: a.failure()})
	case e.putOff(now, a):
	case a.answered == nil:
		e.sayHello(now, a)
	case now.Sub(a.answered.answeredAt) >= a.answered.life():
		a.answered = nil
		e.sayHello(now, a)
	default:
		e.sayOkBoss(now, a.answered)
	}
}

// putOff delays a repetition if the transport is slow: first until the last packet is written, then for twice the
// time that this took, because the peer's answer may take as long. An earlier repetition would only delay the
// packets queued after it.
func (e *Endpoint) putOff(now time.Time, a *attempt) bool {
	to := a.to
	if a.answered != nil {
		to = a.answered.path
	}
	switch {
	case e.unsent != nil && e.unsent(to.Remote):
		a.unsent = true
		e.noteSlow(a)
		e.wake(a, now.Add(jitter(rungs[0], e.origin)))
	case a.unsent:
		a.unsent = false
		e.wake(a, now.Add(2*now.Sub(a.sent)))
	default:
		return false
	}
	return true
}

// noteSlow reports AttemptSlow once for each attempt.
func (e *Endpoint) noteSlow(a *attempt) {
	if !a.slow {
		a.slow = true
		e.add(Outcome{Kind: AttemptSlow, Attempt: a.id})
	}
}

// failure returns the error of an attempt that reached its end.
func (a *attempt) failure() error {
	switch {
	case a.heard:
		return ErrUnconfirmed
	case a.last != accepted:
		return &RefusedError{a.last}
	}
	return ErrNoAnswer
}

// wake sets the attempt's timer to at, or to the end of the attempt if that is earlier.
func (e *Endpoint) wake(a *attempt, at time.Time) {
	a.due = at
	if a.until.Before(at) {
		at = a.until
	}
	e.timers.Set(&a.timer, at)
}

// sayHello repeats the last Hello or sends a new one. A peer that may be a legacy node always gets a new one,
// because it rejects repetitions. A Hello that is not repeatable is replaced by a new one too.
func (e *Endpoint) sayHello(now time.Time, a *attempt) {
	p := a.lastHello()
	if p == nil || a.legacy || !e.repeatable(now, a, p) {
		p = e.newHello(now, a)
	}
	p.sends++
	a.sent = now
	e.wake(a, now.Add(a.ladder.delay(a.sends, e.origin)))
	a.sends++
	e.sendHandshake(a.to, p.m.Hello())
}

// repeatable reports whether a Hello may be sent again: it is recent and unanswered, and the keys and the cookie
// that it was made with have not changed.
func (e *Endpoint) repeatable(now time.Time, a *attempt, p *pending) bool {
	if p.m.Answered() || now.Sub(p.sent) >= helloLife {
		return false
	}
	return p.rings == e.rings && p.cookie == a.cookieNow(now)
}

func (a *attempt) lastHello() *pending {
	if len(a.hellos) == 0 {
		return nil
	}
	return a.hellos[len(a.hellos)-1]
}

// newHello adds a Hello to the attempt, and removes those that can no longer be answered.
func (e *Endpoint) newHello(now time.Time, a *attempt) *pending {
	gone := 0
	for gone < len(a.hellos) && (len(a.hellos)-gone >= hellosMax || now.Sub(a.hellos[gone].sent) >= ohaiLife) {
		gone++
	}
	e.forget(a, gone)
	self := e.self
	self.cookie = a.cookieNow(now)
	p := &pending{
		attempt: a, rings: e.rings, sent: now, cookie: self.cookie,
		m: newInitiator(&self, &e.ring, a.peer, a.legacy, e.clock.stamp(now), e.origin),
	}
	a.hellos = append(a.hellos, p)
	e.pending[p.m.hello.ID] = p
	return p
}

// handleOwn handles a packet that carries this node's own id (PROTOCOL.md H7). A Hello that comes back only proves
// that somebody sent it back. The core decides what it means, because only the core knows this node's addresses.
func (e *Endpoint) handleOwn(from wire.Path, h *wire.Handshake) Reason {
	p := e.pending[h.ID]
	if p.attempt.peer != (wire.NodeID{}) || p.m.Answered() || content(h) != content(p.m.Hello()) {
		return OwnID
	}
	p.attempt.last = Returned
	e.add(Outcome{Kind: PacketRejected, Reason: Returned, Attempt: p.attempt.id, To: p.attempt.to, From: from})
	return accepted // the rejection is already reported
}

// handleOhai accepts the first valid Ohai of an attempt. A repetition of it gets the stored OkBoss (PROTOCOL.md H6).
func (e *Endpoint) handleOhai(now time.Time, from wire.Path, sender wire.NodeID, h *wire.Handshake, a *allowance) Reason {
	p := e.pending[h.ID]
	if p.m.Answered() {
		return e.repeatOhai(from, p, sender, h)
	}
	next, est, why := p.m.Ohai(&e.ring, a, sender, h)
	if why != accepted {
		p.attempt.last = why
		return why
	}
	p.m = next
	p.answeredAt = now
	p.path = from
	if e.advertise {
		p.path = e.replyTo(p.attempt.to, est.Advertise)
	}
	est.Attempt, est.Path = p.attempt.id, p.path
	if p.sends == 1 {
		est.RTT = now.Sub(p.sent)
	}
	e.answered(p)
	e.establish(&est)
	return accepted
}

// introduceInitiator sends the OkBoss after the core has created the session.
func (e *Endpoint) introduceInitiator(now time.Time, s *Established, identity []byte) {
	p := e.pending[s.Handshake]
	if p == nil || !p.m.Answered() || p.m.peer != s.Peer {
		return
	}
	p.identity = identity
	e.sayOkBoss(now, p)
}

// answered ends the attempt's other Hellos. Legacy ones that were answered earlier remain, because their GoTeam or a
// box may still arrive.
func (e *Endpoint) answered(p *pending) {
	a := p.attempt
	a.answered, a.heard = p, true
	keep := a.hellos[:0]
	for _, other := range a.hellos {
		if other == p || other.m.Answered() {
			keep = append(keep, other)
			continue
		}
		delete(e.pending, other.m.hello.ID)
		other.m.secret = nil
	}
	clear(a.hellos[len(keep):])
	a.hellos = keep
}

// life returns how long an OkBoss is repeated before the attempt starts again with a Hello. By then the peer seems
// to have lost the handshake: it restarted, changed its keys, or had too many others. The session remains with the
// core, and a box that opens under it still ends the attempt.
func (p *pending) life() time.Duration {
	if p.m.bound {
		return okBossLife
	}
	return legacyOkBossLife
}

// sayOkBoss sends the OkBoss, and also our identity if the peer is a Go node.
func (e *Endpoint) sayOkBoss(now time.Time, p *pending) {
	wait := goLadder.delay(p.okBosses, e.origin)
	if !p.m.bound {
		wait = legacyOkBossWaits[min(p.okBosses, len(legacyOkBossWaits)-1)]
	}
	p.okBosses++
	p.attempt.sent = now
	e.wake(p.attempt, now.Add(wait))
	e.answerOhai(p.path, p)
}

func (e *Endpoint) repeatOhai(from wire.Path, p *pending, sender wire.NodeID, h *wire.Handshake) Reason {
	switch {
	case !p.m.Repeats(sender, h):
		return OtherContent
	case p.repeats == repeatsMax:
		return TooManyRepeats
	}
	p.repeats++
	if e.advertise {
		from = p.path
	}
	e.answerOhai(from, p)
	return accepted
}

func (e *Endpoint) answerOhai(to wire.Path, p *pending) {
	e.sendHandshake(to, p.m.OkBoss())
	if p.identity != nil {
		e.add(Outcome{Kind: SendPacket, To: to, Packet: p.identity})
	}
}

// handleGoTeam completes a handshake that we began with a legacy peer. Go nodes send no GoTeam.
func (e *Endpoint) handleGoTeam(sender wire.NodeID, h *wire.Handshake) Reason {
	p := e.pending[h.ID]
	if !p.m.Answered() || p.m.bound || sender != p.m.peer {
		return Unexpected
	}
	e.end(p.attempt)
	e.add(Outcome{Kind: GoTeamReceived, Handshake: h.ID, Peer: sender})
	return accepted
}

// handleCookie sends a new Hello with the cookie that the peer requires. A cookie is not authenticated, but it carries the
// random id of our Hello, so only an attacker on the path can forge one. At most one is accepted per Hello, and per second.
func (e *Endpoint) handleCookie(now time.Time, h *wire.Handshake) Reason {
	p := e.pending[h.ID]
	a := p.attempt
	switch {
	case a.answered != nil || p.m.Answered():
		return Unexpected
	case p.cookied || !a.cookieAt.IsZero() && now.Sub(a.cookieAt) < time.Second:
		return TooManyRepeats
	}
	p.cookied = true
	a.cookie, a.cookieAt = h.Cookie, now
	e.sayHello(now, a)
	return accepted
}

// cookieNow returns the cookie for a Hello of now, or zero if the peer's secret has changed since the last one.
func (a *attempt) cookieNow(now time.Time) cookie {
	if now.Sub(a.cookieAt) >= cookieLife {
		return cookie{}
	}
	return a.cookie
}
