package handshake

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node is an Endpoint with real sessions in the simplest form: an empty replay window and no renewal. It
// processes the outcomes as the core does.
type node struct {
	slowUntil time.Time // the time for Extend after AttemptSlow; zero for none
	w         *world
	addr      netip.AddrPort
	cfg       Config
	ep        *Endpoint
	offset    time.Duration // of its clock

	seq       map[netip.AddrPort]uint32
	sessions  []*testSession
	rejected  [Reasons]int
	failed    map[AttemptID]error
	self      []AttemptID
	handed    map[string]int          // opened plaintexts
	strangers int                     // boxes that no session opened
	outcomes  outcome.Buffer[Outcome] // see work
	kept      []*Established          // the sessions of the outcomes, which only a test keeps
}

type testSession struct {
	Established
	counter   uint64
	sealable  bool // a box opened, or a legacy peer's GoTeam arrived
	confirmed bool // a box opened
	opened    []string
	probes    int
}

// newNode adds node n at its address. change may modify the default Config.
func newNode(w *world, n int, change func(*Config)) *node {
	cfg := Config{
		Zone: wire.Zone{Name: "zone", Valid: true}, Name: "node", Advertise: address(n),
		MaxDatagram: 1400, Heartbeat: time.Second, Incarnation: uint64(1000 + n),
		Keys: []Key{NewKey([]byte("secret"), "")}, AllowLegacy: true, Rand: newSeeded(uint64(n)),
	}
	if change != nil {
		change(&cfg)
	}
	if cfg.Node == (wire.NodeID{}) {
		if cfg.Agreement == nil {
			cfg.Agreement = nodeid.X25519
		}
		own := selfOf(n, cfg.Agreement)
		cfg.Node, cfg.Secret = own.Node, own.Secret
	}
	x := &node{
		w: w, addr: address(n), cfg: cfg, seq: make(map[netip.AddrPort]uint32),
		failed: make(map[AttemptID]error), handed: make(map[string]int),
	}
	x.ep = New(cfg)
	w.add(x)
	return x
}

func (n *node) clock() time.Time   { return n.w.now.Add(n.offset) }
func (n *node) at() netip.AddrPort { return n.addr }
func (n *node) path() wire.Path    { return wire.Path{Remote: n.addr} }
func (n *node) id() wire.NodeID    { return n.cfg.Node }
func (n *node) total() (sum int) {
	for _, k := range n.rejected {
		sum += k
	}
	return sum
}

func (n *node) timeout() {
	now := n.clock()
	for at := n.ep.NextTimeout(); !at.IsZero() && !at.After(now); at = n.ep.NextTimeout() {
		n.work(n.ep.HandleTimeout(n.outcomes, now))
	}
}

func (n *node) nextTimeout() time.Time {
	at := n.ep.NextTimeout()
	if at.IsZero() {
		return at
	}
	return at.Add(-n.offset)
}

// join begins an attempt to any node at the address.
func (n *node) join(to netip.AddrPort, d time.Duration) AttemptID {
	return n.initiate(to, wire.NodeID{}, d)
}

// initiate begins an attempt to the node peer at the address, or to any node if peer is zero.
func (n *node) initiate(to netip.AddrPort, peer wire.NodeID, d time.Duration) AttemptID {
	id, out := n.ep.Initiate(n.outcomes, n.clock(), wire.Path{Remote: to}, peer, n.clock().Add(d))
	n.work(out)
	return id
}

func (n *node) handle(from wire.Path, p *wire.Packet) {
	n.work(n.ep.HandlePacket(n.outcomes, n.clock(), from, p))
}

// work processes the outcomes that are appended to those in progress.
func (n *node) work(out []Outcome) {
	n.outcomes.Work(out, n.act)
}

func (n *node) act(o *Outcome) {
	switch o.Kind {
	case SendHandshake:
		n.sendHandshake(o.To, o.Message)
	case SendPacket:
		n.w.send(n.addr, o.To.Remote, o.Packet)
	case SessionEstablished:
		n.established(o.Session)
	case GoTeamReceived:
		n.session(o.Peer, o.Handshake).sealable = true
	case SendLegacyProbe:
		n.probe(o.To, o.Handshake, o.Peer)
	case AttemptFailed:
		n.failed[o.Attempt] = o.Err
	case AttemptSlow:
		if !n.slowUntil.IsZero() {
			n.ep.Extend(o.Attempt, n.slowUntil)
		}
	case PacketRejected:
		n.refused(o)
	}
}

func (n *node) refused(o *Outcome) {
	if o.Reason != Returned || o.To.Remote != n.addr {
		n.rejected[o.Reason]++
		return
	}
	n.ep.Cancel(o.Attempt)
	n.self = append(n.self, o.Attempt)
}

func (n *node) sendHandshake(to wire.Path, h *wire.Handshake) {
	n.seq[to.Remote]++
	n.w.send(n.addr, to.Remote, wire.AppendHandshake(nil, n.seq[to.Remote], n.id(), h))
}

func (n *node) established(e *Established) {
	s := &testSession{Established: *e}
	n.sessions = append(n.sessions, s)
	n.kept = append(n.kept, e)
	var identity []byte
	if !s.Legacy {
		identity = n.seal(s, "identity of "+n.id().String())
	}
	n.work(n.ep.Introduce(n.outcomes, n.clock(), e, identity))
}

func (n *node) probe(to wire.Path, id wire.HandshakeID, peer wire.NodeID) {
	s := n.session(peer, id)
	s.probes++
	n.w.send(n.addr, to.Remote, n.sealLegacy(s, to.Remote, "probe"))
}

func (n *node) session(peer wire.NodeID, id wire.HandshakeID) *testSession {
	for _, s := range n.sessions {
		if s.Peer == peer && s.Handshake == id {
			return s
		}
	}
	n.w.t.Fatal("no session for a handshake that the Endpoint speaks of")
	return nil
}

// with returns the sessions with a peer.
func (n *node) with(peer wire.NodeID) (list []*testSession) {
	for _, s := range n.sessions {
		if s.Peer == peer {
			list = append(list, s)
		}
	}
	return list
}

// confirmed reports whether a box of the peer has opened.
func (n *node) confirmed(peer wire.NodeID) bool {
	for _, s := range n.with(peer) {
		if s.confirmed {
			return true
		}
	}
	return false
}

func (n *node) receive(d datagram) {
	var p wire.Packet
	if wire.ParsePacket(&p, d.bytes) != nil {
		n.rejected[Malformed]++
		return
	}
	if p.Kind == wire.PacketHandshake {
		n.handle(wire.Path{Remote: d.from}, &p)
		return
	}
	n.open(d.from, &p)
}

// open finds the session of a box: by prefix and peer, or any legacy session of the peer.
func (n *node) open(from netip.AddrPort, p *wire.Packet) {
	box := append(p.Box.Tag[:len(p.Box.Tag):len(p.Box.Tag)], p.Box.Data...)
	for _, s := range n.sessions {
		if s.Peer != p.Sender || !s.Legacy && s.Prefix != [16]byte(p.Box.Nonce[:16]) {
			continue
		}
		text, ok := secretbox.Open(nil, box, &p.Box.Nonce, &s.RecvKey)
		if !ok {
			continue
		}
		s.sealable, s.confirmed = true, true
		s.opened = append(s.opened, string(text))
		n.handed[string(text)]++
		n.ep.Confirm(n.clock(), s.Handshake, s.Peer)
		return
	}
	n.strangers++
}

func (n *node) seal(s *testSession, text string) []byte {
	s.counter++
	var nonce [24]byte
	copy(nonce[:], s.Prefix[:])
	binary.BigEndian.PutUint64(nonce[16:], s.counter)
	packet, tag, data := wire.ReserveBox(nil, uint32(s.counter), n.id(), &nonce, len(text))
	box := secretbox.Seal(nil, []byte(text), &nonce, &s.SendKey)
	copy(tag, box)
	copy(data, box[16:])
	return packet
}

func (n *node) sealLegacy(s *testSession, to netip.AddrPort, text string) []byte {
	n.seq[to]++
	var nonce [24]byte
	fill(n.cfg.Rand, nonce[:])
	box := secretbox.Seal(nil, []byte(text), &nonce, &s.SendKey)
	return wire.AppendBoxArrays(nil, n.seq[to], n.id(), &nonce, (*[16]byte)(box), box[16:])
}

// say sends a text under the session.
func (n *node) say(s *testSession, text string) {
	if !s.sealable {
		n.w.t.Fatal("said something under a session that may not be sealed under")
	}
	if s.Legacy {
		n.w.send(n.addr, s.Path.Remote, n.sealLegacy(s, s.Path.Remote, text))
		return
	}
	n.w.send(n.addr, s.Path.Remote, n.seal(s, text))
}

// current returns the confirmed session to send on. If both nodes initiated one, it is the one of the node with the lower id
// (PROTOCOL.md S8).
func (n *node) current(peer wire.NodeID) (best *testSession) {
	lower := n.id().String() < peer.String()
	for _, s := range n.with(peer) {
		if s.confirmed && (best == nil || s.Initiator == lower) {
			best = s
		}
	}
	return best
}

// talk sends a text each way on the session that each side uses, and requires that it opens and that both sides end
// on the same session. One side may know of a session before the other has confirmed it.
func talk(t *testing.T, w *world, a, b *node) {
	t.Helper()
	loss := w.loss
	w.loss = 0
	for range 3 {
		for _, x := range [][2]*node{{a, b}, {b, a}} {
			from, to := x[0], x[1]
			s := from.current(to.id())
			if s == nil {
				continue
			}
			heard := to.handed["talk"]
			from.say(s, "talk")
			if !w.runUntil(time.Minute, func() bool { return to.handed["talk"] > heard }) {
				t.Fatal("what was said did not open")
			}
		}
	}
	w.loss = loss
	sa, sb := a.current(b.id()), b.current(a.id())
	switch {
	case sa == nil:
		t.Fatal("a has no session")
	case sb == nil:
		t.Fatal("b has no session")
	case sa.Handshake != sb.Handshake:
		t.Fatalf("the session of a is of handshake %v, want %v", sa.Handshake, sb.Handshake)
	}
}
