package pushpull

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of exchanges (docs/PROTOCOL.md, "State of the application").
const (
	oursMax       = 4                      // maximum exchanges of states that this node has begun, and as many of members
	TheirsMax     = 64                     // maximum exchanges that other nodes have begun here
	TheirsSize    = 2                      // their maximum declared size in total, in messages of the largest size
	exchangeFor   = 2 * time.Minute        // maximum duration of an exchange that no Join waits for
	answerFor     = time.Minute            // how long an answer is retransmitted
	refusalPause  = 50 * time.Millisecond  // minimum interval of refusals to one peer
	exchangeRetry = 250 * time.Millisecond // pause before a refused push is retried; the maximum is twice that
	exchangeCheck = 5 * time.Second        // interval of checks of an exchange whose push is arriving
	stallGrace    = time.Second            // a push without progress for this time may be replaced by another one
)

// Config says what an Exchanger exchanges and what it asks the application about.
type Config struct {
	Versions   [6]byte // versions of this node
	MessageMax int     // maximum size of a message in bytes

	State    bool // the application has a state, which may be empty
	AskMerge bool // ask the application before this cluster and another one become one
	AskAlive bool // ask the application about each node that becomes a member
	Judges   bool // the configuration of this node may make it refuse a joining node

	AskSelection bool // ask the application which members may be chosen for push/pulls

	Interval time.Duration // interval of push/pulls with a random member; negative: never
	Nodes    int           // members per interval; zero means 1
}

// Capabilities returns the capability bits that the handshake of a node with this configuration carries.
func (c *Config) Capabilities() (bits uint32) {
	if c.AskMerge {
		bits |= capAsksMerge
	}
	if c.AskAlive || c.Judges {
		bits |= capJudges
	}
	return bits
}

// Stats counts events of an Exchanger. Every field only increases, except the gauges at the end.
type Stats struct {
	Sent     uint64 // states and member lists sent, including empty ones
	Received uint64 // non-empty ones received
	Refused  uint64 // exchanges of other nodes refused because there were too many
	TooLarge uint64 // states of either node not exchanged because they exceed a message
	Vetoed   uint64 // vetoes against a node or a cluster

	Malformed  uint64 // messages with invalid content
	Unexpected uint64 // messages that belong to no exchange
	Crowded    uint64 // alive entries dropped because too many await the application
	Unfit      uint64 // alive entries of nodes whose versions are incompatible with those of a member

	LocalSize, RemoteSize int // bytes of the application's state last sent and last received
}

// An Exchanger holds all exchanges of a node and its questions to the application. Create it with New. It is not safe
// for concurrent use.
type Exchanger struct {
	Config   Config // may be changed between inputs
	Stats    Stats
	Versions Versions

	rng   *rand.Rand
	peers map[wire.NodeID]*Peer
	votes votes
	pull  schedule

	last   Token
	byID   map[Token]*Exchange
	count  [2]int      // ours: exchanges of states, exchanges of members
	theirs []*Exchange // in the order in which they began
	size   int         // total declared bytes of theirs

	seq   uint64   // sequence number of the last deadline
	next  deadline // the earliest deadline, unless stale
	stale bool     // next must be recomputed
}

// schedule holds the state of push/pulls with a random member.
type schedule struct {
	due       deadline
	next      wire.NodeID // the member whose session is awaited; zero for none
	selection bool        // the application has been asked which members may be chosen
	turn      int         // number of push/pulls with selected members so far
}

// New returns an Exchanger. rng is used only for choices that need no secrecy.
func New(cfg Config, rng *rand.Rand) *Exchanger {
	return &Exchanger{Config: cfg, rng: rng, peers: make(map[wire.NodeID]*Peer), byID: make(map[Token]*Exchange)}
}

// NextTimeout returns when HandleTimeout must be called next. Zero means never.
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

// A Load describes the exchanges in progress and the open questions to the application.
type Load struct {
	Ours     int // exchanges begun by this node
	Theirs   int // exchanges begun by other nodes, at most TheirsMax
	Declared int // their declared bytes, at most TheirsSize messages of the largest size
	Held     int // bytes received in them that the application does not have yet
	Votes    int // questions about nodes, at most VotesMax plus one per exchange
}

// Load returns the current load.
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

// end ends an exchange. err is the reason for a failure; nil for success.
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

// withdraw stops sending a push.
func (x *Exchanger) withdraw(out []Outcome, e *Exchange) []Outcome {
	if !e.sending {
		return out
	}
	e.sending = false
	return append(out, Outcome{Kind: StopSending, ID: e.id})
}

// AddPeer adds a peer, of which the caller has set ID. The Exchanger keeps p until RemovePeer.
func (x *Exchanger) AddPeer(p *Peer) { x.peers[p.ID] = p }

// RemovePeer ends the exchanges with a peer that is gone.
func (x *Exchanger) RemovePeer(out []Outcome, p *Peer) []Outcome {
	delete(x.peers, p.ID)
	for _, e := range []*Exchange{p.state, p.list, p.theirs} {
		if e != nil {
			out = x.end(out, e, ErrPeerGone)
		}
	}
	return out
}

// kindOf returns the index in count.
func kindOf(ofMembers bool) int {
	if ofMembers {
		return 1
	}
	return 0
}

// noteSize stores the size of an application's state.
func (e *Exchange) noteSize(of *int, size int) {
	if !e.ofMembers() {
		*of = size
	}
}
