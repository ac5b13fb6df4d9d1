package joining

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seed  = netip.MustParseAddrPort("10.0.0.1:6969")
	until = start.Add(10 * time.Second)
)

func attempt(n uint64) handshake.AttemptID { return handshake.AttemptID(n) }

func id(n byte) wire.NodeID { return wire.NodeID{6: 0x80, 15: n} }

// dialed returns a Join that waits for a handshake.
func dialed() *Join {
	j := New(7, seed, until)
	j.Dialed(3)
	return &j
}

func (j *Join) wants(t *testing.T, now time.Time, merged bool, want Verdict) {
	t.Helper()
	if got := j.Timeout(now, start, merged); got != want {
		t.Errorf("verdict %d, want %d", got, want)
	}
}

// PROTOCOL.md Y9.
func TestJoinGoesThroughItsStages(t *testing.T) {
	j := dialed()
	switch {
	case j.Token() != 7:
		t.Fatalf("the token is %v, want 7", j.Token())
	case j.To() != seed:
		t.Fatalf("the Join is with %v, want %v", j.To(), seed)
	case !j.Until().Equal(until):
		t.Fatalf("the Join fails at %v, want %v", j.Until(), until)
	case !j.Due().Equal(until.Add(LinkWait)):
		t.Fatalf("the Join is due at %v, want %v", j.Due(), until.Add(LinkWait))
	}
	if j.Attempt() != 3 || j.Ready() {
		t.Errorf("it waits for the handshake %d, ready %v", j.Attempt(), j.Ready())
	}
	j.Reached(id(1))
	switch {
	case j.Peer() != id(1):
		t.Errorf("the peer is %v, want %v", j.Peer(), id(1))
	case j.Attempt() != 0:
		t.Errorf("the Join waits for attempt %v, want 0", j.Attempt())
	case j.Ready():
		t.Error("the Join counts as ready")
	}
	if !j.SessionReady() || j.SessionReady() {
		t.Error("the session is not ready exactly once")
	}
	if !j.Ready() || j.Compared() {
		t.Errorf("ready %v, compared %v", j.Ready(), j.Compared())
	}
	j.ListsAgree()
	if !j.Compared() || j.Linking() {
		t.Errorf("compared %v, linking %v", j.Compared(), j.Linking())
	}
	now := start.Add(time.Second)
	j.AwaitLink(now)
	if !j.Linking() || !j.Due().Equal(now.Add(LinkWait)) {
		t.Errorf("linking %v, due at %v", j.Linking(), j.Due())
	}
	j.ListsAgree()
	if !j.Linking() {
		t.Error("a later comparison made it go back")
	}
}

func TestJoinWithoutALinkSucceedsInTheEnd(t *testing.T) {
	j := dialed()
	j.AwaitLink(start)
	j.wants(t, j.Due(), true, Succeed)
}

func TestJoinFailsByWhatIsMissing(t *testing.T) {
	j := dialed()
	j.Reached(id(1))
	j.SessionReady()
	j.wants(t, j.Due(), false, FailMembers)
	j.ListsAgree()
	j.wants(t, j.Due(), true, FailState)
	j.wants(t, j.Due(), false, FailMembers) // the application has not decided about all members
}

// A node that restarted at the same address does not answer in the session of its previous run.
func TestJoinInASilentSessionBeginsAgain(t *testing.T) {
	j := New(7, seed, until)
	j.Found(start, id(1))
	if !j.Due().Equal(start.Add(recheckAfter)) || j.Attempt() != 0 {
		t.Fatalf("due at %v, waits for the handshake %d", j.Due(), j.Attempt())
	}
	now := j.Due()
	if got := j.Timeout(now, now.Add(-recheckAfter/2), false); got != Wait || !j.Due().Equal(now.Add(recheckAfter)) {
		t.Errorf("verdict %d although the peer was heard, due at %v", got, j.Due())
	}
	j.Extend(until.Add(time.Minute))
	j.wants(t, now, false, Restart)
	again := j.Again()
	switch {
	case j.Token() != 0:
		t.Errorf("the token is %v, want 0", j.Token())
	case again.Token() != 7:
		t.Errorf("the token of the second Join is %v, want 7", again.Token())
	case again.To() != seed:
		t.Errorf("the second Join is with %v, want %v", again.To(), seed)
	case !again.Until().Equal(until):
		t.Errorf("the second Join fails at %v, want %v", again.Until(), until)
	}
	switch {
	case again.Peer() != (wire.NodeID{}):
		t.Errorf("the peer of the second Join is %v, want %v", again.Peer(), (wire.NodeID{}))
	case again.Ready():
		t.Error("the second Join counts as ready")
	case !again.Due().Equal(until.Add(LinkWait)):
		t.Errorf("the second Join is due at %v, want %v", again.Due(), until.Add(LinkWait))
	}
	if again.Slow(); !again.Until().Equal(until.Add(time.Minute)) {
		t.Error("the new one does not know how long it may take over a slow transport")
	}
}

func TestJoinInAnExistingSessionFailsAtItsEnd(t *testing.T) {
	j := New(7, seed, until)
	j.Found(start, id(1))
	j.wants(t, until, false, FailMembers)
	j.wants(t, until, true, FailState)
}

func TestJoinThatHasBegunWithAHandshakeIsNotReportedAsUnanswered(t *testing.T) {
	j := dialed()
	j.Reached(id(1))
	j.wants(t, start.Add(5*time.Second), false, FailMembers)
}

func TestSlowTransportGivesAJoinMoreTimeOnce(t *testing.T) {
	j := dialed()
	if j.Slow() {
		t.Error("it has more time although nobody said so")
	}
	j.Extend(until.Add(time.Minute))
	if !j.Until().Equal(until) {
		t.Error("it has more time although its packets are not slow")
	}
	switch {
	case !j.Slow():
		t.Error("the Join gets no more time")
	case !j.Until().Equal(until.Add(time.Minute)):
		t.Errorf("the Join fails at %v, want %v", j.Until(), until.Add(time.Minute))
	case !j.Due().Equal(j.Until().Add(LinkWait)):
		t.Errorf("the Join is due at %v, want %v", j.Due(), j.Until().Add(LinkWait))
	}
	if j.Slow() {
		t.Error("it has more time twice")
	}
}

// TestVerdicts lists what is missing at the end of a Join that began with a handshake or in an existing session.
func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		found  bool // in an existing session
		after  time.Duration
		merged bool
		want   Verdict
	}{
		"nobody answered":                    {false, 11 * time.Second, false, FailMembers},
		"the states are missing":             {false, 11 * time.Second, true, FailState},
		"an existing session is silent":      {true, time.Second, false, Restart},
		"it falls silent after the members":  {true, 5 * time.Second, true, Restart},
		"an existing session, too late":      {true, 10 * time.Second, false, FailMembers},
		"an existing session without states": {true, 10 * time.Second, true, FailState},
	} {
		t.Run(name, func(t *testing.T) {
			j := New(7, seed, until)
			if c.found {
				j.Found(start, id(1))
			} else {
				j.Dialed(3)
			}
			j.wants(t, start.Add(c.after), c.merged, c.want)
		})
	}
}
