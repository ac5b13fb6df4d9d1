package joining

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Exchange is what the applications exchange during a Join, as far as the Join waits for it.
type Exchange interface {
	comparable
	TakesMembers() bool // nobody objects, and the members have not been exchanged yet
	TookMembers() bool  // the members have been exchanged
	Deciding() bool     // the application decides about members
	WantsState() bool   // the exchange of states is not over
	Silence()           // nobody waits for the end of the Join any more
}

// A Started is a Join that has begun and not ended, with what the applications exchange.
type Started[X Exchange] struct {
	Join
	Exchange X
	serial   uint64 // names it in the table of handshakes
	timer    timer.Timer
}

// An OutcomeKind says what an Outcome asks of the caller, or tells it.
type OutcomeKind uint8

const (
	// Contact asks for a handshake with the address of Join, which only the node Member may answer; any node, if Member is
	// zero. The caller tells by [Join.Dialed] which one it is.
	Contact OutcomeKind = iota
	// Greet tells that there is a session with the node that has the address of Join, so the Join goes on with it.
	Greet
	// Advance asks to begin the exchanges that Join waits for, as far as they are allowed now.
	Advance
	// Merge asks to take the members as exchanged, to choose the first link, and to merge the states. [Joins.Settle] follows.
	Merge
	// AskSeed asks the peer of Join, a gwyh 0.1 node, for the nodes that it knows.
	AskSeed
	// Settled tells that Join waits only for a link. [Joins.Linked] follows if there is one.
	Settled
	// Prolong gives the handshake Attempt of Join until [Join.Until].
	Prolong
	// Ended tells that Join has ended, because of Err if that is not nil. The handshake Attempt, unless it is 0, is not
	// needed any more.
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

// Config is what Joins need.
type Config[X Exchange] struct {
	Timers       *timer.Heap                        // has a timer for each Join
	Due          func(now time.Time, j *Started[X]) // called by the timer of a Join: the caller calls HandleTimeout
	StateTimeout error                              // ends a Join whose states were not exchanged in time
}

// Joins are the Joins of a node that have not ended. Make them with NewJoins. Each input appends what follows from it to a
// buffer of the caller. Not for concurrent use.
type Joins[X Exchange] struct {
	cfg     Config[X]
	list    []*Started[X] // in the order in which they began
	last    Token
	serials uint64
}

// NewJoins returns the Joins of a node that has none.
func NewJoins[X Exchange](cfg Config[X]) Joins[X] { return Joins[X]{cfg: cfg} }

// Len is how many Joins have not ended.
func (s *Joins[X]) Len() int { return len(s.list) }

// NewToken returns a token for a Join that somebody waits for.
func (s *Joins[X]) NewToken() Token {
	s.last++
	return s.last
}

// A Place is what is at the address of a Join.
type Place struct {
	Self   bool        // this node
	Peer   wire.NodeID // a node with which there is a session; zero for none
	Member wire.NodeID // the only node that a handshake there may be with; zero for any
}

// Begin begins a Join with the node at an address, which fails at until. token is 0 if nobody waits for it.
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

// Dial returns what a handshake for the Join is for.
func (j *Started[X]) Dial(member wire.NodeID) Dial {
	return Dial{Purpose: ForJoin, Member: member, Token: j.serial}
}

// Begun reports whether a Join with the node at an address is under way.
func (s *Joins[X]) Begun(to netip.AddrPort) bool {
	return slices.ContainsFunc(s.list, func(j *Started[X]) bool { return j.To() == to })
}

// Of returns the Join that a handshake was begun for; nil if it has ended.
func (s *Joins[X]) Of(d Dial) *Started[X] {
	if d.Purpose != ForJoin {
		return nil
	}
	return s.find(func(j *Started[X]) bool { return j.serial == d.Token })
}

// With returns the Join that an Exchange is part of; nil if it has ended.
func (s *Joins[X]) With(x X) *Started[X] {
	return s.find(func(j *Started[X]) bool { return j.Exchange == x })
}

// Taking returns the Join that takes in the members of a peer; nil for none.
func (s *Joins[X]) Taking(peer wire.NodeID) *Started[X] {
	return s.find(func(j *Started[X]) bool { return j.Peer() == peer && j.Exchange.TakesMembers() })
}

// WaitFor reports whether a Join goes on with a peer.
func (s *Joins[X]) WaitFor(peer wire.NodeID) bool {
	return slices.ContainsFunc(s.list, func(j *Started[X]) bool { return j.Peer() == peer })
}

func (s *Joins[X]) find(is func(j *Started[X]) bool) *Started[X] {
	if i := slices.IndexFunc(s.list, is); i >= 0 {
		return s.list[i]
	}
	return nil
}

// SessionReady goes on with the Joins that waited for a session with a peer. One with a gwyh 0.1 node has ended then,
// because such a node has no members to exchange.
func (s *Joins[X]) SessionReady(out []Outcome[X], peer wire.NodeID, legacy bool) []Outcome[X] {
	for _, j := range slices.Clone(s.list) {
		if j.Peer() == peer && j.SessionReady() && legacy {
			out = append(out, Outcome[X]{Kind: AskSeed, Join: j})
			out = s.End(out, j, nil)
		}
	}
	return s.Advance(out)
}

// Advance goes on with the exchanges of all Joins, after a bound on exchanges allows more.
func (s *Joins[X]) Advance(out []Outcome[X]) []Outcome[X] {
	for _, j := range s.list {
		if j.Ready() {
			out = append(out, Outcome[X]{Kind: Advance, Join: j})
		}
	}
	return out
}

// Compared says that the tables of this node and of a peer agree, or cannot be made to.
func (s *Joins[X]) Compared(out []Outcome[X], now time.Time, peer wire.NodeID) []Outcome[X] {
	for _, j := range s.list {
		if j.Peer() == peer && j.Exchange.TakesMembers() {
			j.ListsAgree()
			out = s.Settle(out, now, j)
		}
	}
	return out
}

// Settle goes on with a Join whose tables agree, once the application has decided about all members. After the states are
// merged the Join waits only for a link. It does nothing if the Join has ended.
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

// HandleTimeout does what is due for a Join. heard is when the last packet of its peer arrived. again is what the
// applications exchange if the Join begins again.
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

// restart begins a Join again, with a handshake, because nothing arrives in the session in which it began.
func (s *Joins[X]) restart(out []Outcome[X], j *Started[X], x X) []Outcome[X] {
	again := &Started[X]{Join: j.Again(), Exchange: x}
	j.Exchange.Silence()
	out = s.End(out, j, nil)
	s.add(again)
	return append(out, Outcome[X]{Kind: Contact, Join: again})
}

// Slow gives the Join of a handshake whose packets take long to be written the time that it may take then.
func (s *Joins[X]) Slow(out []Outcome[X], d Dial) []Outcome[X] {
	j := s.Of(d)
	if j == nil || !j.Slow() {
		return out
	}
	s.schedule(j)
	return append(out, Outcome[X]{Kind: Prolong, Join: j, Attempt: j.Attempt()})
}

// Extend lets a Join take longer if the transport takes long to write its packets.
func (s *Joins[X]) Extend(t Token, latest time.Time) {
	if j := s.find(func(j *Started[X]) bool { return j.Token() == t }); j != nil {
		j.Extend(latest)
	}
}

// Cancel ends a Join that nobody waits for any more.
func (s *Joins[X]) Cancel(out []Outcome[X], t Token) []Outcome[X] {
	return s.End(out, s.find(func(j *Started[X]) bool { return j.Token() == t }), ErrCancelled)
}

// Abandon is Cancel for a Join that nobody has answered yet.
func (s *Joins[X]) Abandon(out []Outcome[X], t Token) []Outcome[X] {
	return s.End(out, s.find(func(j *Started[X]) bool { return j.Token() == t && j.Peer() == wire.NodeID{} }), ErrCancelled)
}

// EndSilent ends the Joins that nobody waits for.
func (s *Joins[X]) EndSilent(out []Outcome[X]) []Outcome[X] {
	for _, j := range slices.Clone(s.list) {
		if j.Token() == 0 {
			out = s.End(out, j, nil)
		}
	}
	return out
}

// End ends a Join, because of err if that is not nil. It does nothing if j is nil or has ended.
func (s *Joins[X]) End(out []Outcome[X], j *Started[X], err error) []Outcome[X] {
	i := slices.Index(s.list, j)
	if i < 0 {
		return out
	}
	s.list = slices.Delete(s.list, i, i+1)
	s.cfg.Timers.Stop(&j.timer)
	return append(out, Outcome[X]{Kind: Ended, Join: j, Attempt: j.Attempt(), Err: err})
}
