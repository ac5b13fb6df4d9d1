package handshake

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A gwyh01 is a node of gwyh 0.1 as PROTOCOL.md parts 1 and 2 describe it: it accepts timestamps up to 60 ms off,
// has one key per peer and answers every box with a Nak. It does not use the machines that it tests.
type gwyh01 struct {
	w     *world
	addr  netip.AddrPort
	id    wire.NodeID
	keys  []Key
	rand  seeded
	seq   uint32
	mute  func(step wire.Step) bool // reports whether packets of the step are suppressed
	delay time.Duration             // before an Ohai

	secret, public [32]byte
	hello          wire.Handshake // its last Hello
	half           map[wire.HandshakeID]*gwyh01Half
	installed      map[wire.NodeID]*[32]byte
	newest         map[wire.NodeID]time.Time
	pendingKey     map[wire.HandshakeID]*[32]byte
	opened         []string
	hellos, ohais  int
	okBosses       int
	goTeams        int
}

type gwyh01Half struct {
	peer  wire.NodeID
	hello wire.Handshake
	ohai  wire.Handshake
}

func newGwyh01(w *world, n int, psks ...string) *gwyh01 {
	g := &gwyh01{
		w: w, addr: address(n), id: legacyID(n), rand: newSeeded(uint64(n)),
		half: make(map[wire.HandshakeID]*gwyh01Half), installed: make(map[wire.NodeID]*[32]byte),
		newest: make(map[wire.NodeID]time.Time), pendingKey: make(map[wire.HandshakeID]*[32]byte),
		mute: func(wire.Step) bool { return false },
	}
	for _, psk := range psks {
		g.keys = append(g.keys, NewKey([]byte(psk), ""))
	}
	fill(g.rand, g.secret[:])
	_, g.public = nodeid.X25519(&g.secret)
	w.add(g)
	return g
}

func (g *gwyh01) at() netip.AddrPort     { return g.addr }
func (g *gwyh01) timeout()               {}
func (g *gwyh01) nextTimeout() time.Time { return time.Time{} }

func (g *gwyh01) send(to netip.AddrPort, h *wire.Handshake) {
	if g.mute(h.Step) {
		return
	}
	g.seq++
	g.w.send(g.addr, to, wire.AppendHandshake(nil, g.seq, g.id, h))
}

func (g *gwyh01) hmacs(timestamp time.Time) (list []wire.Hmac) {
	for i := range g.keys {
		m := make([]byte, 69+random64(g.rand)%351)
		fill(g.rand, m)
		list = append(list, wire.Hmac{Sum: g.keys[i].hmac(m, appendStamp(nil, timestamp)), Message: m})
	}
	return list
}

func (g *gwyh01) verifies(hmacs []wire.Hmac, timestamp time.Time) bool {
	if g.w.now.Sub(timestamp).Abs() > 60*time.Millisecond {
		return false
	}
	for _, h := range hmacs {
		for i := range g.keys {
			if g.keys[i].hmac(h.Message, appendStamp(nil, timestamp)) == h.Sum {
				return true
			}
		}
	}
	return false
}

func (g *gwyh01) initiate(to netip.AddrPort) {
	g.hello = wire.Handshake{Step: wire.StepHello, PublicKey: g.public, Timestamp: g.w.now, Hmacs: g.hmacs(g.w.now)}
	fill(g.rand, g.hello.ID[:])
	g.send(to, &g.hello)
}

func (g *gwyh01) receive(d datagram) {
	var p wire.Packet
	if wire.ParsePacket(&p, d.bytes) != nil || p.Sender == g.id {
		return
	}
	if p.Kind == wire.PacketBox {
		g.open(d.from, &p)
		return
	}
	var h wire.Handshake
	if p.ParseHandshake(&h) != nil {
		return
	}
	switch h.Step {
	case wire.StepHello:
		g.takeHello(d.from, p.Sender, h)
	case wire.StepOhai:
		g.takeOhai(d.from, &h)
	case wire.StepOkBoss:
		g.takeOkBoss(d.from, &h)
	case wire.StepGoTeam:
		g.goTeams++
		if key := g.pendingKey[h.ID]; key != nil {
			g.install(p.Sender, key, g.hello.Timestamp)
		}
	}
}

func (g *gwyh01) takeHello(from netip.AddrPort, peer wire.NodeID, h wire.Handshake) {
	g.hellos++
	if !g.verifies(h.Hmacs, h.Timestamp) {
		return
	}
	ohai := wire.Handshake{ID: h.ID, Step: wire.StepOhai, PublicKey: g.public, Hmacs: g.hmacs(h.Timestamp)}
	fill(g.rand, ohai.Challenge[:])
	g.half[h.ID] = &gwyh01Half{peer, h, ohai}
	g.w.after(g.delay, func() { g.send(from, &ohai) })
}

func (g *gwyh01) takeOhai(from netip.AddrPort, h *wire.Handshake) {
	g.ohais++
	if h.ID != g.hello.ID || !g.verifies(h.Hmacs, g.hello.Timestamp) {
		return
	}
	g.pendingKey[h.ID] = g.boxKey(&h.PublicKey)
	answer := wire.Handshake{ID: h.ID, Step: wire.StepOkBoss}
	for i := range g.keys {
		answer.Responses = append(answer.Responses, g.keys[i].response(&h.Challenge, &h.PublicKey, h.ID))
	}
	g.send(from, &answer)
}

func (g *gwyh01) takeOkBoss(from netip.AddrPort, h *wire.Handshake) {
	g.okBosses++
	x := g.half[h.ID]
	if x == nil {
		return
	}
	for i := range g.keys {
		if slices.Contains(h.Responses, g.keys[i].response(&x.ohai.Challenge, &x.ohai.PublicKey, h.ID)) {
			g.install(x.peer, g.boxKey(&x.hello.PublicKey), x.hello.Timestamp)
			g.send(from, &wire.Handshake{ID: h.ID, Step: wire.StepGoTeam})
			return
		}
	}
}

func (g *gwyh01) boxKey(public *[32]byte) *[32]byte {
	key := new([32]byte)
	box.Precompute(key, public, &g.secret)
	return key
}

func (g *gwyh01) install(peer wire.NodeID, key *[32]byte, timestamp time.Time) {
	if timestamp.After(g.newest[peer]) {
		g.installed[peer], g.newest[peer] = key, timestamp
	}
}

// open answers every box with a Nak.
func (g *gwyh01) open(from netip.AddrPort, p *wire.Packet) {
	key := g.installed[p.Sender]
	if key == nil {
		return
	}
	sealed := append(p.Box.Tag[:len(p.Box.Tag):len(p.Box.Tag)], p.Box.Data...)
	text, ok := box.OpenAfterPrecomputation(nil, sealed, &p.Box.Nonce, key)
	if !ok {
		return
	}
	g.opened = append(g.opened, string(text))
	g.say(from, key, "nak")
}

func (g *gwyh01) say(to netip.AddrPort, key *[32]byte, text string) {
	var nonce [24]byte
	fill(g.rand, nonce[:])
	sealed := box.SealAfterPrecomputation(nil, []byte(text), &nonce, key)
	g.seq++
	g.w.send(g.addr, to, wire.AppendBoxArrays(nil, g.seq, g.id, &nonce, (*[16]byte)(sealed), sealed[16:]))
}
