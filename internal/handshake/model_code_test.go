package handshake

import (
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A modelCode runs the real machines beside those of the model, in bytes. A term has the same bytes in all runs, because
// what a machine draws depends only on its node, its slot and what it has accepted.
type modelCode struct {
	t      *testing.T
	run    mRun
	values map[term][]byte // of atoms
	hmacs  map[mHmac]wire.Hmac
	keys   map[term][64]byte // session keys: send and receive key of the initiator
	terms  map[[64]byte]term // the reverse of keys
	inits  map[string]Initiator
	resps  map[string]Responder
	errors int
}

func newModelCode(t *testing.T, run mRun) *modelCode {
	c := &modelCode{t: t, run: run, values: map[term][]byte{}, hmacs: map[mHmac]wire.Hmac{}, keys: map[term][64]byte{}, terms: map[[64]byte]term{},
		inits: map[string]Initiator{}, resps: map[string]Responder{}}
	random := c.random("E")
	_, pk := nodeid.X25519(&random)
	dare := make([]byte, 69)
	copy(dare, "the attacker's challenge")
	c.values[evilKey], c.values[evilDare], c.values[evilID] = pk[:], dare, []byte("the attacker's i")
	for i, id := range []term{evilGo, evilOld} {
		c.values[id] = nodeBytes(100+i, isGoTerm(id))
	}
	for i, n := range run.nodes {
		c.values[n.id] = nodeBytes(i, isGoTerm(n.id))
	}
	return c
}

func nodeBytes(n int, isGo bool) []byte {
	id := legacyID(n + 1)
	if isGo {
		id = goID(n + 1)
	}
	return id[:]
}

// number returns the number of a Go node, from which its id and its secret follow.
func (c *modelCode) number(id term) int {
	if id == evilGo {
		return 101
	}
	return 1 + slices.IndexFunc(c.run.nodes, func(n mNode) bool { return n.id == id })
}

// random returns 32 bytes that depend on a name.
func (c *modelCode) random(name string) (b [32]byte) {
	fill(c.origin(name), b[:])
	return b
}

// origin returns what a machine draws from.
func (c *modelCode) origin(name string) origin {
	h := fnv.New64a()
	h.Write([]byte(name))
	return origin{newSeeded(h.Sum64()), nodeid.X25519}
}

func pskOf(k term) Key { return NewKey([]byte(k), "") }

func (c *modelCode) ring(n *mNode) *ring {
	var keys []Key
	for _, k := range n.ring {
		keys = append(keys, pskOf(k))
	}
	r := newRing(keys)
	return &r
}

func (c *modelCode) self(id term) *Self {
	s := selfOf(c.number(id), nodeid.X25519)
	s.Block = Block{Incarnation: uint64(id[len(id)-1]), MaxDatagram: 1400, HasVersions: true}
	return s
}

// shared returns the secret of a public key and the key of an id if that is the attacker's.
func (c *modelCode) shared(claim term, pk *[32]byte) (s [32]byte) {
	if claim == evilGo {
		s, _ = c.self(evilGo).Secret.Key.Agree(pk)
	}
	return s
}

// stamp returns the bytes of a timestamp. All are within the window of gwyh 0.1 nodes.
func stamp64(t term) time.Time {
	h := fnv.New32a()
	h.Write([]byte(t))
	return epoch.Add(time.Duration(h.Sum32() % 1e8))
}

// name returns the name of a machine in a state: all that its bytes depend on.
func name(m mMachine) string {
	return string(of("machine", m.node, m.slot, m.initiator, m.id, m.peer, m.peerKey, m.time, m.key, m.bound, m.binding, m.challenge, m.content, m.claim))
}

// learn stores the bytes of a term, which must always be the same.
func (c *modelCode) learn(t term, b []byte) {
	if old, ok := c.values[t]; ok && string(old) != string(b) {
		c.fail("%s has two values", t)
	}
	c.values[t] = b
}

func (c *modelCode) learnHmac(h mHmac, b wire.Hmac) {
	if old, ok := c.hmacs[h]; ok && (old.Sum != b.Sum || string(old.Message) != string(b.Message)) {
		c.fail("%v has two values", h)
	}
	c.hmacs[h] = b
}

func (c *modelCode) fail(format string, args ...any) {
	if c.errors++; c.errors < 5 {
		c.t.Errorf(format, args...)
	}
}

// begin begins a handshake as the machine m of the model does.
func (c *modelCode) begin(m *mMachine) {
	n := &c.run.nodes[m.node]
	draws := c.origin(string(m.fresh("initiator")))
	if n.legacy {
		var id wire.HandshakeID
		fill(draws, id[:])
		_, pk := draws.secret()
		c.learn(m.id, id[:])
		c.learn(m.pk, pk[:])
		c.learnHmac(mHmac{n.ring[0], m.time, m.messages[0]}, c.sign(n.ring[0], m.time, c.opaque(m.messages[0].content)))
		return
	}
	real := newInitiator(c.self(n.id), c.ring(n), wire.NodeID{}, n.admits, stamp64(m.time), draws)
	c.inits[name(*m)] = real
	h := real.Hello()
	c.learn(m.id, h.ID[:])
	c.learn(m.pk, h.PublicKey[:])
	for i, k := range n.ring {
		c.learnHmac(mHmac{k, m.time, m.messages[i]}, h.Hmacs[i])
	}
}

// opaque returns the random message of a gwyh 0.1 node.
func (c *modelCode) opaque(t term) []byte {
	b := make([]byte, 100)
	fill(c.origin(string(t)), b)
	return b
}

func (c *modelCode) sign(k, at term, message []byte) wire.Hmac {
	key := pskOf(k)
	return wire.Hmac{Sum: key.hmac(message, appendStamp(nil, stamp64(at))), Message: message}
}

// forge returns an Hmac of the attacker, who knows the key.
func (c *modelCode) forge(m mMachine, h mPacket, p *wire.Handshake) wire.Hmac {
	self := c.self(evilGo)
	if h.hmac.claim != "" {
		self.claim = c.self(h.hmac.claim).Secret.Claim
	}
	block := self.Block.append(nil, h.hmac.role)
	sum := helloBinding(wire.NodeID(c.values[h.sender]), p, block)
	if h.step == "Ohai" {
		own := c.inits[name(m)]
		shared := c.shared(h.hmac.claim, &own.hello.PublicKey)
		sum = ohaiBinding(&own.bind, wire.NodeID(c.values[h.sender]), p, &shared, block)
	}
	if seen := c.values[h.hmac.binding]; seen != nil {
		copy(sum[:], seen)
	}
	setBinding(block, &sum)
	return c.sign(h.hmac.key, h.hmac.time, append(block, make([]byte, max(messageMin-len(block), 0))...))
}

// packet returns the bytes of a Hello or Ohai that is offered to m.
func (c *modelCode) packet(m mMachine, h mPacket) *wire.Handshake {
	p := &wire.Handshake{ID: wire.HandshakeID(c.values[h.id]), PublicKey: [32]byte(c.values[h.pk]), Step: wire.StepOhai}
	if h.step == "Hello" {
		p.Step, p.Timestamp = wire.StepHello, stamp64(h.time)
	} else {
		p.Challenge = [69]byte(c.values[h.challenge])
	}
	hm, ok := c.hmacs[h.hmac]
	if !ok {
		hm = c.forge(m, h, p)
	}
	p.Hmacs = []wire.Hmac{hm}
	return p
}

// offer offers a packet to the real machine of m, which must do what the model does: to is the next state if ok.
func (c *modelCode) offer(m mMachine, h mPacket, to mMachine, ok bool) {
	n := &c.run.nodes[m.node]
	if h.sender == n.id { // refused by the Endpoint (PROTOCOL.md H7)
		return
	}
	if n.legacy {
		c.offerLegacy(n, m, h, to, ok)
		return
	}
	sender, why := wire.NodeID(c.values[h.sender]), accepted
	var e Established
	switch h.step {
	case "Hello":
		var real Responder
		real, why = newResponder(c.self(n.id), c.ring(n), nil, n.admits, epoch, sender, c.packet(m, h), c.origin(string(m.fresh("responder"))))
		if why == accepted && ok {
			c.resps[name(to)] = real
			c.learn(to.pk, real.ohai.PublicKey[:])
			c.learn(to.binding, real.bind[:])
			c.learn(to.challenge, real.ohai.Challenge[:])
			c.learnHmac(mHmac{to.key, to.time, mMessage{roleOhai, n.content(), to.binding, ohaiClaim(n, to)}}, real.ohai.Hmacs[0])
		}
	case "Ohai":
		var next Initiator
		next, e, why = c.inits[name(m)].Ohai(c.ring(n), nil, sender, c.packet(m, h))
		if why == accepted && ok {
			c.learn(to.response, next.okBoss.Responses[0][:])
			if to.bound {
				c.learn(to.proof.sum, next.okBoss.Responses[1][48:])
			}
			c.same(to, &e)
		}
	case "OkBoss":
		id := c.identify(m, h.proof)
		b := [64]byte{}
		if copy(b[:], c.values[h.response]) == 0 {
			b = c.respond(m, h, &id)
		}
		p := wire.Handshake{ID: wire.HandshakeID(c.values[h.id]), Step: wire.StepOkBoss, Responses: [][64]byte{b}}
		if m.bound {
			p.Responses = append(p.Responses, id)
		}
		if _, e, why = c.resps[name(m)].OkBoss(&p); why == accepted && ok {
			c.same(to, &e)
		}
	}
	if (why == accepted) != ok {
		c.fail("node %d takes %+v: %t in the model, %v in the code", m.node, h, ok, why)
	}
}

// ohaiClaim returns whose key a responder shows.
func ohaiClaim(n *mNode, m mMachine) term {
	if m.bound {
		return n.id
	}
	return ""
}

// identify returns the second response of an OkBoss, of a node or of the attacker.
func (c *modelCode) identify(m mMachine, p mProof) (id [64]byte) {
	if p.claim == "" {
		return id
	}
	claim, real := c.self(p.claim).Secret.Claim, c.resps[name(m)]
	copy(id[:], claim[:])
	if copy(id[48:], c.values[p.sum]) > 0 {
		return id
	}
	for _, k := range c.run.known {
		key, shared := pskOf(k), term("guess")
		if p.claim == evilGo {
			shared = dh(static(evilGo), m.pk)
		}
		if p == (mRules{}).identify(k, m.binding, p.claim, shared) {
			made := c.shared(p.claim, &real.ohai.PublicKey)
			return key.identify(&real.bind, &claim, &made)
		}
	}
	return id
}

// respond returns a response that the attacker makes.
func (c *modelCode) respond(m mMachine, h mPacket, id *[64]byte) (b [64]byte) {
	for _, k := range c.run.known {
		key := pskOf(k)
		switch real := c.resps[name(m)]; h.response {
		case mRules{}.okBoss(k, m.binding, h.proof):
			return key.okBoss(&real.bind, id)
		case legacyResponse(k, m.challenge, m.pk, m.id):
			return key.response(&real.ohai.Challenge, &real.ohai.PublicKey, real.ohai.ID)
		}
	}
	return b
}

// offerLegacy computes what a gwyh 0.1 node answers.
func (c *modelCode) offerLegacy(n *mNode, m mMachine, h mPacket, to mMachine, ok bool) {
	if !ok {
		return
	}
	key := pskOf(n.ring[0])
	if h.step == "Ohai" {
		response := key.response((*[69]byte)(c.values[h.challenge]), (*[32]byte)(c.values[h.pk]), wire.HandshakeID(c.values[m.id]))
		c.learn(to.response, response[:])
		return
	}
	if h.step == "Hello" {
		draws := c.origin(string(m.fresh("responder")))
		_, pk := draws.secret()
		dare := make([]byte, 69)
		fill(draws, dare)
		c.learn(to.pk, pk[:])
		c.learn(to.challenge, dare)
		message := mMessage{content: m.fresh("random")}
		c.learnHmac(mHmac{to.key, to.time, message}, c.sign(to.key, to.time, c.opaque(message.content)))
	}
}

// same checks a session: its peer and kind, and that its keys are those of the term, and of no other.
func (c *modelCode) same(to mMachine, e *Established) {
	if e.Peer != wire.NodeID(c.values[to.peer]) || e.Legacy == to.bound || e.Key != pskOf(to.key).ID() {
		c.fail("%v: the code has a session with %x, legacy %t", &to, e.Peer, e.Legacy)
	}
	pair := [64]byte(append(e.SendKey[:], e.RecvKey[:]...))
	if !to.initiator {
		pair = [64]byte(append(e.RecvKey[:], e.SendKey[:]...))
	}
	if old, ok := c.keys[to.session]; ok && old != pair {
		c.fail("%s has two values", to.session)
	}
	if old, ok := c.terms[pair]; ok && old != to.session {
		c.fail("%s and %s have one value", old, to.session)
	}
	c.keys[to.session], c.terms[pair] = pair, to.session
}
