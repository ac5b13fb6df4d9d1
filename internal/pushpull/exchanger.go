package pushpull

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of exchanges (docs/PROTOCOL.md, "State of the application").
const (
	oursMax       = 4                      // exchanges of states that this node has begun; as many of members
	TheirsMax     = 64                     // exchanges that other nodes have begun here
	TheirsSize    = 2                      // messages of the largest size that they may declare together
	exchangeFor   = 2 * time.Minute        // how long an exchange that nobody waits for may take
	answerFor     = time.Minute            // how long an answer is repeated
	refusalPause  = 50 * time.Millisecond  // between refusals sent to one peer
	exchangeRetry = 250 * time.Millisecond // until a push that was refused is tried again, up to twice that
	exchangeCheck = 5 * time.Second        // between looks at an exchange whose push is arriving
	stallGrace    = time.Second            // a push without progress for so long gives way to another
)

// Config says what an Exchanger exchanges, and about what it asks the application.
type Config struct {
	Versions   [6]byte // of this node
	MessageMax int     // bytes of the largest message

	State    bool // the application has a state, though it may be empty at times
	AskMerge bool // the application is asked before this cluster and another become one
	AskAlive bool // the application is asked about each node that becomes a member
	Judges   bool // this node may refuse a node that joins for reasons of its own configuration

	Interval time.Duration // between push/pulls with a random member; negative: never
	Nodes    int           // members in each interval; zero means 1
}

// Capabilities is what the handshake tells others about a node that is configured so.
func (c *Config) Capabilities() (bits uint32) {
	if c.AskMerge {
		bits |= capAsksMerge
	}
	if c.AskAlive || c.Judges {
		bits |= capJudges
	}
	return bits
}

// Stats counts what an Exchanger did. All fields only grow except the gauges at the end.
type Stats struct {
	Sent     uint64 // states, and lists of members, of this node, empty ones too
	Received uint64 // and of others, if not empty
	Refused  uint64 // of others, not taken because there were too many
	TooLarge uint64 // of this node and of others, not exchanged because they are larger than a message
	Vetoed   uint64 // verdicts against a node, or a cluster

	Malformed  uint64 // messages that are not what their kind requires
	Unexpected uint64 // messages that belong to no exchange
	Crowded    uint64 // alive entries dropped because too many wait for the application
	Unfit      uint64 // alive entries of nodes whose versions do not go with those of all members

	LocalSize, RemoteSize int // bytes of the application's state that was sent last, and that arrived last
}

// An Exchanger is all exchanges of a node, and its questions to the application. Make one with New. Not for concurrent
// use.
type Exchanger struct {
	Config   Config // may be changed between inputs
	Stats    Stats
	Versions Versions

	rng   *rand.Rand
	votes votes
	pull  schedule

	last   Token
	byID   map[Token]*Exchange
	count  [2]int      // of ours: of states, of members
	theirs []*Exchange // in the order they were begun
	size   int         // bytes that theirs declare

	seq   uint64   // of the last deadline
	next  deadline // the first of all, unless stale
	stale bool     // next has to be found anew
}

// schedule is the time of the push/pulls with a random member.
type schedule struct {
	due       deadline
	next      wire.NodeID // the member with which a session is awaited; zero for none
	selection bool        // the application is being asked which members may be chosen
	turn      int         // push/pulls with selected members so far
}

// New returns an Exchanger. rng is for choices that need no secrecy.
func New(cfg Config, rng *rand.Rand) *Exchanger {
	return &Exchanger{Config: cfg, rng: rng, byID: make(map[Token]*Exchange)}
}

// NextTimeout is when HandleTimeout wants to be called; zero for never.
func (x *Exchanger) NextTimeout() time.Time {
	if x.stale {
		x.stale = false
		x.next = x.pull.due
		for _, e := range x.byID {
			if e.due.before(x.next) {
				x.next = e.due
			}
		}
	}
	return x.next.at
}

func (x *Exchanger) deadlineAt(at time.Time) deadline {
	x.seq++
	x.stale = true
	return deadline{at: at, seq: x.seq}
}

func (x *Exchanger) set(e *Exchange, at time.Time) { e.due = x.deadlineAt(at) }

func (x *Exchanger) unset(e *Exchange) {
	e.due = deadline{}
	x.stale = true
}

// InProgress reports whether an exchange has not ended.
func (x *Exchanger) InProgress(e *Exchange) bool { return x.byID[e.token] == e }

// A Load is what the exchanges in progress and the questions to the application take.
type Load struct {
	Ours     int // exchanges that this node has begun
	Theirs   int // exchanges that other nodes have begun, at most TheirsMax
	Declared int // bytes that those declare, at most TheirsSize messages of the largest size
	Held     int // bytes that those have brought and the application has not got yet
	Votes    int // questions about nodes, at most VotesMax and one for each exchange
}

// Load returns what is in progress.
func (x *Exchanger) Load() Load {
	l := Load{Ours: x.count[0] + x.count[1], Theirs: len(x.theirs), Declared: x.size, Votes: len(x.votes.byName) + len(x.votes.ofLists)}
	for _, e := range x.theirs {
		l.Held += len(e.got)
	}
	return l
}

func (x *Exchanger) register(e *Exchange) {
	x.last++
	e.token = x.last
	x.byID[e.token] = e
}

// end forgets an exchange. err is why it failed; nil if it did not.
func (x *Exchanger) end(out []Outcome, e *Exchange, err error) []Outcome {
	if !x.InProgress(e) {
		return out
	}
	delete(x.byID, e.token)
	delete(x.votes.ofLists, e.vote)
	x.unset(e)
	out = x.withdraw(out, e)
	if !e.ours {
		x.theirs = slices.DeleteFunc(x.theirs, func(o *Exchange) bool { return o == e })
		x.size -= e.total
		e.peer.theirs = nil
		return out
	}
	x.count[kindOf(e.ofMembers())]--
	*e.peer.slot(e.ofMembers()) = nil
	if e.join != nil {
		out = e.join.exchangeEnded(out, e, err)
	}
	return append(out, Outcome{Kind: RoomMade})
}

// withdraw stops the sending of a push.
func (x *Exchanger) withdraw(out []Outcome, e *Exchange) []Outcome {
	if !e.sending {
		return out
	}
	e.sending = false
	return append(out, Outcome{Kind: StopSending, ID: e.id})
}

// RemovePeer ends what was exchanged with a peer that is gone.
func (x *Exchanger) RemovePeer(out []Outcome, p *Peer) []Outcome {
	for _, e := range []*Exchange{p.state, p.list, p.theirs} {
		if e != nil {
			out = x.end(out, e, ErrPeerGone)
		}
	}
	return out
}

// kindOf is the index in count.
func kindOf(ofMembers bool) int {
	if ofMembers {
		return 1
	}
	return 0
}

// noteSize keeps the size of an application's state.
func (e *Exchange) noteSize(of *int, size int) {
	if !e.ofMembers() {
		*of = size
	}
}
