// Package gossip is the core of a node: who the members are, whom it subscribes to, and how a message
// gets to all of them. It is pure: datagrams, commands and the time go in, datagrams and events come
// out. One goroutine, or a simulation, owns a Core.
//
// The files, in reading order: core (the state of a node: its components, and what is kept beside each), inputs (New, datagrams,
// timeouts, outputs), route (what arrives from peers), peer and sessions, send (packets to peers), broadcast (dissemination and
// transfers), direct (messages to one node), link (the overlay and heartbeats), join (handshakes, joins, healing, leaving), membership
// (news and comparisons of tables), detect (failure detection and Pings), pushpull (application state and votes), gateway (nodes of
// gwyh 0.1), limits and inspect. core, limits and peer use no other file, and nothing uses inputs.
package gossip

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/overlay"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Core is one node. Not for concurrent use.
type Core struct {
	cfg Config
	rng *rand.Rand // choices that need no secrecy
	hs  handshakes

	swim       detection
	members    members.Table
	membership membership
	sync       comparisons
	peers      map[wire.NodeID]*peer
	endpoint   *packets.Endpoint
	links      []*peer // peers that messages are exchanged with, in the order linked

	gateway   gateway
	overlay   overlaying
	joins     joins
	heal      healing
	leaving   leaving
	pings     pings
	push      exchanges
	broadcast dissemination
	transport transport
	direct    directs

	ids     wire.IDs
	entered time.Time // when the last datagram or timeout was handled
	timers  timer.Heap
	out     outbox.Outbox
	events  event.Queue
	report  *report.Reporter
	stats   stats.Stats
}

// handshakes are the handshakes and sessions of a core, and what the core does about their outcomes.
type handshakes struct {
	*peers.Table
	core     *Core
	dials    *joining.Dials
	outcomes outcome.Buffer[handshake.Outcome]
	packet   wire.Packet // scratch: the datagram being taken in
}

// transport is how the core sends messages to its peers.
type transport struct {
	core     *Core
	arena    arena.Arena  // small messages, for repair
	plain    []byte       // scratch: one plaintext being built
	smallMsg smallMessage // scratch: see newSmall
	cork     cork
}

// smallMessage is one plaintext on its way along several links. The arena keeps it for those that cannot send it at
// once, and for repair.
type smallMessage struct {
	plain []byte
	ref   arena.Ref
}

// cork is the datagrams of small messages that are not sealed yet.
type cork struct {
	timer    timer.Timer // fires when the first of them is due
	unsealed []*peer     // that have one
}

// dissemination is the component, and what the core needs beside it.
type dissemination struct {
	*broadcast.Disseminator
	core       *Core
	watched    bool           // see SetWatched
	store      assembly.Store // large messages
	timer      timer.Timer
	sweepTimer timer.Timer
	arrived    []*assembly.Assembly // scratch: large messages that a report confirms
	outcomes   outcome.Buffer[broadcast.Outcome]
}

// directs are the direct messages of a core, in both directions, and what the core does about their outcomes.
type directs struct {
	*direct.Sender
	core     *Core
	receiver direct.Receiver
	outcomes outcome.Buffer[direct.Outcome]
	timer    timer.Timer // at NextTimeout
}

// overlaying is the Overlay of a core, and what the core does about its actions. It answers the questions of the Overlay.
type overlaying struct {
	*overlay.Overlay
	core         *Core
	acts         outcome.Buffer[overlay.Action]
	choiceTimer  timer.Timer
	measureTimer timer.Timer
	beat         time.Time // when the heartbeats are due that follow those sent last
}

// entriesBatch is how many entries of a message are taken in together.
const entriesBatch = 16

// membership is what the core needs to take in and to send membership entries.
type membership struct {
	core   *Core
	news   members.News
	timer  timer.Timer               // when the news is sent
	batch  [entriesBatch]wire.Member // scratch: entries being taken in
	entry  wire.Member               // scratch: one entry being written
	behind []*members.Entry          // what the sender of the entries in progress lacks
}

// comparisons is what the core holds for anti-entropy.
type comparisons struct {
	core     *Core
	comparer antientropy.Comparer
	outcomes outcome.Buffer[antientropy.Outcome]
	calm     timer.Timer // when the next heartbeats are brought forward after a change of the table
}

// detection is the failure detector, and what the core does about its actions.
type detection struct {
	*swim.Detector
	core     *Core
	outcomes outcome.Buffer[swim.Action]
}

// pings is the core's share of the application's Pings.
type pings struct {
	ping.Pings
	core     *Core
	payload  ping.Payload
	outcomes outcome.Buffer[ping.Outcome]
	timer    timer.Timer // at NextTimeout
}

// joins are the Joins of a core, and what the core does about their outcomes.
type joins struct {
	joining.Joins[*pushpull.Join]
	core     *Core
	outcomes outcome.Buffer[joining.Outcome[*pushpull.Join]]
}

type join = joining.Started[*pushpull.Join]

// healing is the Healing of a core, and what the core does about it.
type healing struct {
	*overlay.Healing
	core *Core
}

// leaving is the departure of this node, with the timer that the core keeps for it.
type leaving struct {
	joining.Leave
	core  *Core
	timer timer.Timer
}

// exchanges are the exchanges of a core with others, and what the core does about their outcomes.
type exchanges struct {
	*pushpull.Exchanger
	core     *Core
	outcomes outcome.Buffer[pushpull.Outcome]
	timer    timer.Timer
}

// gateway is what a core does about gwyh 0.1 nodes.
type gateway struct {
	*legacy.Gateway
	core     *Core
	outcomes outcome.Buffer[legacy.Outcome]
	timer    timer.Timer
}

func (c *Core) drop(d stats.Drop) { c.stats.Dropped[d]++ }

// newID returns the id of a message that is no broadcast.
func (c *Core) newID() wire.MessageID { return c.ids.Control() }

// isLive reports whether a node is a live member. What is new about a live member may be refused, but the member stays.
func (c *Core) isLive(id wire.NodeID) bool { return c.members.IsLive(id) }
