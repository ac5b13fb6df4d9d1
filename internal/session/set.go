package session

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// MaxSessions is how many sessions one node may have (PROTOCOL.md 4).
	MaxSessions = 4
	// rivalry is how close two confirmations are for the lower id's session to win whichever was
	// last. Both sides confirm in either order, and so choose the same.
	rivalry = 10 * time.Second
)

// A Set is all sessions with one node, bound or legacy, and the path on which they answer. It says
// which one to seal under, when to renew it, when each is over, and which addresses to probe.
// Sealing and opening are the sessions' own; the caller reports each box that opened.
// Owned by the loop.
type Set struct {
	self, peer wire.NodeID
	rand       io.Reader
	sessions   []*Session // oldest first, at most MaxSessions
	current    *Session   // the one to seal under, confirmed; nil if none is
	early      *Session   // to seal under before it is confirmed, while no other can be; nil for none
	linked     bool       // a link runs over it
	unlinkedAt time.Time  // when it last ceased to
	renewal    renewal
	path       wire.Path
	probing    probing
	next       time.Time // NextTimeout; never later than the first deadline
}

// NewSet returns an empty set for the sessions of self with peer. rand serves probe tokens and the
// jitter of renewals.
func NewSet(self, peer wire.NodeID, rand io.Reader) *Set {
	return &Set{self: self, peer: peer, rand: rand}
}

// Add takes a session that a handshake just made. When there are too many, the one unused longest
// gives way; it is closed and returned, so that the caller forgets it.
func (t *Set) Add(now time.Time, s *Session) (evicted []*Session) {
	for len(t.sessions) >= MaxSessions {
		old := t.leastUsed()
		t.remove(old)
		evicted = append(evicted, old)
	}
	t.sessions = append(t.sessions, s)
	if t.current == nil {
		t.path = s.p.Path
	}
	t.schedule(now)
	return evicted
}

// leastUsed is the session other than the current one whose last sign of life is oldest.
func (t *Set) leastUsed() *Session {
	var least *Session
	for _, s := range t.sessions {
		if s != t.current && (least == nil || s.heardAt().Before(least.heardAt())) {
			least = s
		}
	}
	return least
}

// Opened notes that a box from the given source opened under s. It reports whether that box
// confirmed s. A source that is no address is ignored.
func (t *Set) Opened(now time.Time, s *Session, from wire.Path) (confirmed bool) {
	if !s.Confirmed() {
		t.Confirm(now, s)
		confirmed = true
	}
	if s == t.current && s.newest && !s.p.Legacy {
		t.noteSource(now, from)
	}
	return confirmed
}

// Confirm notes that the peer holds the keys of s. Opened does it by itself; a caller needs it for
// the GoTeam of a legacy peer, which opens nothing (PROTOCOL.md 3.1).
func (t *Set) Confirm(now time.Time, s *Session) {
	if s.closed || s.Confirmed() || !slices.Contains(t.sessions, s) {
		return
	}
	s.confirmedAt = now
	silent := t.confirmed(now) == nil
	t.choose(now)
	if t.current == s {
		t.adoptPath(now, s, silent)
	}
	t.schedule(now)
}

// choose makes the right session the current one.
func (t *Set) choose(now time.Time) {
	last := t.current
	t.current = t.preferred()
	for _, s := range t.sessions {
		switch {
		case s == t.current:
			s.supersededAt = time.Time{}
		case s.Confirmed() && s.supersededAt.IsZero():
			s.supersededAt = now
		}
	}
	if t.current != last {
		t.renewal = t.firstRenewal()
		t.probing.settleAt = t.firstSettling()
	}
}

// sealable reports whether s may be the current session.
func (s *Session) sealable() bool { return s.Confirmed() && !s.retired }

// preferred is the session to seal under: the one confirmed last or one confirmed shortly before
// it that wins over it; with a legacy peer the one with the newest Hello (PROTOCOL.md 3.1 and 4).
func (t *Set) preferred() *Session {
	var last, best *Session
	for _, s := range t.sessions {
		if s.sealable() && (last == nil || s.confirmedAt.After(last.confirmedAt)) {
			last = s
		}
	}
	for _, s := range t.sessions {
		if !s.sealable() || !s.p.Legacy && last.confirmedAt.Sub(s.confirmedAt) > rivalry {
			continue
		}
		if best == nil || t.wins(s, best) {
			best = s
		}
	}
	return best
}

// wins compares two sessions by what both ends know alike: who initiated them, the time of the
// Hello, the id of the handshake.
func (t *Set) wins(a, b *Session) bool {
	if aLower, bLower := t.byLower(a), t.byLower(b); aLower != bLower && !a.p.Legacy {
		return aLower
	}
	if c := a.p.Timestamp.Compare(b.p.Timestamp); c != 0 {
		return c > 0
	}
	return bytes.Compare(a.p.Handshake[:], b.p.Handshake[:]) > 0
}

// byLower reports whether the node with the lower id initiated s.
func (t *Set) byLower(s *Session) bool { return s.p.Initiator == t.isLower() }

func (t *Set) isLower() bool { return bytes.Compare(t.self[:], t.peer[:]) < 0 }

// Current is the session to seal under, or nil: when none is confirmed or early, and when no link runs over
// it and nothing opened for long. The peer may then be about to close it as idle, and nobody would
// hear what is sealed under it: shake hands first.
func (t *Set) Current(now time.Time) *Session {
	if s := t.confirmed(now); s != nil || !t.sealsEarly() {
		return s
	}
	return t.early
}

// SealEarly lets s be sealed under, and its path be used, from now on until it is confirmed, if Current is nil. The
// peer has proven that it has the key, but may not have heard yet that this node has: what is sealed before that may be lost.
func (t *Set) SealEarly(s *Session) {
	t.early = s
	t.path = s.p.Path
	t.probing.source, t.probing.targets = wire.Path{}, nil
}

func (t *Set) sealsEarly() bool {
	return t.early != nil && !t.early.closed && !t.early.Confirmed()
}

// confirmed is the session to seal under that the peer has confirmed; nil if there is none.
func (t *Set) confirmed(now time.Time) *Session {
	if t.current == nil || !t.linked && now.Sub(t.current.heardAt()) > sealingEnd {
		return nil
	}
	return t.current
}

// Path is where to send to: the reply path of PROTOCOL.md 4.
func (t *Set) Path() wire.Path { return t.path }

// SetAdvertised tells the address in the member's alive message, which is probed beside the path
// when that is silent.
func (t *Set) SetAdvertised(addr netip.AddrPort) { t.probing.advertised = addr }

// SetLinked tells whether a link runs over the set, which then is not idle however silent.
func (t *Set) SetLinked(now time.Time, linked bool) {
	if t.linked && !linked {
		t.unlinkedAt = now
	}
	t.linked = linked
	t.schedule(now)
}

// Remove closes one session now.
func (t *Set) Remove(now time.Time, s *Session) {
	t.remove(s)
	t.choose(now)
	t.schedule(now)
}

// Retire has nothing sealed under the bound sessions any more: this node may be a copy of one that goes on, so
// the counters may be in use elsewhere. The sessions still open boxes, until a handshake has made another one. The nonces of legacy
// sessions are random, so those go on.
func (t *Set) Retire(now time.Time) {
	t.early = nil
	for _, s := range t.sessions {
		if !s.p.Legacy {
			s.retired = true
			clear(s.send[:])
		}
	}
	t.choose(now)
	t.schedule(now)
}

// RemoveAll closes every session and returns them.
func (t *Set) RemoveAll(now time.Time) []*Session {
	all := slices.Clone(t.sessions)
	for _, s := range all {
		t.remove(s)
	}
	t.choose(now)
	t.schedule(now)
	return all
}

func (t *Set) remove(s *Session) {
	s.close()
	t.sessions = slices.DeleteFunc(t.sessions, func(o *Session) bool { return o == s })
}

// Len is the number of sessions. An empty set can be forgotten.
func (t *Set) Len() int { return len(t.sessions) }

// At is the i-th session, oldest first.
func (t *Set) At(i int) *Session { return t.sessions[i] }

// LastOpened is when a box last opened under any session; zero if none has. Who must close one of
// many sets takes the one silent longest.
func (t *Set) LastOpened() (last time.Time) {
	for _, s := range t.sessions {
		last = later(last, s.openedAt)
	}
	return last
}
