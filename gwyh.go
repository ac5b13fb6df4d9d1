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
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/node"
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
	config *Config // our own copy; immutable
	log    node.Log
	node   *node.Node[*Node]
}

// Format writes the node's name, whatever the verb: what a Memberlist holds changes while it is read, and has keys in it.
func (m *Memberlist) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "Memberlist(%q)", m.config.Name)
}

// LogValue is the node's name.
func (m *Memberlist) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

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
	log := own.log()
	for _, w := range own.warnings() {
		log.Warnf("%s", w)
	}
	transport := own.Transport
	if transport == nil {
		if transport, err = listen(own); err != nil {
			return nil, err
		}
	}
	m := &Memberlist{config: own, log: log}
	if err := m.start(transport); err != nil {
		if own.Transport == nil {
			_ = transport.Shutdown()
		}
		return nil, err
	}
	if config.picksAdvertisePort() {
		config.AdvertisePort = own.AdvertisePort
	}
	config.BindPort, config.Keyring = own.BindPort, own.Keyring
	return m, nil
}

// start makes the node, tells the application of it, and starts it.
func (m *Memberlist) start(transport Transport) error {
	c, err := m.config.node(transport, m.log)
	if err != nil {
		return err
	}
	if m.node, err = node.New(c); err != nil {
		return err
	}
	self := m.node.Self()
	if m.welcomes(self) && m.config.Events != nil {
		m.config.Events.NotifyJoin(self)
	}
	m.node.Start()
	return nil
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
	return m.node.Join(ctx, existing, true)
}

// JoinContext is Join with as much time as ctx gives, where nothing listens or no route leads too: it waits for nodes and
// networks that come up later. Without a deadline it goes on until an address was reached or ctx is cancelled. Once one was
// reached it waits for the others no longer than Join does: they are tried again in the background.
func (m *Memberlist) JoinContext(ctx context.Context, existing []string) (int, error) {
	return m.node.Join(ctx, existing, false)
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
func (m *Memberlist) Broadcast(msg []byte) error { return m.node.Broadcast(msg) }

// public returns an error of internal packages as this package names it.
func public(err error) error {
	if errors.Is(err, node.ErrShutdown) {
		return ErrShutdown
	}
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
	return m.node.Send(a.Addr, a.Name, msg, false)
}

// SendTo is SendBestEffort to an address.
func (m *Memberlist) SendTo(to net.Addr, msg []byte) error {
	if to == nil {
		return errors.New("gwyh: send: the address is nil")
	}
	return m.node.Send(to.String(), "", msg, false)
}

// SendToUDP is SendBestEffort.
func (m *Memberlist) SendToUDP(to *Node, msg []byte) error { return m.SendBestEffort(to, msg) }

// SendToTCP is SendReliable. There is no TCP here.
func (m *Memberlist) SendToTCP(to *Node, msg []byte) error { return m.SendReliable(to, msg) }

func (m *Memberlist) sendToNode(to *Node, msg []byte, reliable bool) error {
	if to == nil {
		return errors.New("gwyh: send: the node is nil")
	}
	return m.node.Send(to.Address(), to.Name, msg, reliable)
}

// NoPingResponseError says that a node did not answer a Ping.
type NoPingResponseError struct{ node string }

func (e NoPingResponseError) Error() string {
	return fmt.Sprintf("gwyh: no answer to a ping from node %s", e.node)
}

func isNoPingAnswer(err error) bool { return errors.Is(err, node.ErrNoPingAnswer) }

// Ping measures the time to the node at addr and back, after a handshake if there is no session with it. It returns
// a NoPingResponseError if no node answered from there within Config.ProbeTimeout, or the node's name is not
// node. An empty name means any node.
func (m *Memberlist) Ping(node string, addr net.Addr) (time.Duration, error) {
	if addr == nil {
		return 0, errors.New("gwyh: ping: the address is nil")
	}
	rtt, err := m.node.Ping(node, addr.String())
	if isNoPingAnswer(err) {
		return 0, NoPingResponseError{node}
	}
	return rtt, err
}

// Members returns all nodes that are alive or suspected to have failed: this node, which comes last, and all
// others in no particular order. Nodes of gwyh 0.1 are among them, see Config.AllowLegacy. The slice belongs to
// the caller. The Nodes are never written again.
func (m *Memberlist) Members() []*Node { return m.node.Members() }

// NumMembers is the number of Members.
func (m *Memberlist) NumMembers() int { return m.node.NumMembers() }

// LocalNode is this node as others know it. It is never written again. Meta that is written into it before a
// Join becomes the node's with that Join, if nothing else has changed about the node; UpdateNode does without.
func (m *Memberlist) LocalNode() *Node { return m.node.Self() }

// ProtocolVersion is Config.ProtocolVersion, which other nodes see as Node.PCur. It does not change.
func (m *Memberlist) ProtocolVersion() uint8 { return m.config.ProtocolVersion }

// GetHealthScore is how unwell this node is itself, because it lacks CPU, loses packets or hears nobody: 0
// for well, up to Config.AwarenessMaxMultiplier - 1. Before it accuses others it waits that many times longer
// in addition, but not while it hears nobody. After Shutdown it is 0.
func (m *Memberlist) GetHealthScore() (score int) { return m.node.HealthScore() }

// Stats is what a node counts. Besides these figures a node publishes more through go-metrics.
type Stats struct {
	// As it is now.

	Members       int // nodes that are alive or suspected not to be, this one included
	Links         int // nodes that messages are exchanged with, both ways, whoever subscribed
	Subscriptions int // those of them that this node chose to hear from (Config.Subscriptions)

	DefaultKey bool // a key of the node is the default one of gwyh 0.1: anybody can join and listen
	WeakKeys   int  // keys of the node that can be guessed: of fewer than 16 bytes, of equal bytes, or the default one

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
	f, err := m.node.Figures()
	if err != nil {
		return Stats{}
	}
	c := &f.Core
	return Stats{
		DefaultKey: f.Keys.Default, WeakKeys: f.Keys.Weak,
		Members: c.Members, Links: c.Links, Subscriptions: f.Subscriptions,
		BroadcastsSent: c.BroadcastsSent, BroadcastsDelivered: c.BroadcastsDelivered,
		BroadcastsDuplicate: c.BroadcastsDuplicate, BroadcastsCrossZone: c.BroadcastsCrossZone,
		BroadcastsSuppressed: f.Rebroadcasts, BroadcastsRepeated: c.Repeated,
		DatagramsSent: c.SentDatagrams, DatagramsReceived: c.ReceivedDatagrams,
		BytesSent: c.SentBytes, BytesReceived: c.ReceivedBytes,
		Dropped: f.Dropped, LegacySkipped: c.Dropped[gossip.DropLegacySize],
	}
}

// Leave tells the others that this node departs, and takes it out of Members; the node goes on
// running until Shutdown, and may Join again. It returns when the news are sent, with an error if that
// takes longer than timeout, of which zero means no limit; and when NotifyLeave has been called for the
// node itself, unless the application takes longer than a second. Those that the node exchanged messages
// with are told again until they confirm it, for 0.6 s at most. The addresses of earlier Joins are
// forgotten. After Shutdown it does nothing.
func (m *Memberlist) Leave(timeout time.Duration) error { return m.node.Leave(timeout) }

// UpdateNode asks the Delegate for NodeMeta anew and tells all nodes, at once. The AliveDelegate, if there
// is one, is asked about the node itself before. Both are called in the goroutine of the caller. UpdateNode
// returns when the news are sent, with an error if that takes longer than timeout, of which zero means no
// limit; and when NotifyUpdate has been called for the node itself, unless the application takes longer
// than a second. After any other error, such as too much metadata, nothing has changed.
func (m *Memberlist) UpdateNode(timeout time.Duration) error {
	meta, err := m.config.nodeMeta()
	if err != nil {
		return err
	}
	self := *m.LocalNode()
	self.Meta = meta
	m.welcomes(&self)
	return m.node.SetMeta(meta, timeout)
}

// Shutdown stops the node without telling the others: call Leave before, or they will find it dead.
// It shuts the Transport down and waits for all goroutines, except that it does not wait for a delegate's method
// in progress, and waits at most Config.TCPTimeout for writes of the Transport in progress. No further method of
// a delegate is called and no further write begins. Further calls do nothing.
func (m *Memberlist) Shutdown() error { return m.node.Shutdown() }
