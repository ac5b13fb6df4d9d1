package joining

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// LinkWait is how long a Join waits for the first link after everything else is done, so that a message that is sent
	// right after the Join finds one.
	LinkWait = time.Second
	// doubtAfter is how long a Join waits for a packet in a session that existed before it. The peer may have been
	// restarted.
	doubtAfter = time.Second
)

var (
	// ErrTimeout says that a node completed the handshake but did not send its member list in time.
	ErrTimeout = errors.New("shook hands, but the member list did not come in time")
	// ErrCancelled says that the caller did not wait for the end.
	ErrCancelled = errors.New("cancelled")
)

// A Token names a Join that somebody waits for.
type Token uint64

// stage is how far a Join has come.
type stage uint8

const (
	contacting stage = iota // waits for a session with a node
	greeting                // the session is ready: waits for the member lists
	exchanging              // the member lists agree: waits for the applications
	linking                 // waits only for a link
)

// A Join is one address on its way into the cluster.
type Join struct {
	token   Token // 0 if nobody waits for it
	to      netip.AddrPort
	attempt handshake.AttemptID // 0 if it goes on in an existing session
	peer    wire.NodeID         // the node that answered; zero before
	until   time.Time           // when it fails
	latest  time.Time           // when it fails if its packets take long to be written
	due     time.Time           // when Timeout is to be called
	stage   stage
}

// New returns a Join with the node at an address, which fails at until. token is 0 if nobody waits for it.
func New(token Token, to netip.AddrPort, until time.Time) Join {
	return Join{token: token, to: to, until: until, due: until.Add(LinkWait)}
}

// Token names the Join; 0 if nobody waits for it.
func (j *Join) Token() Token { return j.token }

// To is the address of the Join.
func (j *Join) To() netip.AddrPort { return j.to }

// Peer is the node that answered; zero if there is none yet.
func (j *Join) Peer() wire.NodeID { return j.peer }

// Until is when the Join fails if it has not ended.
func (j *Join) Until() time.Time { return j.until }

// Due is when Timeout is to be called.
func (j *Join) Due() time.Time { return j.due }

// Ready reports whether the session with Peer is ready.
func (j *Join) Ready() bool { return j.stage >= greeting }

// Compared reports whether the member lists of both nodes agree, or cannot be made to.
func (j *Join) Compared() bool { return j.stage >= exchanging }

// Linking reports whether the Join waits only for a link.
func (j *Join) Linking() bool { return j.stage == linking }

// Attempt is the handshake that the Join waits for; 0 if it does not wait for one.
func (j *Join) Attempt() handshake.AttemptID {
	if j.peer != (wire.NodeID{}) {
		return 0
	}
	return j.attempt
}

// Dialed says which handshake the Join waits for.
func (j *Join) Dialed(a handshake.AttemptID) { j.attempt = a }

// Reached says that the handshake of the Join has succeeded: id has answered.
func (j *Join) Reached(id wire.NodeID) { j.peer = id }

// Found says that there is a session with a node at the address of the Join.
func (j *Join) Found(now time.Time, id wire.NodeID) {
	j.peer = id
	j.due = now.Add(doubtAfter)
}

// SessionReady says that messages can be sent to the peer from now on. It reports whether the Join waited for that.
func (j *Join) SessionReady() bool {
	if j.stage != contacting {
		return false
	}
	j.stage = greeting
	return true
}

// ListsAgree says that the member lists have been exchanged.
func (j *Join) ListsAgree() { j.stage = max(j.stage, exchanging) }

// AwaitLink says that only a link is missing.
func (j *Join) AwaitLink(now time.Time) {
	j.stage = linking
	j.due = now.Add(LinkWait)
}

// Extend lets a Join whose packets take long to be written fail later.
func (j *Join) Extend(latest time.Time) { j.latest = latest }

// Slow gives a Join whose packets take long to be written the time that it may take then. It reports whether that is
// more than it had.
func (j *Join) Slow() bool {
	if !j.latest.After(j.until) {
		return false
	}
	j.until = j.latest
	j.due = j.until.Add(LinkWait)
	return true
}

// A Verdict is what happens to a Join whose time has come.
type Verdict uint8

const (
	// Succeed ends the Join without an error.
	Succeed Verdict = iota
	// Wait goes on with the Join until Due.
	Wait
	// Restart begins the Join again, with a handshake: the session in which it began may be dead.
	Restart
	// FailState ends the Join because the application states were not exchanged in time.
	FailState
	// FailMembers ends the Join because the member lists were not exchanged in time.
	FailMembers
)

// Timeout says what happens to a Join at Due. heard is when the last packet of the peer arrived; merged says that the
// member lists have been taken in.
func (j *Join) Timeout(now, heard time.Time, merged bool) Verdict {
	switch {
	case j.stage == linking:
		return Succeed
	case j.attempt == 0 && now.Before(j.until):
		if now.Sub(heard) >= doubtAfter {
			return Restart
		}
		j.due = now.Add(doubtAfter)
		return Wait
	case merged:
		return FailState
	}
	return FailMembers
}

// Again returns a Join that takes the place of j. Nobody waits for the end of j any more.
func (j *Join) Again() Join {
	again := New(j.token, j.to, j.until)
	again.latest = j.latest
	j.token = 0
	return again
}
