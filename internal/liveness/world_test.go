package liveness

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is two nodes, of which each has a Messenger.
type world struct {
	*pair.World
	a, b *node
}

// A node passes messages of failure detection to its Messenger as a core does, and keeps what is left to the core.
type node struct {
	*pair.Node
	*Messenger
	t    *testing.T
	w    *world
	left []swim.Action // actions that Perform left to the caller
	acks []Ack
	got  []wire.Member // entries that arrived
}

func newWorld(t *testing.T, tweak ...func(*Config)) *world {
	w := &world{World: pair.New(t)}
	w.a, w.b = w.newNode(w.A, tweak), w.newNode(w.B, tweak)
	return w
}

func (w *world) newNode(p *pair.Node, tweak []func(*Config)) *node {
	e := entries.New(entries.Config{Delivery: p.Delivery, Members: &p.Members, Detector: p.Detector, Comparer: antientropy.New(p.RNG), IDs: &p.IDs,
		Timers: &p.Timers, Report: p.Report, Stats: &p.Stats})
	cfg := Config{Delivery: p.Delivery, Entries: e, Detector: p.Detector, Members: &p.Members, Sessions: p.Sessions, IDs: &p.IDs, Timers: &p.Timers,
		Events: &p.Events, Report: p.Report, Stats: &p.Stats, Pings: true}
	for _, f := range tweak {
		f(&cfg)
	}
	n := &node{Node: p, Messenger: New(cfg), t: w.T, w: w}
	p.Handle = n.handle
	return n
}

// do performs actions as a core does.
func (n *node) do(out []swim.Action) {
	for i := range out {
		if !n.Perform(n.w.Now, &out[i]) {
			n.left = append(n.left, out[i])
		}
	}
}

func (n *node) handle(in pair.Arrival, m *wire.Message) {
	now, p := n.w.Now, n.Peer
	switch m.Kind {
	case wire.KindPing:
		n.ReceivePing(now, in.From, p, in.Channel, m.Data)
	case wire.KindAck:
		out, a, ok := n.ReceiveAck(nil, now, p, m.Data)
		if n.do(out); ok {
			n.acks = append(n.acks, a)
			n.Acknowledged(now, p, a)
		}
	case wire.KindProbeFor:
		n.do(n.ReceiveProbeFor(nil, now, p, m.Data))
	case wire.KindProbeResult:
		n.do(n.ReceiveProbeResult(nil, now, p, m.Data))
	case wire.KindMembers, wire.KindSyncMembers:
		n.take(m.Data)
	}
}

func (n *node) take(data []byte) {
	it := wire.IterMembers(data)
	for e := (wire.Member{}); it.Next(&e); {
		n.got = append(n.got, wire.Member{State: e.State, ID: e.ID, From: e.From})
	}
	if it.Err() != nil {
		n.t.Fatal(it.Err())
	}
}

// swimPeer returns the detector's state of the other node.
func (n *node) swimPeer() *swim.Peer { return &n.Peer.Swim }

// body returns the content of a message.
func body(t *testing.T, plain []byte) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

func probeFor(target wire.NodeID, at netip.AddrPort) []byte {
	return wire.AppendProbeFor(nil, wire.MessageID{1}, wire.ProbeFor{Seq: 7, Target: target, Addr: at})
}

const moment = time.Millisecond

// destinations takes the datagrams that wait to be sent, and returns where they would go.
func (n *node) destinations() (to []netip.AddrPort) {
	n.Delivery.Sender.SealDue(n.w.Now, true)
	n.Out.Drain(1, func(r outbox.Run) { to = append(to, r.To.Remote) })
	return to
}
