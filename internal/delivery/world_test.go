package delivery

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/stats"
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

// A node drives a Delivery as a core does, and keeps what arrives.
type node struct {
	*Delivery
	w        *world
	table    *peers.Table
	members  members.Table
	peer     *Peer // the other node
	path     wire.Path
	ids      wire.IDs
	timers   timer.Heap
	out      outbox.Outbox
	events   event.Queue
	stats    stats.Stats
	outcomes outcome.Buffer[handshake.Outcome]

	acks      []string          // payloads of answers to Pings
	delivered []string          // messages for the application
	ended     []*direct.Outcome // direct messages that ended
	control   []wire.Kind       // control messages that arrived in pieces
	received  []wire.Kind       // messages that arrived
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
	v.Delivery = New(w.now, Config{Self: id, Heartbeat: time.Second, DatagramSize: datagramSize, DatagramMax: datagramSize, Members: &v.members, IDs: &v.ids, RNG: rng,
		Timers: &v.timers, Out: &v.out, Events: &v.events, Report: log, Stats: &v.stats})
	v.table = peers.New(peers.Config{Suite: session.Null, Datagram: datagramSize, Endpoint: v.Endpoint, IDs: &v.ids, Out: &v.out, Timers: &v.timers,
		RNG: rng, Handshake: handshake.Config{Node: id, Name: "n", Advertise: v.path.Remote, MaxDatagram: datagramSize, Heartbeat: time.Second,
			Versions: &[6]byte{1}, Keys: []handshake.Key{handshake.NewKey([]byte("key"), "")}, Rand: random, Agreement: handshake.NoAgreement}})
	v.SetSessions(v.table)
	return v
}

// link begins the link between the nodes.
func (w *world) link() {
	for _, n := range []*node{w.a, w.b} {
		n.Link(w.now, n.peer)
		n.Broadcasts.LinkBegan(w.now, n.peer)
	}
}

// run advances virtual time and handles everything that is due. Datagrams arrive at once.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 100_000 {
		w.a.Sender.SealDue(w.now, true)
		w.b.Sender.SealDue(w.now, true)
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
		n.peer = &Peer{}
		n.Add(n.peer, n.table.Add(n.w.now, o.Session, &n.peer.Timer))
		n.peer.Timer.Fire = n.tick
	}
	n.peer.Swim.Heard = n.w.now
	n.peer.Swim.SetInterval(time.Second, time.Second)
	s := n.table.Establish(n.w.now, n.peer.Node, o.Session)
	var self wire.Member
	n.conclude(n.table.Introduce(n.outcomes, n.w.now, n.peer.Node, s, o.Session, n.members.Self().Fill(&self)))
}

// tick does what is due for the peer.
func (n *node) tick(now time.Time) {
	if next := n.Sender.Tick(now, n.peer); !next.IsZero() {
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
				n.Sender.ReportSoon(n.w.now, n.peer, o.Channel)
			}
			n.handle(&o, o.Plain, false)
			n.Sender.SendSettled(n.w.now, n.peer, o.Channel)
			o.Channel.EndPacket(n.w.now)
		}
		b = rest
	}
}

// handle handles the messages of a plaintext as a core does, as far as this package has a part in it.
func (n *node) handle(o *peers.Opened, plain []byte, inner bool) {
	for len(plain) > 0 {
		var m wire.Message
		rest, err := wire.ParseMessage(&m, plain)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.received = append(n.received, m.Kind)
		if inner {
			n.control = append(n.control, m.Kind)
		}
		n.message(o, &m, inner)
		plain = rest
	}
	for _, e := range n.events.Take() {
		if e.Kind == event.Message {
			n.delivered = append(n.delivered, string(e.Data))
		}
	}
}

func (n *node) message(o *peers.Opened, m *wire.Message, inner bool) {
	now, p, ch := n.w.now, n.peer, o.Channel
	switch m.Kind {
	case wire.KindCast:
		n.Broadcasts.ReceiveBroadcast(now, p, m)
	case wire.KindFrame:
		n.Broadcasts.ReceiveFrame(now, p, ch, m)
	case wire.KindHave:
		n.Broadcasts.ReceiveHave(now, p, m.Data)
	case wire.KindWant:
		n.Broadcasts.ReceiveWant(now, p, m.Data)
	case wire.KindNak:
		n.Sender.HandleNak(now, p, ch, m.Start, m.End)
	case wire.KindReport:
		n.report(m.Data)
	case wire.KindDirect:
		n.direct(o, m, inner)
	case wire.KindPing, wire.KindAck:
		n.ping(ch, m)
	case wire.KindDirectAck:
		n.perform(n.Directs.ReceiveAck(nil, now, p, m.Data))
	}
}

func (n *node) report(data []byte) {
	r, err := wire.ParseReport(data)
	if err != nil {
		n.w.t.Fatal(err)
	}
	ch := n.peer.Packets.Channel(n.w.now)
	if _, ok := ch.HandleReport(n.w.now, r); ok {
		n.Broadcasts.Confirm(n.w.now, n.peer, ch, r.Lowest)
		n.Sender.Pump(n.w.now, n.peer)
	}
}

func (n *node) ping(ch *packets.Channel, m *wire.Message) {
	ping, err := wire.ParsePing(m.Data)
	switch {
	case err != nil:
		n.w.t.Fatal(err)
	case m.Kind == wire.KindPing:
		n.Pings.Answer(n.w.now, ch, n.peer.Sessions.Path(), ping.Seq)
	case len(ping.Payload) > 0:
		n.acks = append(n.acks, string(ping.Payload))
	}
}

func (n *node) direct(o *peers.Opened, m *wire.Message, inner bool) {
	now, p, ch := n.w.now, n.peer, o.Channel
	piece, ok := n.Directs.Check(now, ch, m, inner)
	if !ok {
		return
	}
	if _, v := n.Directs.Receive(now, p, ch, m.ID, &piece); v.Whole && n.Directs.Deliver(now, p, ch, piece.Use, m.ID, v.Data) {
		n.handle(o, v.Data, true)
	}
}

// perform acts on the outcomes of direct messages.
func (n *node) perform(out []direct.Outcome) {
	for i := range out {
		if !n.Directs.Perform(n.w.now, &out[i]) {
			n.ended = append(n.ended, &out[i])
		}
	}
}
