package handshake

import (
	"bytes"
	"crypto/subtle"
	"math"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Initiator is one handshake that we begin, starting with its Hello. It waits for the Ohai, and then keeps the
// OkBoss for repetitions. It is a value: Ohai works on a copy, and the caller assigns the copy back if the packet
// was accepted, so a rejected packet cannot damage a handshake in progress. The contents of its slices are never
// modified.
type Initiator struct {
	self   wire.NodeID
	own    *nodeid.Secret // of self
	aim    wire.NodeID    // the expected peer; zero for any
	legacy bool           // a legacy peer is accepted
	hello  wire.Handshake
	bind   binding           // of the Hello
	secret nodeid.PrivateKey // nil after its use

	answered bool           // an Ohai was accepted
	peer     wire.NodeID    // the sender of the Ohai
	ohai     [32]byte       // the content of the Ohai
	bound    bool           // the Ohai was bound
	okBoss   wire.Handshake // the answer to the Ohai
}

// newInitiator makes the Hello. It draws the key pair, the handshake id and the padding from the origin.
func newInitiator(self *Self, r *ring, aim wire.NodeID, legacy bool, timestamp time.Time, from origin) Initiator {
	m := Initiator{self: self.Node, own: self.Secret, aim: aim, legacy: legacy}
	m.hello = wire.Handshake{Step: wire.StepHello, Zone: self.Zone, Timestamp: timestamp}
	m.secret, m.hello.PublicKey = from.secret()
	fill(from, m.hello.ID[:])
	m.hello.ID[6] = m.hello.ID[6]&0x0F | 0x40 // a UUID of version 4, as in gwyh 0.1
	m.hello.ID[8] = m.hello.ID[8]&0x3F | 0x80
	m.signHello(self.Block, r.keys, func(block []byte) []byte { return pad(block, from) })
	if len(wire.AppendHandshake(nil, math.MaxUint32, self.Node, &m.hello)) > helloMax {
		lean := self.Block
		lean.Name = ""
		if lean.cookie != (cookie{}) {
			lean.Advertise = netip.AddrPort{} // only nodes that send no cookies need it
		}
		m.signHello(lean, r.keys, func(block []byte) []byte {
			return append(bytes.Clone(block), make([]byte, max(messageMin-len(block), 0))...)
		})
	}
	return m
}

// helloMax is the maximum size of a Hello in bytes. A longer one is sent without the node's name, without padding
// and, if it has a cookie, without the advertised address, so it fits with four keys and a zone of 255 bytes.
const helloMax = 1200

// helloHead is the maximum number of bytes before the array of a Hello: the packet's head with its seq, and the step.
const helloHead = 1 + 5 + 18 + 3

// signHello makes the binding and the Hmacs of the Hello.
func (m *Initiator) signHello(b Block, keys []Key, message func(block []byte) []byte) {
	block := b.append(nil, roleHello)
	m.bind = helloBinding(m.self, &m.hello, block)
	setBinding(block, &m.bind)
	m.hello.Hmacs = sign(keys, block, m.hello.Timestamp, message)
}

// sign makes one Hmac for each key. Each has its own message, and all messages begin with the same block.
func sign(keys []Key, block []byte, timestamp time.Time, message func(block []byte) []byte) []wire.Hmac {
	stamp := appendStamp(nil, timestamp)
	hmacs := make([]wire.Hmac, len(keys))
	for i := range keys {
		m := message(block)
		hmacs[i] = wire.Hmac{Sum: keys[i].hmac(m, stamp), Message: m}
	}
	return hmacs
}

// Hello returns the packet that began the handshake.
func (m *Initiator) Hello() *wire.Handshake { return &m.hello }

// OkBoss returns the answer to the accepted Ohai.
func (m *Initiator) OkBoss() *wire.Handshake { return &m.okBoss }

// Answered reports whether an Ohai was accepted.
func (m *Initiator) Answered() bool { return m.answered }

// Repeats reports whether h is a repetition of the accepted Ohai.
func (m *Initiator) Repeats(sender wire.NodeID, h *wire.Handshake) bool {
	return m.answered && sender == m.peer && content(h) == m.ohai
}

// Ohai accepts the first valid Ohai. next is the following state and e the end of the session. Both are valid only
// if why is accepted (PROTOCOL.md H2).
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
	e = Established{
		Peer: sender, Handshake: m.hello.ID, Initiator: true, Key: key.id,
		Zone: h.Zone, Timestamp: m.hello.Timestamp,
	}
	m.bound = hasBlock(message)
	if m.bound {
		why = m.bindTo(&e, key, sender, h, message)
	} else {
		why = m.boxWith(&e, r, sender, h)
	}
	if why != accepted {
		return m, e, why
	}
	m.answered, m.peer = true, sender
	m.secret = nil
	return m, e, accepted
}

// admits performs the checks that cost nothing.
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

// sent reports whether a message is one of this Hello's own (PROTOCOL.md L8). Messages of our other Hellos have
// other timestamps, and those of our Ohais have a block that names another node, so neither is accepted as an Ohai.
func (m *Initiator) sent(message []byte) bool {
	for i := range m.hello.Hmacs {
		if subtle.ConstantTimeCompare(m.hello.Hmacs[i].Message, message) == 1 {
			return true
		}
	}
	return false
}

// bindTo completes the handshake with a Go node that proves its id (PROTOCOL.md X6).
func (m *Initiator) bindTo(e *Established, key *Key, sender wire.NodeID, h *wire.Handshake, message []byte) Reason {
	if !sender.IsGo() {
		return NotGo
	}
	block, ok := parseBlock(&e.Block, message, roleOhai)
	if !ok {
		return BadBlock
	}
	if e.claim.ID() != sender {
		return FalseID
	}
	var s secrets
	if s[1], ok = m.secret.Agree(e.claim.Key()); !ok {
		return ZeroSecret
	}
	sum := ohaiBinding(&m.bind, sender, h, &s[1], block)
	if subtle.ConstantTimeCompare(sum[:], block[32:blockHeader]) != 1 {
		return BadBinding
	}
	if s[0], ok = m.secret.Agree(&h.PublicKey); !ok {
		return ZeroSecret
	}
	s[2], _ = m.own.Key.Agree(&h.PublicKey) // not zero, as s[0] is not
	copy(e.Prefix[:], sum[:])
	id := key.identify(&sum, &m.own.Claim, &s[2])
	m.okBoss = wire.Handshake{ID: h.ID, Step: wire.StepOkBoss, Responses: [][64]byte{key.okBoss(&sum, &id), id}}
	e.SendKey, e.RecvKey = key.sessionKeys(&s, &sum)
	return accepted
}

// boxWith completes the handshake with a legacy node (PROTOCOL.md part 1), with a response for each of our keys.
func (m *Initiator) boxWith(e *Established, r *ring, sender wire.NodeID, h *wire.Handshake) Reason {
	if sender.IsGo() {
		return Unbound
	}
	if !m.legacy {
		return LegacyRefused
	}
	shared, ok := m.secret.Agree(&h.PublicKey)
	if !ok {
		return ZeroSecret
	}
	e.Legacy = true
	e.SendKey = boxKey(&shared)
	clear(shared[:])
	e.RecvKey = e.SendKey
	m.okBoss = wire.Handshake{ID: h.ID, Step: wire.StepOkBoss}
	for i := range r.keys {
		m.okBoss.Responses = append(m.okBoss.Responses, r.keys[i].response(&h.Challenge, &h.PublicKey, h.ID))
	}
	return accepted
}
