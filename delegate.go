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

// A Delegate connects the application with the node: messages, metadata and state.
//
// Its methods may call any method of the Memberlist. The library calls NotifyMsg and the methods of the EventDelegate in one goroutine, and
// the other methods in a second one, so calls in the same goroutine never overlap, but calls in the two goroutines may. NodeMeta
// runs in the goroutine that calls Create or UpdateNode. During a Join, LocalState and MergeRemoteState run in
// the goroutine that calls Join.
//
// All methods may be called before Create has returned, so make what they use, such as a TransmitLimitedQueue, before Create.
type Delegate interface {
	// NodeMeta returns the metadata of this node, which is published to all other nodes. It must not exceed limit
	// (Config.MetaMax) bytes; otherwise Create or UpdateNode returns an error. The library copies the slice.
	NodeMeta(limit int) []byte

	// NotifyMsg receives each message once: broadcasts of other nodes, messages to this node, and, after this node
	// has joined, messages that the Delegates of other nodes still return from GetBroadcasts. The slice
	// belongs to the callee. A slow NotifyMsg delays the messages and events queued behind it, but not the node. If
	// more than 65,536 messages or 64 MiB are queued, the oldest are dropped and counted.
	NotifyMsg(msg []byte)

	// GetBroadcasts returns messages to broadcast. It is called as often as Config.GossipInterval says. Messages whose lengths,
	// each plus overhead, add up to at most limit share one datagram. Larger ones, up to 16 MiB, may be returned
	// too. The slices may be reused from the next call on.
	//
	// A slice that is returned again within 30 s with the same content is the same message, as when a
	// TransmitLimitedQueue repeats it. It is sent again only to nodes that joined in the meantime, once to
	// each. The same slice with other content is a new message. Equal content in another slice is a new message too,
	// unless the previous call returned it. Messages that were received by NotifyMsg shortly before are not
	// sent, see Config.RebroadcastWindow.
	GetBroadcasts(overhead, limit int) [][]byte

	// LocalState returns the application's state, which another node will merge. join reports whether one of the
	// two nodes is joining the other. It is also true if the library itself joins them: when it repeats an earlier Join, or
	// reaches a failed member again. An empty state is not sent. A state above 16 MiB makes Joins of this node, and of
	// others to it, fail. In a periodic exchange it is not sent, but logged and counted by both nodes.
	LocalState(join bool) []byte

	// MergeRemoteState receives the state that LocalState returned at another node. The EventDelegate's NotifyJoin for
	// that node has returned before, unless it takes more than a second. The slice belongs to the callee.
	MergeRemoteState(buf []byte, join bool)
}

// An EventDelegate is notified when members join, leave, fail or change. Calls do not overlap, and the events of one member
// are in order. If the EventDelegate is slow, several events of one member are merged into fewer, but the last state is always reported.
// The Nodes are immutable. The methods may call any method of the Memberlist.
type EventDelegate interface {
	// NotifyJoin reports a new member. It is also called for this node itself, by Create.
	NotifyJoin(*Node)
	// NotifyLeave reports a member that left (StateLeft) or failed (StateDead).
	NotifyLeave(*Node)
	// NotifyUpdate reports a member whose metadata or address changed.
	NotifyUpdate(*Node)
}

// A ConflictDelegate is notified when two live nodes use the same name.
type ConflictDelegate interface {
	// NotifyConflict receives the member with the name and the other node that claims it. The member keeps the name while
	// it lives. It is called at most once every 30 s for a name.
	NotifyConflict(existing, other *Node)
}

// A MergeDelegate decides whether this cluster and another may become one. If both ends of a Join have one, the end that is
// joined is asked first.
type MergeDelegate interface {
	// NotifyMerge receives the members of the other cluster, including failed and departed ones, before any of them
	// is accepted. If it returns an error, the clusters stay apart and the Join fails with that error.
	NotifyMerge(peers []*Node) error
}

// An AliveDelegate decides whether a node is accepted as a member. It is called for each new node, including this one, and when a member changes
// what it says about itself, but not when a member merely confirms that it is alive. Only the node in question, and a Join with it, wait for the answer.
type AliveDelegate interface {
	// NotifyAlive rejects the node if it returns an error. A Join between that node and this one then fails at both ends. The
	// other end is sent up to 256 bytes of the error's text.
	NotifyAlive(peer *Node) error
}

// A PingDelegate is notified of round-trip times and may attach a payload to the answers to probes.
type PingDelegate interface {
	// AckPayload returns the payload of the answers to probes. It is called after a ProbeInterval in which there was
	// a probe, and the result is used until the next call. At most 1,024 bytes; a larger payload is not sent, and a
	// warning is logged.
	AckPayload() []byte
	// NotifyPingComplete receives the round-trip time to other, measured directly, and the payload of its answer.
	NotifyPingComplete(other *Node, rtt time.Duration, payload []byte)
}

// A NodeSelectionDelegate decides which members this node may choose for its links and for the exchange of states in every
// PushPullInterval, as in Grafana's fork of memberlist. Other members stay members, are probed, and may choose
// this node: a link carries messages in both directions, whichever end chose it.
type NodeSelectionDelegate interface {
	// SelectNodes receives all members, including this node. It returns the members that may be chosen, and
	// optionally one preferred member, or nil. The preferred member is chosen first and need not be among the selected ones. Members
	// that are suspected to have failed are passed as alive. If no other member is selected or preferred,
	// the node keeps its links and chooses no new ones.
	//
	// SelectNodes runs in the goroutine of GetBroadcasts: when members joined, left, failed or changed their metadata,
	// at most four times a second once the node has a link, and before each exchange of states. A choice waits
	// for it at most one second; then members that no call has decided on may be chosen until a call returns. A preferred
	// member stays preferred for five minutes, even if later calls prefer another one, unless a call neither
	// selects nor prefers it. The slice and the NodeStates belong to the callee. Returned nodes are identified by
	// their ID.
	SelectNodes(nodes []*NodeState) (selected []*NodeState, preferred *NodeState)
}

// A NodeState is a member as it is passed to a NodeSelectionDelegate.
type NodeState struct {
	Node
	Incarnation uint32        // the low 32 bits of the member's incarnation, which grows with each change that it makes itself
	State       NodeStateType // always StateAlive
	StateChange time.Time     // when the member entered its state, as this node knows it
}

// Address returns host:port, with brackets around an IPv6 address.
func (n *NodeState) Address() string { return n.Node.Address() }

// FullAddress returns Address and the name, as a NodeAwareTransport needs them.
func (n *NodeState) FullAddress() Address { return n.Node.FullAddress() }

// DeadOrLeft reports whether the node failed or left.
func (n *NodeState) DeadOrLeft() bool { return n.State == StateDead || n.State == StateLeft }

// NodeStateType is the state of a member as this node knows it.
type NodeStateType int

const (
	// StateAlive means that the member is alive.
	StateAlive NodeStateType = iota
	// StateSuspect means that the member may have failed and can still refute that.
	StateSuspect
	// StateDead means that the member failed.
	StateDead
	// StateLeft means that the member left by Leave.
	StateLeft
)

// A Node describes a member at the time when the Node was made. The library never writes to it again. It may be
// copied by value.
type Node struct {
	Name  string
	Addr  net.IP // address at which other nodes reach it
	Port  uint16
	Meta  []byte        // its metadata, from its Delegate.NodeMeta
	State NodeStateType // its state as this node knew it

	PMin uint8 // minimum protocol version it understands
	PMax uint8 // maximum protocol version it understands
	PCur uint8 // protocol version it speaks
	DMin uint8 // minimum version of the application's protocol it understands
	DMax uint8 // maximum version of the application's protocol it understands
	DCur uint8 // version of the application's protocol it speaks

	Zone string // its Config.Zone; empty for none
	ID   NodeID // distinguishes this run of the node from earlier runs with the same name
	// RTT is the measured round-trip time to the node, or zero if it was never measured. It is measured for nodes with
	// a link and for a few others, about once a second, and published when it changes by a fifth, or upwards by a
	// millisecond.
	RTT time.Duration
}

func newNode(o *gossip.Member) *Node {
	n := &Node{Name: o.Name, ID: NodeID(o.ID), Addr: o.Addr.Addr().AsSlice(), Port: o.Addr.Port(), Meta: o.Meta, Zone: o.Zone.Name, RTT: o.RTT,
		State: NodeStateType(o.State)}
	n.PMin, n.PMax, n.PCur = o.Versions[0], o.Versions[1], o.Versions[2]
	n.DMin, n.DMax, n.DCur = o.Versions[3], o.Versions[4], o.Versions[5]
	return n
}

// A NodeID is a UUID that a node generates at each start.
type NodeID [16]byte

// String returns the usual text form of the UUID.
func (id NodeID) String() string { return wire.NodeID(id).String() }

// A MessageID names a broadcast. The first 8 bytes are the same for all broadcasts of one run of a node.
type MessageID [16]byte

// String is the id in the usual form of a UUID, as in status.Event.
func (id MessageID) String() string { return wire.MessageID(id).String() }

// Address returns host:port, with brackets around an IPv6 address.
func (n *Node) Address() string {
	return net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port)))
}

// FullAddress returns Address and the name, as a NodeAwareTransport needs them.
func (n *Node) FullAddress() Address { return Address{Addr: n.Address(), Name: n.Name} }

// String returns the node's name.
func (n *Node) String() string { return n.Name }

// NodeEventType is the type of a NodeEvent.
type NodeEventType int

const (
	// NodeJoin reports a new member.
	NodeJoin NodeEventType = iota
	// NodeLeave reports a member that left or failed.
	NodeLeave
	// NodeUpdate reports a member whose metadata or address changed.
	NodeUpdate
)

// A NodeEvent is an event that a ChannelEventDelegate sends.
type NodeEvent struct {
	Event NodeEventType
	Node  *Node // the receiver's own copy
}

// A ChannelEventDelegate is an EventDelegate that sends events to a channel. It blocks while the channel is full, which
// delays messages and further events, so the application must keep receiving.
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

// welcomes reports whether the AliveDelegate accepts this node itself. A refusal is logged and, as with memberlist, has no
// other consequence than that Create does not call NotifyJoin.
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

// nodeMeta returns a copy of the Delegate's NodeMeta.
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

// application returns the delegates in the form in which the shell calls them.
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

// selectNodes calls the NodeSelectionDelegate for members and returns the ids of the members that it selected and preferred.
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
