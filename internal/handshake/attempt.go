package handshake

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	hellosMax = 8                // Hellos of one attempt that may still be answered
	helloLife = 5 * time.Second  // how long one Hello is repeated; later it would look replayed
	ohaiLife  = 10 * time.Second // how long an Ohai may come, as a responder waits no longer
)

// An attempt is our wish to reach an address: it says Hello, again and again, until one is answered,
// then OkBoss until a box opens. An answer that leads nowhere, because the peer forgot it, begins it anew.
type attempt struct {
	id     AttemptID
	to     wire.Path
	peer   wire.NodeID // zero when unknown
	legacy bool        // the peer may be a legacy one: every Hello is a new handshake
	ladder *ladder
	until  time.Time
	due    time.Time // when it goes on, unless it ends before

	hellos   []*pending // oldest first, at most hellosMax
	sends    int        // Hellos sent
	answered *pending   // the one whose OkBoss is being repeated
	heard    bool       // a right Ohai came
	sent     time.Time  // when something was sent last
	unsent   bool       // it was still unwritten when its repeat was due
	slow     bool       // that has happened
	last     Reason     // of the last Ohai that was refused
	cookie   cookie     // that the peer sent last
	cookieAt time.Time  // when; zero for never
	timer    timer
}

// A pending is one Hello of an attempt.
type pending struct {
	attempt    *attempt
	m          Initiator
	rings      int       // the ring that it was made under
	cookie     cookie    // that it shows
	cookied    bool      // it was answered by a cookie
	sent       time.Time // first
	sends      int       // of the Hello
	path       wire.Path // where the Ohai came from
	answeredAt time.Time
	okBosses   int    // sent by the clock
	repeats    int    // answered repeats of the Ohai
	identity   []byte // sealed; nil with a legacy peer
}

// Initiate begins an attempt to shake hands with whoever is there, or only with the peer if its id is
// not zero. It ends by Confirm, by Cancel, by the outcome GoTeamReceived or, at the time until, by AttemptFailed.
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
	a.timer.fire = func(now time.Time) { e.attemptDue(now, a) }
	e.attempts[a.id] = a
	e.sayHello(now, a)
	return a.id, e.take()
}

// Extend moves the end of an attempt to the time until.
func (e *Endpoint) Extend(id AttemptID, until time.Time) {
	if a := e.attempts[id]; a != nil {
		a.until = until
		e.wake(a, a.due)
	}
}

// Cancel ends an attempt without a word.
func (e *Endpoint) Cancel(id AttemptID) {
	if a := e.attempts[id]; a != nil {
		e.end(a)
	}
}

// end forgets an attempt. Its session, if there is one, is the core's.
func (e *Endpoint) end(a *attempt) {
	e.timers.stop(&a.timer)
	delete(e.attempts, a.id)
	e.forget(a, len(a.hellos))
}

// forget drops the attempt's first n Hellos.
func (e *Endpoint) forget(a *attempt, n int) {
	for _, p := range a.hellos[:n] {
		delete(e.pending, p.m.hello.ID)
		p.m.secret = nil
	}
	a.hellos = append(a.hellos[:0], a.hellos[n:]...)
}

// attemptDue goes on with an attempt at the time it set.
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

// putOff waits with a repeat over a transport that takes long to write: first until what was sent is written, and
// then for twice the time that it took, because the other node's answer may take as long. A repeat before that
// would only stand before what is said next.
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

// noteSlow says once that the transport is slow for an attempt.
func (e *Endpoint) noteSlow(a *attempt) {
	if !a.slow {
		a.slow = true
		e.add(Outcome{Kind: AttemptSlow, Attempt: a.id})
	}
}

// failure is what an attempt's end says about it.
func (a *attempt) failure() error {
	switch {
	case a.heard:
		return ErrUnconfirmed
	case a.last != accepted:
		return &RefusedError{a.last}
	}
	return ErrNoAnswer
}

// wake sets the attempt's timer, to no later than its end.
func (e *Endpoint) wake(a *attempt, at time.Time) {
	a.due = at
	if a.until.Before(at) {
		at = a.until
	}
	e.timers.set(&a.timer, at)
}

// sayHello sends the last Hello again, or a new one: always a new one where the peer may be a legacy
// one, which takes no repeats, and where the last one is too old or made under other keys.
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

// repeatable reports whether an attempt's Hello may be sent once more: it is recent and not answered, and the keys and
// the cookie it was made under have not changed.
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

// newHello adds a Hello to the attempt. Those that cannot be answered any more go.
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

// handleOwn takes a packet that carries this node's own id (PROTOCOL.md H7). A Hello that comes back proves only
// that somebody sent it back. The core decides what it means, as only the core knows this node's addresses.
func (e *Endpoint) handleOwn(from wire.Path, h *wire.Handshake) Reason {
	p := e.pending[h.ID]
	if p.attempt.peer != (wire.NodeID{}) || p.m.Answered() || content(h) != content(p.m.Hello()) {
		return OwnID
	}
	p.attempt.last = Returned
	e.add(Outcome{Kind: PacketRejected, Reason: Returned, Attempt: p.attempt.id, To: p.attempt.to, From: from})
	return accepted // what it means is said already
}

// handleOhai takes the first right answer of an attempt. A repeat of it draws the stored OkBoss.
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
	e.settle(p)
	e.establish(&est)
	return accepted
}

// introduceInitiator sends the OkBoss, once the core has made the session.
func (e *Endpoint) introduceInitiator(now time.Time, s *Established, identity []byte) {
	p := e.pending[s.Handshake]
	if p == nil || !p.m.Answered() || p.m.peer != s.Peer {
		return
	}
	p.identity = identity
	e.sayOkBoss(now, p)
}

// settle ends the attempt's other Hellos. Legacy ones that were answered before stay: their GoTeam or
// a box may yet come.
func (e *Endpoint) settle(p *pending) {
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

// life is how long an OkBoss is repeated before the attempt begins anew, because the peer seems to have
// forgotten the handshake: started again, changed its keys, or had too many others. The session stays
// the core's, and a box that opens under it still ends the attempt.
func (p *pending) life() time.Duration {
	if p.m.bound {
		return okBossLife
	}
	return legacyOkBossLife
}

// sayOkBoss sends the OkBoss and with it, to a Go node, our identity.
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

// handleGoTeam ends a handshake of ours with a legacy peer. Go nodes have no GoTeam.
func (e *Endpoint) handleGoTeam(sender wire.NodeID, h *wire.Handshake) Reason {
	p := e.pending[h.ID]
	if !p.m.Answered() || p.m.bound || sender != p.m.peer {
		return Unexpected
	}
	e.end(p.attempt)
	e.add(Outcome{Kind: GoTeamReceived, Handshake: h.ID, Peer: sender})
	return accepted
}

// handleCookie repeats the Hello that a node wants a cookie with. A cookie is unauthenticated, but names the random id
// of a Hello of ours, so only somebody on the path can forge one. Each Hello is answered by one, and an attempt takes one a second.
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

// cookieNow is the cookie for a Hello of now: what the peer sent last, unless it has changed its secret since.
func (a *attempt) cookieNow(now time.Time) cookie {
	if now.Sub(a.cookieAt) >= cookieLife {
		return cookie{}
	}
	return a.cookie
}
