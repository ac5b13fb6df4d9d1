package joining

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Exchange is the part of a Join that concerns the applications, as far as the Join waits for it.
type Exchange interface {
	comparable
	TakesMembers() bool // neither side objects, and the members have not been exchanged
	TookMembers() bool  // the members have been exchanged
	Deciding() bool     // the application is deciding about members
	WantsState() bool   // the exchange of states has not ended
	Silence()           // records that no caller waits for the end of the Join any more
}

// A Started is a Join in progress with its Exchange.
type Started[X Exchange] struct {
	Join
	Exchange X
	serial   uint64 // identifies it in the table of handshakes
	timer    timer.Timer
}

// An OutcomeKind says what an Outcome asks of the caller or reports to it.
type OutcomeKind uint8

const (
	// Contact asks the caller for a handshake with the address of Join, which only the node Member may answer, or any
	// node if Member is zero. The caller passes the handshake to [Join.Dialed].
	Contact OutcomeKind = iota
	// Greet reports that there is a session with the node at the address of Join, so the Join continues with it.
	Greet
	// Advance asks the caller to begin the exchanges that Join waits for, as far as they are allowed now.
	Advance
	// Merge asks the caller to complete the exchange of members, choose a link, merge states, and call [Joins.Settle].
	Merge
	// AskSeed asks the caller to request the known nodes from the peer of Join, a gwyh 0.1 node.
	AskSeed
	// Settled reports that Join waits only for a link. The caller calls [Joins.Linked] if there is one.
	Settled
	// Prolong asks the caller to extend the handshake Attempt of Join to [Join.Until].
	Prolong
	// Ended reports that Join has ended, because of Err if it is not nil. The handshake Attempt, unless it is 0, is no
	// longer needed.
	Ended
)

// An Outcome is one result of an input to Joins. Kind says which of the other fields are set.
type Outcome[X Exchange] struct {
	Kind    OutcomeKind
	Join    *Started[X]
	Member  wire.NodeID
	Attempt handshake.AttemptID
	Err     error
}

// Config configures Joins.
type Config[X Exchange] struct {
	Timers       *timer.Heap                        // holds a timer for each Join
	Due          func(now time.Time, j *Started[X]) // called by the timer of a Join; the caller then calls HandleTimeout
	StateTimeout error                              // ends a Join whose states were not exchanged in time
}

// Joins holds the Joins of a node in progress. Create it with NewJoins. Each input appends its outcomes to a buffer of
// the caller. Joins is not safe for concurrent use.
type Joins[X Exchange] struct {
	cfg     Config[X]
	list    []*Started[X] // in the order in which they began
	last    Token
	serials uint64
}

// NewJoins returns an empty Joins.
func NewJoins[X Exchange](cfg Config[X]) Joins[X] { return Joins[X]{cfg: cfg} }

// Len returns the number of Joins in progress.
func (s *Joins[X]) Len() int { return len(s.list) }

// NewToken returns a token for a Join that a caller waits for.
func (s *Joins[X]) NewToken() Token {
	s.last++
	return s.last
}

// A Place says what is known about the address of a Join.
type Place struct {
	Self   bool        // the address is this node's own
	Peer   wire.NodeID // the node with a session at the address; zero for none
	Member wire.NodeID // the only node that may answer a handshake there; zero for any
}

// Begin begins a Join with the node at an address. It fails at until. token is 0 if no caller waits for it.
func (s *Joins[X]) Begin(out []Outcome[X], now time.Time, token Token, to netip.AddrPort, until time.Time, x X, at Place) []Outcome[X] {
	j := &Started[X]{Join: New(token, to, until), Exchange: x}
	s.add(j)
	switch {
	case at.Self:
		return s.End(out, j, nil)
	case at.Peer != wire.NodeID{}:
		j.Found(now, at.Peer)
		s.schedule(j)
		return append(out, Outcome[X]{Kind: Greet, Join: j})
	}
	return append(out, Outcome[X]{Kind: Contact, Join: j, Member: at.Member})
}

func (s *Joins[X]) add(j *Started[X]) {
	s.serials++
	j.serial = s.serials
	j.timer.Fire = func(now time.Time) { s.cfg.Due(now, j) }
	s.list = append(s.list, j)
	s.schedule(j)
}

func (s *Joins[X]) schedule(j *Started[X]) { s.cfg.Timers.Set(&j.timer, j.Due()) }

// Dial returns the purpose of a handshake for the Join.
func (j *Started[X]) Dial(member wire.NodeID) Dial {
	return Dial{Purpose: ForJoin, Member: member, Token: j.serial}
}

// Begun reports whether a Join with the node at an address is in progress.
func (s *Joins[X]) Begun(to netip.AddrPort) bool {
	return slices.ContainsFunc(s.list, func(j *Started[X]) bool { return j.To() == to })
}

// Of returns the Join that a handshake was begun for, or nil if it has ended.
func (s *Joins[X]) Of(d Dial) *Started[X] {
	if d.Purpose != ForJoin {
		return nil
	}
	return s.find(func(j *Started[X]) bool { return j.serial == d.Token })
}

// With returns the Join with the given Exchange, or nil if it has ended.
func (s *Joins[X]) With(x X) *Started[X] {
	return s.find(func(j *Started[X]) bool { return j.Exchange == x })
}

// Taking returns the Join that exchanges members with a peer, or nil if there is none.
func (s *Joins[X]) Taking(peer wire.NodeID) *Started[X] {
	return s.find(func(j *Started[X]) bool { return j.Peer() == peer && j.Exchange.TakesMembers() })
}

// WaitFor reports whether a Join with the given peer is in progress.
func (s *Joins[X]) WaitFor(peer wire.NodeID) bool {
	return slices.ContainsFunc(s.list, func(j *Started[X]) bool { return j.Peer() == peer })
}

func (s *Joins[X]) find(is func(j *Started[X]) bool) *Started[X] {
	if i := slices.IndexFunc(s.list, is); i >= 0 {
		return s.list[i]
	}
	return nil
}

// SessionReady continues the Joins that waited for a session with a peer. A Join with a gwyh 0.1 node then ends, because
// such a node has no members to exchange.
func (s *Joins[X]) SessionReady(out []Outcome[X], peer wire.NodeID, legacy bool) []Outcome[X] {
	for _, j := range slices.Clone(s.list) {
		if j.Peer() == peer && j.SessionReady() && legacy {
			out = append(out, Outcome[X]{Kind: AskSeed, Join: j})
			out = s.End(out, j, nil)
		}
	}
	return s.Advance(out)
}

// Advance continues the exchanges of all Joins after a bound on exchanges allows more.
func (s *Joins[X]) Advance(out []Outcome[X]) []Outcome[X] {
	for _, j := range s.list {
		if j.Ready() {
			out = append(out, Outcome[X]{Kind: Advance, Join: j})
		}
	}
	return out
}

// Compared records that the tables of this node and a peer agree or cannot be made to agree.
func (s *Joins[X]) Compared(out []Outcome[X], now time.Time, peer wire.NodeID) []Outcome[X] {
	for _, j := range s.list {
		if j.Peer() == peer && j.Exchange.TakesMembers() {
			j.ListsAgree()
			out = s.Settle(out, now, j)
		}
	}
	return out
}

// Settle continues a Join whose tables agree, once the application has decided about all members. After the states are
// merged, the Join waits only for a link. Settle does nothing if the Join has ended.
func (s *Joins[X]) Settle(out []Outcome[X], now time.Time, j *Started[X]) []Outcome[X] {
	switch {
	case !slices.Contains(s.list, j) || !j.Compared() || j.Exchange.Deciding():
	case !j.Exchange.TookMembers():
		return append(out, Outcome[X]{Kind: Merge, Join: j})
	case !j.Exchange.WantsState():
		j.AwaitLink(now)
		s.schedule(j)
		return append(out, Outcome[X]{Kind: Settled, Join: j})
	}
	return out
}

// Linked ends the Joins that wait only for a link.
func (s *Joins[X]) Linked(out []Outcome[X]) []Outcome[X] {
	for _, j := range slices.Clone(s.list) {
		if j.Linking() {
			out = s.End(out, j, nil)
		}
	}
	return out
}

// HandleTimeout performs the action that is due for a Join. heard is the arrival time of its peer's last packet. again
// is the Exchange for a restarted Join.
func (s *Joins[X]) HandleTimeout(out []Outcome[X], now time.Time, j *Started[X], heard time.Time, again X) []Outcome[X] {
	switch j.Timeout(now, heard, j.Exchange.TookMembers()) {
	case Succeed:
		out = s.End(out, j, nil)
	case Wait:
		s.schedule(j)
	case Restart:
		out = s.restart(out, j, again)
	case FailState:
		out = s.End(out, j, s.cfg.StateTimeout)
	case FailMembers:
		out = s.End(out, j, ErrTimeout)
	}
	return out
}

// restart begins a Join again with a handshake, because nothing arrives in its existing session.
func (s *Joins[X]) restart(out []Outcome[X], j *Started[X], x X) []Outcome[X] {
	again := &Started[X]{Join: j.Again(), Exchange: x}
	j.Exchange.Silence()
	out = s.End(out, j, nil)
	s.add(again)
	return append(out, Outcome[X]{Kind: Contact, Join: again})
}

// Slow applies the later deadline to the Join of a handshake whose packets are written slowly.
func (s *Joins[X]) Slow(out []Outcome[X], d Dial) []Outcome[X] {
	j := s.Of(d)
	if j == nil || !j.Slow() {
		return out
	}
	s.schedule(j)
	return append(out, Outcome[X]{Kind: Prolong, Join: j, Attempt: j.Attempt()})
}

// Extend sets a later deadline for a Join, for the case that its packets are written slowly.
func (s *Joins[X]) Extend(t Token, latest time.Time) {
	if j := s.find(func(j *Started[X]) bool { return j.Token() == t }); j != nil {
		j.Extend(latest)
	}
}

// Cancel ends a Join because its caller stopped waiting.
func (s *Joins[X]) Cancel(out []Outcome[X], t Token) []Outcome[X] {
	return s.End(out, s.find(func(j *Started[X]) bool { return j.Token() == t }), ErrCanceled)
}

// Abandon is like Cancel for a Join that no node has answered yet.
func (s *Joins[X]) Abandon(out []Outcome[X], t Token) []Outcome[X] {
	return s.End(out, s.find(func(j *Started[X]) bool { return j.Token() == t && j.Peer() == wire.NodeID{} }), ErrCanceled)
}

// EndSilent ends the Joins that no caller waits for.
func (s *Joins[X]) EndSilent(out []Outcome[X]) []Outcome[X] {
	for _, j := range slices.Clone(s.list) {
		if j.Token() == 0 {
			out = s.End(out, j, nil)
		}
	}
	return out
}

// End ends a Join, because of err if it is not nil. It does nothing if j is nil or has ended.
func (s *Joins[X]) End(out []Outcome[X], j *Started[X], err error) []Outcome[X] {
	i := slices.Index(s.list, j)
	if i < 0 {
		return out
	}
	s.list = slices.Delete(s.list, i, i+1)
	s.cfg.Timers.Stop(&j.timer)
	return append(out, Outcome[X]{Kind: Ended, Join: j, Attempt: j.Attempt(), Err: err})
}
