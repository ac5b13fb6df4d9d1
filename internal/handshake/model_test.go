package handshake

import (
	"flag"
	"fmt"
	"slices"
	"testing"
)

// This is a model of the handshake in symbolic terms, and an exhaustive search of all that an attacker can do with it
// (Dolev and Yao 1983) in runs of a few machines. Hashes, Hmacs, and key agreement are perfect: a term is equal only to
// itself, and nobody makes an Hmac without its key. A node id of version 8 belongs to one key pair.
//
// The model (this file) has the rules of PROTOCOL.md N1, X3 to X6, H1 to H4, L8, C2 to C4 and S1 for the two machines, and
// of what an Endpoint adds only H7 (own id), H4 (same id) and E2 (replay). model_search_test.go has the attacker, who
// delivers, drops, repeats, reorders and splices what was sent, makes what he can, and takes part as a node of his own.
// model_code_test.go runs [Initiator] and [Responder] in the same runs: each packet that the attacker offers, whether
// the model takes it or not, is built in bytes and offered to the real machine, which must decide alike, and whose keys
// must be equal where the model's are. So what the search shows of the model holds of the code, as far as the terms
// reach: not for lengths, encodings, clocks, budgets, timers and repetitions, which other tests of this package cover.

var modelFull = flag.Bool("model.full", false, "search runs of more machines, which takes minutes")

// A term is a value in symbols. Equal terms are equal values.
type term string

func of(what string, parts ...any) term { return term(fmt.Sprintf("%s%v", what, parts)) }

// An mMessage is the message of an Hmac: an extension block, or the random bytes of a gwyh 0.1 node.
type mMessage struct {
	role    role // 0 for random bytes
	content term // of the block; or the random bytes
	binding term
	claim   term // of an Ohai's block: the id whose key is shown
}

// An mProof is the second response of an OkBoss between Go nodes.
type mProof struct{ claim, sum term }

// An mHmac is an Hmac with its message. It covers the timestamp of the Hello.
type mHmac struct {
	key, time term
	mMessage
}

// An mPacket is a handshake packet.
type mPacket struct {
	step                string // "Hello", "Ohai" or "OkBoss"
	sender, id, pk      term
	time                term   // of a Hello
	challenge, response term   // of an Ohai; of an OkBoss
	proof               mProof // of an OkBoss between Go nodes
	hmac                mHmac
}

// A flaw is a deliberate fault of the protocol. The search has to find what it breaks, otherwise it would show nothing.
type flaw string

const (
	sound           flaw = ""
	noBinding       flaw = "the binding is not compared"
	noSenderInHello flaw = "the Hello's binding does not cover the node id"
	noKeyInHello    flaw = "the Hello's binding does not cover the public key"
	noIDInHello     flaw = "the Hello's binding does not cover the handshake id"
	noHelloInOhai   flaw = "the Ohai's binding does not cover the Hello's"
	noSenderInOhai  flaw = "the Ohai's binding does not cover the node id"
	noKeyInOhai     flaw = "the Ohai's binding does not cover the public key"
	noContentInOhai flaw = "the Ohai's binding does not cover the block"
	noRoles         flaw = "a block is taken in either role"
	goMayBeUnbound  flaw = "a node id of version 8 may be unbound"
	anyResponse     flaw = "the response of part 1 completes a bound handshake"
	noProofInOhai   flaw = "the Ohai's binding does not depend on the key of its sender's id"
	noProofInOkBoss flaw = "the OkBoss does not depend on the key of its sender's id"
	noProofInKeys   flaw = "the session keys do not depend on the keys of the ids"
	noProofs        flaw = "ids are not proven"
	anyKeyOfID      flaw = "the key that is shown need not be that of the id"
	noKeyInResponse flaw = "the response of part 4 needs no key"
	noSecretInKeys  flaw = "the session keys do not depend on the key agreement"
	noBindingInKeys flaw = "the session keys do not depend on the binding"
	reflection      flaw = "a block is taken in either role, also in packets with the node's own id"
)

// mRules are the rules of the protocol, with up to two flaws.
type mRules struct{ flaw, second flaw }

func (p mRules) has(f flaw) bool {
	proof := f == noProofInOhai || f == noProofInOkBoss || f == noProofInKeys || f == anyKeyOfID
	return f == p.flaw || f == p.second || proof && (p.flaw == noProofs || p.second == noProofs)
}

func (p mRules) unless(f flaw, t term) any {
	if p.has(f) {
		return "-"
	}
	return t
}

func (p mRules) helloBinding(sender, id, time, pk, content term) term {
	domain := "hello"
	if p.anyRole() {
		domain = "any"
	}
	return of("hash", domain, p.unless(noIDInHello, id), p.unless(noSenderInHello, sender), time, p.unless(noKeyInHello, pk), content)
}

// ohaiBinding has the shared secret of the Hello's key and the key of the id that is shown.
func (p mRules) ohaiBinding(hello, sender, pk, challenge, content, shared term) term {
	return of("hash", "ohai", p.unless(noHelloInOhai, hello), p.unless(noSenderInOhai, sender), p.unless(noKeyInOhai, pk), challenge,
		p.unless(noContentInOhai, content), p.unless(noProofInOhai, shared))
}

// anyRole reports whether a block is taken in either role, and a Hello's own message in its Ohai (L8, X4).
func (p mRules) anyRole() bool { return p.has(noRoles) || p.has(reflection) }

// dh returns the shared secret of two key pairs, named by their public keys.
func dh(a, b term) term { return of("dh", min(a, b), max(a, b)) }

// static returns the public key of a Go node's id.
func static(id term) term { return of("static", id) }

// isOf reports whether an id may show the key of another one.
func (p mRules) isOf(id, claim term) bool { return id == claim || p.has(anyKeyOfID) }

// sessionKey returns the key of a session of an initiator and a responder with their ids and public keys.
func (p mRules) sessionKey(key, i, ipk, r, rpk, binding term) term {
	return of("keys", key, p.unless(noSecretInKeys, of("all", dh(ipk, rpk), p.unless(noProofInKeys, dh(ipk, static(r))), p.unless(noProofInKeys, dh(static(i), rpk)))), p.unless(noBindingInKeys, binding))
}

func (p mRules) okBoss(key, binding term, id mProof) term {
	return of("okboss", p.unless(noKeyInResponse, key), binding, id)
}

// identify returns the proof of an id, whose key has a shared secret with the Ohai's.
func (p mRules) identify(key, binding, id, shared term) mProof {
	if p.has(noProofs) {
		return mProof{id, "-"}
	}
	return mProof{id, of("proof", p.unless(noKeyInResponse, key), binding, p.unless(noProofInOkBoss, shared))}
}

func legacyResponse(key, challenge, pk, id term) term { return of("response", key, challenge, pk, id) }

// An mNode is an honest node: a Go node with a ring, or a node of gwyh 0.1.
type mNode struct {
	id     term
	legacy bool
	admits bool // legacy nodes
	ring   []term
}

func isGoTerm(id term) bool { return id[0] == 'G' }

func (n *mNode) content() term { return of("block", n.id) }

// An mMachine is one handshake at an honest node, an Initiator or a Responder.
type mMachine struct {
	node      int
	slot      int // among the machines of the node
	initiator bool
	id, pk    term // handshake id; own public key
	time      term // of the Hello
	key       term // of the ring
	hello     term // binding of the Hello
	messages  [2]mMessage
	challenge term

	answered          bool // initiator: by an Ohai
	done              bool // the session is established
	bound             bool
	peer, peerKey     term
	binding           term   // of the Ohai
	content           term   // of the peer's block
	claim             term   // the id whose key the peer has shown
	session, response term   // session key; the OkBoss's response
	proof             mProof // of the OkBoss
}

func (m *mMachine) String() string {
	kind := "responder"
	if m.initiator {
		kind = "initiator"
	}
	return fmt.Sprintf("%s %d of node %d with peer %s, bound %t", kind, m.slot, m.node, m.peer, m.bound)
}

// fresh returns a value that a machine draws.
func (m *mMachine) fresh(what string) term { return of(what, m.node, m.slot) }

// begin makes the Hellos of an initiator. A Go node's has one Hmac for each key, which attackers may take apart.
func (p mRules) begin(n *mNode, m *mMachine) (hellos []mPacket) {
	m.id, m.pk, m.time = m.fresh("id"), m.fresh("pk"), m.fresh("time")
	if !n.legacy {
		m.hello = p.helloBinding(n.id, m.id, m.time, m.pk, n.content())
	}
	for i, key := range n.ring {
		m.messages[i] = mMessage{roleHello, n.content(), m.hello, ""}
		if n.legacy {
			m.messages[i] = mMessage{content: m.fresh("random")}
		}
		hellos = append(hellos, mPacket{step: "Hello", sender: n.id, id: m.id, pk: m.pk, time: m.time, hmac: mHmac{key, m.time, m.messages[i]}})
	}
	return hellos
}

// ohai offers an Ohai to an initiator that has no answer. It returns the next state.
func (p mRules) ohai(n *mNode, m mMachine, h mPacket) (next mMachine, answer mPacket, ok bool) {
	if h.id != m.id || h.sender == n.id && !p.has(reflection) || !slices.Contains(n.ring, h.hmac.key) || h.hmac.time != m.time {
		return m, answer, false
	}
	if !n.legacy && !p.anyRole() && slices.Contains(m.messages[:], h.hmac.mMessage) {
		return m, answer, false
	}
	m.answered, m.done, m.peer, m.peerKey, m.key, m.challenge = true, true, h.sender, h.pk, h.hmac.key, h.challenge
	answer = mPacket{step: "OkBoss", sender: n.id, id: m.id}
	switch {
	case n.legacy:
		m.session, answer.response = dh(m.pk, h.pk), legacyResponse(n.ring[0], h.challenge, h.pk, m.id)
	case h.hmac.role != 0:
		m.bound, m.content, m.claim = true, h.hmac.content, h.hmac.claim
		m.binding = p.ohaiBinding(m.hello, h.sender, h.pk, h.challenge, h.hmac.content, dh(m.pk, static(m.claim)))
		inRole := h.hmac.role == roleOhai || p.anyRole()
		same := h.hmac.binding == m.binding || p.has(noBinding)
		if p.anyRole() {
			same = same || h.hmac.binding == p.helloBinding(h.sender, m.id, m.time, h.pk, h.hmac.content)
		}
		if !isGoTerm(h.sender) || !inRole || !same || !p.isOf(h.sender, m.claim) {
			return m, answer, false
		}
		answer.proof = p.identify(m.key, m.binding, n.id, dh(static(n.id), h.pk))
		m.session, answer.response = p.sessionKey(m.key, n.id, m.pk, m.claim, h.pk, m.binding), p.okBoss(m.key, m.binding, answer.proof)
	default:
		if isGoTerm(h.sender) && !p.has(goMayBeUnbound) || !n.admits {
			return m, answer, false
		}
		m.session, answer.response = dh(m.pk, h.pk), legacyResponse(n.ring[0], h.challenge, h.pk, m.id)
	}
	m.response, m.proof = answer.response, answer.proof
	return m, answer, true
}

// respond offers a Hello to a node. m is the next free machine.
func (p mRules) respond(n *mNode, m mMachine, h mPacket) (next mMachine, ohai mPacket, ok bool) {
	if h.sender == n.id && !p.has(reflection) || !slices.Contains(n.ring, h.hmac.key) || h.hmac.time != h.time {
		return m, ohai, false
	}
	m.id, m.time, m.pk, m.challenge, m.key = h.id, h.time, m.fresh("pk"), m.fresh("challenge"), h.hmac.key
	m.peer, m.peerKey = h.sender, h.pk
	message := mMessage{content: m.fresh("random")}
	if !n.legacy {
		hello := p.helloBinding(h.sender, h.id, h.time, h.pk, "blank")
		if m.bound = h.hmac.role != 0; m.bound {
			m.content = h.hmac.content
			hello = p.helloBinding(h.sender, h.id, h.time, h.pk, h.hmac.content)
			inRole := h.hmac.role == roleHello || p.anyRole()
			if !isGoTerm(h.sender) || !inRole || h.hmac.binding != hello && !p.has(noBinding) {
				return m, ohai, false
			}
		} else if isGoTerm(h.sender) && !p.has(goMayBeUnbound) || !n.admits {
			return m, ohai, false
		}
		shared, claim := term("none"), term("")
		if m.bound {
			shared, claim = dh(m.peerKey, static(n.id)), n.id
		}
		m.binding = p.ohaiBinding(hello, n.id, m.pk, m.challenge, n.content(), shared)
		message = mMessage{roleOhai, n.content(), m.binding, claim}
	}
	ohai = mPacket{step: "Ohai", sender: n.id, id: m.id, pk: m.pk, challenge: m.challenge, hmac: mHmac{m.key, m.time, message}}
	return m, ohai, true
}

// okBossAt offers an OkBoss to a responder.
func (p mRules) okBossAt(n *mNode, m mMachine, h mPacket) (next mMachine, ok bool) {
	weak, strong := legacyResponse(m.key, m.challenge, m.pk, m.id), p.okBoss(m.key, m.binding, h.proof)
	switch {
	case m.bound && h.response != strong && (!p.has(anyResponse) || h.response != weak), !m.bound && h.response != weak:
		return m, false
	case m.bound && (!p.isOf(m.peer, h.proof.claim) || h.proof != p.identify(m.key, m.binding, h.proof.claim, dh(static(h.proof.claim), m.pk))):
		return m, false
	}
	m.done, m.response, m.proof, m.claim = true, h.response, h.proof, h.proof.claim
	if m.bound {
		m.session = p.sessionKey(m.key, m.claim, m.peerKey, n.id, m.pk, m.binding)
	} else {
		m.session = dh(m.pk, m.peerKey)
	}
	return m, true
}

// modelRuns returns the runs that are searched.
func modelRuns(full bool) (runs []mRun) {
	a := mNode{id: "Go-A", admits: true, ring: []term{"k1"}}
	b := mNode{id: "Go-B", admits: true, ring: []term{"k1"}}
	l := mNode{id: "Legacy", legacy: true, ring: []term{"k1"}}
	a2, b2 := a, b
	a2.ring, b2.ring = []term{"k1", "k2"}, []term{"k2", "k1"}
	pair, old := []mNode{a, b}, []mNode{a, b, l}
	runs = []mRun{
		{name: "two responders", nodes: pair, initiators: []int{1, 0}, responders: []int{1, 2}},
		{name: "both ways", nodes: pair, initiators: []int{1, 1}, responders: []int{1, 1}},
		{name: "a gwyh 0.1 responder as an oracle", nodes: old, initiators: []int{1, 0, 0}, responders: []int{0, 1, 1}},
		{name: "a gwyh 0.1 initiator as an oracle", nodes: old, initiators: []int{1, 0, 1}, responders: []int{0, 1, 0}},
		{name: "an insider", nodes: pair, initiators: []int{1, 0}, responders: []int{0, 1}, known: []term{"k1"}},
		{name: "who knows a key that was replaced", nodes: []mNode{a2, b2}, initiators: []int{1, 0}, responders: []int{0, 1}, known: []term{"k1"}},
	}
	if full {
		runs = append(runs,
			mRun{name: "three responders and two initiators", nodes: pair, initiators: []int{2, 1}, responders: []int{1, 2}},
			mRun{name: "a gwyh 0.1 node at both ends", nodes: old, initiators: []int{1, 0, 1}, responders: []int{0, 1, 1}},
			mRun{name: "an insider and two initiators", nodes: pair, initiators: []int{1, 1}, responders: []int{0, 1}, known: []term{"k1"}})
	}
	return runs
}

// No attacker breaks agreement or secrecy, and none makes a Go node's session a legacy one.
func TestHandshakeHoldsAgainstAllThatAnAttackerCanDo(t *testing.T) {
	for _, run := range modelRuns(*modelFull) {
		t.Run(run.name, func(t *testing.T) {
			s := newSearch(t, run, mRules{})
			s.code = newModelCode(t, run)
			broken := s.all()
			t.Logf("%d states, %d packets offered, %d taken, %d sessions", s.states, s.offered, s.taken, s.sessions)
			if broken != "" {
				t.Error(broken)
			}
			if s.bound == 0 {
				t.Error("no run ends in a bound session")
			}
		})
	}
}

// The search finds what is wrong with a protocol that lacks a rule.
func TestModelFindsWhatALackingRuleBreaks(t *testing.T) {
	for _, f := range []flaw{noBinding, noSenderInHello, noIDInHello, noHelloInOhai, noKeyInOhai, noContentInOhai, noProofInOhai, noProofInOkBoss,
		anyKeyOfID, goMayBeUnbound, noSecretInKeys} {
		t.Run(string(f), func(t *testing.T) {
			if broken := firstBreak(t, modelRuns(false), mRules{flaw: f}); broken == "" {
				t.Error("nothing is broken without the rule")
			}
		})
	}
}

func firstBreak(t *testing.T, runs []mRun, rules mRules) string {
	for _, run := range runs {
		if broken := newSearch(t, run, rules).all(); broken != "" {
			t.Logf("%s: %s", run.name, broken)
			return broken
		}
	}
	return ""
}

// Without the proofs of ids, the handshake still holds against all who do not know the pre-shared key. These rules are a
// second defense: each of them is needed for that, and none for a handshake in which ids are proven.
func TestModelHoldsWithoutASecondDefense(t *testing.T) {
	strangers := slices.DeleteFunc(modelRuns(false), func(r mRun) bool { return len(r.known) > 0 })
	if broken := firstBreak(t, strangers, mRules{flaw: noProofs}); broken != "" {
		t.Error(broken)
	}
	for _, f := range []flaw{noKeyInHello, noSenderInOhai, reflection, anyResponse, noKeyInResponse} {
		t.Run(string(f), func(t *testing.T) {
			if broken := firstBreak(t, modelRuns(false), mRules{flaw: f}); broken != "" {
				t.Error(broken)
			}
			if broken := firstBreak(t, strangers, mRules{f, noProofs}); broken == "" {
				t.Error("nothing is broken without the rule and the proofs")
			}
		})
	}
}

// Roles, and the comparison of an Ohai's message with those of the Hello, are a second defense: the node's own id, which is
// in the binding and is refused, is the first. The binding in the session keys is one too: the shared secrets of the keys of
// both ids are the first.
func TestModelHoldsWithoutRolesAndWithoutTheBindingInKeys(t *testing.T) {
	for _, f := range []flaw{noRoles, noBindingInKeys} {
		if broken := firstBreak(t, modelRuns(false), mRules{flaw: f}); broken != "" {
			t.Errorf("%s: %s", f, broken)
		}
	}
}

// The known weakness of gwyh 0.1 (docs/SECURITY.md): with a live node of it, whoever has no key becomes a legacy peer.
// That the search finds it shows that it knows what a gwyh 0.1 node gives away.
func TestModelFindsThatAnAttackerBecomesALegacyPeer(t *testing.T) {
	for _, run := range modelRuns(false)[2:4] {
		s := newSearch(t, run, mRules{})
		if s.all(); s.intruders == 0 {
			t.Errorf("%s: the attacker knows the key of no legacy session", run.name)
		}
	}
}
