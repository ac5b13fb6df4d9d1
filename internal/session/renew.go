package session

import (
	"encoding/binary"
	"io"
	"time"
)

// The node with the lower id renews a session. The other node waits, and does so only if that fails (PROTOCOL.md
// S10).
const (
	renewLower  = 55 * time.Minute // after the confirmation, plus a random part
	renewSpread = 5 * time.Minute  // of this time, so that nodes that started together do not renew together
	renewOther  = 65 * time.Minute
	renewAgain  = 5 * time.Minute // approximate pause after a failed renewal
)

// A renewal is the plan to replace the current session.
type renewal struct {
	at    time.Time // time of the next request; zero for none
	tries int       // requests made
}

// firstRenewal returns the plan for the current session. gwyh 0.1 has no renewal (PROTOCOL.md S10).
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

// RenewBy moves the renewal of the current session forward to at. It is used when the keys change.
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

// upTo returns a random duration below d, or half of d if rand fails.
func (t *Set) upTo(d time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(t.rand, b[:]); err != nil {
		return d / 2
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}
