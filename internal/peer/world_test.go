package peer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// epoch is where virtual time begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A world is two nodes with one session between them, a network, and virtual time. The nodes do what a core does: they
// route messages, pump and report. They send only what the tests send.
type world struct {
	t      testing.TB
	now    time.Time
	delay  time.Duration // delay of each datagram
	carry  int           // size in bytes of the largest datagram that the network carries
	lose   func(from *node, packet []byte) bool
	flying []datagram
	a, b   *node
}

type datagram struct {
	at    time.Time
	to    *node
	bytes []byte
}

// A node is one end of the session.
type node struct {
	w        *world
	name     string
	endpoint *Endpoint
	ids      wire.IDs
	out      outbox.Outbox
	arena    arena.Arena
	store    assembly.Store
	timers   timer.Heap
	timer    timer.Timer
	sessions *session.Set
	peer     Peer
	ch       *Channel
	other    *node
	source   wire.Path
	factor   int // factor of the report interval

	small   []string // payloads of the received broadcasts
	large   map[wire.MessageID]*assembly.Assembly
	kinds   map[wire.Kind]int // received messages
	packets int               // received packets
	sent    int               // sent datagrams
	unfit   []string          // payloads of broadcasts that fit into no datagram
	measure []time.Duration   // ages of the packets named by reports
	gaveUp  []int             // sizes of datagrams that were given up
	arrived []*assembly.Assembly
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: epoch, delay: time.Millisecond, carry: 1 << 16}
	ends := [2]wire.NodeID{{0: 1, 6: 0x80}, {0: 2, 6: 0x80}}
	paths := [2]wire.Path{{Remote: netip.MustParseAddrPort("10.0.0.1:6969")}, {Remote: netip.MustParseAddrPort("10.0.0.2:6969")}}
	var identities [2][]byte
	for i, name := range []string{"a", "b"} {
		n := &node{w: w, name: name, source: paths[i], factor: 1, large: map[wire.MessageID]*assembly.Assembly{}, kinds: map[wire.Kind]int{}}
		n.ids = wire.NewIDs([8]byte{byte(i + 1)})
		n.arena = arena.New(arena.Config{})
		n.endpoint = NewEndpoint(Config{HeartbeatGap: time.Second, Paths: pmtu.Config{Size: 1400, Max: 1400},
			IDs: &n.ids, Out: &n.out, Arena: &n.arena, Timers: &n.timers})
		s := session.New(epoch, session.Params{Self: ends[i], Peer: ends[1-i], Initiator: i == 0, Handshake: wire.HandshakeID{1},
			Prefix: [16]byte{9}, SendKey: [32]byte{byte(i)}, RecvKey: [32]byte{byte(1 - i)}, Path: paths[1-i], Suite: session.Null,
			Rand: rand.NewChaCha8([32]byte{byte(i)})})
		n.sessions = session.NewSet(ends[i], ends[1-i], rand.NewChaCha8([32]byte{byte(i), 1}))
		n.sessions.Add(epoch, s)
		n.sessions.Confirm(epoch, s)
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		n.peer = n.endpoint.NewPeer(Params{Sessions: n.sessions, Timer: &n.timer,
			Pace: pacing.New(epoch, w.delay*2, rng.Int64N, 1400)})
		n.timer.Fire = n.tick
		n.ch, identities[i] = n.peer.AddChannel(epoch, s, wire.AppendRequest(nil, n.ids.Control(), wire.KindHeartbeat))
		n.peer.SetLinked(epoch, true)
		if i == 0 {
			w.a = n
		} else {
			w.b = n
		}
	}
	w.a.other, w.b.other = w.b, w.a
	for i, n := range []*node{w.b, w.a} { // the handshake carries the identities
		var p wire.Packet
		if err := wire.ParsePacket(&p, identities[i]); err != nil {
			t.Fatal(err)
		}
		n.receive(&p, len(identities[i]))
	}
	return w
}

// run advances virtual time by d and processes everything that falls due.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 1_000_000 {
		w.drain()
		next := timer.Soonest(w.a.timers.Next(), w.b.timers.Next())
		for _, d := range w.flying {
			next = timer.Soonest(next, d.at)
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.arrive()
		w.a.timers.Run(w.now)
		w.b.timers.Run(w.now)
	}
	w.t.Fatalf("endless traffic at %v", w.now.Sub(epoch))
}

// drain ends a turn: it seals what is open and puts all datagrams on the wire.
func (w *world) drain() {
	for _, n := range []*node{w.a, w.b} {
		n.peer.Seal(w.now)
		n.out.Drain(1, func(r outbox.Run) {
			n.sent++
			if len(r.Bytes) <= w.carry {
				w.flying = append(w.flying, datagram{w.now.Add(w.delay), n.other, slices.Clone(r.Bytes)})
			}
		})
	}
}

// arrive delivers the datagrams that are due.
func (w *world) arrive() {
	var due []datagram
	w.flying = slices.DeleteFunc(w.flying, func(d datagram) bool {
		arrived := !d.at.After(w.now)
		if arrived {
			due = append(due, d)
		}
		return arrived
	})
	for _, d := range due {
		for b := d.bytes; len(b) > 0; {
			var p wire.Packet
			if err := wire.NextPacket(&p, b); err != nil {
				w.t.Fatal(err)
			}
			if w.lose == nil || !w.lose(d.to.other, b[:len(b)-len(p.Rest)]) {
				d.to.receive(&p, len(b)-len(p.Rest))
			}
			b = p.Rest
		}
	}
}

// receive processes one packet, as the core does.
func (n *node) receive(p *wire.Packet, size int) {
	now := n.w.now
	plain, err := n.ch.Open(now, p)
	if err != nil {
		n.w.t.Fatalf("%s: %v", n.name, err)
	}
	n.packets++
	n.endpoint.BeginPacket()
	if n.ch.CountReceived(size) {
		n.report()
	}
	for len(plain) > 0 {
		var m wire.Message
		if plain, err = wire.ParseMessage(&m, plain); err != nil {
			n.w.t.Fatalf("%s: %v", n.name, err)
		}
		n.handle(&m)
	}
	if n.ch.SendSettled(now) {
		n.pump()
	}
	n.ch.EndPacket(now)
}

func (n *node) report() {
	n.ch.WantReport(n.w.now)
	if n.peer.ReportDue(n.w.now) {
		n.peer.SendReport(n.w.now, n.factor)
	}
}

func (n *node) handle(m *wire.Message) {
	now := n.w.now
	n.kinds[m.Kind]++
	switch m.Kind {
	case wire.KindBroadcast:
		n.small = append(n.small, string(m.Data))
	case wire.KindFrame:
		n.report()
		if m.Total > 0 {
			n.piece(m.ID, m.Total, m.Offset, m.Data, false)
		}
	case wire.KindDirect:
		n.report()
		d, err := wire.ParseDirect(m.Data)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.piece(m.ID, d.Total, d.Offset, d.Data, true)
	case wire.KindNak:
		unfit, full := n.ch.HandleNak(now, m.Start, m.End)
		n.noteUnfit(unfit)
		if full && n.ch.SendSettled(now) {
			n.pump()
		}
	case wire.KindSettled:
		n.ch.HandleSettled(m.Data)
	case wire.KindReport:
		r, err := wire.ParseReport(m.Data)
		if err != nil {
			n.w.t.Fatal(err)
		}
		if sent, ok := n.ch.HandleReport(now, r); ok {
			n.measure = append(n.measure, now.Sub(sent))
			n.peer.SetRTT(n.peer.Pace().RTT())
			n.arrived = n.ch.Confirm(now, r.Lowest, n.arrived)
			n.pump()
		}
	case wire.KindPing:
		ping, err := wire.ParsePing(m.Data)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.ch.Send(now, n.other.source, wire.AppendPing(nil, wire.KindAck, n.ids.Control(), wire.Ping{Seq: ping.Seq}))
	case wire.KindAck:
		ack, err := wire.ParsePing(m.Data)
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.peer.PathAnswered(now, ack.Seq)
	}
}

func (n *node) piece(id wire.MessageID, total, offset uint32, data []byte, direct bool) {
	a := n.large[id]
	if a == nil {
		a = n.store.Begin(n.w.now, id, total, direct)
		n.large[id] = a
	}
	n.store.Write(n.w.now, a, offset, data)
}

func (n *node) noteUnfit(plain []byte) {
	for len(plain) > 0 {
		var m wire.Message
		var err error
		if plain, err = wire.ParseMessage(&m, plain); err != nil {
			n.w.t.Fatal(err)
		}
		n.unfit = append(n.unfit, string(m.Data))
	}
}

func (n *node) pump() {
	for unfit := n.peer.Pump(n.w.now, false); unfit != nil; unfit = n.peer.PumpOn(n.w.now, false) {
		n.noteUnfit(unfit)
	}
}

func (n *node) tick(now time.Time) {
	if n.peer.PumpDue(now) {
		n.pump()
	}
	n.peer.ProbeTail(now)
	if n.peer.ReportDue(now) {
		n.peer.SendReport(now, n.factor)
	}
	next := n.peer.Tick(now)
	path, gaveUp := n.peer.TickPath(now)
	if gaveUp != 0 {
		n.gaveUp = append(n.gaveUp, gaveUp)
	}
	if next = timer.Soonest(next, path); !next.IsZero() {
		n.timers.Advance(&n.timer, next)
	}
}

// broadcast encodes a small message and puts it into the arena.
func (n *node) broadcast(payload string) arena.Ref {
	return n.arena.Put(n.w.now, wire.AppendBroadcast(nil, wire.Bin, n.ids.Broadcast(), []byte(payload)))
}

// send sends small messages in one turn.
func (n *node) send(payloads ...string) (became []Sending) {
	for _, s := range payloads {
		became = append(became, n.peer.Send(n.w.now, n.broadcast(s)))
	}
	return became
}

// transfer begins to send a large message of size bytes.
func (n *node) transfer(size int) *assembly.Assembly {
	a := n.message(size)
	n.peer.Begin(n.w.now, a, 0)
	n.pump()
	return a
}

// message creates a large message that is not being sent yet.
func (n *node) message(size int) *assembly.Assembly {
	n.w.t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	a := n.store.Add(n.w.now, n.ids.Broadcast(), data, false)
	if a == nil {
		n.w.t.Fatal("no room")
	}
	return a
}

// wantWhole fails the test unless n has received all of a message from the other node.
func (n *node) wantWhole(a *assembly.Assembly) {
	n.w.t.Helper()
	got := n.large[a.ID]
	switch {
	case got == nil:
		n.w.t.Errorf("nothing of a message of %d bytes came", a.Total)
	case !got.Complete():
		n.w.t.Errorf("%d of %d bytes came", got.Have.Size(), a.Total)
	case string(got.Copy()) != string(a.Copy()):
		n.w.t.Error("the bytes differ")
	}
}

// everyNth returns a filter that loses every n-th packet of a node.
func everyNth(from *node, n int) func(*node, []byte) bool {
	count := 0
	return func(f *node, _ []byte) bool {
		if f != from {
			return false
		}
		count++
		return count%n == 0
	}
}

// losePackets returns a filter that loses the packets of a node at the given positions in sending order, from 1.
func losePackets(from *node, places ...int) func(*node, []byte) bool {
	count := 0
	return func(f *node, _ []byte) bool {
		if f != from {
			return false
		}
		count++
		return slices.Contains(places, count)
	}
}

func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("message %d", i))
	}
	return list
}

// ping sends a packet that is never retransmitted. It reveals the loss of earlier packets.
func (n *node) ping() {
	n.ch.Send(n.w.now, n.other.source, wire.AppendPing(nil, wire.KindPing, n.ids.Control(), wire.Ping{Seq: 1}))
}

func noRun(outbox.Run) {}

// allArrived returns the report of a peer that has received everything.
func allArrived(p *Peer) pacing.Report {
	return pacing.Report{Delivered: p.sent, InFlightSent: p.sent, RTT: time.Millisecond}
}
