package session

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The reply path moves only when a probe to it got no answer and a probe to the new source, or to
// the member's advertised address, did (PROTOCOL.md 4). Whoever copies a box and is the first to
// deliver it from another address makes us ask, and no more: the peer still answers on its path.
//
// A round of probes asks the path alone first, then the others with it, and ends with the first
// answer from the path. Only after three unanswered ones does the answer of another count.
var probeIntervals = [...]time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

const (
	probesBeforeMove = 3
	// sourceHold is the least time between two rounds that a new source started.
	sourceHold = 10 * time.Second
	// settleInitiator and settleResponder are how long either end of a new session waits for a
	// second box. The first may have been the peer's identity, and ours may be lost: then the peer
	// never confirms. The initiator's probe is the responder's second box, so one round serves both.
	settleInitiator = 250 * time.Millisecond
	settleResponder = time.Second
	// keepAfter is the silence after which a session without link that we still seal under is
	// probed; answers to what just came are no reason to.
	keepAfter  = 10 * time.Second
	answerTime = time.Second
	// checkAgain separates rounds that want an answer and got none.
	checkAgain = 10 * time.Second
)

// A Probe asks the caller to seal a Ping with the sequence number Token under Session and to send it
// to To. Tokens are random with the top bit set, so they cannot be guessed by a peer that was never
// reached, nor meet numbers that count from one.
type Probe struct {
	Token   uint64
	To      wire.Path
	Session *Session
}

// probing is the state of a Set's path.
type probing struct {
	advertised netip.AddrPort // from the member's alive message; may be invalid
	source     wire.Path      // of the newest box, if not the path; else zero
	holdUntil  time.Time      // a new source starts no round before
	checkAt    time.Time      // when CheckPath wants a round; zero: it does not
	settleAt   time.Time      // when to look whether the peer confirmed too; zero: not to
	startedAt  time.Time      // of the last round

	targets []target  // of the round that runs, the path first; empty: none runs
	sent    int       // probes sent to the path in it
	stepAt  time.Time // when it goes on
}

// A target is an address that a round asks.
type target struct {
	path     wire.Path
	token    uint64
	answered bool
}

// samePath compares paths; a local address that is not known equals any.
func samePath(a, b wire.Path) bool {
	if a.Remote != b.Remote {
		return false
	}
	return a.Local == b.Local || !a.Local.IsValid() || !b.Local.IsValid()
}

// adoptPath takes the path of a session that has just become the current one: as it is when there
// was none to compare it with, else as a new source. gwyh 0.1 answers the address of the handshake
// and is answered there.
func (t *Set) adoptPath(now time.Time, s *Session, silent bool) {
	if silent || s.p.Legacy {
		t.path = s.p.Path
		t.probing.source, t.probing.targets = wire.Path{}, nil
		return
	}
	t.noteSource(now, s.p.Path)
}

// noteSource takes the source of the newest box of the current session, or of its handshake.
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

// CheckPath asks for a round of probes, because a link fell silent. While one runs it does nothing.
func (t *Set) CheckPath(now time.Time) {
	if len(t.probing.targets) == 0 {
		t.probing.checkAt = now
		t.schedule(now)
	}
}

// ProbeAnswered notes an Ack whose sequence number is token. It reports whether that is a token of
// the round that runs.
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

// firstSettling is when to look whether the peer of the current session has confirmed it too.
func (t *Set) firstSettling() time.Time {
	switch s := t.current; {
	case s == nil || s.p.Legacy:
		return time.Time{}
	case s.p.Initiator:
		return s.confirmedAt.Add(settleInitiator)
	default:
		return s.confirmedAt.Add(settleResponder)
	}
}

// probeDue starts a round where there is reason to, and goes on with the one that runs.
func (t *Set) probeDue(now time.Time, a *Actions) {
	p := &t.probing
	s := t.confirmed(now)
	if s == nil || s.p.Legacy {
		p.targets, p.checkAt, p.settleAt, p.source = nil, time.Time{}, time.Time{}, wire.Path{}
		return
	}
	if len(p.targets) == 0 && t.wantsRound(now, s) {
		t.startRound(now)
	}
	if len(p.targets) > 0 && !now.Before(p.stepAt) {
		t.stepRound(now, s, a)
	}
}

// wantsRound looks at every reason to probe and takes note of those that it acts on.
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
	if due(&p.settleAt) && s.opened < 2 {
		p.settleAt = now.Add(checkAgain)
		wants = true
	}
	if p.source.Remote.IsValid() && !now.Before(p.holdUntil) {
		p.holdUntil = now.Add(sourceHold)
		wants = true
	}
	return wants || t.keepDue(now, s)
}

// keepDue reports whether a session without link should be asked for a sign of life: we seal under
// it, and nothing comes back.
func (t *Set) keepDue(now time.Time, s *Session) bool {
	heard := s.heardAt()
	silent := now.Sub(heard) >= keepAfter && s.sealedAt.Sub(heard) > answerTime
	return !t.linked && silent && now.Sub(t.probing.startedAt) >= checkAgain
}

func (t *Set) startRound(now time.Time) {
	p := &t.probing
	p.startedAt, p.stepAt, p.sent, p.targets = now, now, 0, p.targets[:0]
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

// stepRound moves the path, gives up, or sends the next probes.
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

// move makes the first other target that answered the path.
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
	p.targets = p.targets[:0]
	if samePath(p.source, t.path) {
		p.source = wire.Path{}
	}
	p.holdUntil = later(p.holdUntil, now.Add(probeIntervals[0]))
}

// nextProbing is when probeDue has something to do; zero: never as things stand.
func (t *Set) nextProbing(now time.Time) time.Time {
	p := &t.probing
	s := t.confirmed(now)
	if s == nil || s.p.Legacy {
		return time.Time{}
	}
	if len(p.targets) > 0 {
		return p.stepAt
	}
	next := earlier(p.checkAt, p.settleAt)
	if p.source.Remote.IsValid() {
		next = earlier(next, later(now, p.holdUntil))
	}
	return earlier(next, t.nextKeep(now, s))
}

// nextKeep is when to look again whether keepDue.
func (t *Set) nextKeep(now time.Time, s *Session) time.Time {
	if t.linked {
		return time.Time{}
	}
	if first := s.heardAt().Add(keepAfter); first.After(now) {
		return first
	}
	return now.Add(checkAgain)
}
