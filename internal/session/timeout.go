package session

import "time"

const (
	// supersededEnd is the silence after which a session that is not sealed under any more ends
	// (PROTOCOL.md 4); so does one that nothing confirms.
	supersededEnd = 30 * time.Second
	// idleEnd is the silence both ways that ends a session without a link. Two minutes (PROTOCOL.md 4)
	// would make the sessions of chance probes, of which a node begins and answers one in ten seconds, most
	// of what it keeps.
	idleEnd = 30 * time.Second
	// sealingEnd is the silence of the peer after which nothing more is sealed under a session
	// without a link. The peer keeps it for idleEnd after it last sealed or opened a box, so
	// 10 s remain for what is under way.
	sealingEnd = 20 * time.Second
	// lifetime is how long a session lasts when no renewal succeeds: a day after the later of the
	// two sides should have renewed it (PROTOCOL.md 4).
	lifetime = renewOther + 24*time.Hour
)

// A Reason tells why a session ended.
type Reason uint8

const (
	Unconfirmed Reason = iota + 1 // no box opened within 30 s of the handshake
	Superseded                    // another is sealed under, and the peer went over to it
	Idle                          // without link and traffic for 30 s
	Expired                       // no renewal succeeded for a day
)

// String is for counters and logs.
func (r Reason) String() string {
	switch r {
	case Unconfirmed:
		return "unconfirmed"
	case Superseded:
		return "superseded"
	case Idle:
		return "idle"
	case Expired:
		return "expired"
	}
	return "unknown"
}

// Closed is a session that has ended. Its keys are wiped.
type Closed struct {
	Session *Session
	Reason  Reason
}

// Actions is what a timeout asks its caller to do. The zero value is nothing.
type Actions struct {
	Closed []Closed
	// Renew asks for a handshake with the peer at Path. It is asked again every five minutes until
	// a new session is confirmed. RenewTries counts the requests for the same session that went
	// before, so above zero the last one has failed.
	Renew      bool
	RenewTries int
	// Probes are to be sent now, each to its own address.
	Probes []Probe
	// PathChanged tells that Path is another one now.
	PathChanged bool
}

// NextTimeout is when HandleTimeout has something to do; zero means never. It may be early, for
// traffic puts most deadlines off, but never late.
func (t *Set) NextTimeout() time.Time { return t.next }

// HandleTimeout does what is due at now. Afterwards NextTimeout is zero or later than now.
func (t *Set) HandleTimeout(now time.Time) Actions {
	var a Actions
	if t.next.IsZero() || now.Before(t.next) {
		return a
	}
	t.closeDue(now, &a)
	t.renewDue(now, &a)
	t.probeDue(now, &a)
	t.schedule(now)
	return a
}

func (t *Set) closeDue(now time.Time, a *Actions) {
	for i := 0; i < len(t.sessions); {
		s := t.sessions[i]
		end, reason := t.end(s)
		if end.IsZero() || now.Before(end) {
			i++
			continue
		}
		t.remove(s)
		a.Closed = append(a.Closed, Closed{Session: s, Reason: reason})
	}
	if len(a.Closed) > 0 {
		t.choose(now)
	}
}

// end is when s is over as things stand, and why; zero means never.
func (t *Set) end(s *Session) (time.Time, Reason) {
	if !s.Confirmed() {
		return s.createdAt.Add(supersededEnd), Unconfirmed
	}
	var end time.Time
	var reason Reason
	switch {
	case s != t.current:
		end, reason = later(s.supersededAt, s.heardAt()).Add(supersededEnd), Superseded
	case !t.linked:
		end, reason = later(later(s.heardAt(), s.sealedAt), t.unlinkedAt).Add(idleEnd), Idle
	}
	if old := s.confirmedAt.Add(lifetime); !s.p.Legacy && (end.IsZero() || old.Before(end)) {
		end, reason = old, Expired
	}
	return end, reason
}

// schedule sets the next timeout, always later than now unless something is due.
func (t *Set) schedule(now time.Time) {
	t.next = earlier(t.renewal.at, t.nextProbing(now))
	for _, s := range t.sessions {
		end, _ := t.end(s)
		t.next = earlier(t.next, end)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earlier takes the zero time for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
