package joining

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// LinkWait is the maximum time that a Join waits for the first link after everything else is done, so that a message
	// sent right after the Join finds a link.
	LinkWait = time.Second
	// recheckAfter is the time that a Join waits for a packet in an existing session before it doubts the session: the
	// peer may have restarted.
	recheckAfter = time.Second
)

var (
	// ErrTimeout reports that a node completed the handshake but did not send its member list in time.
	ErrTimeout = errors.New("the handshake is complete, but the member list did not arrive in time")
	// ErrCanceled reports that the caller stopped waiting.
	ErrCanceled = errors.New("canceled")
)

// A Token identifies a Join that a caller waits for.
type Token uint64

// stage is the progress of a Join (PROTOCOL.md Y9).
type stage uint8

const (
	contacting stage = iota // waiting for a session with a node
	greeting                // the session is ready; waiting for the member lists
	exchanging              // the member lists agree; waiting for the applications
	linking                 // waiting only for a link
)

// A Join is one attempt to join the node at one address.
type Join struct {
	token   Token // 0 if no caller waits for it
	to      netip.AddrPort
	attempt handshake.AttemptID // 0 if it uses an existing session
	peer    wire.NodeID         // the node that answered; zero before
	until   time.Time           // when it fails
	latest  time.Time           // when it fails if its packets are written slowly
	due     time.Time           // when Timeout must be called
	stage   stage
}

// New returns a Join with the node at an address. It fails at until. token is 0 if no caller waits for it.
func New(token Token, to netip.AddrPort, until time.Time) Join {
	return Join{token: token, to: to, until: until, due: until.Add(LinkWait)}
}

// Token returns the token of the Join, or 0 if no caller waits for it.
func (j *Join) Token() Token { return j.token }

// To returns the address of the Join.
func (j *Join) To() netip.AddrPort { return j.to }

// Peer returns the id of the node that answered, or zero if none has.
func (j *Join) Peer() wire.NodeID { return j.peer }

// Until returns when the Join fails if it has not ended.
func (j *Join) Until() time.Time { return j.until }

// Due returns when Timeout must be called.
func (j *Join) Due() time.Time { return j.due }

// Ready reports whether the session with Peer is ready.
func (j *Join) Ready() bool { return j.stage >= greeting }

// Compared reports whether the member lists of both nodes agree or cannot be made to agree.
func (j *Join) Compared() bool { return j.stage >= exchanging }

// Linking reports whether the Join waits only for a link.
func (j *Join) Linking() bool { return j.stage == linking }

// Attempt returns the handshake that the Join waits for, or 0 if it does not wait for one.
func (j *Join) Attempt() handshake.AttemptID {
	if j.peer != (wire.NodeID{}) {
		return 0
	}
	return j.attempt
}

// Dialed records the handshake that the Join waits for.
func (j *Join) Dialed(a handshake.AttemptID) { j.attempt = a }

// Reached records that the handshake of the Join has succeeded: id has answered.
func (j *Join) Reached(id wire.NodeID) { j.peer = id }

// Found records that there is already a session with the node at the address of the Join.
func (j *Join) Found(now time.Time, id wire.NodeID) {
	j.peer = id
	j.due = now.Add(recheckAfter)
}

// SessionReady records that messages can be sent to the peer. It reports whether the Join waited for that.
func (j *Join) SessionReady() bool {
	if j.stage != contacting {
		return false
	}
	j.stage = greeting
	return true
}

// ListsAgree records that the member lists have been exchanged.
func (j *Join) ListsAgree() { j.stage = max(j.stage, exchanging) }

// AwaitLink records that the Join waits only for a link.
func (j *Join) AwaitLink(now time.Time) {
	j.stage = linking
	j.due = now.Add(LinkWait)
}

// Extend sets a later deadline, latest, for the case that the packets of the Join are written slowly.
func (j *Join) Extend(latest time.Time) { j.latest = latest }

// Slow applies the deadline set by Extend, because the packets of the Join are written slowly. It reports whether the
// deadline became later.
func (j *Join) Slow() bool {
	if !j.latest.After(j.until) {
		return false
	}
	j.until = j.latest
	j.due = j.until.Add(LinkWait)
	return true
}

// A Verdict says what happens to a Join at its due time.
type Verdict uint8

const (
	// Succeed ends the Join without an error.
	Succeed Verdict = iota
	// Wait continues the Join until Due.
	Wait
	// Restart begins the Join again with a handshake, because its existing session may be dead.
	Restart
	// FailState ends the Join because the application states were not exchanged in time.
	FailState
	// FailMembers ends the Join because the member lists were not exchanged in time.
	FailMembers
)

// Timeout returns what happens to a Join at Due. heard is the arrival time of the peer's last packet; merged says that
// the member lists have been merged.
func (j *Join) Timeout(now, heard time.Time, merged bool) Verdict {
	switch {
	case j.stage == linking:
		return Succeed
	case j.attempt == 0 && now.Before(j.until):
		if now.Sub(heard) >= recheckAfter {
			return Restart
		}
		j.due = now.Add(recheckAfter)
		return Wait
	case merged:
		return FailState
	}
	return FailMembers
}

// Again returns a Join that replaces j. No caller waits for the end of j any more.
func (j *Join) Again() Join {
	again := New(j.token, j.to, j.until)
	again.latest = j.latest
	j.token = 0
	return again
}
