package session

import "time"

const (
	// supersededEnd is the silence after which a superseded session ends (PROTOCOL.md S9). A session that is not
	// confirmed for this time ends too.
	supersededEnd = 30 * time.Second
	// idleEnd is the silence in both directions that ends a session without a link (PROTOCOL.md S9). A node
	// begins one random probe in ten seconds and answers another. If this time were longer, most of its sessions would be
	// those of such probes.
	idleEnd = 30 * time.Second
	// sealingEnd is the silence of the peer after which nothing is sealed under a session without a link. The peer
	// keeps the session for idleEnd after it last sealed or opened a box, so 10 s remain for packets in flight.
	sealingEnd = 20 * time.Second
	// lifetime is the maximum age of a session if no renewal succeeds: one day after the later of the two ends
	// should have renewed it (PROTOCOL.md S9).
	lifetime = renewOther + 24*time.Hour
)

// A Reason says why a session ended.
type Reason uint8

const (
	Unconfirmed Reason = iota + 1 // no box opened within 30 s of the handshake
	Superseded                    // another session replaced it, and the peer stopped using it
	Idle                          // no link and no traffic for 30 s
	Expired                       // no renewal succeeded for a day
)

// String returns the name of the reason for counters and logs.
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

// Closed is a session that has ended, with the reason. Its keys are wiped.
type Closed struct {
	Session *Session
	Reason  Reason
}

// Actions is the work that a timeout requests from its caller. The zero value requests none.
type Actions struct {
	Closed []Closed
	// Renew requests a handshake with the peer at Path. The request is repeated about every five minutes until a
	// new session is confirmed. RenewTries is the number of earlier requests for the same session, so if it is
	// above zero, the last one has failed.
	Renew      bool
	RenewTries int
	// Probes are sent now, each to its own address.
	Probes []Probe
	// PathChanged reports that Path has changed.
	PathChanged bool
}

// NextTimeout returns when to call HandleTimeout, or zero for never. The result may be too early, because traffic
// postpones most deadlines, but never too late.
func (t *Set) NextTimeout() time.Time { return t.next }

// HandleTimeout does the work that is due at now. Afterwards NextTimeout is zero or later than now.
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

// end returns when and why s ends in the current state. The zero time means never.
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

// schedule sets the next timeout. It is later than now unless work is due.
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

// earlier returns the earlier time. The zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
