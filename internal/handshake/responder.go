package handshake

import (
	"crypto/subtle"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Responder is one handshake that a peer began, from the Hello that was accepted on: half-open until
// the OkBoss, then it knows that OkBoss again. It is a value, as [Initiator] is. It exists only after
// an Hmac verified.
type Responder struct {
	key       Key
	bound     bool
	peer      wire.NodeID
	peerKey   [32]byte
	zone      wire.Zone // of the peer
	block     Block     // of the peer; zero when unbound
	timestamp time.Time // of the Hello
	hello     [32]byte  // its content
	ohai      wire.Handshake
	bind      binding // of the Ohai
	secret    Secret  // gone once used

	done     bool
	response [64]byte // of the OkBoss that was taken
}

// newResponder checks a Hello and makes the Ohai that answers it. That its timestamp is new is the
// caller's to know. legacy says whether unbound Hellos are taken.
func newResponder(self *Self, r *ring, a *allowance, legacy bool, now time.Time, sender wire.NodeID, h *wire.Handshake, from origin) (Responder, Reason) {
	if why := admits(legacy, now, sender, h); why != accepted {
		return Responder{}, why
	}
	key, message, why := r.find(h, a)
	if why != accepted {
		return Responder{}, why
	}
	m := Responder{
		key: *key, bound: hasBlock(message), peer: sender, peerKey: h.PublicKey,
		zone: h.Zone, timestamp: h.Timestamp, hello: content(h),
	}
	if m.bind, why = m.heard(legacy, now, h, message); why != accepted {
		return Responder{}, why
	}
	if !a.from(accepts).take() {
		return Responder{}, OverBudget
	}
	m.answer(self, h, from)
	return m, accepted
}

// admits checks what costs nothing: a Hello without any Hmac, too far off for every peer, or one that can
// only be a legacy one and is not to be taken.
func admits(legacy bool, now time.Time, sender wire.NodeID, h *wire.Handshake) Reason {
	switch {
	case len(h.Hmacs) == 0:
		return Malformed
	case off(now, h.Timestamp) > boundWindow:
		return TimeOff
	case claimsBlock(h):
		return accepted
	}
	return admitsUnbound(legacy, now, sender, h)
}

// admitsUnbound checks what an unbound Hello must fit (PROTOCOL.md 3 rule 8).
func admitsUnbound(legacy bool, now time.Time, sender wire.NodeID, h *wire.Handshake) Reason {
	switch {
	case sender.IsGo():
		return Unbound
	case !legacy:
		return LegacyRefused
	case off(now, h.Timestamp) > legacyWindow:
		return TimeOff
	}
	return accepted
}

// claimsBlock reports whether any of the Hmacs that count could be bound.
func claimsBlock(h *wire.Handshake) bool {
	for i := range min(len(h.Hmacs), MaxKeys) {
		if hasBlock(h.Hmacs[i].Message) {
			return true
		}
	}
	return false
}

// heard checks the Hello's message that verified and returns the Hello's binding, which a legacy one
// has as well, taken with a blank block.
func (m *Responder) heard(legacy bool, now time.Time, h *wire.Handshake, message []byte) (sum binding, why Reason) {
	if !m.bound {
		return helloBinding(m.peer, h, blankBlock[:]), admitsUnbound(legacy, now, m.peer, h)
	}
	if !m.peer.IsGo() {
		return sum, NotGo
	}
	block, ok := parseBlock(&m.block, message, roleHello)
	if !ok {
		return sum, BadBlock
	}
	sum = helloBinding(m.peer, h, block)
	if subtle.ConstantTimeCompare(sum[:], block[32:blockHeader]) != 1 {
		return sum, BadBinding
	}
	return sum, accepted
}

// answer makes the Ohai: one Hmac, under the key that verified. m.bind goes from the Hello's binding to the Ohai's.
func (m *Responder) answer(self *Self, h *wire.Handshake, from origin) {
	m.ohai = wire.Handshake{ID: h.ID, Step: wire.StepOhai, Zone: self.Zone}
	m.secret, m.ohai.PublicKey = from.secret()
	fill(from, m.ohai.Challenge[:])
	block := self.Block.append(nil, roleOhai)
	m.bind = ohaiBinding(&m.bind, self.Node, &m.ohai, block)
	setBinding(block, &m.bind)
	m.ohai.Hmacs = sign([]Key{m.key}, block, h.Timestamp, func(block []byte) []byte { return pad(block, from) })
}

// Ohai is the answer to the Hello.
func (m *Responder) Ohai() *wire.Handshake { return &m.ohai }

// Done reports whether an OkBoss was taken.
func (m *Responder) Done() bool { return m.done }

// RepeatsHello reports whether h is the Hello that began this handshake, once more.
func (m *Responder) RepeatsHello(h *wire.Handshake) bool { return content(h) == m.hello }

// RepeatsOkBoss reports whether h is the OkBoss that was taken, once more.
func (m *Responder) RepeatsOkBoss(h *wire.Handshake) bool {
	return m.done && m.answered(h, &m.response)
}

// OkBoss takes the answer to the challenge and derives the session's keys. next is the machine to go on
// with and e the session's end; both mean something only when why is accepted.
func (m Responder) OkBoss(h *wire.Handshake) (next Responder, e Established, why Reason) {
	if m.done {
		return m, e, OtherContent
	}
	m.response = m.expected()
	if !m.answered(h, &m.response) {
		return m, e, BadResponse
	}
	shared, ok := m.secret.Agree(&m.peerKey)
	if !ok {
		return m, e, ZeroSecret
	}
	e = Established{
		Peer: m.peer, Handshake: m.ohai.ID, Legacy: !m.bound, Key: m.key.id,
		Zone: m.zone, Block: m.block, Timestamp: m.timestamp,
	}
	if m.bound {
		copy(e.Prefix[:], m.bind[:])
		e.RecvKey, e.SendKey = m.key.sessionKeys(&shared, &m.bind)
	} else {
		e.SendKey = boxKey(&shared)
		e.RecvKey = e.SendKey
	}
	clear(shared[:])
	m.secret = nil
	m.done = true
	return m, e, accepted
}

// expected is the response that a bound Hello, or an unbound one, is completed by, and by no other.
func (m *Responder) expected() [64]byte {
	if m.bound {
		return m.key.okBoss(&m.bind)
	}
	return m.key.response(&m.ohai.Challenge, &m.ohai.PublicKey, m.ohai.ID)
}

// answered reports whether the OkBoss holds the response: the only one between Go nodes, among one per
// key of the peer's from a legacy node.
func (m *Responder) answered(h *wire.Handshake, want *[64]byte) bool {
	if m.bound && len(h.Responses) != 1 {
		return false
	}
	found := 0
	for i := range h.Responses {
		found |= subtle.ConstantTimeCompare(h.Responses[i][:], want[:])
	}
	return found == 1
}
