package legacy

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what gwyh 0.1 nodes can cause (docs/PROTOCOL.md, part 3).
const (
	LinksMax   = 64   // links with gwyh 0.1 peers, whose clusters are small
	MembersMax = 1024 // members that are gwyh 0.1 nodes
	ChoresMax  = 256  // things to be done later
)

// Config says what a Gateway is for.
type Config struct {
	Admits        bool                  // this node talks to gwyh 0.1 nodes
	Subscriptions int                   // Go members to hear from
	Allow         func(netip.Addr) bool // the addresses that a member may have; nil for any
}

// Stats counts what a Gateway left undone.
type Stats struct {
	Malformed  uint64 // messages that are not what their kind requires
	Unexpected uint64 // entries that no Go node may send
	Excess     uint64 // messages and entries beyond a bound, and things to be done later
	Address    uint64 // nodes at addresses that are not allowed
	Stale      uint64 // entries that told nothing new
}

// A Gateway is what a node does about gwyh 0.1 nodes. Make one with New. Not for concurrent use.
type Gateway struct {
	Stats Stats

	cfg Config
	rng *rand.Rand

	chores  []chore // soonest first
	changed bool    // a chore was added since the last call of TimerChanged

	refuted time.Time    // when this node last contradicted, or is about to, that it is down
	hopes   int          // addresses that are being tried, or will be
	hints   quota.Bucket // of PeerStatus about Go nodes that are not members

	questions quota.Bucket                      // about gwyh 0.1 members
	asked     quota.Map[wire.NodeID, time.Time] // when a question about a member was last asked, answered or passed on

	listNext time.Time     // before which no further seed is asked for the nodes that it knows
	listLast time.Time     // when a node was last asked for them
	listWait time.Duration // from listLast until one is asked again
}

// New returns a Gateway. rng is for choices that need no secrecy.
func New(cfg Config, rng *rand.Rand) *Gateway {
	return &Gateway{cfg: cfg, rng: rng, asked: quota.NewMap[wire.NodeID, time.Time](MembersMax)}
}

// Admits reports whether this node talks to gwyh 0.1 nodes.
func (g *Gateway) Admits() bool { return g.cfg.Admits }

// between draws a time from lo up to hi.
func (g *Gateway) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(g.rng.Int64N(int64(hi-lo)))
}

// task is what a chore does.
type task uint8

const (
	endCheck    task = iota // believe that peer is down, if nothing has answered check
	repeatPing              // ask peer once more for a sign of life, if check goes on
	court                   // ask peer, which is not a member, for a sign of life
	vouchFor                // vouch for peer above incarnation, unless somebody has
	announceEnd             // tell gwyh 0.1 peers that member is down, unless it is back
	shakeAll                // shake hands with all gwyh 0.1 peers
	tryHope                 // reach the node of at addr
	endHope                 // forget an address that was tried
	askList                 // ask peer for the nodes that it knows
)

// A chore is something that is to be done later. task says which of the fields are set.
type chore struct {
	at          time.Time
	task        task
	peer        *Peer
	check       *check
	incarnation uint64
	member      *members.Entry
	tries       int
	reach       OutcomeKind // Dial, Meet or MeetNode
	of          wire.NodeID
	addr        netip.AddrPort
}

// later puts a chore off. It returns false if too much waits already.
func (g *Gateway) later(now time.Time, after time.Duration, c chore) bool {
	if len(g.chores) >= ChoresMax {
		g.Stats.Excess++
		return false
	}
	c.at = now.Add(after)
	i := len(g.chores)
	for i > 0 && g.chores[i-1].at.After(c.at) {
		i--
	}
	g.chores = append(g.chores, chore{})
	copy(g.chores[i+1:], g.chores[i:])
	g.chores[i] = c
	g.changed = true
	return true
}

// NextTimeout is when HandleTimeout wants to be called; zero for never.
func (g *Gateway) NextTimeout() time.Time {
	if len(g.chores) == 0 {
		return time.Time{}
	}
	return g.chores[0].at
}

// Load returns how many things are to be done later, and how many addresses are being tried or will be.
func (g *Gateway) Load() (chores, hopes int) { return len(g.chores), g.hopes }

// TimerChanged reports whether a timer for NextTimeout has to be set anew since the last call.
func (g *Gateway) TimerChanged() bool {
	changed := g.changed
	g.changed = false
	return changed
}
