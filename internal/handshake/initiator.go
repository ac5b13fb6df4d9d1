package handshake

import (
	"bytes"
	"crypto/subtle"
	"math"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Initiator is one handshake of ours, from its Hello on: first it waits for the Ohai, then it holds
// the OkBoss for repeats. It is a value: Ohai works on a copy and the caller assigns the copy back
// when it was accepted, so nothing that is refused can hurt a handshake in progress. What its slices
// hold is never written again.
type Initiator struct {
	self   wire.NodeID
	aim    wire.NodeID // the node that is meant; zero for any
	legacy bool        // a legacy peer will do
	hello  wire.Handshake
	bind   binding // of the Hello
	secret Secret  // gone once used

	answered bool           // an Ohai was taken
	peer     wire.NodeID    // that sent it
	ohai     [32]byte       // its content
	bound    bool           // it was bound
	okBoss   wire.Handshake // the answer to it
}

// newInitiator makes the Hello. The key pair, the handshake id and the padding come from the origin.
func newInitiator(self *Self, r *ring, aim wire.NodeID, legacy bool, timestamp time.Time, from origin) Initiator {
	m := Initiator{self: self.Node, aim: aim, legacy: legacy}
	m.hello = wire.Handshake{Step: wire.StepHello, Zone: self.Zone, Timestamp: timestamp}
	m.secret, m.hello.PublicKey = from.secret()
	fill(from, m.hello.ID[:])
	m.hello.ID[6] = m.hello.ID[6]&0x0F | 0x40 // a UUID of version 4, as gwyh 0.1 draws them
	m.hello.ID[8] = m.hello.ID[8]&0x3F | 0x80
	m.signHello(self.Block, r.keys, func(block []byte) []byte { return pad(block, from) })
	if len(wire.AppendHandshake(nil, math.MaxUint32, self.Node, &m.hello)) > helloMax {
		lean := self.Block
		lean.Name = ""
		if lean.cookie != (cookie{}) {
			lean.Advertise = netip.AddrPort{} // only those who ask for no cookies need it
		}
		m.signHello(lean, r.keys, func(block []byte) []byte {
			return append(bytes.Clone(block), make([]byte, max(messageMin-len(block), 0))...)
		})
	}
	return m
}

// helloMax is how many bytes of a Hello any path carries. A longer one goes without the node's name, without padding and, if it
// shows a cookie, without the advertised address, which makes it short enough with four keys and a zone of 255 bytes.
const helloMax = 1200

// signHello makes the binding and the Hmacs of the Hello.
func (m *Initiator) signHello(b Block, keys []Key, message func(block []byte) []byte) {
	block := b.append(nil, roleHello)
	m.bind = helloBinding(m.self, &m.hello, block)
	setBinding(block, &m.bind)
	m.hello.Hmacs = sign(keys, block, m.hello.Timestamp, message)
}

// sign makes an Hmac per key, each over a message of its own that begins with the same block.
func sign(keys []Key, block []byte, timestamp time.Time, message func(block []byte) []byte) []wire.Hmac {
	stamp := appendStamp(nil, timestamp)
	hmacs := make([]wire.Hmac, len(keys))
	for i := range keys {
		m := message(block)
		hmacs[i] = wire.Hmac{Sum: keys[i].hmac(m, stamp), Message: m}
	}
	return hmacs
}

// Hello is the packet that began the handshake.
func (m *Initiator) Hello() *wire.Handshake { return &m.hello }

// OkBoss is the answer to the Ohai that was taken.
func (m *Initiator) OkBoss() *wire.Handshake { return &m.okBoss }

// Answered reports whether an Ohai was taken.
func (m *Initiator) Answered() bool { return m.answered }

// Repeats reports whether h is the Ohai that was taken, once more.
func (m *Initiator) Repeats(sender wire.NodeID, h *wire.Handshake) bool {
	return m.answered && sender == m.peer && content(h) == m.ohai
}

// Ohai takes the first Ohai that is right. next is the machine to go on with and e the session's end;
// both mean something only when why is accepted.
func (m Initiator) Ohai(r *ring, a *allowance, sender wire.NodeID, h *wire.Handshake) (next Initiator, e Established, why Reason) {
	if why = m.admits(sender, h); why != accepted {
		return m, e, why
	}
	m.ohai = content(h)
	signed := *h
	signed.Timestamp = m.hello.Timestamp // an Ohai's Hmac covers the Hello's
	key, message, why := r.find(&signed, a)
	if why != accepted {
		return m, e, why
	}
	if m.sent(message) {
		return m, e, Reflected
	}
	shared, ok := m.secret.Agree(&h.PublicKey)
	if !ok {
		return m, e, ZeroSecret
	}
	e = Established{
		Peer: sender, Handshake: m.hello.ID, Initiator: true, Key: key.id,
		Zone: h.Zone, Timestamp: m.hello.Timestamp,
	}
	m.bound = hasBlock(message)
	if m.bound {
		why = m.bindTo(&e, key, sender, h, message, &shared)
	} else {
		why = m.boxWith(&e, r, sender, h, &shared)
	}
	clear(shared[:])
	if why != accepted {
		return m, e, why
	}
	m.answered, m.peer = true, sender
	m.secret = nil
	return m, e, accepted
}

// admits checks what costs nothing.
func (m *Initiator) admits(sender wire.NodeID, h *wire.Handshake) Reason {
	switch {
	case m.answered:
		return OtherContent
	case m.aim != wire.NodeID{} && sender != m.aim:
		return WrongPeer
	case len(h.Hmacs) == 0:
		return Malformed
	}
	return accepted
}

// sent reports whether a message is one of this Hello's own (PROTOCOL.md 3 rule 8). Messages of our
// other Hellos carry other timestamps, those of our Ohais a block that names another node: neither
// passes for an Ohai.
func (m *Initiator) sent(message []byte) bool {
	for i := range m.hello.Hmacs {
		if subtle.ConstantTimeCompare(m.hello.Hmacs[i].Message, message) == 1 {
			return true
		}
	}
	return false
}

// bindTo goes on with a Go node: PROTOCOL.md 4.
func (m *Initiator) bindTo(e *Established, key *Key, sender wire.NodeID, h *wire.Handshake, message []byte, shared *[32]byte) Reason {
	if !sender.IsGo() {
		return NotGo
	}
	block, ok := parseBlock(&e.Block, message, roleOhai)
	if !ok {
		return BadBlock
	}
	sum := ohaiBinding(&m.bind, sender, h, block)
	if subtle.ConstantTimeCompare(sum[:], block[32:blockHeader]) != 1 {
		return BadBinding
	}
	copy(e.Prefix[:], sum[:])
	e.SendKey, e.RecvKey = key.sessionKeys(shared, &sum)
	m.okBoss = wire.Handshake{ID: h.ID, Step: wire.StepOkBoss, Responses: [][64]byte{key.okBoss(&sum)}}
	return accepted
}

// boxWith goes on with a legacy node: PROTOCOL.md 1, a response for each key of ours.
func (m *Initiator) boxWith(e *Established, r *ring, sender wire.NodeID, h *wire.Handshake, shared *[32]byte) Reason {
	if sender.IsGo() {
		return Unbound
	}
	if !m.legacy {
		return LegacyRefused
	}
	e.Legacy = true
	e.SendKey = boxKey(shared)
	e.RecvKey = e.SendKey
	m.okBoss = wire.Handshake{ID: h.ID, Step: wire.StepOkBoss}
	for i := range r.keys {
		m.okBoss.Responses = append(m.okBoss.Responses, r.keys[i].response(&h.Challenge, &h.PublicKey, h.ID))
	}
	return accepted
}
