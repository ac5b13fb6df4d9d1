package gwyh

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/node"
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
}

func newNode(o *gossip.Member) *Node {
	n := &Node{Name: o.Name, ID: NodeID(o.ID), Addr: o.Addr.Addr().AsSlice(), Port: o.Addr.Port(), Meta: o.Meta, Zone: o.Zone.Name, RTT: o.RTT,
		State: NodeStateType(o.State)}
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

// welcomes asks the AliveDelegate about this node itself, and logs it if it refuses. As with memberlist that has no
// other consequence.
func (m *Memberlist) welcomes(self *Node) bool {
	if m.config.Alive == nil {
		return true
	}
	err := m.config.Alive.NotifyAlive(self)
	if err != nil {
		m.log.Warnf("the AliveDelegate refuses this node itself: %v", err)
	}
	return err == nil
}

// nodeMeta returns a copy of what the Delegate describes this node with.
func (c *Config) nodeMeta() ([]byte, error) {
	if c.Delegate == nil {
		return nil, nil
	}
	meta := c.Delegate.NodeMeta(c.MetaMax)
	if len(meta) > c.MetaMax {
		return nil, fmt.Errorf("gwyh: NodeMeta returned %d bytes, want at most %d", len(meta), c.MetaMax)
	}
	return append([]byte(nil), meta...), nil
}

// application returns the delegates as the node calls them.
func (c *Config) application() node.Application[*Node] {
	a := node.Application[*Node]{Events: c.Events, Conflict: c.Conflict, Merge: c.Merge, Alive: c.Alive, Ping: c.Ping}
	if c.Delegate != nil {
		a.Delegate = c.Delegate
	}
	if c.NodeSelection != nil {
		a.Select = c.selectNodes
	}
	return a
}

// selectNodes asks the NodeSelectionDelegate about members. It ignores nodes that the delegate was not shown.
func (c *Config) selectNodes(members []gossip.Member, since []time.Time) (selected []wire.NodeID, preferred wire.NodeID) {
	nodes := make([]*NodeState, len(members))
	for i := range members {
		n := newNode(&members[i])
		nodes[i] = &NodeState{Node: *n, Incarnation: uint32(members[i].Incarnation), State: n.State, StateChange: since[i]}
	}
	chosen, first := c.NodeSelection.SelectNodes(nodes)
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
