package gwyh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/pull"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/unreached"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Delegate is the application's side of gossip: what it sends along, what it is told, and its
// state. Its methods may call any method of the Memberlist. NotifyMsg runs in one goroutine with the
// events, the others in another, so that each kind is serial but the two run side by side; NodeMeta,
// and on a Join LocalState and MergeRemoteState, run in the goroutine that called Create, UpdateNode
// or Join.
type Delegate interface {
	// NodeMeta is the application's description of this node, spread to all others. At most limit
	// bytes (Config.MetaMax): a longer one is an error of Create or UpdateNode. The slice is copied.
	NodeMeta(limit int) []byte

	// NotifyMsg is handed each message once: broadcasts of other nodes, messages to this one, and, after
	// it has joined, what the Delegates of other nodes still return from GetBroadcasts. The slice is the
	// callee's to keep. Slow work here holds up the messages and events behind it,
	// never the node.
	NotifyMsg(msg []byte)

	// GetBroadcasts is asked for messages to broadcast, as often as Config.GossipInterval says. Messages
	// whose lengths, each with overhead added, do not exceed limit in sum travel in one datagram; longer
	// ones may be returned too. The slices may be reused after the call returns.
	//
	// A slice that is returned again within 30 s with the same content is the same message, which is how a
	// TransmitLimitedQueue repeats one. It is sent again only to nodes that joined since it was sent, once
	// to each. The same slice with other content is another message. So are equal bytes in another slice,
	// unless the last call returned them too. Bytes that were passed to NotifyMsg just before are not
	// sent: see Config.RebroadcastWindow.
	GetBroadcasts(overhead, limit int) [][]byte

	// LocalState is the application's state, to be merged by another node. join tells that one of the two is
	// joining the other. An empty state is not sent. A state of more than 16 MiB is not sent either: it fails the
	// Joins of this node, and of others to it, and otherwise is logged and counted on both sides.
	LocalState(join bool) []byte

	// MergeRemoteState is handed what LocalState returned at another node, after NotifyJoin for that node
	// has returned (unless the EventDelegate takes more than a second). The slice belongs to the callee.
	MergeRemoteState(buf []byte, join bool)
}

// An EventDelegate is told who comes and goes, one event after the other, those of a node in the
// order they happened. A Node it is handed is never written again. Its methods may call any method
// of the Memberlist. Slow work here makes events of a node coalesce; none is lost.
type EventDelegate interface {
	// NotifyJoin tells of a new member, oneself included.
	NotifyJoin(*Node)
	// NotifyLeave tells of a member that left or failed; its State says which.
	NotifyLeave(*Node)
	// NotifyUpdate tells of a member whose metadata or address changed.
	NotifyUpdate(*Node)
}

// A ConflictDelegate is told of two live nodes that go by one name.
type ConflictDelegate interface {
	// NotifyConflict is handed the member and the other that claims its name. The one that has had the
	// name for longer is the member to all; to the other this node is the other.
	NotifyConflict(existing, other *Node)
}

// A MergeDelegate decides whether this cluster and another are to become one. It is asked at both ends of
// a Join that have one, first at the other end.
type MergeDelegate interface {
	// NotifyMerge is handed what another node believes the members to be, the failed and the left
	// among them, before any of it is taken in. An error keeps it out, and fails the Join.
	NotifyMerge(peers []*Node) error
}

// An AliveDelegate decides about each node that says it is alive, this one included. It is not asked about
// a member that merely confirms that it is alive. Only the node being decided on waits for the answer, and a Join
// of which that node is the other end.
type AliveDelegate interface {
	// NotifyAlive keeps the node out by an error, which fails a Join between that node and this one: the error's
	// text is told to the other end, at most 256 bytes of it. NotifyAlive is called for a node that is not a
	// member, and when a member says something new of itself.
	NotifyAlive(peer *Node) error
}

// A PingDelegate learns round-trip times and lets the answer to a probe carry something.
type PingDelegate interface {
	// AckPayload is sent along with the answers to probes, until it is asked anew: once in each
	// ProbeInterval in which there was one. At most 1,024 bytes; a longer one is not sent, and a
	// warning is.
	AckPayload() []byte
	// NotifyPingComplete tells the time to other and back, measured without detour, and the payload
	// of its answer.
	NotifyPingComplete(other *Node, rtt time.Duration, payload []byte)
}

// A NodeSelectionDelegate says which members this node chooses to subscribe to, and to exchange states with every
// PushPullInterval, as in Grafana's fork of memberlist. Members that are not selected stay members, are probed, and
// may still choose this node. A link carries messages both ways, whichever end chose it.
type NodeSelectionDelegate interface {
	// SelectNodes is handed all members, this node itself among them. It returns those that may be chosen, and
	// possibly one that is chosen before all others, which need not be among them; nil for none. Members that are
	// suspected to have failed are shown as alive. If no other member is selected or preferred, no new links are
	// chosen and the present ones stay.
	//
	// SelectNodes is called in the goroutine of the polled methods: when members joined, left, failed or changed
	// their metadata, at most four times a second once the node has a link, and before each push/pull. A choice
	// waits at most one second for it. After that, members that no call has judged may be chosen, until a call
	// returns. The preferred member stays the one that this node subscribes to for five minutes although later
	// calls prefer another one, unless a call neither selects nor prefers it any more. The slice and the
	// NodeStates belong to the callee. What is returned is recognized by its ID.
	SelectNodes(nodes []*NodeState) (selected []*NodeState, preferred *NodeState)
}

// A NodeState is a member as a NodeSelectionDelegate is handed it.
type NodeState struct {
	Node
	Incarnation uint32        // grows with each change that the member itself makes; the low 32 bits of what is sent
	State       NodeStateType // always StateAlive
	StateChange time.Time     // since when this node has taken it for what it is
}

// Address is the node's host:port, IPv6 in brackets.
func (n *NodeState) Address() string { return n.Node.Address() }

// FullAddress is Address together with the name, as a NodeAwareTransport wants it.
func (n *NodeState) FullAddress() Address { return n.Node.FullAddress() }

// DeadOrLeft reports whether the node failed or left.
func (n *NodeState) DeadOrLeft() bool { return n.State == StateDead || n.State == StateLeft }

// NodeStateType is what is believed of a node.
type NodeStateType int

const (
	// StateAlive is a node that is heard of.
	StateAlive NodeStateType = iota
	// StateSuspect is a node that may have failed and has time to say otherwise.
	StateSuspect
	// StateDead is a node that failed.
	StateDead
	// StateLeft is a node that said goodbye.
	StateLeft
)

// A Node is a member as it was when the Node was made; it is never written again. It may be copied
// by value.
type Node struct {
	Name  string
	Addr  net.IP // where it wants to be reached
	Port  uint16
	Meta  []byte        // what its Delegate.NodeMeta returned
	State NodeStateType // what this node believed of it

	PMin uint8 // oldest protocol version it understands
	PMax uint8 // newest protocol version it understands
	PCur uint8 // protocol version it speaks
	DMin uint8 // oldest version of the application's protocol it understands
	DMax uint8 // newest version of the application's protocol it understands
	DCur uint8 // version of the application's protocol it speaks

	Zone string // its Config.Zone; empty for none
	ID   NodeID // tells this run of the node from earlier ones of its name
	// RTT is the round-trip time to it, renewed about once a second when it has changed by a fifth, and upwards
	// by a millisecond. Zero when it was never measured: those with a link are, and a few others.
	RTT time.Duration

	incarnation uint64 // of what is said here
}

func newNode(o *gossip.Member) *Node {
	n := &Node{Name: o.Name, ID: NodeID(o.ID), Addr: o.Addr.Addr().AsSlice(), Port: o.Addr.Port(), Meta: o.Meta, Zone: o.Zone.Name, RTT: o.RTT,
		State: NodeStateType(o.State), incarnation: o.Incarnation}
	n.PMin, n.PMax, n.PCur = o.Versions[0], o.Versions[1], o.Versions[2]
	n.DMin, n.DMax, n.DCur = o.Versions[3], o.Versions[4], o.Versions[5]
	return n
}

// A NodeID is a UUID that a node draws at every start.
type NodeID [16]byte

// String is the id in the usual form of a UUID.
func (id NodeID) String() string { return wire.NodeID(id).String() }

// Address is the node's host:port, IPv6 in brackets.
func (n *Node) Address() string {
	return net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port)))
}

// FullAddress is Address together with the name, as a NodeAwareTransport wants it.
func (n *Node) FullAddress() Address { return Address{Addr: n.Address(), Name: n.Name} }

// String is the node's name.
func (n *Node) String() string { return n.Name }

// NodeEventType says what a NodeEvent tells.
type NodeEventType int

const (
	// NodeJoin tells of a new member.
	NodeJoin NodeEventType = iota
	// NodeLeave tells of a member that left or failed.
	NodeLeave
	// NodeUpdate tells of a member whose metadata changed.
	NodeUpdate
)

// A NodeEvent is one event of an EventDelegate, as a ChannelEventDelegate sends it.
type NodeEvent struct {
	Event NodeEventType
	Node  *Node // the receiver's own copy
}

// ChannelEventDelegate is an EventDelegate that sends the events to a channel. It waits while the
// channel is full, and messages and further events with it, so somebody has to receive.
type ChannelEventDelegate struct {
	Ch chan<- NodeEvent
}

var _ EventDelegate = (*ChannelEventDelegate)(nil)

// NotifyJoin sends NodeJoin.
func (c *ChannelEventDelegate) NotifyJoin(n *Node) { c.send(NodeJoin, n) }

// NotifyLeave sends NodeLeave.
func (c *ChannelEventDelegate) NotifyLeave(n *Node) { c.send(NodeLeave, n) }

// NotifyUpdate sends NodeUpdate.
func (c *ChannelEventDelegate) NotifyUpdate(n *Node) { c.send(NodeUpdate, n) }

func (c *ChannelEventDelegate) send(e NodeEventType, n *Node) {
	own := *n
	c.Ch <- NodeEvent{Event: e, Node: &own}
}

// handlers is what the dispatcher calls.
func (m *Memberlist) handlers() dispatch.Handlers[*Node] {
	h := dispatch.Handlers[*Node]{Log: m.log.line}
	if d := m.config.Delegate; d != nil {
		h.Message = d.NotifyMsg
	}
	if e := m.config.Events; e != nil {
		h.Join, h.Update, h.Leave = e.NotifyJoin, e.NotifyUpdate, e.NotifyLeave
	}
	return h
}

// settleMost is how long a call waits for an EventDelegate that is slow, or is itself waiting for the call.
const settleMost = time.Second

// settle waits until the EventDelegate has been told what has happened so far, for at most settleMost.
func (m *Memberlist) settle() { m.dispatch.AwaitMembers(settleMost, m.stop) }

// welcomeSelf asks the AliveDelegate about this node itself. As with memberlist its no ends nothing: what it
// says of others is what keeps anybody out.
func (m *Memberlist) welcomeSelf(self *Node) error {
	if m.config.Alive == nil {
		return nil
	}
	return m.config.Alive.NotifyAlive(self)
}

func (m *Memberlist) nodeMeta() ([]byte, error) {
	if m.config.Delegate == nil {
		return nil, nil
	}
	most := m.config.MetaMax
	meta := m.config.Delegate.NodeMeta(most)
	if len(meta) > most {
		return nil, fmt.Errorf("gwyh: NodeMeta returned %d bytes, want at most %d", len(meta), most)
	}
	return append([]byte(nil), meta...), nil
}

// A question is what the core wants of the application: its state, a verdict, or that it takes something
// in. It is answered once, by the goroutine that takes it.
type question struct {
	event gossip.Event
	at    time.Time
}

// questions are those that wait for one goroutine. The loop adds to them without ever waiting; the core
// bounds how many there are.
type questions struct {
	wake chan struct{} // holds a token while there may be some

	mu    sync.Mutex // guards what follows
	queue []question
}

func newQuestions() *questions { return &questions{wake: make(chan struct{}, 1)} }

func (q *questions) put(all ...question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, all...)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take takes out the first question, if it was put at latest or before.
func (q *questions) take(latest time.Time) (first question, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 || q.queue[0].at.After(latest) {
		return question{}, false
	}
	first = q.queue[0]
	q.queue[0] = question{}
	if q.queue = q.queue[1:]; len(q.queue) == 0 {
		q.queue = nil
	}
	return first, true
}

// ask has a question of the core answered: in the goroutine of the Join that it belongs to, else in the puller.
func (m *Memberlist) ask(now time.Time, e *gossip.Event) {
	to := m.questions
	if at := m.joins[e.Token]; at != nil {
		to = at.join.questions
	}
	to.put(question{event: *e, at: now})
}

// answer asks the application, and tells the core what it says. After Shutdown nothing is asked.
func (m *Memberlist) answer(q *question) {
	if m.isShutdown() {
		return
	}
	e, d := &q.event, m.config.Delegate
	var tell func(now time.Time)
	switch e.Kind {
	case gossip.EventStateWanted:
		state := d.LocalState(e.Joining)
		tell = func(now time.Time) { m.core.AnswerState(now, e.State, state) }
	case gossip.EventState:
		m.settle() // the application knows a member before it gets the member's state
		if m.isShutdown() {
			return
		}
		d.MergeRemoteState(e.Data, e.Joining)
		tell = func(now time.Time) { m.core.StateMerged(now, e.State) }
	case gossip.EventMergeAsked:
		nodes := make([]*Node, len(e.Peers))
		for i := range e.Peers {
			nodes[i] = newNode(&e.Peers[i])
		}
		err := m.config.Merge.NotifyMerge(nodes)
		tell = func(now time.Time) { m.core.AnswerMerge(now, e.State, err) }
	case gossip.EventAliveAsked:
		err := m.config.Alive.NotifyAlive(newNode(&e.Member))
		tell = func(now time.Time) { m.core.AnswerAlive(now, e.Vote, err) }
	case gossip.EventPayloadWanted:
		payload := m.config.Ping.AckPayload()
		tell = func(now time.Time) { m.core.SetAckPayload(now, payload) }
	case gossip.EventSelectionWanted:
		selected, preferred := m.selectNodes(e)
		tell = func(now time.Time) { m.core.SetSelection(now, selected, preferred) }
	default:
		return
	}
	_ = m.do(tell)
}

// selectNodes asks the NodeSelectionDelegate about the members of an EventSelectionWanted. What it returns that it
// was not handed is ignored.
func (m *Memberlist) selectNodes(e *gossip.Event) (selected []wire.NodeID, preferred wire.NodeID) {
	nodes := make([]*NodeState, len(e.Peers))
	for i := range e.Peers {
		n := newNode(&e.Peers[i])
		nodes[i] = &NodeState{Node: *n, Incarnation: uint32(n.incarnation), State: n.State, StateChange: e.Since[i]}
	}
	chosen, first := m.config.NodeSelection.SelectNodes(nodes)
	for _, n := range chosen {
		if n != nil {
			selected = append(selected, wire.NodeID(n.ID))
		}
	}
	if first != nil {
		preferred = wire.NodeID(first.ID)
	}
	return selected, preferred
}

func (m *Memberlist) isShutdown() bool {
	select {
	case <-m.stop:
		return true
	default:
		return false
	}
}

// startPuller polls the Delegate's queue, and answers what is asked in the background, if there is a delegate
// for either.
func (m *Memberlist) startPuller() {
	c := m.config
	if c.Delegate == nil && c.Merge == nil && c.Alive == nil && c.Ping == nil && c.NodeSelection == nil {
		return
	}
	p := m.puller
	p.Interval, p.Limit = c.GossipInterval, m.pullLimit()
	p.Linked = func() bool { return m.view.Load().links > 0 }
	p.Send, p.Repeat, p.Warn = m.sendPulled, m.repeatPulled, m.log.warnf
	p.Chosen = func(newcomer wire.NodeID) bool { return m.view.Load().chosen(newcomer) }
	p.Asked, p.Answer = m.questions.wake, m.answerAll
	if window := c.rebroadcastWindow(); window > 0 {
		p.Delivered = func(msg []byte) bool { return m.dispatch.DeliveredWithin(time.Now(), window, msg) }
	}
	if c.Delegate != nil {
		p.Get = c.Delegate.GetBroadcasts
	}
	go p.Run(m.stop)
}

// chosen reports whether this node is one of the few that repeat rebroadcasts to a newcomer.
func (v *view) chosen(newcomer wire.NodeID) bool {
	return pull.Chosen(wire.NodeID(v.self.ID), newcomer, func(yield func(wire.NodeID) bool) {
		for _, n := range v.nodes {
			if !yield(wire.NodeID(n.ID)) {
				return
			}
		}
	})
}

// pullLimit is how many bytes a poll of GetBroadcasts has room for: a datagram's, and of a Transport that takes
// larger ones than UDP as many as were configured, though they are cut.
func (m *Memberlist) pullLimit() int {
	if m.config.UDPBufferSize > udp.MaxDatagram {
		return m.config.UDPBufferSize
	}
	return m.core.BroadcastMax()
}

// sendPulled is Broadcast of what the queue gave. The end of the node is no error there.
func (m *Memberlist) sendPulled(msg []byte) error {
	switch err := m.Broadcast(msg); {
	case errors.Is(err, ErrQueueFull):
		return pull.ErrFull
	case errors.Is(err, ErrShutdown):
		return nil
	default:
		return err
	}
}

// repeatPulled sends what the queue still gives to a member that joined since it was sent to all.
func (m *Memberlist) repeatPulled(to wire.NodeID, msg []byte) error {
	var refused error
	err := m.do(func(now time.Time) { refused = m.core.Repeat(now, to, msg, now.Add(m.config.TCPTimeout)) })
	if errors.Is(refused, gossip.ErrQueueFull) {
		return pull.ErrFull
	}
	return errors.Join(err, refused)
}

// answerAll answers the questions that wait for the puller.
func (m *Memberlist) answerAll() {
	for q, ok := m.questions.take(time.Now()); ok; q, ok = m.questions.take(time.Now()) {
		m.answer(&q)
	}
}

// joining is one call of Join. Owned by its goroutine.
type joining struct {
	questions *questions
	targets   map[gossip.JoinToken]*target // that have not ended
	knocks    sync.WaitGroup
	company   atomic.Bool // another node was reached
	reached   int
	errs      []error
}

// target is one address of a Join.
type target struct {
	join  *joining
	to    netip.AddrPort
	begun time.Time
	hasty bool                    // what says that nobody is to be reached there ends it
	told  atomic.Pointer[verdict] // nil for nothing
	leave func()                  // ends the knocks at it
}

// verdict is what says that nobody is to be reached at an address: the system here, one on the way, or whoever is there.
type verdict struct {
	err error
	at  time.Time
}

// end forgets a target and returns it, nil if there is none.
func (j *joining) end(t gossip.JoinToken) *target {
	at := j.targets[t]
	if at != nil {
		at.leave()
		delete(j.targets, t)
	}
	return at
}

// fail ends all of a Join that has not ended.
func (j *joining) fail(err error) {
	for t := range j.targets {
		j.errs = append(j.errs, fmt.Errorf("join %s: %w", j.end(t).to, err))
	}
}

// begin begins a Join's contact with an address. Only the loop may call it.
func (m *Memberlist) begin(now time.Time, j *joining, to netip.AddrPort, until time.Time, knock bool) {
	token := m.core.Join(now, to, until)
	ctx, leave := context.WithCancel(m.life)
	at := &target{join: j, to: to, begun: now, hasty: knock, leave: leave}
	m.joins[token], j.targets[token] = at, at
	if knock {
		m.core.ExtendJoin(token, until.Add(m.config.TCPTimeout))
		m.knock(ctx, j, token, at)
	}
}

// refusedFor is how long the system of an address says that nothing listens there until a Join believes
// it: nodes that are started together join each other before all of them listen. One that has reached
// another node believes it at once.
const refusedFor = time.Second

// knocksMax bounds the addresses that are knocked at, each from a goroutine and a socket of its own. Joins
// of others go without.
const knocksMax = 64

// knock finds out whether nothing listens at an address, and ends a Join there to which nobody has answered.
// That is all that a forged refusal does: the address is one of the seeds, which are looked for further on.
func (m *Memberlist) knock(ctx context.Context, j *joining, token gossip.JoinToken, at *target) {
	t, ok := m.transport.(*NetTransport)
	if !ok {
		return
	}
	if m.knocks.Add(1) > knocksMax {
		m.knocks.Add(-1)
		return
	}
	j.knocks.Add(1)
	m.goroutines.Go(func() {
		defer j.knocks.Done()
		defer m.knocks.Add(-1)
		udp.Knock(ctx, t.sockets.Source(at.to.Addr()), at.to, func(err error, since time.Duration) {
			at.told.Store(&verdict{err, time.Now()})
			stranger := errors.Is(err, udp.ErrMemberlist) || errors.Is(err, udp.ErrStranger)
			if !stranger && since < refusedFor && !j.company.Load() {
				return
			}
			_ = m.do(func(now time.Time) {
				if errors.Is(err, udp.ErrMemberlist) {
					m.seeds.Shun(now, at.to)
				}
				m.core.AbandonJoin(now, token)
			})
		})
	})
}

// lateAnswer is how long a question waits for the puller before a Join in progress answers it: the puller
// may be in the call of a delegate that waits for that Join, or for another node's in the same position.
const lateAnswer = 200 * time.Millisecond

// joinGrace is how long a Join that has reached a node goes on with addresses that nobody answers at: of a
// name's IPv4 and IPv6 addresses often one leads nowhere. The seeds are looked for further on.
const joinGrace = 2 * time.Second

// await answers what is asked in a Join until all of it has ended.
func (m *Memberlist) await(ctx context.Context, j *joining) {
	late := time.NewTicker(lateAnswer)
	defer late.Stop()
	var grace <-chan time.Time // ends when some were reached and others have had their time to answer
	cancelled := ctx.Done()
	for len(j.targets) > 0 {
		select {
		case <-m.stop:
			j.fail(ErrShutdown)
		case <-cancelled:
			cancelled = nil
			m.cancel(ctx, j)
		case <-late.C:
			if q, ok := m.questions.take(time.Now().Add(-lateAnswer)); ok {
				m.answer(&q)
			}
		case <-j.questions.wake:
			for q, ok := j.questions.take(time.Now()); ok; q, ok = j.questions.take(time.Now()) {
				m.advance(ctx, j, &q)
			}
			if grace == nil && j.reached > 0 && len(j.targets) > 0 {
				t := time.NewTimer(joinGrace)
				defer t.Stop()
				grace = t.C
			}
		case <-grace:
			_ = m.do(func(now time.Time) {
				for t := range j.targets {
					m.core.AbandonJoin(now, t)
				}
			})
		}
	}
}

// advance takes the next of what a Join is asked or told.
func (m *Memberlist) advance(ctx context.Context, j *joining, q *question) {
	e := &q.event
	switch {
	case e.Kind == gossip.EventJoined:
		at := j.end(e.Token)
		if at == nil {
			return
		}
		if e.Err == nil {
			j.reached++
			m.befriend(j, at.to)
			return
		}
		j.errs = append(j.errs, fmt.Errorf("join %s: %w", at.to, at.failure(ctx, e.Err)))
	case errors.Is(ctx.Err(), context.Canceled):
		if e.Kind == gossip.EventAliveAsked {
			m.questions.put(*q) // it is still wanted
		}
	default:
		m.answer(q)
	}
}

// befriend gives the targets up that were refused, now that a node was reached, unless it is this one itself.
func (m *Memberlist) befriend(j *joining, to netip.AddrPort) {
	_ = m.do(func(now time.Time) {
		if to == m.core.Self().Addr || j.company.Swap(true) {
			return
		}
		for t, at := range j.targets {
			if at.told.Load() != nil {
				m.core.AbandonJoin(now, t)
			}
		}
	})
}

// failure is why a target was not reached, of what the core says and the knocks have told.
func (t *target) failure(ctx context.Context, err error) error {
	cancelled, silent := errors.Is(err, gossip.ErrJoinCancelled), errors.Is(err, handshake.ErrNoAnswer)
	told := t.told.Load()
	switch {
	case told != nil && (cancelled || silent) && (t.hasty || time.Since(told.at) < verdictFor):
		return told.err
	case cancelled:
		return context.Cause(ctx)
	case silent:
		return &unreached.NoAnswerError{To: t.to.String(), Within: time.Since(t.begun)}
	}
	return public(err)
}

// verdictFor is how long a verdict counts for a Join that goes on in spite of it: it sends more often than that.
const verdictFor = 5 * time.Second

// noRoute takes note that the system sends nothing to an address. It ends the Joins of it, but those of JoinContext, which wait.
func (m *Memberlist) noRoute(now time.Time, to netip.AddrPort, err error) {
	for token, at := range m.joins {
		if at.to != to {
			continue
		}
		at.told.Store(&verdict{err, now})
		if at.hasty {
			m.core.AbandonJoin(now, token)
		}
	}
}

// warnUnreachedEvery is the least time between two warnings that nobody answered a Join: programs try again.
const warnUnreachedEvery = time.Minute

func (m *Memberlist) warnUnreached(j *joining) {
	now, last := time.Now().UnixNano(), m.warned.Load()
	text := unreached.Warning(j.errs)
	if text != "" && (last == 0 || now-last >= int64(warnUnreachedEvery)) && m.warned.CompareAndSwap(last, now) {
		m.log.warnf("%s", text)
	}
}

// cancel ends a Join that was cancelled. One whose time is up ends by itself.
func (m *Memberlist) cancel(ctx context.Context, j *joining) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	_ = m.do(func(now time.Time) {
		for t := range j.targets {
			m.core.CancelJoin(now, t)
		}
	})
}
