// Package gwyh carries gossip between the nodes of a service: an application hands a message to one
// node and every node of the cluster gets it, over unacknowledged, always encrypted UDP, along the
// quickest path there is. Nodes know each other and their zones and notice who comes, goes and fails.
//
// It reads like hashicorp/memberlist: make a Config, Create a Memberlist, Join the address of any
// member, and implement a Delegate. It shares a cluster with nodes of gwyh 0.1.
//
// A message may, rarely, be lost, and is then nowhere acknowledged; applications are idempotent or
// repair what they miss. Each message that arrives is handed over once.
package gwyh

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/intake"
	"github.com/gwyh-go/gwyh/internal/pull"
	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/unreached"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ErrShutdown is returned by calls on a Memberlist that was shut down.
var ErrShutdown = errors.New("gwyh: the Memberlist is shut down")

// ErrQueueFull is returned when so much waits to be sent that a message is not taken. Try again later.
var ErrQueueFull = errors.New("gwyh: too much waits to be sent")

// TooLargeError says that a message is larger than the Max bytes that can be sent. Nothing was sent. It is
// returned as it is, by a pointer, as ErrShutdown and ErrQueueFull are: it needs no errors.As. Only the errors of a
// Join, which tell of several addresses, wrap these.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("gwyh: message of %d bytes, of which at most %d can be sent", e.Size, e.Max)
}

// A Memberlist is one node of a cluster. All its methods may be called from any goroutine, and from
// inside any delegate.
type Memberlist struct {
	config    *Config // our own copy; immutable
	log       logger
	debug     debugging
	transport Transport
	carrier   *carrier.Carrier
	names     *addrbook.Book // of nodes, for a transport that wants them; else nil
	dispatch  *dispatch.Queue[*Node]
	questions *questions // for the puller
	puller    *pull.Puller
	metrics   *telemetry.Publisher
	unwatch   func()          // ends the watch on the Keyring
	life      context.Context // ends with Shutdown
	end       func()
	knocks    atomic.Int32 // addresses of Joins that are knocked at
	warned    atomic.Int64 // when it was last logged that nobody answered a Join, in Unix nanoseconds

	small      int          // bytes of a message that Broadcast does not wait with for the loop
	intake     intake.Queue // small messages of the application
	calls      chan *call
	stop       chan struct{} // closed by Shutdown
	ended      chan struct{} // closed when the loop has ended
	shutdown   sync.Once
	goroutines sync.WaitGroup // all but those that may be in a delegate or a metrics sink
	view       atomic.Pointer[view]

	// What follows is the loop's.

	core       *gossip.Core
	known      map[wire.NodeID]*Node
	seen       uint64 // core.Version of view
	distances  uint64 // core.Distances of view
	joins      map[gossip.JoinToken]*target
	sends      map[gossip.SendToken]chan<- error
	pings      map[gossip.PingToken]chan<- pinged
	leaves     []chan<- struct{} // closed when the others know
	seeds      resolve.Seeds
	queueCheck time.Time // when the metrics tell next how much waits
	relocate   time.Time // when to look next whether the machine has another address
}

// view is what readers see of the cluster. Immutable.
type view struct {
	self  *Node
	nodes []*Node
	links int
}

// call is a function that the loop runs, with what it sends sent before done is closed.
type call struct {
	f    func(now time.Time)
	done chan struct{}
}

// Create starts a node. It is a cluster of its own until it joins another. Before Create returns the
// Delegate's NodeMeta, the AliveDelegate's NotifyAlive and the EventDelegate's NotifyJoin have been
// called for the node itself, in the caller's goroutine. Of config nothing is kept; the ports that Create
// picked and a Keyring made from SecretKey are written back to it.
func Create(config *Config) (*Memberlist, error) {
	own, err := config.validate()
	if err != nil {
		return nil, err
	}
	if err := installSecretKey(own); err != nil {
		return nil, err
	}
	m := &Memberlist{
		config: own, log: newLogger(own), transport: own.Transport,
		calls: make(chan *call, batch), stop: make(chan struct{}), ended: make(chan struct{}),
		known: make(map[wire.NodeID]*Node), joins: make(map[gossip.JoinToken]*target), questions: newQuestions(), puller: &pull.Puller{},
		sends: make(map[gossip.SendToken]chan<- error), pings: make(map[gossip.PingToken]chan<- pinged),
	}
	for _, w := range own.warnings() {
		m.log.warnf("%s", w)
	}
	m.life, m.end = context.WithCancel(context.Background())
	if m.transport == nil {
		if m.transport, err = listen(own); err != nil {
			return nil, err
		}
	}
	if err := m.start(); err != nil {
		if own.Transport == nil {
			_ = m.transport.Shutdown()
		}
		return nil, err
	}
	if config.picksAdvertisePort() {
		config.AdvertisePort = own.AdvertisePort
	}
	config.BindPort, config.Keyring = own.BindPort, own.Keyring
	return m, nil
}

// start makes the core and sets everything running.
func (m *Memberlist) start() error {
	c, err := m.coreConfig()
	if err != nil {
		return err
	}
	now := time.Now()
	if m.core, err = gossip.New(now, c); err != nil {
		return fmt.Errorf("gwyh: %w", err)
	}
	m.small = min(m.core.BroadcastMax(), smallMost)
	m.dispatch = dispatch.New(m.handlers())
	if err := m.carry(); err != nil {
		return err
	}
	m.look()
	self := m.view.Load().self
	if err := m.welcomeSelf(self); err != nil {
		m.log.warnf("the AliveDelegate refuses this node itself: %v", err)
	} else if e := m.config.Events; e != nil {
		e.NotifyJoin(self)
	}
	m.metrics = telemetry.New(m.config.Metrics, m.config.MetricLabels)
	m.startCarrier()
	m.goroutines.Go(m.loop)
	go m.dispatch.Run(m.stop)
	go m.metrics.Run(m.stop)
	m.startPuller()
	m.watchKeys()
	return nil
}

// loop owns the core. It takes what has come, datagrams and calls, hands it to the core, and drains the
// core. It waits for nothing else.
func (m *Memberlist) loop() {
	defer close(m.ended)
	defer m.carrier.Stop()
	due := time.Now()
	var publish time.Time // when the figures go to the metrics next
	var ran []*call
	for {
		got := m.carrier.Wait(due)
		select {
		case <-m.stop:
			return
		default:
		}
		now := time.Now()
		m.take(now, got)
		m.takeIn(now)
		ran = m.run(now, ran[:0])
		if t := m.core.NextTimeout(); !t.IsZero() && !t.After(now) {
			m.core.HandleTimeout(now)
		}
		m.core.DrainRuns(now, m.send)
		for _, r := range m.carrier.Refused() {
			if r.TooBig || r.Pause {
				m.core.Refused(now, r.To, r.Size, r.TooBig)
			}
			if r.NoRoute != nil {
				m.noRoute(now, r.To.Remote, r.NoRoute)
			}
		}
		m.notify(now)
		for i, c := range ran {
			close(c.done)
			ran[i] = nil
		}
		if !now.Before(publish) {
			publish = now.Add(telemetry.Interval)
			m.everySecond(now)
		}
		due = publish.Add(publishSlack)
		if t := m.core.NextTimeout(); !t.IsZero() && t.Before(due) {
			due = t
		}
	}
}

// everySecond does what need not be done at once. It is no part of the loop's own function for what it has on
// the stack, which the loop would keep while it waits.
//
//go:noinline
func (m *Memberlist) everySecond(now time.Time) {
	m.lookAtDistances()
	m.carrier.Rest()
	m.intake.Rest()
	m.seek(now)
	m.lookForAddress(now)
	m.followDebug()
	m.metrics.Offer(telemetry.Figures{Core: m.core.Stats(), Shell: m.shellStats(now)})
}

// publishSlack is how much later the figures may go to the metrics, so that nothing is awake for them alone.
const publishSlack = telemetry.Interval / 4

// batch is how many waiting datagrams, and calls, the core is handed before it is drained.
const batch = 64

// take hands the core datagrams and those that wait behind them.
func (m *Memberlist) take(now time.Time, got []wire.Datagram) {
	for taken := 0; len(got) > 0; got = m.carrier.More() {
		for i := range got {
			m.core.HandleDatagram(now, got[i].Path, got[i].B)
		}
		if taken += len(got); taken >= batch {
			return
		}
	}
}

// run runs the calls that wait and appends them to ran.
func (m *Memberlist) run(now time.Time, ran []*call) []*call {
	for len(ran) < batch {
		select {
		case c := <-m.calls:
			c.f(now)
			ran = append(ran, c)
		default:
			return ran
		}
	}
	return ran
}

// notify renews the view and passes on what the core has to tell.
func (m *Memberlist) notify(now time.Time) {
	events := m.core.Events()
	m.look()
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case gossip.EventMessage:
			m.dispatch.Message(now, dispatch.Via(e.Via), e.Data)
		case gossip.EventJoin:
			m.dispatch.Member(dispatch.Join, e.Member.Name, newNode(&e.Member))
		case gossip.EventUpdate:
			m.dispatch.Member(dispatch.Update, e.Member.Name, newNode(&e.Member))
		case gossip.EventLeave:
			m.dispatch.Member(dispatch.Leave, e.Member.Name, newNode(&e.Member))
		case gossip.EventJoined:
			m.joins[e.Token].join.questions.put(question{event: *e, at: now})
			delete(m.joins, e.Token)
		case gossip.EventStateWanted, gossip.EventState, gossip.EventMergeAsked, gossip.EventAliveAsked, gossip.EventPayloadWanted, gossip.EventSelectionWanted:
			m.ask(now, e)
		case gossip.EventSent:
			m.sends[e.Send] <- e.Err
			delete(m.sends, e.Send)
		case gossip.EventPing:
			d, other, rtt, payload := m.config.Ping, newNode(&e.Member), e.RTT, e.Data
			m.dispatch.Call(func() { d.NotifyPingComplete(other, rtt, payload) })
		case gossip.EventPinged:
			m.pings[e.Ping] <- pinged{e.RTT, e.Err}
			delete(m.pings, e.Ping)
		case gossip.EventDeparted:
			for _, left := range m.leaves {
				close(left)
			}
			m.leaves = nil
		case gossip.EventConflict:
			if d := m.config.Conflict; d != nil {
				existing, other := newNode(&e.Member), newNode(e.Other)
				m.dispatch.Call(func() { d.NotifyConflict(existing, other) })
			}
		case gossip.EventLog:
			m.dispatch.Log(e.Text)
		}
		*e = gossip.Event{}
	}
}

// look renews the view if the members or the links have changed.
func (m *Memberlist) look() {
	old := m.view.Load()
	links := m.core.Links()
	if old != nil && m.core.Version() == m.seen && old.links == links {
		return
	}
	if old != nil && m.core.Version() == m.seen {
		m.view.Store(&view{links: links, self: old.self, nodes: old.nodes})
		return
	}
	m.seen = m.core.Version()
	m.renew()
}

// renew builds a new view. It keeps the Nodes of the old view that have not changed. This node itself comes
// last, as in a memberlist cluster of two.
func (m *Memberlist) renew() {
	v := &view{links: m.core.Links(), nodes: make([]*Node, 0, len(m.known)+1)}
	self, place := m.core.Self(), -1
	m.core.Members(func(o *gossip.Member) {
		if o.ID == self.ID {
			place = len(v.nodes)
		}
		n := m.known[o.ID]
		if n == nil || n.incarnation != o.Incarnation || n.State != NodeStateType(o.State) || n.RTT != o.RTT {
			if n == nil {
				m.puller.Newcomers.Add(time.Now(), o.ID)
			}
			n = newNode(o)
			m.known[o.ID] = n
		}
		v.nodes = append(v.nodes, n)
	})
	if last := len(v.nodes) - 1; place >= 0 {
		v.nodes[place], v.nodes[last] = v.nodes[last], v.nodes[place]
	}
	if len(m.known) > len(v.nodes) { // somebody is gone
		known := make(map[wire.NodeID]*Node, len(v.nodes))
		m.core.Members(func(o *gossip.Member) { known[o.ID] = m.known[o.ID] })
		m.known = known
	}
	if v.self = m.known[self.ID]; v.self == nil {
		v.self = newNode(&self)
	}
	m.view.Store(v)
	m.nameMembers(v.nodes)
}

// lookAtDistances renews the view if round-trip times have changed. It is called once a second: they
// change all the time.
func (m *Memberlist) lookAtDistances() {
	if d := m.core.Distances(); d != m.distances {
		m.distances = d
		m.renew()
	}
}

// shellStats is what the shell counts beside the core.
func (m *Memberlist) shellStats(now time.Time) telemetry.Shell {
	c := m.carrier.Stats()
	return telemetry.Shell{
		InboxDropped: c.InboxDropped, OutboxDropped: c.OutboxDropped, OutboxLate: c.OutboxLate, WriteErrors: c.WriteErrors,
		MessagesDropped: m.dispatch.Dropped(), SlowestDelivery: m.dispatch.Slowest(), QueueDue: m.queueDue(now),
		Rebroadcasts: m.puller.Rebroadcasts.Load(), KnownRepeats: m.dispatch.KnownRepeats(),
	}
}

// queueDue reports whether it is time to tell how much waits.
func (m *Memberlist) queueDue(now time.Time) bool {
	if m.config.QueueCheckInterval == 0 || now.Before(m.queueCheck) {
		return false
	}
	m.queueCheck = now.Add(m.config.QueueCheckInterval)
	return true
}

// do runs f in the loop and waits until what it sends is sent.
func (m *Memberlist) do(f func(now time.Time)) error {
	c := &call{f: f, done: make(chan struct{})}
	select {
	case m.calls <- c:
	case <-m.stop:
		return ErrShutdown
	}
	m.carrier.Wake()
	select {
	case <-c.done:
		return nil
	case <-m.ended: // by then f runs no more
		return ErrShutdown
	}
}

// Join makes this node and the nodes at the given addresses members of one cluster. An address is
// "host", "host:port" or "name/host:port", IPv6 in brackets where a port follows; without a port it is
// Config.BindPort. An IPv6 address without brackets that may end in a port, such as "::1:7946", is an error. A host
// name stands for all its addresses. Join returns how many addresses were
// reached, oneself among them, and an error that joins each failure when it was none. An address is oneself only
// if it is one of this node's own: packets that another address sends back prove nothing. It takes at
// most Config.TCPTimeout and a little, and no longer than 2 s for addresses where nobody answers once one
// was reached; when it returns, Members has what the others knew, the states of
// the Delegates were exchanged, and the EventDelegate has been told, unless it is slow. Over a Transport that
// takes long to write, TCPTimeout bounds the writing and the waiting each for itself: Join may take twice as long.
//
// With a NetTransport, Join does not wait for addresses that cannot be reached. If the local system refuses to send
// there, Join gives the address up at once, with the system's error, such as syscall.ENETUNREACH or EPERM. If another system
// says for a second that the port is closed (syscall.ECONNREFUSED), or the host or network unreachable, Join gives up with
// that: a node that comes up within that second is still reached. Once another node was reached, Join gives up where that
// was said at all. It also gives up where another program answers, such as memberlist. It listens for such answers at 64
// addresses at once. Addresses that were not reached are tried again in the background.
//
// A node does not answer packets that it cannot verify. So if nothing comes back, the error lists what may be the cause, and a
// warning is logged, at most once a minute: UDP is blocked, the other node has another key or label, the
// clocks differ by more than a minute, or no gwyh node is there. The log of the other node says which.
//
// LocalState, MergeRemoteState, NotifyMerge, and NotifyAlive of those that are learnt of are called in
// the goroutine of the caller. The Join of an address fails with the reason, and neither side takes the other in, if
// NotifyMerge returns an error at either end, if the versions of the application's protocol do not fit, or if
// either end refuses the other node: by NotifyAlive, CIDRsAllowed or MetaMax. Two nodes of one name are not such
// a reason, see ConflictDelegate.
//
// A LocalState of more than 16 MiB, of this node or of the other, fails the Join with an error that wraps a
// *TooLargeError. If it is the other node's, the two may be members of one cluster all the same.
func (m *Memberlist) Join(existing []string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), m.config.TCPTimeout)
	defer cancel()
	return m.join(ctx, existing, true)
}

// JoinContext is Join with as much time as ctx gives, where nothing listens or no route leads too: it waits for nodes and
// networks that come up later. Without a deadline it goes on until an address was reached or ctx is cancelled. Once one was
// reached it waits for the others no longer than Join does: they are tried again in the background.
func (m *Memberlist) JoinContext(ctx context.Context, existing []string) (int, error) {
	return m.join(ctx, existing, false)
}

// join is Join. It gives up early where nothing listens if it is to knock.
func (m *Memberlist) join(ctx context.Context, existing []string, knock bool) (int, error) {
	if err := m.adoptMeta(); err != nil {
		return 0, err
	}
	m.lookAtOwn()
	j := &joining{questions: newQuestions(), targets: make(map[gossip.JoinToken]*target)}
	_ = m.do(func(now time.Time) { m.seeds.Add(now, existing) })
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(joinForever)
	}
	for _, address := range existing {
		name, targets, err := resolve.Address(ctx, address, m.config.BindPort, net.DefaultResolver.LookupNetIP)
		if err == nil && name == "" && m.config.RequireNodeNames {
			err, targets = fmt.Errorf("address %q: RequireNodeNames is set and it has no name", address), nil
		}
		if err != nil {
			j.errs = append(j.errs, err)
		}
		for _, to := range targets {
			m.names.Tell(to, name)
			if err := m.do(func(now time.Time) { m.begin(now, j, to, until, knock) }); err != nil {
				j.errs = append(j.errs, err)
			}
		}
	}
	m.await(ctx, j)
	j.knocks.Wait()
	m.settle()
	if j.reached == 0 && len(j.errs) > 0 {
		m.warnUnreached(j)
		return 0, unreached.Error(j.errs)
	}
	return j.reached, nil
}

// joinForever is the time of a Join that has no deadline.
const joinForever = 10 * 365 * 24 * time.Hour

// seek looks, when it is time, for the seeds at which no member lives. Names are looked up by a goroutine
// that ends by itself.
func (m *Memberlist) seek(now time.Time) {
	addresses := m.seeds.Begin(now)
	if addresses == nil {
		return
	}
	m.goroutines.Go(func() {
		ctx, cancel := context.WithTimeout(m.life, m.config.TCPTimeout)
		defer cancel()
		var seeds []netip.AddrPort
		for _, address := range addresses {
			name, targets, _ := resolve.Address(ctx, address, m.config.BindPort, net.DefaultResolver.LookupNetIP)
			for _, to := range targets {
				m.names.Tell(to, name)
			}
			seeds = append(seeds, targets...)
		}
		_ = m.do(func(now time.Time) {
			m.core.Seek(now, m.seeds.Unshunned(now, seeds))
			m.seeds.Done(now, m.NumMembers() == 1)
		})
	})
}

// Broadcast sends msg to all other nodes, at once. It does not wait for any of them, nor for the
// network. msg may have up to 16 MiB: what is larger than a datagram of Config.UDPBufferSize is cut, and
// what is lost on the way is asked for again. A *TooLargeError says that msg is too large, ErrQueueFull
// that the others take less than is sent, ErrShutdown that the node is shut down; nothing was sent then.
// Without any other node in reach msg is kept for 30 s. What others could not yet take when Shutdown is called is
// lost. The slice may be used again.
//
// Members that run gwyh 0.1 take at most 21,000 bytes. A larger message goes to all other members and skips these: Broadcast
// returns nil, a warning is logged at most once in 10 s, and Stats.LegacySkipped counts it. If this node exchanges
// messages with gwyh 0.1 members only, Broadcast returns a *TooLargeError.
func (m *Memberlist) Broadcast(msg []byte) error {
	if len(msg) <= m.small {
		return m.broadcastSmall(msg)
	}
	var err error
	if e := m.do(func(now time.Time) { err = m.core.Broadcast(now, msg) }); e != nil {
		return e
	}
	return public(err)
}

// smallMost bounds Memberlist.small. The core has nothing against a message of so many bytes but that too much waits.
const smallMost = 16 << 10

// broadcastSmall is Broadcast for what goes in one datagram, of which the loop takes many at once.
func (m *Memberlist) broadcastSmall(msg []byte) error {
	select {
	case <-m.stop:
		return ErrShutdown
	default:
	}
	first, ok := m.intake.Put(msg)
	if !ok {
		return ErrQueueFull
	}
	if first {
		m.carrier.Wake()
	}
	return nil
}

// takeIn hands the core what Broadcast has taken. What it has no room for waits, and is in the way of more.
func (m *Memberlist) takeIn(now time.Time) {
	m.intake.Take(func(b []byte) bool { return m.core.Broadcast(now, b) == nil })
}

// public is an error of the core as this package names it.
func public(err error) error {
	if state, ok := errors.AsType[*gossip.StateTooLargeError](err); ok {
		whose := "this"
		if state.Theirs {
			whose = "the other"
		}
		return fmt.Errorf("state of %s node: %w", whose, &TooLargeError{Size: state.Size, Max: state.Max})
	}
	if large, ok := errors.AsType[*gossip.TooLargeError](err); ok {
		return &TooLargeError{Size: large.Size, Max: large.Max}
	}
	if errors.Is(err, gossip.ErrQueueFull) {
		return ErrQueueFull
	}
	return err
}

// SendBestEffort sends msg to one node, which gets it in NotifyMsg, without waiting for anything. Of to
// only address and port need be known; a node we hold no session with is shaken hands with first, which
// msg waits for; a node may send to itself. ErrQueueFull says that too much waits, a *TooLargeError that msg is longer than 16 MiB.
// A message that is lost later is counted, not reported.
func (m *Memberlist) SendBestEffort(to *Node, msg []byte) error {
	return m.sendToNode(to, msg, false)
}

// SendReliable sends msg to one node, as SendBestEffort does, and returns when that node has it, or with
// an error when Config.TCPTimeout has passed without its acknowledgement; then it may have it or not.
func (m *Memberlist) SendReliable(to *Node, msg []byte) error {
	return m.sendToNode(to, msg, true)
}

// SendToAddress is SendBestEffort to an address, which may be one of Join's forms.
func (m *Memberlist) SendToAddress(a Address, msg []byte) error {
	return m.sendTo(a.Addr, a.Name, msg, false)
}

// SendTo is SendBestEffort to an address.
func (m *Memberlist) SendTo(to net.Addr, msg []byte) error {
	if to == nil {
		return errors.New("gwyh: send: the address is nil")
	}
	return m.sendTo(to.String(), "", msg, false)
}

// SendToUDP is SendBestEffort.
func (m *Memberlist) SendToUDP(to *Node, msg []byte) error { return m.SendBestEffort(to, msg) }

// SendToTCP is SendReliable. There is no TCP here.
func (m *Memberlist) SendToTCP(to *Node, msg []byte) error { return m.SendReliable(to, msg) }

func (m *Memberlist) sendToNode(to *Node, msg []byte, reliable bool) error {
	if to == nil {
		return errors.New("gwyh: send: the node is nil")
	}
	return m.sendTo(to.Address(), to.Name, msg, reliable)
}

func (m *Memberlist) sendTo(address, name string, msg []byte, reliable bool) error {
	if m.config.RequireNodeNames && name == "" {
		return fmt.Errorf("gwyh: send to %s: RequireNodeNames is set and the address has no name", address)
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.config.TCPTimeout)
	defer cancel()
	_, targets, err := resolve.Address(ctx, address, m.config.BindPort, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return fmt.Errorf("gwyh: send: %w", err)
	}
	m.names.Tell(targets[0], name)
	ended := make(chan error, 1)
	var sendErr error
	err = m.do(func(now time.Time) {
		if targets[0] == m.core.Self().Addr && len(msg) <= gossip.MessageMax { // no node has a session with itself
			m.dispatch.Message(now, dispatch.Direct, bytes.Clone(msg))
			ended <- nil
			return
		}
		var token gossip.SendToken
		if token, sendErr = m.core.Send(now, targets[0], msg, reliable, now.Add(m.config.TCPTimeout)); token != 0 {
			m.sends[token] = ended
		}
	})
	if err = cmp.Or(err, public(sendErr)); err != nil || !reliable {
		return err
	}
	select {
	case err = <-ended:
	case <-m.stop:
		return ErrShutdown
	}
	if err != nil {
		return fmt.Errorf("gwyh: send %d bytes to %s: %w", len(msg), targets[0], err)
	}
	return nil
}

// NoPingResponseError says that a node did not answer a Ping.
type NoPingResponseError struct{ node string }

func (e NoPingResponseError) Error() string {
	return fmt.Sprintf("gwyh: no answer to a ping from node %s", e.node)
}

// pinged is the end of a Ping.
type pinged struct {
	rtt time.Duration
	err error
}

// Ping measures the time to the node at addr and back, after a handshake if there is no session with it. It returns
// a NoPingResponseError if no node answered from there within Config.ProbeTimeout, or the node's name is not
// node. An empty name means any node.
func (m *Memberlist) Ping(node string, addr net.Addr) (time.Duration, error) {
	if addr == nil {
		return 0, errors.New("gwyh: ping: the address is nil")
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.config.TCPTimeout)
	defer cancel()
	_, targets, err := resolve.Address(ctx, addr.String(), m.config.BindPort, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return 0, fmt.Errorf("gwyh: ping: %w", err)
	}
	m.lookAtOwn()
	ended := make(chan pinged, 1)
	var refused error
	err = m.do(func(now time.Time) {
		var token gossip.PingToken
		if token, refused = m.core.Ping(now, node, targets[0], now.Add(m.config.ProbeTimeout)); token != 0 {
			m.pings[token] = ended
		}
	})
	if err = cmp.Or(err, public(refused)); err != nil {
		return 0, err
	}
	select {
	case p := <-ended:
		if p.err != nil {
			return 0, NoPingResponseError{node}
		}
		return p.rtt, nil
	case <-m.stop:
		return 0, ErrShutdown
	}
}

// Members returns all nodes that are alive or suspected to have failed: this node, which comes last, and all
// others in no particular order. Nodes of gwyh 0.1 are among them, see Config.AllowLegacy. The slice belongs to
// the caller. The Nodes are never written again.
func (m *Memberlist) Members() []*Node { return append([]*Node(nil), m.view.Load().nodes...) }

// NumMembers is the number of Members.
func (m *Memberlist) NumMembers() int { return len(m.view.Load().nodes) }

// LocalNode is this node as others know it. It is never written again. Meta that is written into it before a
// Join becomes the node's with that Join, if nothing else has changed about the node; UpdateNode does without.
func (m *Memberlist) LocalNode() *Node { return m.view.Load().self }

// ProtocolVersion is Config.ProtocolVersion, which other nodes see as Node.PCur. It does not change.
func (m *Memberlist) ProtocolVersion() uint8 { return m.config.ProtocolVersion }

// GetHealthScore is how unwell this node is itself, because it lacks CPU, loses packets or hears nobody: 0
// for well, up to Config.AwarenessMaxMultiplier - 1. Before it accuses others it waits that many times longer
// in addition, but not while it hears nobody. After Shutdown it is 0.
func (m *Memberlist) GetHealthScore() (score int) {
	_ = m.do(func(time.Time) { score = m.core.HealthScore() })
	return score
}

// Stats is what a node counts. Besides these figures a node publishes more through go-metrics.
type Stats struct {
	// As it is now.

	Members       int // nodes that are alive or suspected not to be, this one included
	Links         int // nodes that messages are exchanged with, both ways, whoever subscribed
	Subscriptions int // those of them that this node chose to hear from (Config.Subscriptions)

	// Since Create.

	BroadcastsSent      uint64 // messages of this node's own
	BroadcastsDelivered uint64 // messages of others, once each
	BroadcastsDuplicate uint64 // further copies of them that came, which the application never sees
	BroadcastsCrossZone uint64 // copies, the first one or not, that came from a node of another zone

	// BroadcastsSuppressed counts messages of GetBroadcasts that were not sent, because they were
	// rebroadcasts (Config.RebroadcastWindow).
	BroadcastsSuppressed uint64
	// BroadcastsRepeated counts messages of GetBroadcasts that were sent again to one node, because it joined
	// after they had been sent to all.
	BroadcastsRepeated uint64

	DatagramsSent, DatagramsReceived uint64
	BytesSent, BytesReceived         uint64 // of the datagrams, without IP and UDP headers

	Dropped uint64 // datagrams and messages that went no further here, for whatever reason

	// LegacySkipped is the part of Dropped that is copies of broadcasts above 21,000 bytes, this node's own or others',
	// one for each gwyh 0.1 member that this node exchanges messages with and that did not get it.
	LegacySkipped uint64
}

// Stats returns the node's figures, all of the same moment. After Shutdown they are all zero.
func (m *Memberlist) Stats() Stats {
	var s Stats
	err := m.do(func(time.Time) {
		c := m.core.Stats()
		s = Stats{
			Members: c.Members, Links: c.Links, Subscriptions: m.core.Started(),
			BroadcastsSent: c.BroadcastsSent, BroadcastsDelivered: c.BroadcastsDelivered,
			BroadcastsDuplicate: c.BroadcastsDuplicate, BroadcastsCrossZone: c.BroadcastsCrossZone,
			BroadcastsSuppressed: m.puller.Rebroadcasts.Load(), BroadcastsRepeated: c.Repeated,
			DatagramsSent: c.SentDatagrams, DatagramsReceived: c.ReceivedDatagrams,
			BytesSent: c.SentBytes, BytesReceived: c.ReceivedBytes,
			Dropped: m.dispatch.Dropped(), LegacySkipped: c.Dropped[gossip.DropLegacySize],
		}
		carried := m.carrier.Stats()
		s.Dropped += carried.InboxDropped + carried.OutboxDropped + carried.OutboxLate
		for _, n := range c.Dropped {
			s.Dropped += n
		}
	})
	if err != nil {
		return Stats{}
	}
	return s
}

// Leave tells the others that this node departs, and takes it out of Members; the node goes on
// running until Shutdown, and may Join again. It returns when the news are sent, with an error if that
// takes longer than timeout, of which zero means no limit; and when NotifyLeave has been called for the
// node itself, unless the application takes longer than a second. Those that the node exchanged messages
// with are told again until they confirm it, for 0.6 s at most. The addresses of earlier Joins are
// forgotten. After Shutdown it does nothing.
func (m *Memberlist) Leave(timeout time.Duration) error {
	begin, known := time.Now(), make(chan struct{})
	err := m.do(func(now time.Time) {
		m.seeds.Clear()
		m.leaves = append(m.leaves, known)
		m.core.Leave(now)
	})
	if err != nil {
		return nil
	}
	if err := m.flush("leave", timeout); err != nil {
		return err
	}
	t := time.NewTimer(farewellMost)
	if timeout > 0 {
		t.Reset(max(0, min(timeout-time.Since(begin), farewellMost)))
	}
	defer t.Stop()
	select {
	case <-known:
	case <-t.C: // it was said
	case <-m.stop:
	}
	m.settle()
	return nil
}

// farewellMost is longer than a node waits for the others to confirm its departure.
const farewellMost = 2 * time.Second

// flush waits until what was sent has left this node, an error if that takes longer than timeout, of which
// zero means no limit.
func (m *Memberlist) flush(what string, timeout time.Duration) error {
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-m.carrier.Flushed():
	case <-late:
		return fmt.Errorf("gwyh: %s: not sent after %v", what, timeout)
	case <-m.stop:
	}
	return nil
}

// UpdateNode asks the Delegate for NodeMeta anew and tells all nodes, at once. The AliveDelegate, if there
// is one, is asked about the node itself before. Both are called in the goroutine of the caller. UpdateNode
// returns when the news are sent, with an error if that takes longer than timeout, of which zero means no
// limit; and when NotifyUpdate has been called for the node itself, unless the application takes longer
// than a second. After any other error, such as too much metadata, nothing has changed.
func (m *Memberlist) UpdateNode(timeout time.Duration) error {
	meta, err := m.nodeMeta()
	if err != nil {
		return err
	}
	self := *m.LocalNode()
	self.Meta = meta
	if err := m.welcomeSelf(&self); err != nil {
		m.log.warnf("the AliveDelegate refuses this node itself: %v", err)
	}
	var tooLong error
	if err := m.do(func(now time.Time) { tooLong = m.core.SetMeta(now, meta) }); err != nil {
		return err
	}
	if tooLong != nil {
		return fmt.Errorf("gwyh: %w", tooLong)
	}
	if err := m.flush("update", timeout); err != nil {
		return err
	}
	m.settle()
	return nil
}

// adoptMeta makes what the program has written into the Node of LocalNode this node's metadata: memberlist hands
// out the Node that it works with, and there are programs that rely on it (gubernator). It does not look at a
// Node that is not the latest: what has changed since counts.
func (m *Memberlist) adoptMeta() error {
	var failed error
	_ = m.do(func(now time.Time) {
		written, self := m.view.Load().self, m.core.Self()
		if written.incarnation != self.Incarnation || bytes.Equal(written.Meta, self.Meta) {
			return
		}
		if most := m.config.MetaMax; len(written.Meta) > most {
			failed = fmt.Errorf("gwyh: the Meta of LocalNode has %d bytes, want at most %d", len(written.Meta), most)
		} else if err := m.core.SetMeta(now, written.Meta); err != nil {
			failed = fmt.Errorf("gwyh: %w", err)
		}
	})
	return failed
}

// Shutdown stops the node without telling the others: call Leave before, or they will find it dead.
// It shuts the Transport down and waits for all goroutines, except that it does not wait for a delegate's method
// in progress, and waits at most Config.TCPTimeout for writes of the Transport in progress. No further method of
// a delegate is called and no further write begins. Further calls do nothing.
func (m *Memberlist) Shutdown() error {
	var err error
	m.shutdown.Do(func() {
		m.unwatch()
		m.end()
		m.dispatch.Close()
		_ = m.do(m.core.Flush) // what waits for company
		close(m.stop)
		m.carrier.Wake()
		err = m.transport.Shutdown()
		m.carrier.EndWrites(m.config.TCPTimeout)
		m.goroutines.Wait()
	})
	return err
}
