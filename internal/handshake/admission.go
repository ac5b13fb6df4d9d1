package handshake

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// admit decides before parsing whether a handshake expects the packet, and which class pays for its verification.
// It drops a packet that no handshake expects, so junk is cheap (PROTOCOL.md E10).
func (e *Endpoint) admit(now time.Time, from wire.Path, p *wire.Packet, id wire.HandshakeID, step wire.Step) (allowance, Reason) {
	_, ours := e.pending[id]
	switch {
	case p.Sender == e.self.Node:
		if step != wire.StepHello || !ours {
			return allowance{}, OwnID
		}
		return e.charge(now, answers)
	case step == wire.StepHello:
		return e.admitHello(now, from, p, id)
	case step == wire.StepOkBoss:
		if _, theirs := e.half.all[halfKey{p.Sender, id}]; !theirs {
			return allowance{}, UnknownHandshake
		}
		return e.charge(now, exchanges)
	case step == wire.StepDead:
		return allowance{}, Unexpected
	case !ours:
		return allowance{}, UnknownHandshake
	}
	return e.charge(now, answers)
}

// charge takes one verification from a class for an expected packet, because parsing costs about as much.
func (e *Endpoint) charge(now time.Time, p class) (allowance, Reason) {
	a := e.budget.open(now, p, netip.Addr{})
	if !a.take() {
		return a, OverBudget
	}
	return a, accepted
}

// peekMax is how many bytes of a Hello's first message are read before parsing: more than a block has.
const peekMax = 256

// verificationsMax is the maximum number of verifications for one Hello.
const verificationsMax = MaxKeys * MaxKeys

// admitHello selects the class of a Hello. If the class of Hellos without a cookie is nearly empty, the node
// requests a cookie from the sender of such a Hello instead.
func (e *Endpoint) admitHello(now time.Time, from wire.Path, p *wire.Packet, id wire.HandshakeID) (allowance, Reason) {
	if _, repeated := e.half.all[halfKey{p.Sender, id}]; repeated {
		return e.charge(now, exchanges)
	}
	var buf [peekMax]byte
	switch message := wire.PeekHmac(buf[:len(blockMagic)], p.Handshake); {
	case len(message) == 0:
		return allowance{}, Malformed
	case !hasBlock(message):
		return e.admitLegacy(now, from, p.Sender)
	case helloHead-wire.BoxSpare(p.Seq)+len(p.Handshake) > helloMax:
		return allowance{}, Malformed
	case e.advertise || !from.Remote.IsValid():
		return e.budget.open(now, placeless, from.Remote.Addr()), accepted
	}
	if k := cookieOf(wire.PeekHmac(buf[:], p.Handshake)); k != (cookie{}) && e.cookies.valid(now, from.Remote, k) {
		return e.budget.open(now, proven, from.Remote.Addr()), accepted
	}
	a := e.budget.open(now, unproven, from.Remote.Addr())
	if a.has(verificationsMax) {
		return a, accepted
	}
	e.askForCookie(now, from, id)
	return a, CookieWanted
}

// admitLegacy selects the class of a Hello without an extension block (PROTOCOL.md L8).
func (e *Endpoint) admitLegacy(now time.Time, from wire.Path, sender wire.NodeID) (allowance, Reason) {
	switch {
	case sender.IsGo():
		return allowance{}, Unbound
	case !e.legacy:
		return allowance{}, LegacyRefused
	}
	a := e.budget.open(now, unbound, from.Remote.Addr())
	if !a.has(1) {
		return a, OverBudget
	}
	return a, accepted
}

// askForCookie sends a cookie to the source of a Hello. The packet is shorter than the Hello, and no state is kept.
func (e *Endpoint) askForCookie(now time.Time, from wire.Path, id wire.HandshakeID) {
	e.wanted = wire.Handshake{ID: id, Step: wire.StepCookie, Cookie: e.cookies.make(now, from.Remote)}
	e.sendHandshake(from, &e.wanted)
}
