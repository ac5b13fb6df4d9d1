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
	// MaxSessions is the maximum number of sessions with one node (PROTOCOL.md S11).
	MaxSessions = 4
	// rivalry is the maximum time between two confirmations for which the session of the lower id is preferred to
	// the later one (PROTOCOL.md S8). The two ends may confirm in different order, but choose the same session.
	rivalry = 10 * time.Second
)

// A Set contains all sessions with one node, bound or legacy, and the path on which the peer answers. It decides
// under which session to seal, when to renew it, when each session ends, and which addresses to probe. Sealing and
// opening are methods of the session. The caller reports each box that opened. The loop owns the Set.
type Set struct {
	self, peer wire.NodeID
	rand       io.Reader
	sessions   []*Session // oldest first, at most MaxSessions
	current    *Session   // the confirmed session to seal under; nil if there is none
	early      *Session   // a session to seal under before it is confirmed, if there is no other; or nil
	linked     bool       // a link uses the set
	unlinkedAt time.Time  // when the last link ended
	renewal    renewal
	path       wire.Path
	probing    probing
	next       time.Time // NextTimeout; never later than the first deadline
}

// NewSet returns an empty set for the sessions of self with peer. rand is used for probe tokens and the jitter of
// renewals.
func NewSet(self, peer wire.NodeID, rand io.Reader) *Set {
	return &Set{self: self, peer: peer, rand: rand}
}

// Add adds the session of a new handshake. If there are too many sessions, it closes the one that was silent for
// longest and returns it, so that the caller can remove it.
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

// leastUsed returns the session with the oldest sign of life, except the current one.
func (t *Set) leastUsed() *Session {
	var oldest *Session
	for _, s := range t.sessions {
		if s != t.current && (oldest == nil || s.heardAt().Before(oldest.heardAt())) {
			oldest = s
		}
	}
	return oldest
}

// Opened records that a box from the given source opened under s, and reports whether that box confirmed s. An
// invalid source is ignored.
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

// Confirm records that the peer has the keys of s. Opened calls it. A caller needs it only for the GoTeam of a
// legacy peer, which arrives outside of a box (PROTOCOL.md L1).
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

// choose sets the current session to the preferred one.
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
		t.probing.confirmBy = t.firstSettling()
	}
}

// sealable reports whether s may be the current session.
func (s *Session) sealable() bool { return s.Confirmed() && !s.retired }

// preferred returns the session to seal under: the one confirmed last, or a rival confirmed shortly before it that
// precedes it. With a legacy peer it is the session with the newest Hello (PROTOCOL.md S8, L1).
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

// wins reports whether a precedes b, by properties that both ends know: the initiator, the time of the Hello and
// the id of the handshake.
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

// Current returns the session to seal under. It returns nil if none is confirmed or early, and if there is no link
// and no box opened for sealingEnd: the peer may be about to close the session as idle and would not open what is
// sealed under it, so a handshake must come first.
func (t *Set) Current(now time.Time) *Session {
	if s := t.confirmed(now); s != nil || !t.sealsEarly() {
		return s
	}
	return t.early
}

// SealEarly makes Current return s, with its path, until s is confirmed, as long as no other session can be used. The peer
// has proven that it has the key, but it may not have completed the handshake yet, so what is sealed before may be lost.
func (t *Set) SealEarly(s *Session) {
	t.early = s
	t.path = s.p.Path
	t.probing.source, t.probing.targets = wire.Path{}, nil
}

func (t *Set) sealsEarly() bool {
	return t.early != nil && !t.early.closed && !t.early.Confirmed()
}

// confirmed returns the current session unless it has been silent for too long, or nil.
func (t *Set) confirmed(now time.Time) *Session {
	if t.current == nil || !t.linked && now.Sub(t.current.heardAt()) > sealingEnd {
		return nil
	}
	return t.current
}

// Path returns the reply path (PROTOCOL.md R1, R2).
func (t *Set) Path() wire.Path { return t.path }

// SetAdvertised sets the address in the member's alive message, which is probed as well as the path if the path is
// silent.
func (t *Set) SetAdvertised(addr netip.AddrPort) { t.probing.advertised = addr }

// SetLinked sets whether a link uses the set. A set with a link is never idle.
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

// Retire stops sealing under the bound sessions, because this node may be a copy of a node that continues, so their
// packet numbers may be in use elsewhere. The sessions still open boxes until a handshake replaces them. Legacy
// sessions have random nonces and are not retired.
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

// Len returns the number of sessions. The owner may remove an empty set.
func (t *Set) Len() int { return len(t.sessions) }

// At returns the i-th session, oldest first.
func (t *Set) At(i int) *Session { return t.sessions[i] }

// LastOpened returns when a box last opened under any session, or zero if none has. A caller that must close one of
// many sets closes the one with the earliest time.
func (t *Set) LastOpened() (last time.Time) {
	for _, s := range t.sessions {
		last = later(last, s.openedAt)
	}
	return last
}
