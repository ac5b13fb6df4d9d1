package session

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The reply path changes only if probes to it get no answer and a probe to the new source, or to the member's
// advertised address, does (PROTOCOL.md R2). An attacker that copies a box and delivers it first from another
// address only causes probes, because the peer still answers on its path.
//
// A round probes only the path at first, then the other addresses too. It ends with the first answer from the path.
// Answers from other addresses count only after three unanswered probes of the path.
var probeIntervals = [...]time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

const (
	probesBeforeMove = 3
	// sourceHold is the minimum time between two rounds that a new source causes.
	sourceHold = 10 * time.Second
	// confirmInitiator and confirmResponder are how long each end of a new session waits for a second box. The first
	// one may be the peer's identity while ours was lost, and then the peer does not confirm. The initiator's probe
	// is the responder's second box, so one round serves both ends.
	confirmInitiator = 250 * time.Millisecond
	confirmResponder = time.Second
	// keepAfter is the silence after which a session without a link is probed if we seal under it. Boxes sealed
	// within answerTime of the last one received are answers and no reason to probe.
	keepAfter  = 10 * time.Second
	answerTime = time.Second
	// checkAgain is the pause between rounds that got no answer.
	checkAgain = 10 * time.Second
)

// A Probe requests from the caller to seal a Ping with the sequence number Token under Session and to send it to
// To. Tokens are random with the highest bit set, so only a receiver of the Ping knows them, and they differ from
// the sequence numbers of other Pings.
type Probe struct {
	Token   uint64
	To      wire.Path
	Session *Session
}

// probing is the state of a Set's path.
type probing struct {
	advertised netip.AddrPort // from the member's alive message; may be invalid
	source     wire.Path      // of the newest box if it differs from the path; otherwise zero
	holdUntil  time.Time      // a new source starts no round before this time
	checkAt    time.Time      // when CheckPath requested a round; zero for none
	confirmBy  time.Time      // when to check whether the peer has confirmed too; zero for never
	startedAt  time.Time      // of the last round

	targets []target  // of the current round, the path first; empty if there is none
	sent    int       // probes sent to the path in the current round
	stepAt  time.Time // time of the next step of the round
}

// A target is an address that a round probes.
type target struct {
	path     wire.Path
	token    uint64
	answered bool
}

// samePath compares paths. An unknown local address equals any.
func samePath(a, b wire.Path) bool {
	if a.Remote != b.Remote {
		return false
	}
	return a.Local == b.Local || !a.Local.IsValid() || !b.Local.IsValid()
}

// adoptPath takes the path of the session that has just become the current one: unconditionally if there was no
// current session, otherwise as a new source. gwyh 0.1 sends to the address of the handshake and expects answers
// there.
func (t *Set) adoptPath(now time.Time, s *Session, silent bool) {
	if silent || s.p.Legacy {
		t.path = s.p.Path
		t.probing.source, t.probing.targets = wire.Path{}, nil
		return
	}
	t.noteSource(now, s.p.Path)
}

// noteSource records the source of the newest box of the current session, or of its handshake.
func (t *Set) noteSource(now time.Time, from wire.Path) {
	p := &t.probing
	switch {
	case !from.Remote.IsValid():
	case samePath(from, t.path):
		p.source = wire.Path{}
	case !samePath(from, p.source):
		p.source = from
		t.next = earlier(t.next, later(now, p.holdUntil))
	}
}

// CheckPath starts a round of probes because a link became silent. It does nothing during a round.
func (t *Set) CheckPath(now time.Time) {
	if len(t.probing.targets) == 0 {
		t.probing.checkAt = now
		t.schedule(now)
	}
}

// ProbeAnswered handles an Ack with the sequence number token. It reports whether the token belongs to the current
// round.
func (t *Set) ProbeAnswered(now time.Time, token uint64) bool {
	p := &t.probing
	for i := range p.targets {
		if p.targets[i].token != token {
			continue
		}
		p.targets[i].answered = true
		if i == 0 {
			t.endRound(now)
		} else if p.sent > probesBeforeMove {
			p.stepAt = now
		}
		t.schedule(now)
		return true
	}
	return false
}

// firstSettling returns when to check whether the peer has confirmed the current session too.
func (t *Set) firstSettling() time.Time {
	switch s := t.current; {
	case s == nil || s.p.Legacy:
		return time.Time{}
	case s.p.Initiator:
		return s.confirmedAt.Add(confirmInitiator)
	default:
		return s.confirmedAt.Add(confirmResponder)
	}
}

// probeDue starts a round if there is a reason, and continues the current one.
func (t *Set) probeDue(now time.Time, a *Actions) {
	p := &t.probing
	s := t.confirmed(now)
	if s == nil || s.p.Legacy {
		p.targets, p.checkAt, p.confirmBy, p.source = nil, time.Time{}, time.Time{}, wire.Path{}
		return
	}
	if len(p.targets) == 0 && t.wantsRound(now, s) {
		t.startRound(now)
	}
	if len(p.targets) > 0 && !now.Before(p.stepAt) {
		t.stepRound(now, s, a)
	}
}

// wantsRound reports whether there is a reason to probe, and clears the reasons that it acts on (PROTOCOL.md R3).
func (t *Set) wantsRound(now time.Time, s *Session) bool {
	p := &t.probing
	due := func(at *time.Time) bool {
		if at.IsZero() || now.Before(*at) {
			return false
		}
		*at = time.Time{}
		return true
	}
	wants := due(&p.checkAt)
	if due(&p.confirmBy) && s.opened < 2 {
		p.confirmBy = now.Add(checkAgain)
		wants = true
	}
	if p.source.Remote.IsValid() && !now.Before(p.holdUntil) {
		p.holdUntil = now.Add(sourceHold)
		wants = true
	}
	return wants || t.keepDue(now, s)
}

// keepDue reports whether to probe a session without a link, because we seal under it and nothing arrives.
func (t *Set) keepDue(now time.Time, s *Session) bool {
	heard := s.heardAt()
	silent := now.Sub(heard) >= keepAfter && s.sealedAt.Sub(heard) > answerTime
	return !t.linked && silent && now.Sub(t.probing.startedAt) >= checkAgain
}

// PROTOCOL.md R4.
func (t *Set) startRound(now time.Time) {
	p := &t.probing
	p.startedAt, p.stepAt, p.sent, p.targets = now, now, 0, nil
	if t.addTarget(t.path) {
		t.addTarget(p.source)
		t.addTarget(wire.Path{Remote: p.advertised})
	}
}

// addTarget adds a valid path that is not yet among the targets.
func (t *Set) addTarget(path wire.Path) bool {
	p := &t.probing
	known := func(g target) bool { return samePath(g.path, path) }
	if !path.Remote.IsValid() || slices.ContainsFunc(p.targets, known) {
		return false
	}
	var b [8]byte
	if _, err := io.ReadFull(t.rand, b[:]); err != nil {
		return false
	}
	p.targets = append(p.targets, target{path: path, token: binary.BigEndian.Uint64(b[:]) | 1<<63})
	return true
}

// stepRound changes the path, ends the round, or sends the next probes.
func (t *Set) stepRound(now time.Time, s *Session, a *Actions) {
	p := &t.probing
	if p.sent >= probesBeforeMove && t.move() {
		a.PathChanged = true
		t.endRound(now)
		return
	}
	if p.sent == len(probeIntervals) {
		t.endRound(now)
		return
	}
	for i := range p.targets {
		if g := &p.targets[i]; !g.answered && (i == 0 || p.sent > 0) {
			a.Probes = append(a.Probes, Probe{Token: g.token, To: g.path, Session: s})
		}
	}
	p.stepAt = now.Add(probeIntervals[p.sent])
	p.sent++
}

// move sets the path to the first other target that answered, and reports whether there is one.
func (t *Set) move() bool {
	for _, g := range t.probing.targets {
		if g.answered {
			t.path = g.path
			return true
		}
	}
	return false
}

func (t *Set) endRound(now time.Time) {
	p := &t.probing
	p.targets = nil
	if samePath(p.source, t.path) {
		p.source = wire.Path{}
	}
	p.holdUntil = later(p.holdUntil, now.Add(probeIntervals[0]))
}

// nextProbing returns when probeDue has work to do, or zero for never in the current state.
func (t *Set) nextProbing(now time.Time) time.Time {
	p := &t.probing
	s := t.confirmed(now)
	if s == nil || s.p.Legacy {
		return time.Time{}
	}
	if len(p.targets) > 0 {
		return p.stepAt
	}
	next := earlier(p.checkAt, p.confirmBy)
	if p.source.Remote.IsValid() {
		next = earlier(next, later(now, p.holdUntil))
	}
	return earlier(next, t.nextKeep(now, s))
}

// nextKeep returns when to check keepDue again.
func (t *Set) nextKeep(now time.Time, s *Session) time.Time {
	if t.linked {
		return time.Time{}
	}
	if first := s.heardAt().Add(keepAfter); first.After(now) {
		return first
	}
	return now.Add(checkAgain)
}
