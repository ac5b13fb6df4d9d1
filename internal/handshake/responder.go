package handshake

import (
	"crypto/subtle"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Responder is one handshake that a peer began, starting with the accepted Hello. It is half-open until the
// OkBoss, and recognizes repetitions of that OkBoss afterwards. It is a value, as [Initiator] is. It exists only
// after an Hmac has verified.
type Responder struct {
	key       Key
	bound     bool
	peer      wire.NodeID
	peerKey   [32]byte
	zone      wire.Zone // of the peer
	block     Block     // of the peer; zero if unbound
	timestamp time.Time // of the Hello
	hello     [32]byte  // content of the Hello
	ohai      wire.Handshake
	bind      binding           // of the Ohai
	secret    nodeid.PrivateKey // nil after its use
	shared    [32]byte          // of the Hello's key and the key of our id; zero after its use

	done     bool
	response [64]byte // of the accepted OkBoss
}

// newResponder checks a Hello and makes the Ohai that answers it. The caller has checked that its timestamp is new.
// legacy says whether unbound Hellos are accepted.
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
	return m, m.answer(self, h, from)
}

// admits performs the checks that cost nothing. It rejects a Hello without any Hmac, one whose timestamp is too far
// off for any peer, and a legacy one that is not admitted.
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

// admitsUnbound checks the requirements of an unbound Hello (PROTOCOL.md L8, X5).
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

// claimsBlock reports whether any of the first MaxKeys Hmacs may be bound.
func claimsBlock(h *wire.Handshake) bool {
	for i := range min(len(h.Hmacs), MaxKeys) {
		if hasBlock(h.Hmacs[i].Message) {
			return true
		}
	}
	return false
}

// heard checks the message of the Hello that verified and returns the Hello's binding. The binding of a legacy
// Hello is computed with blankBlock.
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

// answer makes the Ohai, with one Hmac under the key that verified, and sets m.bind to the Ohai's binding.
func (m *Responder) answer(self *Self, h *wire.Handshake, from origin) (why Reason) {
	own := self.Block
	if m.bound {
		var ok bool
		if m.shared, ok = self.Secret.Key.Agree(&h.PublicKey); !ok {
			return ZeroSecret
		}
		own.claim = self.Secret.Claim
	}
	m.ohai = wire.Handshake{ID: h.ID, Step: wire.StepOhai, Zone: self.Zone}
	m.secret, m.ohai.PublicKey = from.secret()
	fill(from, m.ohai.Challenge[:])
	block := own.append(nil, roleOhai)
	m.bind = ohaiBinding(&m.bind, self.Node, &m.ohai, &m.shared, block)
	setBinding(block, &m.bind)
	m.ohai.Hmacs = sign([]Key{m.key}, block, h.Timestamp, func(block []byte) []byte { return pad(block, from) })
	return accepted
}

// Ohai returns the answer to the Hello.
func (m *Responder) Ohai() *wire.Handshake { return &m.ohai }

// Done reports whether an OkBoss was accepted.
func (m *Responder) Done() bool { return m.done }

// RepeatsHello reports whether h is a repetition of the Hello that began this handshake.
func (m *Responder) RepeatsHello(h *wire.Handshake) bool { return content(h) == m.hello }

// RepeatsOkBoss reports whether h is a repetition of the accepted OkBoss.
func (m *Responder) RepeatsOkBoss(h *wire.Handshake) bool {
	want := m.expected(h)
	return m.done && want == m.response && m.answered(h, &want)
}

// OkBoss checks the response to the challenge and derives the session's keys. next is the following state and e the
// end of the session. Both are valid only if why is accepted.
func (m Responder) OkBoss(h *wire.Handshake) (next Responder, e Established, why Reason) {
	if m.done {
		return m, e, OtherContent
	}
	m.response = m.expected(h)
	if !m.answered(h, &m.response) {
		return m, e, BadResponse
	}
	shared := secrets{1: m.shared}
	if why = m.proves(h, &shared[2]); why != accepted {
		return m, e, why
	}
	var ok bool
	if shared[0], ok = m.secret.Agree(&m.peerKey); !ok {
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
		e.SendKey = boxKey(&shared[0])
		e.RecvKey = e.SendKey
	}
	clear(shared[:])
	clear(m.shared[:])
	m.secret = nil
	m.done = true
	return m, e, accepted
}

// proves checks the second response of a bound handshake, which proves the peer's id (PROTOCOL.md X6). It computes one shared
// secret, that of our key for this handshake and the key of that id.
func (m *Responder) proves(h *wire.Handshake, shared *[32]byte) (why Reason) {
	if !m.bound {
		return accepted
	}
	id := &h.Responses[1]
	claim := (*nodeid.Claim)(id[:])
	if claim.ID() != m.peer {
		return FalseID
	}
	var ok bool
	if *shared, ok = m.secret.Agree(claim.Key()); !ok {
		return ZeroSecret
	}
	if want := m.key.identify(&m.bind, claim, shared); subtle.ConstantTimeCompare(want[:], id[:]) != 1 {
		return FalseID
	}
	return accepted
}

// expected returns the only response that completes the handshake, bound or unbound. In a bound one it covers the second
// response.
func (m *Responder) expected(h *wire.Handshake) [64]byte {
	switch {
	case !m.bound:
		return m.key.response(&m.ohai.Challenge, &m.ohai.PublicKey, m.ohai.ID)
	case len(h.Responses) != 2:
		return [64]byte{} // no response equals it, see answered
	}
	return m.key.okBoss(&m.bind, &h.Responses[1])
}

// answered reports whether the OkBoss contains the response. A Go node sends it first of exactly two, a legacy node one
// for each of its keys.
func (m *Responder) answered(h *wire.Handshake, want *[64]byte) bool {
	if m.bound {
		return len(h.Responses) == 2 && subtle.ConstantTimeCompare(h.Responses[0][:], want[:]) == 1
	}
	found := 0
	for i := range h.Responses {
		found |= subtle.ConstantTimeCompare(h.Responses[i][:], want[:])
	}
	return found == 1
}
