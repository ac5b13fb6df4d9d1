// Package agent runs one node of a cluster as a program: a Memberlist with event handlers, an event stream, keys that
// can change at run time, and the rest of the HTTP API.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/handler"
	"github.com/gwyh-go/gwyh/discover"
	"github.com/gwyh-go/gwyh/status"
)

const (
	leaveTimeout = 5 * time.Second // for the announcement of the leave
	handlersEnd  = 5 * time.Second // for event handlers that still run when the agent ends
	rememberEach = time.Second     // how often a peers file is written, if the members changed
)

// An Agent is a running node. Its methods are safe for concurrent use.
type Agent struct {
	config  *config.Config
	log     *Log
	lines   *slog.Logger
	list    *gwyh.Memberlist
	ready   chan struct{} // closed when list is set: delegates are called before that
	id      gwyh.NodeID   // of this node; set during Create, before the first NotifyAlive for another node
	keyring *gwyh.Keyring
	version string
	started time.Time
	events  hub
	handled *handler.Runner
	meta    atomic.Pointer[[]byte]
	self    atomic.Pointer[api.Member]

	ctx       context.Context // ends with the agent
	cancel    context.CancelFunc
	running   sync.WaitGroup // goroutines that end with ctx
	joining   sync.WaitGroup // calls of Join, which end with the node: Leave does not wait for them
	leaving   chan struct{}  // closed when a caller of the API requests a leave
	leaveOnce sync.Once
}

// Start starts a node and joins the addresses of the configuration in the background.
func Start(c *config.Config, log *Log, version string) (*Agent, error) {
	library, err := c.Library()
	if err != nil {
		return nil, err
	}
	a := &Agent{config: c, log: log, lines: slog.New(log), version: version, started: time.Now(), ready: make(chan struct{}), leaving: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.meta.Store(&c.Meta)
	a.self.Store(&api.Member{Name: library.Name, Zone: library.Zone})
	a.handled = handler.Start(c.Handlers, c.HandlerTimeout, func() api.Member { return *a.self.Load() }, a.lines)

	library.Delegate, library.Events, library.LogHandler = delegate{a}, events{a}, forAgents{log}
	if c.MaxNodes > 0 {
		library.Alive = limit{a}
	}
	if a.list, err = gwyh.Create(library); err != nil {
		a.cancel()
		a.handled.Stop(0)
		return nil, err
	}
	close(a.ready)
	a.keyring = library.Keyring
	a.noteSelf()
	a.lines.Info("node started", "name", a.list.LocalNode().Name, "addr", a.list.LocalNode().Address(), "zone", a.list.LocalNode().Zone)
	a.joining.Go(a.join)
	if c.PeersFile != "" {
		a.running.Go(a.remember)
	}
	if len(c.Discover) > 0 {
		a.running.Go(a.discover)
	}
	return a, nil
}

// join joins the addresses of the configuration and the peers file. The library retries those that do not answer.
func (a *Agent) join() {
	addresses := slices.Clone(a.config.Join)
	if path := a.config.PeersFile; path != "" {
		peers, err := readPeers(path)
		if err != nil {
			a.lines.Warn("the peers file is not read", "error", err)
		}
		addresses = append(addresses, peers...)
	}
	addresses = distinct(addresses, a.config.Bind)
	if len(addresses) == 0 {
		return
	}
	n, err := a.list.Join(addresses)
	if a.ctx.Err() != nil {
		return
	}
	if err != nil {
		a.lines.Warn("no address was reached yet, trying again in the background", "error", reasons(err))
		return
	}
	if slices.ContainsFunc(a.list.Status().Warnings, func(w status.Warning) bool { return w.Code == status.NameTaken }) {
		a.lines.Warn("other nodes were reached, but another node has the name of this one, so this one is no member there", "reached", n, "name", a.list.LocalNode().Name)
		return
	}
	a.lines.Info("joined", "reached", n, "members", a.list.NumMembers())
}

// discover repeatedly joins the addresses that the sources of the configuration find.
func (a *Agent) discover() {
	_ = discover.Run(a.ctx, discover.Config{ // returns only when ctx ends: the configuration was checked
		Sources: a.config.Discover, Join: a.joinFound, Members: discover.Addresses(a.list.Members), Logger: a.lines,
	})
}

// joinFound joins addresses that discovery found. Its error is one line.
func (a *Agent) joinFound(ctx context.Context, addresses []string) (int, error) {
	n, err := a.list.JoinContext(ctx, addresses)
	return n, reasons(err)
}

// remember writes the peers file periodically and when the agent ends.
func (a *Agent) remember() {
	t := time.NewTicker(rememberEach)
	defer t.Stop()
	var before []string
	for ended := false; !ended; {
		select {
		case <-t.C:
		case <-a.ctx.Done():
			ended = true
		}
		if now := a.addresses(); len(now) > 0 && !slices.Equal(now, before) {
			if err := writePeers(a.config.PeersFile, now); err != nil {
				a.lines.Warn("the peers file is not written", "error", err)
				continue
			}
			before = now
		}
	}
}

// addresses returns the addresses of the other members.
func (a *Agent) addresses() (all []string) {
	self := a.list.LocalNode()
	for _, n := range a.list.Members() {
		if n.ID != self.ID {
			all = append(all, n.Address())
		}
	}
	slices.Sort(all)
	return all
}

// Leaving returns a channel that is closed when a caller of the API requests a leave. The owner then calls Close.
func (a *Agent) Leaving() <-chan struct{} { return a.leaving }

// Memberlist returns the agent's node.
func (a *Agent) Memberlist() *gwyh.Memberlist { return a.list }

// Close leaves the cluster if graceful is set, and ends the agent. Handlers of earlier events run for a few seconds.
func (a *Agent) Close(graceful bool) error {
	a.cancel() // writes the peers file while the members are still known
	a.running.Wait()
	var err error
	if graceful {
		if err = a.list.Leave(leaveTimeout); err != nil {
			err = fmt.Errorf("leave: %w", err)
		}
	}
	if e := a.list.Shutdown(); err == nil {
		err = e
	}
	a.joining.Wait()
	a.handled.Stop(handlersEnd)
	a.events.close()
	return err
}

// noteSelf stores the description of this node that handlers get.
func (a *Agent) noteSelf() {
	m := member(a.list.LocalNode())
	a.self.Store(&m)
}

// publish passes an event to the event stream and to the handlers.
func (a *Agent) publish(e api.Event) {
	e.Time = time.Now()
	a.handled.Handle(a.events.publish(e))
}

// member converts a node to the type of the API.
func member(n *gwyh.Node) api.Member {
	states := map[gwyh.NodeStateType]string{gwyh.StateAlive: "alive", gwyh.StateSuspect: "suspect", gwyh.StateDead: "failed", gwyh.StateLeft: "left"}
	return api.Member{Name: n.Name, ID: n.ID.String(), Addr: n.Address(), State: states[n.State], Zone: n.Zone, RTT: api.Milliseconds(n.RTT), Meta: n.Meta}
}

// delegate receives the messages of the node for the agent.
type delegate struct{ a *Agent }

func (d delegate) NodeMeta(int) []byte { return *d.a.meta.Load() }
func (d delegate) NotifyMsg(b []byte) {
	d.a.publish(api.Event{Type: api.MessageEvent, Message: decode(b)})
}
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d delegate) LocalState(bool) []byte          { return nil }
func (d delegate) MergeRemoteState([]byte, bool)   {}

// events receives the events of the node for the agent. It ignores events of the node itself at its start and end.
type events struct{ a *Agent }

// NotifyJoin is called by Create for the node itself first.
func (e events) NotifyJoin(n *gwyh.Node) {
	if e.a.id == (gwyh.NodeID{}) {
		e.a.id = n.ID
	}
	e.publish(api.MemberJoin, n)
}

func (e events) NotifyUpdate(n *gwyh.Node) { e.publish(api.MemberUpdate, n) }
func (e events) NotifyLeave(n *gwyh.Node) {
	if n.State != gwyh.StateDead {
		e.publish(api.MemberLeave, n)
		return
	}
	m := member(n)
	failed := api.Event{Type: api.MemberFailed, Member: &m}
	for _, h := range slices.Backward(e.a.list.Status().History) {
		if h.Kind == status.MemberDied && h.Node.ID == m.ID {
			failed.Heard, failed.DeafSince = h.Heard, h.DeafSince
			break
		}
	}
	e.a.publish(failed)
}

func (e events) publish(kind string, n *gwyh.Node) {
	if n.ID == e.a.id {
		return
	}
	m := member(n)
	e.a.publish(api.Event{Type: kind, Member: &m})
}

// limit rejects nodes beyond Config.MaxNodes.
type limit struct{ a *Agent }

func (l limit) NotifyAlive(n *gwyh.Node) error {
	if id := l.a.id; id == (gwyh.NodeID{}) || id == n.ID { // Create calls NotifyAlive for the node itself before id is set
		return nil
	}
	<-l.a.ready
	known := l.a.list.Members()
	if len(known) < l.a.config.MaxNodes || slices.ContainsFunc(known, func(k *gwyh.Node) bool { return k.ID == n.ID || k.Name == n.Name }) {
		return nil
	}
	return fmt.Errorf("the number of members is %d, and max-members allows no more", len(known))
}

// udpAddr is the address type that Ping needs.
type udpAddr string

func (udpAddr) Network() string  { return "udp" }
func (a udpAddr) String() string { return string(a) }

var _ net.Addr = udpAddr("")
