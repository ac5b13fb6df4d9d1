// Package migrate implements the recipe of docs/MIGRATING.md: a node that runs hashicorp/memberlist, gwyh or both, so
// that a cluster changes from one to the other node by node, without losing a message or a member.
package migrate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/hashicorp/memberlist"
)

// A Release determines which libraries a node runs, and which one it takes members and events from. Each release is
// rolled out to all nodes before the next.
type Release int

const (
	OldOnly  Release = iota
	OldLeads         // both run; members and events come from the old one
	NewLeads         // both run; members and events come from the new one
	NewOnly
)

func (r Release) old() bool { return r != NewOnly }
func (r Release) new() bool { return r != OldOnly }

// Config configures a Node. The addresses are host and port; ports may be 0.
type Config struct {
	Name             string
	Release          Release
	Key              []byte
	Host             string
	OldPort, NewPort int
	OldJoin, NewJoin []string
	Receive          func(msg []byte) // called once for each message
}

// A Node replaces the Memberlist of a program during the migration.
type Node struct {
	config Config
	old    atomic.Pointer[memberlist.Memberlist] // nil if it is not running; atomic because its Delegate is called before Create returns
	new    *gwyh.Memberlist                      // nil if it is not running
	queue  memberlist.TransmitLimitedQueue

	mu   sync.Mutex // guards the following fields
	run  uint64     // start time; distinguishes this start of the node from earlier ones
	made uint64     // number of messages made
	seen recent
}

// Start starts a node with a release.
func Start(c Config) (*Node, error) {
	n := &Node{config: c, run: uint64(time.Now().UnixNano())}
	n.queue.RetransmitMult = 4
	n.queue.NumNodes = n.numOld
	if err := errors.Join(n.startOld(), n.startNew()); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

func (n *Node) startOld() error {
	if !n.config.Release.old() {
		return nil
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = n.config.Name, n.config.Host, n.config.OldPort, n.config.OldPort
	c.SecretKey, c.Delegate, c.LogOutput = n.config.Key, oldSide{n}, io.Discard
	old, err := memberlist.Create(c)
	if err != nil {
		return err
	}
	n.old.Store(old)
	if len(n.config.OldJoin) == 0 {
		return nil
	}
	_, err = old.Join(n.config.OldJoin)
	return err
}

func (n *Node) startNew() (err error) {
	if !n.config.Release.new() {
		return nil
	}
	c := gwyh.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = n.config.Name, n.config.Host, n.config.NewPort, n.config.NewPort
	c.SecretKey, c.Delegate, c.LogOutput = n.config.Key, newSide{n}, io.Discard
	c.TCPTimeout = 2 * time.Second // shortens the wait for nodes that do not run gwyh yet
	if n.new, err = gwyh.Create(c); err != nil || len(n.config.NewJoin) == 0 {
		return err
	}
	if _, err := n.new.Join(n.config.NewJoin); err != nil && n.config.Release != OldLeads {
		return err
	}
	return nil // the first node to run gwyh reaches none: later nodes join it
}

// Members returns the names of the members that the leading library knows.
func (n *Node) Members() (names []string) {
	if n.config.Release.old() && n.config.Release != NewLeads {
		for _, m := range n.old.Load().Members() {
			names = append(names, m.Name)
		}
	} else {
		for _, m := range n.new.Members() {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Ready reports whether this node is ready for the next release to be rolled out: both libraries know the same number
// of nodes.
func (n *Node) Ready() bool {
	return n.old.Load() == nil || n.new == nil || n.numOld() == n.new.NumMembers()
}

// numOld returns the number of nodes that the old library knows, at least 1.
func (n *Node) numOld() int {
	if old := n.old.Load(); old != nil {
		return old.NumMembers()
	}
	return 1
}

// Send sends a message to all other nodes with each library that runs.
func (n *Node) Send(msg []byte) error {
	n.mu.Lock()
	n.made++
	wrapped := wrap(id{n.config.Name, n.run, n.made}, msg)
	n.mu.Unlock()
	if n.config.Release.old() {
		n.queue.QueueBroadcast(broadcast(wrapped))
	}
	if n.new != nil {
		return n.new.Broadcast(wrapped)
	}
	return nil
}

// receive handles a message of either library and drops the second copy. It forwards messages of the old library,
// because a broadcast there reaches only a few nodes.
func (n *Node) receive(b []byte, old bool) {
	id, msg, ok := unwrap(b)
	if !ok {
		return
	}
	n.mu.Lock()
	first := id.name != n.config.Name && n.seen.add(id)
	n.mu.Unlock()
	if !first {
		return
	}
	if old {
		n.queue.QueueBroadcast(broadcast(bytes.Clone(b)))
	}
	n.config.Receive(bytes.Clone(msg))
}

// leavePropagateDelay is the time that a node waits after Leave of memberlist. Otherwise its next run can join a node
// before the message about the leave arrives there. Then that node takes the new run for the one that left, until it
// exchanges states with it: by default within a minute. serf has a setting of the same name and value.
const leavePropagateDelay = time.Second

// Stop leaves both clusters and stops.
func (n *Node) Stop() {
	if old := n.old.Load(); old != nil {
		_ = old.Leave(5 * time.Second)
		time.Sleep(leavePropagateDelay)
		_ = old.Shutdown()
	}
	if n.new != nil {
		_ = n.new.Leave(5 * time.Second)
		_ = n.new.Shutdown()
	}
}

// oldSide and newSide are the Delegates of the two libraries.
type (
	oldSide struct{ *Node }
	newSide struct{ *Node }
)

func (oldSide) NodeMeta(int) []byte  { return nil }
func (s oldSide) NotifyMsg(b []byte) { s.receive(b, true) }
func (s oldSide) GetBroadcasts(overhead, limit int) [][]byte {
	return s.queue.GetBroadcasts(overhead, limit)
}
func (oldSide) LocalState(bool) []byte        { return nil }
func (oldSide) MergeRemoteState([]byte, bool) {}

func (newSide) NodeMeta(int) []byte             { return nil }
func (s newSide) NotifyMsg(b []byte)            { s.receive(b, false) }
func (newSide) GetBroadcasts(int, int) [][]byte { return nil }
func (newSide) LocalState(bool) []byte          { return nil }
func (newSide) MergeRemoteState([]byte, bool)   {}

type broadcast []byte

func (b broadcast) Message() []byte                       { return b }
func (b broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Finished()                             {}
func (b broadcast) UniqueBroadcast()                      {}

// An id identifies a message, whichever library carries it.
type id struct {
	name   string // the origin, at most 255 bytes
	run    uint64
	number uint64
}

// wrap prefixes a message with its id: length of the name, the name, run, number.
func wrap(id id, msg []byte) []byte {
	b := append([]byte{byte(len(id.name))}, id.name...)
	b = binary.BigEndian.AppendUint64(b, id.run)
	b = binary.BigEndian.AppendUint64(b, id.number)
	return append(b, msg...)
}

func unwrap(b []byte) (of id, msg []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0])+16 {
		return id{}, nil, false
	}
	n := 1 + int(b[0])
	return id{string(b[1:n]), binary.BigEndian.Uint64(b[n:]), binary.BigEndian.Uint64(b[n+8:])}, b[n+16:], true
}

// recent remembers the latest ids.
type recent struct {
	known map[id]bool
	order []id // oldest first
}

// recentMax bounds the remembered ids: more messages than pass while a copy is in flight.
const recentMax = 1 << 16

// add adds an id and reports whether it is new.
func (r *recent) add(i id) bool {
	if r.known[i] {
		return false
	}
	if r.known == nil {
		r.known = make(map[id]bool)
	}
	r.known[i] = true
	if r.order = append(r.order, i); len(r.order) > recentMax {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
	return true
}
