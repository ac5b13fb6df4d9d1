// Package gossip is the core of a node. It owns the member table, the links, and the components that disseminate messages and
// detect failures. It never does I/O or reads a clock: datagrams, commands and the time go in, and datagrams and events come
// out. One goroutine or a simulation owns a Core.
//
// The files, in reading order: core (the node's components and what is kept beside each), inputs (New, datagrams, timeouts,
// outputs), route (what arrives from peers), peer and sessions, direct (messages to one node), link (the overlay and
// heartbeats), join (handshakes, joins, healing, leaving), membership (entries and table comparisons), detect (failure
// detection and Pings), pushpull (application state and votes), gateway (gwyh 0.1 nodes), limits and inspect. What is sent and
// how is in internal/delivery, entries, liveness, exchange and bridge. core, limits and peer use no other file, and no file uses inputs.
package gossip

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/bridge"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/exchange"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/liveness"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Core is one node. It is not safe for concurrent use.
type Core struct {
	cfg Config
	rng *rand.Rand // choices that need no secrecy
	hs  handshakes

	swim       detection
	members    members.Table
	membership membership
	sync       comparisons
	peers      map[wire.NodeID]*peer
	delivery   *delivery.Delivery
	entries    *entries.Entries
	links      []*peer // peers with which messages are exchanged, in the order in which they were linked

	gateway   gateway
	overlay   overlaying
	joins     joins
	heal      healing
	leaving   leaving
	pings     *delivery.Pings // of delivery
	push      exchanges
	sender    *delivery.Sender     // of delivery
	broadcast *delivery.Broadcasts // of delivery
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
	packet   wire.Packet // scratch: the datagram being handled
}

// directs are the direct messages of a core and the handling of their outcomes.
type directs struct {
	*delivery.Directs
	core     *Core
	outcomes outcome.Buffer[direct.Outcome]
	timer    timer.Timer // at NextTimeout
}

// overlaying is the Overlay of a core and the handling of its actions. It implements the queries of the Overlay.
type overlaying struct {
	*overlay.Overlay
	core         *Core
	acts         outcome.Buffer[overlay.Action]
	choiceTimer  timer.Timer
	measureTimer timer.Timer
}

// membership is what the core needs to receive and to send membership entries.
type membership struct {
	core     *Core
	outdated []*members.Entry // members of which the sender of the current entries has an older entry
}

// comparisons is what the core keeps for anti-entropy.
type comparisons struct {
	core *Core
	calm timer.Timer // when the next heartbeats are brought forward after a change of the table
}

// detection is the failure detector and the handling of its actions.
type detection struct {
	*swim.Detector
	messages *liveness.Messenger
	core     *Core
	outcomes outcome.Buffer[swim.Action]
}

// joins are the Joins of a core and the handling of their outcomes.
type joins struct {
	joining.Joins[*pushpull.Join]
	core     *Core
	outcomes outcome.Buffer[joining.Outcome[*pushpull.Join]]
}

type join = joining.Started[*pushpull.Join]

// healing is the Healing of a core and the handling of its outcomes.
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

// exchanges are the push/pulls of a core with other nodes, and the handling of their outcomes.
type exchanges struct {
	*pushpull.Exchanger
	messages *exchange.Messenger
	core     *Core
	outcomes outcome.Buffer[pushpull.Outcome]
	timer    timer.Timer
}

// gateway is the Gateway to gwyh 0.1 nodes and the handling of its outcomes.
type gateway struct {
	*legacy.Gateway
	bridge   *bridge.Bridge
	core     *Core
	outcomes outcome.Buffer[legacy.Outcome]
	timer    timer.Timer
}

func (c *Core) drop(d stats.Drop) { c.stats.Dropped[d]++ }

// newID returns the id of a message that is not a broadcast.
func (c *Core) newID() wire.MessageID { return c.ids.Control() }

// isLive reports whether a node is a live member. It stays one even if the application refuses an update of its entry.
func (c *Core) isLive(id wire.NodeID) bool { return c.members.IsLive(id) }
