package entries

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// epoch is where virtual time begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// datagramSize is the largest datagram of the nodes, in bytes.
const datagramSize = 1400

// A world is two nodes, a and b, that have a session with each other, and the network between them.
type world struct {
	t    *testing.T
	now  time.Time
	a, b *node
}

// A node drives an Entries as a core does, and keeps what arrives.
type node struct {
	*Entries
	delivery *delivery.Delivery
	detector *swim.Detector
	w        *world
	table    *peers.Table
	members  members.Table
	peer     *delivery.Peer // the other node
	path     wire.Path
	ids      wire.IDs
	timers   timer.Heap
	out      outbox.Outbox
	events   event.Queue
	stats    stats.Stats
	outcomes outcome.Buffer[handshake.Outcome]

	got     []wire.Member // entries that arrived, without their bytes
	kinds   []wire.Kind   // messages that arrived
	ended   bool          // a comparison has ended
	refuses bool          // it applies no entry that arrives
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: epoch}
	w.a, w.b = w.newNode(1), w.newNode(2)
	w.a.table.Dial(w.now, w.b.path, wire.NodeID{}, w.now.Add(5*time.Second))
	w.run(100 * time.Millisecond)
	if w.a.peer == nil || w.b.peer == nil {
		t.Fatal("no session")
	}
	return w
}

func (w *world) newNode(n byte) *node {
	id := wire.NodeID{0: n, 6: 0x80, 8: 0x80}
	v := &node{w: w, path: wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 6969)}, ids: wire.NewIDs([8]byte{n})}
	random, rng := rand.NewChaCha8([32]byte{n}), rand.New(rand.NewPCG(1, uint64(n)))
	v.members = members.NewTable(w.now, members.Config{Self: members.Member{ID: id, Name: string('a' + rune(n) - 1), Addr: v.path.Remote}, MetaMax: 512, Rand: rng})
	log := report.New(report.Config{Members: &v.members, Events: &v.events, Timers: &v.timers})
	v.delivery = delivery.New(w.now, delivery.Config{Heartbeat: time.Second, DatagramSize: datagramSize, DatagramMax: datagramSize, Members: &v.members, IDs: &v.ids, RNG: rng,
		Timers: &v.timers, Out: &v.out, Events: &v.events, Report: log, Stats: &v.stats})
	v.table = peers.New(peers.Config{Suite: session.Null, Datagram: datagramSize, Endpoint: v.delivery.Endpoint, IDs: &v.ids, Out: &v.out, Timers: &v.timers,
		RNG: rng, Handshake: handshake.Config{Node: id, Name: "n", Advertise: v.path.Remote, MaxDatagram: datagramSize, Heartbeat: time.Second,
			Versions: &[6]byte{1}, Keys: []handshake.Key{handshake.NewKey([]byte("key"), "")}, Rand: random, Agreement: handshake.NoAgreement}})
	v.delivery.SetSessions(v.table)
	v.detector = swim.New(w.now, swim.Config{Heartbeat: time.Second, ProbeInterval: time.Second, ProbeTimeout: time.Second, Subscriptions: 3,
		SuspicionMult: 4, SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 8}, rng, &v.members, &v.timers)
	v.Entries = New(Config{Delivery: v.delivery, Members: &v.members, Detector: v.detector, Comparer: antientropy.New(rng), IDs: &v.ids,
		Timers: &v.timers, Report: log, Stats: &v.stats})
	return v
}

// link begins the link between the nodes.
func (w *world) link() {
	for _, n := range []*node{w.a, w.b} {
		n.delivery.Link(w.now, n.peer)
		n.delivery.Broadcasts.LinkBegan(w.now, n.peer)
	}
}

// run advances virtual time and handles everything that is due. Datagrams arrive at once.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 100_000 {
		w.a.delivery.Sender.SealDue(w.now, true)
		w.b.delivery.Sender.SealDue(w.now, true)
		if w.a.sendTo(w.b) || w.b.sendTo(w.a) {
			continue
		}
		next := timer.Soonest(w.a.next(), w.b.next())
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.a.timeout()
		w.b.timeout()
	}
	w.t.Fatal("endless traffic")
}

func (n *node) next() time.Time { return timer.Soonest(n.timers.Next(), n.table.NextTimeout()) }

func (n *node) timeout() {
	for timer.Due(n.table.NextTimeout(), n.w.now) {
		n.conclude(n.table.Endpoint.HandleTimeout(n.outcomes, n.w.now))
	}
	n.timers.Run(n.w.now)
}

// sendTo passes the datagrams of n to the other node, and reports whether there were any.
func (n *node) sendTo(other *node) (any bool) {
	var list [][]byte
	n.out.Drain(1, func(r outbox.Run) { list = append(list, bytes.Clone(r.Bytes)) })
	for _, b := range list {
		other.receive(n.path, b)
	}
	return len(list) > 0
}

func (n *node) conclude(out []handshake.Outcome) { n.outcomes.Work(out, n.act) }

func (n *node) act(o *handshake.Outcome) {
	if n.table.Send(n.w.now, o) || o.Kind != handshake.SessionEstablished {
		return
	}
	if n.peer == nil {
		n.peer = &delivery.Peer{}
		n.delivery.Add(n.peer, n.table.Add(n.w.now, o.Session, &n.peer.Timer))
		n.peer.Timer.Fire = n.tick
		n.detector.AddPeer(&n.peer.Swim)
	}
	n.peer.Swim.Heard = n.w.now
	n.peer.Swim.SetInterval(time.Second, time.Second)
	s := n.table.Establish(n.w.now, n.peer.Node, o.Session)
	var self wire.Member
	n.conclude(n.table.Introduce(n.outcomes, n.w.now, n.peer.Node, s, o.Session, n.members.Self().Fill(&self)))
}

// tick does what is due for the peer.
func (n *node) tick(now time.Time) {
	next := n.delivery.Sender.Tick(now, n.peer)
	if at := n.peer.Sync.NextTimeout(); timer.Due(at, now) {
		n.ended = n.Tick(now, n.peer, false) || n.ended
	}
	if next = timer.Soonest(next, n.peer.Sync.NextTimeout()); !next.IsZero() {
		n.timers.Advance(&n.peer.Timer, next)
	}
}

func (n *node) receive(from wire.Path, b []byte) {
	for len(b) > 0 {
		var p wire.Packet
		rest, err := wire.NextPacket(&p, b)
		if err != nil {
			n.w.t.Fatal(err)
		}
		if p.Kind == wire.PacketHandshake {
			n.conclude(n.table.HandlePacket(n.outcomes, n.w.now, from, &p))
		} else if o, ok := n.table.Open(n.w.now, &p); ok {
			n.table.HandleOpened(n.w.now, &o, from)
			n.peer.Swim.Heard = n.w.now
			if o.Channel.CountReceived(len(b) - len(rest)) {
				n.delivery.Sender.ReportSoon(n.w.now, n.peer, o.Channel)
			}
			n.handle(o.Plain)
			n.delivery.Sender.SendSettled(n.w.now, n.peer, o.Channel)
			o.Channel.EndPacket(n.w.now)
		}
		b = rest
	}
}

// handle handles the messages of a plaintext as a core does, as far as this package has a part in it.
func (n *node) handle(plain []byte) {
	for len(plain) > 0 {
		var m wire.Message
		rest, err := wire.ParseMessage(&m, plain)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.kinds = append(n.kinds, m.Kind)
		n.message(&m)
		plain = rest
	}
}

func (n *node) message(m *wire.Message) {
	now, p := n.w.now, n.peer
	switch m.Kind {
	case wire.KindMembers, wire.KindSyncMembers:
		n.apply(m.Data)
	case wire.KindSyncRoot:
		root, err := wire.ParseSyncRoot(m.Data)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.ended = n.ReceiveRoot(now, p, root) || n.ended
	case wire.KindSyncBuckets:
		n.ReceiveBuckets(now, p, m.Data)
	case wire.KindSyncWant:
		n.ReceiveWant(now, p, m.Data)
	}
}

// apply adds the live members of a message to the table.
func (n *node) apply(data []byte) {
	it := wire.IterMembers(data)
	for e := (wire.Member{}); it.Next(&e); {
		n.got = append(n.got, wire.Member{State: e.State, ID: e.ID, Incarnation: e.Incarnation, From: e.From})
		if e.State == wire.StateAlive && e.ID != n.members.Self().ID && !n.refuses {
			n.add(&e)
		}
	}
	if it.Err() != nil {
		n.w.t.Fatal(it.Err())
	}
}

// add makes a node a live member of n.
func (n *node) add(e *wire.Member) *members.Entry {
	if claim := n.members.Claim(n.w.now, e, nil); claim.Granted {
		return n.members.SetAlive(n.w.now, e, claim).Member
	}
	return nil
}

// memberOf returns the entry of a node that is not in the world.
func memberOf(i int) *wire.Member {
	return &wire.Member{State: wire.StateAlive, ID: wire.NodeID{0: 9, 1: byte(i), 6: 0x80, 8: 0x80}, Incarnation: uint64(epoch.UnixMilli()),
		Name: fmt.Append(nil, "member", i), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 6969)}
}
