package peers

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// epoch is where virtual time begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A world is two nodes, a and b, and a lossless network between them.
type world struct {
	t    *testing.T
	now  time.Time
	a, b *node
}

// A node drives a Table as a core does.
type node struct {
	*Table
	w        *world
	id       wire.NodeID
	path     wire.Path
	other    *node
	ids      wire.IDs
	out      outbox.Outbox
	arena    arena.Arena
	timers   timer.Heap
	outcomes outcome.Buffer[handshake.Outcome]
	unsent   netip.AddrPort // an address with unwritten data
	meta     []byte         // of the node

	established []*session.Session
	failed      []error
	rejected    []handshake.Reason
	confirmed   int      // number of confirmed sessions
	plains      [][]byte // decrypted plaintexts
	lost        bool     // nothing arrives at this node
	lastPacket  []byte   // the last packet with a box that arrived
}

func newWorld(t *testing.T, keys ...handshake.Key) *world {
	if keys == nil {
		keys = []handshake.Key{oldKey}
	}
	w := &world{t: t, now: epoch}
	w.a, w.b = w.newNode(1, keys), w.newNode(2, keys)
	w.a.other, w.b.other = w.b, w.a
	return w
}

var oldKey, newKey = handshake.NewKey([]byte("old"), ""), handshake.NewKey([]byte("new"), "")

func goID(n byte) wire.NodeID     { return wire.NodeID{0: n, 6: 0x80, 8: 0x80} }
func legacyID(n byte) wire.NodeID { return wire.NodeID{0: n, 6: 0x40, 15: 1} }

func pathOf(n byte) wire.Path {
	return wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 6969)}
}

func (w *world) newNode(n byte, keys []handshake.Key) *node {
	random := rand.NewChaCha8([32]byte{n})
	id, secret, err := nodeid.New(random, nodeid.NoAgreement)
	if err != nil {
		w.t.Fatal(err)
	}
	v := &node{w: w, id: id, path: pathOf(n), ids: wire.NewIDs([8]byte{n}), arena: arena.New(arena.Config{})}
	endpoint := peer.NewEndpoint(peer.Config{HeartbeatGap: time.Second, Paths: pmtu.Config{Size: 1400, Max: 1400},
		IDs: &v.ids, Out: &v.out, Arena: &v.arena, Timers: &v.timers})
	v.Table = New(Config{Suite: session.Null, Datagram: 1400, Endpoint: endpoint, IDs: &v.ids, Out: &v.out, Timers: &v.timers,
		RNG: rand.New(rand.NewPCG(1, uint64(n))), Handshake: handshake.Config{Node: v.id, Secret: secret, Name: string('a' + n - 1), Zone: wire.Zone{Name: "z", Valid: true},
			Advertise: v.path.Remote, MaxDatagram: 1300, Heartbeat: time.Second, Versions: &[6]byte{1}, Keys: keys, AllowLegacy: true,
			Unsent: func(to netip.AddrPort) bool { return to == v.unsent }, Rand: random, Agreement: nodeid.NoAgreement}})
	return v
}

// dial performs a handshake from a to b, and returns their peers once both have a usable session.
func (w *world) dial() (ofA, ofB *Peer) {
	w.t.Helper()
	w.a.dial(w.b.path)
	w.run(time.Second)
	ofA, ofB = w.a.peers[w.b.id], w.b.peers[w.a.id]
	if ofA == nil || ofB == nil {
		w.t.Fatal("no session")
	}
	return ofA, ofB
}

func (n *node) dial(to wire.Path) {
	n.Dial(n.w.now, to, wire.NodeID{}, n.w.now.Add(5*time.Second))
}

func (n *node) conclude(out []handshake.Outcome) { n.outcomes.Work(out, n.act) }

func (n *node) act(o *handshake.Outcome) {
	if n.Send(n.w.now, o) {
		return
	}
	switch o.Kind {
	case handshake.SessionEstablished:
		n.establish(o.Session)
	case handshake.AttemptFailed:
		n.failed = append(n.failed, o.Err)
	case handshake.PacketRejected:
		n.rejected = append(n.rejected, o.Reason)
	}
}

func (n *node) establish(e *handshake.Established) *Peer {
	p := n.peers[e.Peer]
	if p == nil {
		p = n.addPeer(e)
	}
	s := n.Establish(n.w.now, p, e)
	n.established = append(n.established, s)
	n.conclude(n.Introduce(n.outcomes, n.w.now, p, s, e, &wire.Member{ID: n.id, Name: []byte("n"), Addr: n.path.Remote, Meta: n.meta}))
	return p
}

func (n *node) addPeer(e *handshake.Established) *Peer {
	at := &timer.Timer{}
	p := n.Add(n.w.now, e, at)
	at.Fire = func(now time.Time) { n.timeout(now, p) }
	return p
}

func (n *node) timeout(now time.Time, p *Peer) {
	a := n.HandleTimeout(now, p)
	if a.Renew {
		n.dial(p.Sessions.Path())
	}
	if n.Probe(now, p, &a); p.Sessions.Len() == 0 {
		n.Remove(p)
	}
	n.Wake(p)
}

// legacyPeer creates a session of n with a gwyh 0.1 node, and returns the other end.
func (n *node) legacyPeer(of byte, initiator bool) (p *Peer, end *session.Session) {
	key, id := [32]byte{of}, wire.HandshakeID{of}
	e := &handshake.Established{Peer: legacyID(of), Handshake: id, Legacy: true, Initiator: initiator, SendKey: key, RecvKey: key, Path: pathOf(of), Timestamp: n.w.now}
	p = n.establish(e)
	end = session.New(n.w.now, session.Params{Self: legacyID(of), Peer: n.id, Handshake: id, Initiator: !initiator, Legacy: true,
		SendKey: key, RecvKey: key, Suite: session.Null, Rand: rand.NewChaCha8([32]byte{of})})
	return p, end
}

// run advances virtual time and processes everything that falls due.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 100_000 {
		if w.a.deliver() || w.b.deliver() {
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
		for _, n := range []*node{w.a, w.b} {
			for t := n.NextTimeout(); !t.IsZero() && !t.After(w.now); t = n.NextTimeout() {
				n.conclude(n.Endpoint.HandleTimeout(n.outcomes, w.now))
			}
			n.timers.Run(w.now)
		}
	}
	w.t.Fatal("endless traffic")
}

func (n *node) next() time.Time { return timer.Soonest(n.timers.Next(), n.NextTimeout()) }

// deliver passes the datagrams of n to the other node, and reports whether there were any.
func (n *node) deliver() (any bool) {
	for _, d := range n.drain() {
		any = true
		if d.to == n.other.path.Remote && !n.other.lost {
			n.other.receive(n.path, d.bytes)
		}
	}
	return any
}

type datagram struct {
	to    netip.AddrPort
	bytes []byte
}

func (n *node) drain() (list []datagram) {
	n.out.Drain(1, func(r outbox.Run) { list = append(list, datagram{r.To.Remote, bytes.Clone(r.Bytes)}) })
	return list
}

// packets returns the packets that n has sent to an address.
func (n *node) packets(to wire.Path) (list []wire.Packet) {
	for _, d := range n.drain() {
		for b := d.bytes; d.to == to.Remote && len(b) > 0; {
			var p wire.Packet
			if err := wire.NextPacket(&p, b); err != nil {
				n.w.t.Fatal(err)
			}
			list, b = append(list, p), p.Rest
		}
	}
	return list
}

func (n *node) receive(from wire.Path, b []byte) {
	for len(b) > 0 {
		var p wire.Packet
		whole := bytes.Clone(b)
		if err := wire.NextPacket(&p, b); err != nil {
			n.w.t.Fatal(err)
		}
		if p.Kind == wire.PacketHandshake {
			n.conclude(n.HandlePacket(n.outcomes, n.w.now, from, &p))
		} else {
			n.lastPacket = whole[:len(whole)-len(p.Rest)]
			n.open(from, &p)
		}
		b = p.Rest
	}
}

func (n *node) open(from wire.Path, p *wire.Packet) (ok bool) {
	o, ok := n.Open(n.w.now, p)
	if !ok {
		return false
	}
	n.plains = append(n.plains, bytes.Clone(o.Plain))
	if n.HandleOpened(n.w.now, &o, from) {
		n.confirmed++
	}
	return true
}

// take returns the plaintexts that arrived since the last call.
func (n *node) take() [][]byte {
	list := n.plains
	n.plains = nil
	return list
}

// receives checks the plaintexts that have arrived.
func (n *node) receives(want ...[]byte) {
	n.w.t.Helper()
	if got := n.take(); !slices.EqualFunc(got, want, bytes.Equal) {
		n.w.t.Errorf("received %q, want %q", got, want)
	}
}
