// Package gwyh spreads messages between the nodes of a service by gossip. An application hands a message to one
// node, and every node of the cluster receives it, over unacknowledged, always encrypted UDP, along the
// quickest path. Each node knows the members of the cluster, their zones and their metadata, and notices when a
// member joins, leaves or fails.
//
// The API is that of hashicorp/memberlist: make a Config, call Create, and Join any member.
//
//	config := gwyh.DefaultLANConfig()
//	config.SecretKey = key        // the same 32 random bytes on all nodes
//	config.Delegate = application // its NotifyMsg receives the messages
//	list, err := gwyh.Create(config)
//	...
//	_, err = list.Join([]string{"10.0.0.7", "10.0.0.8"})
//	...
//	err = list.Broadcast([]byte("hello"))
//
// Nodes listen on UDP port 6969 (DefaultPort). Their clocks may differ by at most a minute. Without a key, traffic is encrypted with
// a well-known key, so anybody who reaches the port can join.
//
// Broadcasts are not acknowledged. Lost messages are requested again from other nodes, so a message is very rarely lost
// altogether, but applications must tolerate that. Each message is delivered at most once. The order of messages is not guaranteed.
//
// All methods of a Memberlist may be called from any goroutine, and from inside any delegate. Delegates
// run in goroutines of the library, outside of any lock; see Delegate.
//
// These errors have a type or a value:
//
//	ErrQueueFull         Broadcast, sends: too much is queued; retry after a GossipInterval or drop the message
//	ErrShutdown          any call after Shutdown
//	*TooLargeError       Broadcast, sends, Join: the message or state exceeds 16 MiB
//	NoPingResponseError  Ping: no answer within Config.ProbeTimeout
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
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

// ErrShutdown is returned by calls on a Memberlist after Shutdown.
var ErrShutdown = errors.New("gwyh: the Memberlist is shut down")

// ErrQueueFull is returned if a message is not accepted because too much is queued already. Nothing was sent. Retry later, for
// example after a Config.GossipInterval.
var ErrQueueFull = errors.New("gwyh: too much is queued for sending")

// A TooLargeError reports that a message of Size bytes exceeds the maximum of Max bytes. Nothing was sent. Methods
// return it as a *TooLargeError. Only Join wraps it, because its error describes several addresses: use errors.As there.
type TooLargeError struct{ Size, Max int }

// Error names the size and the maximum.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("gwyh: message of %d bytes, of which at most %d can be sent", e.Size, e.Max)
}

// A Memberlist is one node of a cluster. Its methods may be called from any goroutine, and from inside any
// delegate.
type Memberlist struct {
	config *Config // our own copy; immutable
	log    node.Log
	node   *node.Node[*Node]
}

// Format writes the node's name for any verb. The fields of a Memberlist contain keys and change concurrently.
func (m *Memberlist) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "Memberlist(%q)", m.config.Name)
}

// LogValue returns the node's name.
func (m *Memberlist) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// Create starts a node. The node is a cluster of one until it joins another. Create copies config, and writes back
// only the ports that it picked and a Keyring made from SecretKey. It returns an error if config is invalid, if
// the port cannot be opened, or if the node has no address that others can reach.
//
// Create calls the Delegate's NodeMeta, the AliveDelegate's NotifyAlive and the EventDelegate's NotifyJoin for the node
// itself, in the caller's goroutine. Call Shutdown to stop the node.
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

// start makes the node, notifies the delegates, and starts the loop.
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

// Join makes this node and the nodes at the given addresses members of one cluster. It returns the number of addresses that
// were reached, and an error only if none was. The error joins one error for each address.
//
// An address is "host", "host:port" or "name/host:port". IPv6 needs brackets before a port; an IPv6 address
// without brackets that may end in a port, such as "::1:7946", is an error. The default port is Config.BindPort.
// A host name stands for all its addresses. An address of this node itself counts as reached, so a
// first node may be given the list of all nodes; only the advertised address and the bound addresses are
// recognized, not a load balancer or NAT that leads back to the node.
//
// When Join returns, Members contains the members that the other nodes know, the Delegates have exchanged their states, and the
// EventDelegate has been notified, unless it is slow. Join takes at most slightly longer than Config.TCPTimeout. Once one
// address was reached, it waits at most 2 s for the others. They are tried again in the background, and so are
// all addresses if none was reached: about once a minute, or every 15 s while the node knows no other, until Leave or Shutdown.
// With a Transport that blocks, TCPTimeout limits writing and waiting separately, so Join may take twice as long.
//
// A node does not answer packets that it cannot verify. So these causes look the same, and the error lists them:
//
//	error                            cause
//	no answer                        UDP is blocked in either direction, a different key or label, clocks that differ by
//	                                 more than a minute, or no gwyh node
//	connection refused               the port is closed, or a firewall rejects packets; tried again for a second
//	no route to host,                no route or no such host, or a firewall that says so
//	network is unreachable
//	operation not permitted          this machine's firewall drops what the node sends
//	another program answers          for example a memberlist node
//	an error of a delegate           NotifyMerge, NotifyAlive, CIDRsAllowed, MetaMax or the protocol versions, at either end
//	*TooLargeError                   the state of either node exceeds 16 MiB
//
// After "no answer", read the log of the other node. If it refused the handshake, it logs a warning that names the cause: the
// key or label, or the clock. If it logs nothing, packets do not arrive, or its answers do not come back.
//
// With a NetTransport, Join detects closed ports and missing routes at up to 64 addresses at once and does not wait for the
// timeout there. A node that starts listening within a second is still reached.
// If a delegate of either end refuses the other, neither becomes a member of the other's cluster. Two nodes with one name do not
// make Join fail, see ConflictDelegate.
//
// Join calls LocalState, MergeRemoteState, NotifyMerge, and NotifyAlive for new members in the caller's
// goroutine.
func (m *Memberlist) Join(existing []string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), m.config.TCPTimeout)
	defer cancel()
	return m.node.Join(ctx, existing, true)
}

// JoinContext is like Join, but waits until ctx is done, also for closed ports and missing routes, so nodes and
// networks may come up later. Without a deadline it waits until an address is reached or ctx is canceled. Once one
// address was reached, it waits for the others at most 2 s, as Join does.
func (m *Memberlist) JoinContext(ctx context.Context, existing []string) (int, error) {
	return m.node.Join(ctx, existing, false)
}

// Broadcast sends msg to all other nodes at once. It waits neither for them nor for the network. The caller may
// reuse msg. A message that does not fit into a datagram of Config.UDPBufferSize is split, and lost parts are sent again.
//
// Broadcast returns a *TooLargeError if msg exceeds 16 MiB, ErrQueueFull if the neighbors accept less than this node sends,
// and ErrShutdown after Shutdown. Then nothing was sent. If no other node is reachable, the message is kept for up
// to 30 s. Messages that are still queued when Shutdown is called are lost.
//
// Members that run gwyh 0.1 accept at most 21,000 bytes. A larger message goes to all other members;
// Broadcast returns nil, logs a warning at most once in 10 s, and increments Stats.LegacySkipped. If this node has
// links to gwyh 0.1 members only, Broadcast returns a *TooLargeError.
func (m *Memberlist) Broadcast(msg []byte) error { return m.node.Broadcast(msg) }

// public translates errors of internal packages to the errors of this package.
func public(err error) error {
	if errors.Is(err, node.ErrShutdown) {
		return ErrShutdown
	}
	if state, ok := errors.AsType[*pushpull.StateTooLargeError](err); ok {
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

// BroadcastWithID is Broadcast that also returns the id of the message, for Coverage. It waits until the node has accepted
// the message, which Broadcast does not for a small one.
func (m *Memberlist) BroadcastWithID(msg []byte) (MessageID, error) {
	id, err := m.node.BroadcastID(msg)
	return MessageID(id), err
}

// A Coverage says which members have a broadcast. The lists are in no particular order.
type Coverage struct {
	Has     []*Node // have all of it; their applications may still be waiting for it
	Lacks   []*Node // have answered that they do not have it, or not all of it yet
	Unknown []*Node // have not answered, or run gwyh 0.1
}

// Coverage asks all members whether they have the broadcast with an id. It returns when all have answered, or when ctx is
// done, with what is known by then. It costs a handshake with each member that this node has no session with, at most 640 per
// second, so it is for tests and diagnosis. Nodes remember the last 65,536 broadcasts of an origin. They answer that they
// have older ones. The only error is ErrShutdown.
func (m *Memberlist) Coverage(ctx context.Context, id MessageID) (Coverage, error) {
	c, err := m.node.Coverage(ctx, wire.MessageID(id))
	return Coverage(c), public(err)
}

// SendBestEffort sends msg to one node, whose NotifyMsg receives it. It does not wait. Only the address and port of
// to are needed. If there is no session with the node, msg is queued until the handshake is complete. A node may send to
// itself. SendBestEffort returns ErrQueueFull if too much is queued and a *TooLargeError if msg exceeds 16 MiB. A later loss is
// counted in Stats.Dropped, not reported. The caller may reuse msg.
func (m *Memberlist) SendBestEffort(to *Node, msg []byte) error {
	return m.sendToNode(to, msg, false)
}

// SendReliable sends msg like SendBestEffort and waits until the node acknowledges it. It returns an error if no
// acknowledgement arrives within Config.TCPTimeout; the node may have received msg nevertheless.
func (m *Memberlist) SendReliable(to *Node, msg []byte) error {
	return m.sendToNode(to, msg, true)
}

// SendToAddress is SendBestEffort to an address in one of the forms that Join accepts.
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

// A NoPingResponseError reports that a node did not answer a Ping.
type NoPingResponseError struct{ node string }

// Error names the node.
func (e NoPingResponseError) Error() string {
	return fmt.Sprintf("gwyh: no answer to a ping from node %s", e.node)
}

func isNoPingAnswer(err error) bool { return errors.Is(err, node.ErrNoPingAnswer) }

// Ping measures the round-trip time to the node at addr, after a handshake if there is no session with it. It returns a
// NoPingResponseError if no node answers within Config.ProbeTimeout, or if the node that answers has another name
// than node. An empty name accepts any node.
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

// Members returns the nodes that are alive or suspected to have failed, in no particular order except that this node
// comes last. Nodes of gwyh 0.1 are included, see Config.AllowLegacy. The slice belongs to the caller. The Nodes are
// immutable.
func (m *Memberlist) Members() []*Node { return m.node.Members() }

// NumMembers returns the number of nodes that Members returns.
func (m *Memberlist) NumMembers() int { return m.node.NumMembers() }

// LocalNode returns this node as other nodes know it. The library does not write to it again. As with memberlist, metadata that the
// application writes to its Meta before a Join is published with that Join, if nothing else about the node has
// changed. Use UpdateNode instead.
func (m *Memberlist) LocalNode() *Node { return m.node.Self() }

// ProtocolVersion returns Config.ProtocolVersion, which other nodes see as Node.PCur.
func (m *Memberlist) ProtocolVersion() uint8 { return m.config.ProtocolVersion }

// GetHealthScore returns the local health score of Lifeguard: 0 if this node is healthy, and up to
// Config.AwarenessMaxMultiplier - 1 if it lacks CPU, loses packets or receives nothing. The node multiplies the time before
// it suspects others by the score plus 1, unless it receives nothing at all. After Shutdown the score is 0.
func (m *Memberlist) GetHealthScore() (score int) { return m.node.HealthScore() }

// Stats are the figures of a node. More are published as metrics, see docs/METRICS.md.
type Stats struct {
	// Current values.

	Members       int // nodes that are alive or suspected to have failed, including this one
	Links         int // links: nodes with which broadcasts are exchanged, in both directions
	Subscriptions int // links that this node chose itself (Config.Subscriptions)

	// Propagation is the time within which 95 % of the last beacons from the slowest zone arrived. Zero if none did.
	Propagation time.Duration

	DefaultKey bool // a key is the well-known default key of gwyh 0.1, so anybody can join and listen
	WeakKeys   int  // keys that can be guessed: fewer than 16 bytes, equal bytes, or the default key

	// Totals since Create.

	BroadcastsSent      uint64 // broadcasts of this node
	BroadcastsDelivered uint64 // broadcasts of other nodes, each counted once
	BroadcastsDuplicate uint64 // further copies of received broadcasts, which are not delivered
	BroadcastsCrossZone uint64 // copies, first or further, received from a node in another zone

	// BroadcastsSuppressed counts messages of GetBroadcasts that were not sent because they were rebroadcasts
	// (Config.RebroadcastWindow).
	BroadcastsSuppressed uint64
	// BroadcastsRepeated counts messages of GetBroadcasts that were sent again to one node because it joined after
	// they had been broadcast.
	BroadcastsRepeated uint64

	BeaconsSent       uint64 // beacons of this node (Config.BeaconInterval), which are not among BroadcastsSent
	BeaconsReceived   uint64 // beacons of other nodes, each counted once
	BeaconsUnmeasured uint64 // received beacons whose propagation time is unknown: see docs/OPERATIONS.md

	DatagramsSent, DatagramsReceived uint64
	BytesSent, BytesReceived         uint64 // UDP payload, without IP and UDP headers

	Dropped uint64 // datagrams and messages that this node dropped, for any reason

	// LegacySkipped counts copies of broadcasts above 21,000 bytes that were not sent to a gwyh 0.1 member with a
	// link, one for each such member. They are included in Dropped.
	LegacySkipped uint64
}

// Stats returns the node's figures, all taken at the same moment. After Shutdown they are zero.
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
		BeaconsSent: c.BeaconsSent, BeaconsReceived: c.BeaconsReceived, BeaconsUnmeasured: c.BeaconsUnmeasured, Propagation: f.Propagation,
		DatagramsSent: c.SentDatagrams, DatagramsReceived: c.ReceivedDatagrams,
		BytesSent: c.SentBytes, BytesReceived: c.ReceivedBytes,
		Dropped: f.Dropped, LegacySkipped: c.Dropped[stats.DropLegacySize],
	}
}

// Status returns what an operator wants to see of this node, all of the same moment: members, links, suspicions, what was
// dropped, key fingerprints and warnings. It takes some time in a large cluster, about a millisecond for 1,000 members, so
// call it at most a few times per second. After Shutdown it returns the zero Status.
func (m *Memberlist) Status() status.Status {
	s, err := m.node.Status()
	if err != nil {
		return status.Status{}
	}
	return s
}

// Metrics returns the counters and gauges of docs/METRICS.md, all of the same moment and in the same order at each call. It is for
// exporters, such as those of the modules exporter/gwyhprom and exporter/gwyhotel. Unlike what goes to Config.Metrics, counters have their
// whole value since Create, and Config.MetricLabels are not among the labels. After Shutdown it returns nil.
func (m *Memberlist) Metrics() []status.Metric {
	all, err := m.node.Metrics()
	if err != nil {
		return nil
	}
	return all
}

// Watch sends each member event, and each copy of a broadcast that arrives, to ch until ctx is done or the Memberlist is
// shut down. It returns at once. It does not close ch, and never waits for it: an event for which ch has no room is dropped, and
// the next one that is sent says how many were (status.Event.Missed). The only error is ErrShutdown.
func (m *Memberlist) Watch(ctx context.Context, ch chan<- status.Event) error {
	return public(m.node.Watch(ctx, ch))
}

// Leave announces that this node leaves the cluster and removes it from Members. The node keeps running
// until Shutdown, and may Join again. Leave forgets the addresses of earlier Joins.
//
// Leave returns when the announcement was sent and NotifyLeave has returned for the node itself, or after at most a
// second if the EventDelegate is slow. It returns an error if sending takes longer than timeout; zero means no limit.
// Neighbors that do not confirm the announcement get it again, for up to 0.6 s. After Shutdown Leave does nothing.
func (m *Memberlist) Leave(timeout time.Duration) error { return m.node.Leave(timeout) }

// UpdateNode calls the Delegate's NodeMeta and publishes the result at once. If there is an AliveDelegate, it is called
// for the node itself first. Both run in the caller's goroutine.
//
// UpdateNode returns when the metadata was sent and NotifyUpdate has returned for the node itself, or after at most
// 1 s if the EventDelegate is slow. It returns an error if sending takes longer than timeout; zero means
// no limit. After any other error, for example metadata above Config.MetaMax, nothing has changed.
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

// Shutdown stops the node without telling the others, which will detect it as failed. Call Leave first to avoid
// that. Shutdown closes the Transport and waits for all goroutines of the node, except for a delegate's method that is in progress, and
// at most Config.TCPTimeout for writes of the Transport. Afterwards no method of a delegate
// is called. Further calls do nothing.
func (m *Memberlist) Shutdown() error { return m.node.Shutdown() }
