package session

import (
	"encoding/binary"
	"io"
	"time"
)

// Sessions are renewed in time by the node with the lower id; the other waits and does it only when
// that failed (PROTOCOL.md 4).
const (
	renewLower  = 55 * time.Minute // after the confirmation, and up to
	renewSpread = 5 * time.Minute  // more, so that a cluster that started at once does not renew at once
	renewOther  = 65 * time.Minute
	renewAgain  = 5 * time.Minute // about, after a renewal that led to nothing
)

// A renewal is the plan to replace the current session.
type renewal struct {
	at    time.Time // of the next request; zero: none
	tries int       // requests made
}

// firstRenewal is the plan for the current session. gwyh 0.1 knows no renewal.
func (t *Set) firstRenewal() renewal {
	switch s := t.current; {
	case s == nil || s.p.Legacy:
		return renewal{}
	case t.isLower():
		return renewal{at: s.confirmedAt.Add(renewLower + t.upTo(renewSpread))}
	default:
		return renewal{at: s.confirmedAt.Add(renewOther)}
	}
}

// RenewBy brings the renewal of the current session forward to at, as a change of keys does.
func (t *Set) RenewBy(now, at time.Time) {
	if t.current == nil || t.current.p.Legacy {
		return
	}
	t.renewal.at = earlier(t.renewal.at, at)
	t.schedule(now)
}

func (t *Set) renewDue(now time.Time, a *Actions) {
	if t.renewal.at.IsZero() || now.Before(t.renewal.at) {
		return
	}
	if t.confirmed(now) != nil {
		a.Renew, a.RenewTries = true, t.renewal.tries
		t.renewal.tries++
	}
	t.renewal.at = now.Add(renewAgain*3/4 + t.upTo(renewAgain/2))
}

// upTo is a random duration below d, or half of it where there is no randomness.
func (t *Set) upTo(d time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(t.rand, b[:]); err != nil {
		return d / 2
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}
