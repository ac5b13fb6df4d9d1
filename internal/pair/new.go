package pair

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// New returns two nodes that have a session with each other and are not linked.
func New(t *testing.T) *World {
	t.Helper()
	w := &World{T: t, Now: Epoch}
	w.A, w.B = w.newNode(1), w.newNode(2)
	w.A.Sessions.Dial(w.Now, w.B.Path, wire.NodeID{}, w.Now.Add(5*time.Second))
	w.Run(100 * time.Millisecond)
	if w.A.Peer == nil || w.B.Peer == nil {
		t.Fatal("no session")
	}
	w.A.Kinds, w.B.Kinds = nil, nil
	return w
}

func (w *World) newNode(n byte) *Node {
	random := rand.NewChaCha8([32]byte{n})
	id, secret, err := nodeid.New(random, nodeid.NoAgreement)
	if err != nil {
		w.T.Fatal(err)
	}
	v := &Node{w: w, ID: id, Path: wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 6969)}, IDs: wire.NewIDs([8]byte{n}),
		RNG: rand.New(rand.NewPCG(1, uint64(n)))}
	v.Members = members.NewTable(w.Now, members.Config{Self: members.Member{ID: id, Name: string('a' + rune(n) - 1), Addr: v.Path.Remote}, MetaMax: 512, NameHold: time.Minute, Rand: v.RNG})
	v.Report = report.New(report.Config{Members: &v.Members, Events: &v.Events, Timers: &v.Timers, Debug: true})
	v.Delivery = delivery.New(w.Now, delivery.Config{Self: id, Heartbeat: time.Second, DatagramSize: DatagramSize, DatagramMax: DatagramSize, Pings: true,
		ProbeInterval: time.Second, Members: &v.Members, IDs: &v.IDs, RNG: v.RNG, Timers: &v.Timers, Out: &v.Out, Events: &v.Events, Report: v.Report, Stats: &v.Stats})
	v.Sessions = peers.New(peers.Config{Suite: session.Null, Datagram: DatagramSize, Endpoint: v.Delivery.Endpoint, IDs: &v.IDs, Out: &v.Out, Timers: &v.Timers,
		RNG: v.RNG, Handshake: handshake.Config{Node: id, Secret: secret, Name: "n", Advertise: v.Path.Remote, MaxDatagram: DatagramSize, Heartbeat: time.Second,
			Versions: &[6]byte{1}, Keys: []handshake.Key{handshake.NewKey([]byte("key"), "")}, Rand: random, Agreement: nodeid.NoAgreement}})
	v.Delivery.SetSessions(v.Sessions)
	v.Detector = swim.New(w.Now, swim.Config{Heartbeat: time.Second, ProbeInterval: time.Second, ProbeTimeout: time.Second, Subscriptions: 3,
		IndirectChecks: 3, SuspicionMult: 4, SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 8}, v.RNG, &v.Members, &v.Timers)
	return v
}

// Link begins the link between the nodes.
func (w *World) Link() {
	for _, n := range []*Node{w.A, w.B} {
		n.Delivery.Link(w.Now, n.Peer)
		n.Delivery.Broadcasts.LinkBegan(w.Now, n.Peer)
		n.Detector.LinkUp(w.Now, &n.Peer.Swim)
	}
}

// Add makes a node a live member of n.
func (n *Node) Add(e *wire.Member) *members.Entry {
	claim := n.Members.Claim(n.w.Now, e, nil)
	if !claim.Granted {
		return nil
	}
	return n.Members.SetAlive(n.w.Now, e, claim).Member
}

// AddOther makes the other node a live member of n.
func (n *Node) AddOther() *members.Entry {
	other := n.w.A
	if n == n.w.A {
		other = n.w.B
	}
	var e wire.Member
	return n.Add(other.Members.Self().Fill(&e))
}

// Member returns the entry of a node that is not one of the two.
func Member(i int) *wire.Member {
	return &wire.Member{State: wire.StateAlive, ID: wire.NodeID{0: 9, 1: byte(i), 6: 0x80, 8: 0x80}, Incarnation: uint64(Epoch.UnixMilli()),
		Name: fmt.Append(nil, "member", i), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 6969)}
}

// Warnings returns the lines of the node's log since the last call of Events.Take, without other events.
func (n *Node) Warnings() (lines []string) {
	for _, e := range n.Events.Take() {
		if e.Kind == event.Log {
			lines = append(lines, e.Text)
		}
	}
	return lines
}

// AddLegacy gives n a session with a new gwyh 0.1 node, whose addresses differ by i.
func (n *Node) AddLegacy(i byte) *Legacy {
	at := wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, i}), 6969)}
	l := &Legacy{ID: wire.NodeID{0: i, 6: 0x40, 15: 1}, Path: at, Peer: &delivery.Peer{}, w: n.w}
	key, handshakeID := [32]byte{i}, wire.HandshakeID{i}
	e := &handshake.Established{Peer: l.ID, Handshake: handshakeID, Legacy: true, SendKey: key, RecvKey: key, Path: at, Timestamp: n.w.Now}
	n.Delivery.Add(l.Peer, n.Sessions.Add(n.w.Now, e, &l.Peer.Timer))
	l.s = session.New(n.w.Now, session.Params{Self: l.ID, Peer: n.ID, Handshake: handshakeID, Initiator: true, Legacy: true, SendKey: key, RecvKey: key,
		Suite: session.Null, Rand: rand.NewChaCha8([32]byte{i})})
	own := n.Sessions.Establish(n.w.Now, l.Peer.Node, e)
	n.Sessions.Introduce(nil, n.w.Now, l.Peer.Node, own, e, nil)
	l.Peer.Sessions.Confirm(n.w.Now, own)
	l.Peer.Swim.Heard = n.w.Now
	l.Peer.Timer.Fire = func(now time.Time) { n.advance(l.Peer, n.Delivery.Sender.Tick(now, l.Peer)) }
	n.legacy = append(n.legacy, l)
	return l
}
