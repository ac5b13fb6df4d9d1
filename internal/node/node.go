// Package node is the shell around a core: the goroutine that owns the core, and everything between the core and the
// goroutines of the application.
//
// It owns the loop, the snapshot that readers get, Joins in progress, sends and pings that a caller waits for, the
// core's questions to the application, the seeds, and the goroutines that call the application. It contains no rule
// of the protocol, and never calls the application from the loop or under a lock. The root package gives it the
// application, the transport and the configuration, and documents what each method promises.
//
// To read it: node.go assembles the parts; loop.go is the loop and the calls into it; events.go handles the core's
// events; snapshot.go and pages.go are what readers see; join.go, knock.go and rejoin.go are Joins; send.go is messages
// to one node; application.go and questions.go are the application's callbacks, poll.go its broadcasts; status.go is what
// an operator sees, and sending.go warns of write errors.
package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/inspect"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/pull"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// deliverMax is how long a call waits for an EventDelegate that is slow or that itself waits for the call.
const deliverMax = time.Second

// A Node is a running core with its shell. All its methods are safe for concurrent use, except that Start must be
// called once, before the others.
type Node[N any] struct {
	config    Config[N]
	loop      *loop
	snapshots snapshots[N]
	joins     joins
	rejoin    rejoin
	sends     sends
	asker     asker[N]
	questions *questions // those that the puller answers
	puller    pull.Puller
	dispatch  *dispatch.Queue[N]
	departure departure

	names      *addrbook.Book // for a transport that needs names; nil for any other
	relocation relocation
	keys       keyWatch
	sending    sendWatch
	taken      nameTaken
	debug      debugLevel
	metrics    *telemetry.Publisher
	coverages  coverages
	watch      inspect.Watch
	counted    inspect.Counted
	queueCheck time.Time // when the metrics of queue lengths are due next; owned by the loop

	end      func() // ends the knocks and lookups in progress
	unwatch  func() // stops watching the keys
	shutdown sync.Once
}

// New returns a Node that is not started yet. The Node takes ownership of the transport.
func New[N any](config Config[N]) (*Node[N], error) {
	n := &Node[N]{config: config, questions: newQuestions(), unwatch: func() {}}
	c := &n.config
	c.Core.Memory = c.Core.Memory.OrDefault()
	now := time.Now()
	core, err := n.newCore(now)
	if err != nil {
		return nil, err
	}
	n.loop = newLoop(core)
	n.dispatch = dispatch.New(c.Application.handlers(c.Log), c.Core.Memory.Messages)
	if c.Transport.Named {
		n.names = new(addrbook.Book)
	}
	if n.loop.carrier, err = c.Transport.carry(carrier.Room{Depth: c.InboxDepth, Received: c.Core.Memory.Inbox, Written: c.Core.Memory.Written}, c.Log, n.names, n.loop.stop); err != nil {
		return nil, fmt.Errorf("gwyh: draw a node id: %w", err)
	}
	n.assemble()
	n.update(now)
	return n, nil
}

// newCore makes the core. The core's Unsent uses the carrier, which is made later.
func (n *Node[N]) newCore(now time.Time) (*gossip.Core, error) {
	c := &n.config
	id, secret, err := nodeid.New(rand.Reader, nodeid.X25519)
	if err != nil {
		return nil, fmt.Errorf("gwyh: %w", err)
	}
	n.keys.keys, n.keys.log, n.sending.log = c.Keys, c.Log, c.Log
	n.debug.wanted.Store(c.Log.WantsDebug())
	own := c.Core
	own.ID, own.Secret, own.Suite, own.Rand = id, secret, session.NaCl, rand.Reader
	own.Keys, own.Debug = n.keys.first(now), n.debug.wanted.Load()
	own.Own, own.Unsent = c.Transport.isOwn, n.unsent
	app := &c.Application
	own.State, own.Pings, own.AskSelection = app.Delegate != nil, app.Ping != nil, app.Select != nil
	own.AskMerge, own.AskAlive = app.Merge != nil, app.Alive != nil
	core, err := gossip.New(now, own)
	if err != nil {
		return nil, fmt.Errorf("gwyh: %w", err)
	}
	return core, nil
}

// assemble connects the parts of the shell.
func (n *Node[N]) assemble() {
	c := &n.config
	life, end := context.WithCancel(context.Background())
	n.end = end
	n.keys.loop = n.loop
	at := &addresses{port: c.Port, names: n.names}
	joined := n.puller.Newcomers.Add
	if c.Application.Delegate == nil || c.PollInterval == 0 { // nothing is polled
		joined = func(time.Time, wire.NodeID) {}
	}
	n.snapshots = snapshots[N]{convert: c.Convert, joined: joined, names: n.names, known: make(map[wire.NodeID]*entry[N]),
		turned: func(now time.Time, m *gossip.Member) { n.watch.Turned(now, n.loop.core, m) }}
	n.asker = asker[N]{loop: n.loop, app: &c.Application, convert: c.Convert, deliver: n.deliverEvents}
	n.rejoin = rejoin{loop: n.loop, addresses: at, life: life, timeout: c.Timeout}
	n.joins = joins{
		loop: n.loop, addresses: at, rejoin: &n.rejoin, knocker: &knocker{loop: n.loop, sockets: c.Transport.Sockets, life: life},
		answer: n.asker.answer, background: n.questions, log: c.Log,
		public: c.Public, timeout: c.Timeout, needNames: c.RequireNames, pending: make(map[event.JoinToken]*target),
	}
	n.sends = sends{
		loop: n.loop, addresses: at, public: c.Public, timeout: c.Timeout, needNames: c.RequireNames,
		direct:   func(now time.Time, msg []byte) { n.dispatch.Message(now, dispatch.Direct, msg) },
		messages: make(map[event.SendToken]chan<- error), pings: make(map[event.PingToken]chan<- pinged),
	}
	n.relocation = relocation{loop: n.loop, advertised: c.Transport.Advertised}
	n.coverages.waiting = make(map[*coverage]struct{})
	n.metrics = telemetry.New(c.Metrics, c.MetricLabels)
}

// Start starts all goroutines.
func (n *Node[N]) Start() {
	l := n.loop
	l.carrier.Start(&l.others)
	if receive := n.config.Transport.Receive; receive != nil {
		l.others.Go(func() { receive(l.stop, l.carrier.Put) })
	}
	l.others.Go(func() { l.run(n) })
	go n.dispatch.Run(l.stop)
	go n.metrics.Run(l.stop)
	n.startPuller()
	if watch := n.config.WatchKeys; watch != nil {
		n.unwatch = watch(n.keys.changed)
	}
}

// deliverEvents waits until the EventDelegate has received all events so far, for at most deliverMax.
func (n *Node[N]) deliverEvents() { n.dispatch.AwaitMembers(deliverMax, n.loop.stop) }

// Join joins the nodes at the addresses and returns the number of nodes reached. A hasty Join does not wait for
// addresses at which no node can be reached.
func (n *Node[N]) Join(ctx context.Context, existing []string, hasty bool) (int, error) {
	if err := n.adoptMeta(); err != nil {
		return 0, err
	}
	n.config.Transport.updateOwn()
	j := n.joins.join(ctx, existing, hasty)
	n.deliverEvents()
	return n.joins.result(j)
}

// adoptMeta makes what the program has written into the N of Self this node's metadata. memberlist returns the Node
// that it works with, and some programs (gubernator) rely on that. adoptMeta ignores an N that is not the latest.
func (n *Node[N]) adoptMeta() error {
	var failed error
	_ = n.loop.do(func(now time.Time) {
		snap, self := n.snapshots.current.Load(), n.loop.core.Self()
		written := n.config.Meta(snap.self)
		if snap.incarnation != self.Incarnation || bytes.Equal(written, self.Meta) {
			return
		}
		if limit := n.config.Core.MetaMax; len(written) > limit {
			failed = fmt.Errorf("gwyh: the Meta of LocalNode has %d bytes, want at most %d", len(written), limit)
		} else if err := n.loop.core.SetMeta(now, written); err != nil {
			failed = fmt.Errorf("gwyh: %w", err)
		}
	})
	return failed
}

// Broadcast sends msg to all other nodes.
func (n *Node[N]) Broadcast(msg []byte) error {
	if err := n.loop.broadcast(msg); err != nil {
		return n.config.Public(err)
	}
	return nil
}

// Send sends msg to the node at an address. name is the node's name, empty if unknown. A reliable send waits for the
// acknowledgement.
func (n *Node[N]) Send(address, name string, msg []byte, reliable bool) error {
	return n.sends.send(address, name, msg, reliable)
}

// Ping returns the round-trip time to the node at an address. An empty name matches any node. It returns
// ErrNoPingAnswer if no answer arrives in time.
func (n *Node[N]) Ping(name, address string) (time.Duration, error) {
	n.config.Transport.updateOwn()
	return n.sends.ping(name, address, n.config.Core.Detection.ProbeTimeout)
}

// Members returns all live members, this node last. The caller owns the slice.
func (n *Node[N]) Members() []N {
	snap := n.snapshots.current.Load()
	return slices.AppendSeq(make([]N, 0, snap.len()), snap.each)
}

// NumMembers returns the number of Members.
func (n *Node[N]) NumMembers() int { return n.snapshots.current.Load().len() }

// Self returns this node as other nodes know it.
func (n *Node[N]) Self() N { return n.snapshots.current.Load().self }

// HealthScore returns the core's health score, or 0 after Shutdown.
func (n *Node[N]) HealthScore() (score int) {
	_ = n.loop.do(func(time.Time) { score = n.loop.core.Detector().Health() })
	return score
}

// Leave announces to the others that this node departs, and forgets the seeds.
func (n *Node[N]) Leave(timeout time.Duration) error {
	begin, confirmed := time.Now(), make(chan struct{})
	err := n.loop.do(func(now time.Time) {
		n.rejoin.seeds.Clear()
		n.departure.waiting = append(n.departure.waiting, confirmed)
		n.loop.core.Leave(now)
	})
	if err != nil {
		return nil
	}
	if err := n.loop.flush("leave", timeout); err != nil {
		return err
	}
	n.loop.awaitConfirmation(confirmed, begin, timeout)
	n.deliverEvents()
	return nil
}

// SetMeta changes this node's metadata and announces it to the others.
func (n *Node[N]) SetMeta(meta []byte, timeout time.Duration) error {
	var tooLong error
	if err := n.loop.do(func(now time.Time) { tooLong = n.loop.core.SetMeta(now, meta) }); err != nil {
		return n.config.Public(err)
	}
	if tooLong != nil {
		return fmt.Errorf("gwyh: %w", tooLong)
	}
	if err := n.loop.flush("update", timeout); err != nil {
		return err
	}
	n.deliverEvents()
	return nil
}

// Shutdown stops the node and its transport. It waits for all goroutines except those that may be in a call of the
// application or of a metrics sink. Further calls do nothing.
func (n *Node[N]) Shutdown() error {
	var err error
	n.shutdown.Do(func() {
		n.unwatch()
		n.end()
		n.dispatch.Close()
		_ = n.loop.do(n.loop.core.Flush) // sends messages that wait to share a datagram with others
		close(n.loop.stop)
		n.loop.carrier.Wake()
		err = n.config.Transport.Shutdown()
		n.loop.carrier.EndWrites(n.config.Timeout)
		n.loop.others.Wait()
	})
	return err
}
