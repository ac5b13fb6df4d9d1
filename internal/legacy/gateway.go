package legacy

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Limits for what gwyh 0.1 nodes can cause (docs/PROTOCOL.md, part 3).
const (
	LinksMax   = 64   // links with gwyh 0.1 peers, whose clusters are small
	MembersMax = 1024 // members that are gwyh 0.1 nodes
	JobsMax    = 256  // scheduled jobs, except those of which there is one, or one for each member
)

// Config is the configuration of a Gateway.
type Config struct {
	Admits        bool                  // this node accepts gwyh 0.1 nodes
	Subscriptions int                   // number of Go members to subscribe to
	Allow         func(netip.Addr) bool // reports whether a member may have the address; nil allows all
}

// Stats counts what a Gateway dropped.
type Stats struct {
	Malformed  uint64 // messages that their kind does not allow
	Unexpected uint64 // entries that no Go node may send
	Excess     uint64 // messages, entries and jobs beyond a limit
	Address    uint64 // nodes at addresses that are not allowed
	Stale      uint64 // entries without new information
}

// A Gateway decides how a node treats gwyh 0.1 nodes. Make one with New. It is not safe for concurrent use.
type Gateway struct {
	Stats Stats

	cfg Config
	rng *rand.Rand

	peers map[wire.NodeID]*Peer
	links int // number of peers that are linked

	jobs    []job // soonest first
	changed bool  // a job was added since the last call of TimerChanged

	refuted  time.Time    // when this node last refuted, or will refute, that it is down
	attempts int          // number of addresses that are tried or scheduled to be tried
	hints    quota.Bucket // for PeerStatus about Go nodes that are not members

	questions quota.Bucket                      // for queries about gwyh 0.1 members
	queried   quota.Map[wire.NodeID, time.Time] // when a query about a member was last sent, answered or passed on

	listNext time.Time     // no further seed is asked for the nodes it knows before this time
	listLast time.Time     // when a node was last asked for the nodes it knows
	listWait time.Duration // time from listLast to the next such request
}

// New returns a Gateway. rng is for choices that need no secrecy.
func New(cfg Config, rng *rand.Rand) *Gateway {
	return &Gateway{cfg: cfg, rng: rng, peers: make(map[wire.NodeID]*Peer), queried: quota.NewMap[wire.NodeID, time.Time](MembersMax)}
}

// Peer returns the gwyh 0.1 peer with an id, or nil.
func (g *Gateway) Peer(id wire.NodeID) *Peer { return g.peers[id] }

// Admits reports whether this node accepts gwyh 0.1 nodes.
func (g *Gateway) Admits() bool { return g.cfg.Admits }

// between returns a random duration from lo up to hi.
func (g *Gateway) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(g.rng.Int64N(int64(hi-lo)))
}

// task is what a job does.
type task uint8

const (
	endCheck         task = iota // declare peer down if nothing has answered check
	repeatPing                   // ping peer again if check is still in progress
	pingStranger                 // ping peer, which is not a member yet
	vouchFor                     // vouch for peer above incarnation, unless another node has
	announceEnd                  // report member as down to gwyh 0.1 peers, unless it is back
	handshakeWithAll             // begin a handshake with each gwyh 0.1 peer
	tryAddress                   // try to reach the node of at addr
	endAttempt                   // remove an address that was tried
	askList                      // ask peer for the nodes it knows
)

// A job is work scheduled for later. task says which of the fields are set.
type job struct {
	at          time.Time
	task        task
	peer        *Peer
	check       *check
	incarnation uint64
	member      *members.Entry
	tries       int
	reach       OutcomeKind // Dial, Meet or ContactNode
	of          wire.NodeID
	addr        netip.AddrPort
}

// later schedules a job. It returns false if JobsMax are scheduled already.
func (g *Gateway) later(now time.Time, after time.Duration, c job) bool {
	if len(g.jobs) >= JobsMax {
		g.Stats.Excess++
		return false
	}
	g.schedule(now, after, c)
	return true
}

// schedule schedules a job, however many are scheduled already. It is for a job of which there is at most one, or
// one for each member.
func (g *Gateway) schedule(now time.Time, after time.Duration, c job) {
	c.at = now.Add(after)
	i := len(g.jobs)
	for i > 0 && g.jobs[i-1].at.After(c.at) {
		i--
	}
	g.jobs = append(g.jobs, job{})
	copy(g.jobs[i+1:], g.jobs[i:])
	g.jobs[i] = c
	g.changed = true
}

// NextTimeout returns when HandleTimeout must be called, or zero for never.
func (g *Gateway) NextTimeout() time.Time {
	if len(g.jobs) == 0 {
		return time.Time{}
	}
	return g.jobs[0].at
}

// Load returns the number of scheduled jobs, and the number of addresses that are tried or will be.
func (g *Gateway) Load() (jobs, attempts int) { return len(g.jobs), g.attempts }

// TimerChanged reports whether the time of NextTimeout has changed since the last call, so that the timer must be set.
func (g *Gateway) TimerChanged() bool {
	changed := g.changed
	g.changed = false
	return changed
}
