package handshake

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// meddle delivers, before each datagram of a bound handshake from a to b, the datagrams that forge derives from it.
// It requires that they change neither side and that the handshake then completes.
func meddle(t *testing.T, forge func(d datagram) [][]byte) {
	t.Helper()
	w, a, b := pair(t, 3, nil)
	w.filter = func(d *datagram) bool {
		if d.at != w.now {
			return true
		}
		to := map[bool]*node{true: a, false: b}[d.to == a.addr]
		for _, f := range forge(*d) {
			before, sessions := state(to.ep), len(to.sessions)
			to.receive(datagram{w.now, d.from, d.to, append([]byte(nil), f...)})
			if after := state(to.ep); after != before || len(to.sessions) != sessions {
				t.Fatalf("%d bytes %x changed\n%s to\n%s", len(f), f, before, after)
			}
		}
		return true
	}
	a.join(b.addr, 10*time.Second)
	w.run(11 * time.Second)
	w.filter = nil
	if len(a.sessions) != 1 || len(b.sessions) != 1 {
		t.Fatalf("%d and %d sessions", len(a.sessions), len(b.sessions))
	}
	talk(t, w, a, b)
}

func TestTruncatedPacketsChangeNothing(t *testing.T) {
	meddle(t, func(d datagram) (list [][]byte) {
		for n := range d.bytes {
			list = append(list, d.bytes[:n])
		}
		return list
	})
}

// PROTOCOL.md H8.
func TestForgedPacketsChangeNothing(t *testing.T) {
	meddle(t, func(d datagram) (list [][]byte) {
		for i := range d.bytes {
			for _, bit := range []byte{1, 0x10, 0x80} {
				f := append([]byte(nil), d.bytes...)
				f[i] ^= bit
				if !sameStep(d.bytes, f) {
					list = append(list, f)
				}
			}
		}
		return list
	})
}

// sameStep reports whether two datagrams are equal except for s, which is not protected, as in part 1.
func sameStep(a, b []byte) bool {
	var p, q wire.Packet
	if wire.ParsePacket(&p, append([]byte(nil), a...)) != nil || wire.ParsePacket(&q, append([]byte(nil), b...)) != nil {
		return false
	}
	p.Seq, q.Seq = 0, 0
	return fmt.Sprint(p) == fmt.Sprint(q)
}

func TestSplicedHellosAreRefused(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	a.join(address(90), time.Second)
	a.join(address(91), time.Second)
	w.now = w.now.Add(time.Millisecond)
	one, two := parsed(t, w.log[0].bytes), parsed(t, w.log[1].bytes)
	for name, x := range map[string]struct {
		change func(h *wire.Handshake)
		sender wire.NodeID
		why    Reason
	}{
		"another public key":         {func(h *wire.Handshake) { h.PublicKey[3]++ }, a.id(), BadBinding},
		"another zone":               {func(h *wire.Handshake) { h.Zone.Name = "other" }, a.id(), BadBinding},
		"no zone":                    {func(h *wire.Handshake) { h.Zone = wire.Zone{} }, a.id(), BadBinding},
		"another handshake id":       {func(h *wire.Handshake) { h.ID[0]++ }, a.id(), BadBinding},
		"another sender":             {func(*wire.Handshake) {}, goID(77), BadBinding},
		"a sender of version 4":      {func(*wire.Handshake) {}, legacyID(0), NotGo},
		"another timestamp":          {func(h *wire.Handshake) { h.Timestamp = h.Timestamp.Add(1) }, a.id(), BadKey},
		"the Hmac of another Hello":  {func(h *wire.Handshake) { h.Hmacs = two.Hmacs }, a.id(), BadKey},
		"Hmac and stamp of another":  {func(h *wire.Handshake) { h.Hmacs, h.Timestamp = two.Hmacs, two.Timestamp }, a.id(), BadBinding},
		"another's before its own":   {func(h *wire.Handshake) { h.Hmacs = append(two.Hmacs[:1:1], h.Hmacs...) }, a.id(), accepted},
		"another message":            {func(h *wire.Handshake) { h.Hmacs[0].Message = two.Hmacs[0].Message }, a.id(), BadKey},
		"a shorter message":          {func(h *wire.Handshake) { m := &h.Hmacs[0].Message; *m = (*m)[:len(*m)-1] }, a.id(), BadKey},
		"no Hmac":                    {func(h *wire.Handshake) { h.Hmacs = nil }, a.id(), Malformed},
		"only unbound Hmacs":         {func(h *wire.Handshake) { h.Hmacs[0].Message[0]++ }, a.id(), Unbound},
		"our own id":                 {func(*wire.Handshake) {}, b.id(), OwnID},
		"unbound under a legacy id ": {func(h *wire.Handshake) { h.Hmacs[0].Message[0]++ }, legacyID(5), BadKey},
	} {
		h := *one
		h.Hmacs = []wire.Hmac{{Sum: one.Hmacs[0].Sum, Message: bytes.Clone(one.Hmacs[0].Message)}}
		x.change(&h)
		ring := newRing(b.cfg.Keys)
		if x.sender == b.id() {
			before := b.rejected[OwnID]
			b.receive(datagram{w.now, a.addr, b.addr, wire.AppendHandshake(nil, 1, x.sender, &h)})
			if b.rejected[OwnID] != before+1 {
				t.Error(name)
			}
			continue
		}
		if _, why := newResponder(&b.ep.self, &ring, nil, true, w.now, x.sender, &h, origin{newSeeded(1), nodeid.X25519}); why != x.why {
			t.Errorf("%s: %v, want %v", name, why, x.why)
		}
	}
}

// exchange is a bound handshake of the machines alone, up to the Ohai.
type exchange struct {
	now            time.Time
	keys           []Key
	ring           ring
	one, two       Self // initiator and responder
	initiator      Initiator
	responder      Responder
	otherInitiator Initiator // the same node with another Hello
	otherResponder Responder // the same node with its answer to that Hello
}

func newExchange(t *testing.T) *exchange {
	t.Helper()
	x := &exchange{now: epoch, keys: []Key{NewKey([]byte("secret"), "")}}
	x.ring = newRing(x.keys)
	x.one, x.two = *selfOf(1, nodeid.X25519), *selfOf(2, nodeid.X25519)
	x.one.Zone, x.one.Name, x.two.Name = wire.Zone{Name: "z", Valid: true}, "one", "two"
	rand := newSeeded(5)
	var why Reason
	x.initiator = newInitiator(&x.one, &x.ring, wire.NodeID{}, true, x.now, origin{rand, nodeid.X25519})
	if x.responder, why = newResponder(&x.two, &x.ring, nil, true, x.now, x.one.Node, x.initiator.Hello(), origin{rand, nodeid.X25519}); why != accepted {
		t.Fatal(why)
	}
	x.otherInitiator = newInitiator(&x.one, &x.ring, wire.NodeID{}, true, x.now.Add(1), origin{rand, nodeid.X25519})
	if x.otherResponder, why = newResponder(&x.two, &x.ring, nil, true, x.now, x.one.Node, x.otherInitiator.Hello(), origin{rand, nodeid.X25519}); why != accepted {
		t.Fatal(why)
	}
	return x
}

// resign signs the Ohai's message again, which only a holder of the key can do.
func (x *exchange) resign(h *wire.Handshake, message []byte) {
	stamp := appendStamp(nil, x.initiator.hello.Timestamp)
	h.Hmacs = []wire.Hmac{{Sum: x.keys[0].hmac(message, stamp), Message: message}}
}

// rebind makes the Ohai one of another node, which shows a claim to its id, as a holder of the pre-shared key can.
func (x *exchange) rebind(h *wire.Handshake, node wire.NodeID, claim nodeid.Claim, shared *[32]byte) {
	own := x.two.Block
	own.claim = claim
	block := own.append(nil, roleOhai)
	sum := ohaiBinding(&x.initiator.bind, node, h, shared, block)
	setBinding(block, &sum)
	x.resign(h, block)
}

// PROTOCOL.md X6.
func TestSplicedAndReflectedOhaisAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(x *exchange, h *wire.Handshake) (sender wire.NodeID)
		why    Reason
	}{
		"as it is":           {func(x *exchange, _ *wire.Handshake) wire.NodeID { return x.two.Node }, accepted},
		"another public key": {func(x *exchange, h *wire.Handshake) wire.NodeID { h.PublicKey[0]++; return x.two.Node }, BadBinding},
		"another challenge":  {func(x *exchange, h *wire.Handshake) wire.NodeID { h.Challenge[0]++; return x.two.Node }, BadBinding},
		"another zone":       {func(x *exchange, h *wire.Handshake) wire.NodeID { h.Zone.Valid = true; return x.two.Node }, BadBinding},
		"another sender":     {func(x *exchange, _ *wire.Handshake) wire.NodeID { return goID(9) }, FalseID},
		"a legacy sender":    {func(x *exchange, _ *wire.Handshake) wire.NodeID { return legacyID(9) }, NotGo},
		"no Hmac":            {func(x *exchange, h *wire.Handshake) wire.NodeID { h.Hmacs = nil; return x.two.Node }, Malformed},
		"an Ohai to another": {func(x *exchange, h *wire.Handshake) wire.NodeID { *h = *x.otherResponder.Ohai(); return x.two.Node }, BadKey},
		"another of same time": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			x.resign(h, x.otherResponder.ohai.Hmacs[0].Message)
			return x.two.Node
		}, BadBinding},
		"our message, go": {func(x *exchange, h *wire.Handshake) wire.NodeID { h.Hmacs = x.initiator.hello.Hmacs; return x.two.Node }, Reflected},
		"our message, legacy": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			h.Hmacs = x.initiator.hello.Hmacs
			return legacyID(9)
		}, Reflected},
		"a message without a block": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			x.resign(h, make([]byte, 80))
			return x.two.Node
		}, Unbound},
		"a block of role 1": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			m := bytes.Clone(h.Hmacs[0].Message)
			m[9] = 1
			x.resign(h, m)
			return x.two.Node
		}, BadBlock},
		"a public key of zeros": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			h.PublicKey = [32]byte{}
			shared, _ := x.two.Secret.Key.Agree(&x.initiator.hello.PublicKey)
			x.rebind(h, x.two.Node, x.two.Secret.Claim, &shared)
			return x.two.Node
		}, ZeroSecret},
		"an insider without a claim": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			x.rebind(h, x.two.Node, nodeid.Claim{}, &[32]byte{})
			return x.two.Node
		}, FalseID},
		"an insider with its own claim": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			insider := selfOf(9, nodeid.X25519).Secret
			shared, _ := insider.Key.Agree(&x.initiator.hello.PublicKey)
			x.rebind(h, x.two.Node, insider.Claim, &shared)
			return x.two.Node
		}, FalseID},
		"an insider with the claim of the node": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			shared, _ := selfOf(9, nodeid.X25519).Secret.Key.Agree(&x.initiator.hello.PublicKey)
			x.rebind(h, x.two.Node, x.two.Secret.Claim, &shared)
			return x.two.Node
		}, BadBinding},
		"an insider under its own id": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			insider := selfOf(9, nodeid.X25519)
			shared, _ := insider.Secret.Key.Agree(&x.initiator.hello.PublicKey)
			x.rebind(h, insider.Node, insider.Secret.Claim, &shared)
			return insider.Node
		}, accepted},
		"a claim with a key of zeros": {func(x *exchange, h *wire.Handshake) wire.NodeID {
			x.rebind(h, (&nodeid.Claim{1}).ID(), nodeid.Claim{1}, &[32]byte{})
			return (&nodeid.Claim{1}).ID()
		}, ZeroSecret},
	} {
		x := newExchange(t)
		h := *x.responder.Ohai()
		sender := c.change(x, &h)
		before := fmt.Sprintf("%v", x.initiator)
		next, _, why := x.initiator.Ohai(&x.ring, nil, sender, &h)
		if why != c.why {
			t.Errorf("%s: %v, want %v", name, why, c.why)
		}
		if fmt.Sprintf("%v", x.initiator) != before || next.Answered() != (why == accepted) {
			t.Errorf("%s: the machine changed", name)
		}
	}
}

// PROTOCOL.md H3.
func TestOkBossMustBeTheOneThatItsHelloAsksFor(t *testing.T) {
	x := newExchange(t)
	next, ours, why := x.initiator.Ohai(&x.ring, nil, x.two.Node, x.responder.Ohai())
	if why != accepted {
		t.Fatal(why)
	}
	right := next.OkBoss().Responses[0]
	ohai := x.responder.Ohai()
	part1 := x.keys[0].response(&ohai.Challenge, &ohai.PublicKey, ohai.ID)
	id := next.OkBoss().Responses[1]
	other := x.keys[0].okBoss(&x.otherResponder.bind, &id)
	for name, responses := range map[string][][64]byte{
		"none": nil, "part 1's": {part1}, "of another": {other, id}, "twice": {right, right}, "with part 1's": {part1, id}, "wrong": {{}, id},
		"without the id": {right}, "reversed": {id, right}, "another id": {right, {1}}, "three": {right, id, id},
	} {
		before := fmt.Sprintf("%v", x.responder)
		m, _, why := x.responder.OkBoss(&wire.Handshake{Responses: responses})
		switch {
		case why != BadResponse:
			t.Errorf("%s: the packet is refused: %v, want %v", name, why, BadResponse)
		case m.Done():
			t.Errorf("%s: the machine is done", name)
		case fmt.Sprintf("%v", x.responder) != before:
			t.Errorf("%s: %v", name, why)
		}
	}
	m, theirs, why := x.responder.OkBoss(next.OkBoss())
	switch {
	case why != accepted:
		t.Fatalf("the packet is refused: %v, want %v", why, accepted)
	case theirs.SendKey != ours.RecvKey:
		t.Fatalf("the sending key at the other end is %v, want %v", theirs.SendKey, ours.RecvKey)
	case theirs.RecvKey != ours.SendKey:
		t.Fatalf("the receiving key at the other end is %v, want %v", theirs.RecvKey, ours.SendKey)
	}
	if _, _, why := m.OkBoss(next.OkBoss()); why != OtherContent {
		t.Error("keys were derived twice")
	}
}

// An insider that repeats or makes a Hello under the id of another node does not complete the handshake (PROTOCOL.md X6).
func TestOkBossProvesTheIDOfItsSender(t *testing.T) {
	x := newExchange(t)
	insider := selfOf(9, nodeid.X25519).Secret
	pk := &x.responder.ohai.PublicKey
	guess, _ := insider.Key.Agree(pk)
	right, _ := x.one.Secret.Key.Agree(pk)
	for name, c := range map[string]struct {
		claim  nodeid.Claim
		shared *[32]byte
		why    Reason
	}{
		"the node's claim, without its key": {x.one.Secret.Claim, &guess, FalseID},
		"the node's claim, no secret":       {x.one.Secret.Claim, &[32]byte{}, FalseID},
		"the insider's claim":               {insider.Claim, &guess, FalseID},
		"a key of zeros":                    {nodeid.Claim{1}, &[32]byte{}, ZeroSecret},
		"the node itself":                   {x.one.Secret.Claim, &right, accepted},
	} {
		if c.why == ZeroSecret {
			x.responder.peer = c.claim.ID()
		} else {
			x.responder.peer = x.one.Node
		}
		id := x.keys[0].identify(&x.responder.bind, &c.claim, c.shared)
		before := fmt.Sprintf("%v", x.responder)
		m, _, why := x.responder.OkBoss(&wire.Handshake{Responses: [][64]byte{x.keys[0].okBoss(&x.responder.bind, &id), id}})
		if why != c.why || m.Done() != (why == accepted) || fmt.Sprintf("%v", x.responder) != before {
			t.Errorf("%s: %v, want %v", name, why, c.why)
		}
	}
}

func TestUnboundHelloIsCompletedOnlyByPart1(t *testing.T) {
	key := NewKey([]byte("secret"), "")
	r := newRing([]Key{key})
	message := make([]byte, 100)
	hello := wire.Handshake{Step: wire.StepHello, PublicKey: [32]byte{9}, Timestamp: epoch}
	hello.Hmacs = []wire.Hmac{{Sum: key.hmac(message, appendStamp(nil, epoch)), Message: message}}
	m, why := newResponder(selfOf(1, nodeid.X25519), &r, nil, true, epoch, legacyID(2), &hello, origin{newSeeded(1), nodeid.X25519})
	if why != accepted {
		t.Fatal(why)
	}
	if _, _, why := m.OkBoss(&wire.Handshake{Responses: [][64]byte{key.okBoss(&m.bind, new([64]byte)), {}}}); why != BadResponse {
		t.Error(why)
	}
	right := key.response(&m.ohai.Challenge, &m.ohai.PublicKey, hello.ID)
	if _, e, why := m.OkBoss(&wire.Handshake{Responses: [][64]byte{{}, right}}); why != accepted || !e.Legacy {
		t.Error(why)
	}
}

func TestLegacyKeyOfZerosIsRefused(t *testing.T) {
	key := NewKey([]byte("secret"), "")
	r := newRing([]Key{key})
	message := make([]byte, 100)
	hello := wire.Handshake{Step: wire.StepHello, Timestamp: epoch} // PublicKey is zero
	hello.Hmacs = []wire.Hmac{{Sum: key.hmac(message, appendStamp(nil, epoch)), Message: message}}
	m, why := newResponder(selfOf(1, nodeid.X25519), &r, nil, true, epoch, legacyID(2), &hello, origin{newSeeded(1), nodeid.X25519})
	if why != accepted {
		t.Fatal(why)
	}
	right := key.response(&m.ohai.Challenge, &m.ohai.PublicKey, hello.ID)
	if _, _, why := m.OkBoss(&wire.Handshake{Responses: [][64]byte{right}}); why != ZeroSecret {
		t.Errorf("%v, want %v", why, ZeroSecret)
	}
}

func TestFirstValidOhaiIsTakenOnce(t *testing.T) {
	x := newExchange(t)
	again, _ := newResponder(&x.two, &x.ring, nil, true, x.now, x.one.Node, x.initiator.Hello(), origin{newSeeded(9), nodeid.X25519})
	m, _, why := x.initiator.Ohai(&x.ring, nil, x.two.Node, x.responder.Ohai())
	if why != accepted {
		t.Fatal(why)
	}
	switch {
	case !m.Repeats(x.two.Node, x.responder.Ohai()):
		t.Error("the Ohai does not count as a repeat")
	case m.Repeats(x.one.Node, x.responder.Ohai()):
		t.Error("the Ohai counts as a repeat although it is of another node")
	case m.Repeats(x.two.Node, again.Ohai()):
		t.Error("another Ohai counts as a repeat")
	}
	if _, _, why := m.Ohai(&x.ring, nil, x.two.Node, again.Ohai()); why != OtherContent {
		t.Error(why)
	}
}

func TestSecretsAreWipedOnceUsed(t *testing.T) {
	x := newExchange(t)
	m, e, _ := x.initiator.Ohai(&x.ring, nil, x.two.Node, x.responder.Ohai())
	n, _, _ := x.responder.OkBoss(m.OkBoss())
	e.wipe()
	switch {
	case m.secret != nil:
		t.Errorf("the secret is %v, want nil", m.secret)
	case n.shared != [32]byte{}:
		t.Errorf("the shared secret of the key of the id is %v, want none", n.shared)
	case n.secret != nil:
		t.Errorf("the secret of the other machine is %v, want nil", n.secret)
	case e.SendKey != [32]byte{}:
		t.Errorf("the sending key is %v, want %v", e.SendKey, [32]byte{})
	case e.RecvKey != [32]byte{}:
		t.Errorf("the receiving key is %v, want %v", e.RecvKey, [32]byte{})
	}
}

func TestSecretOfADroppedHandshakeIsWiped(t *testing.T) {
	tb := newTable()
	x := &halfOpen{m: newExchange(t).responder}
	if x.m.shared == [32]byte{} {
		t.Fatal("there is none")
	}
	tb.add(x)
	tb.remove(x)
	if x.m.shared != [32]byte{} || x.m.secret != nil {
		t.Errorf("%x and %v are left", x.m.shared, x.m.secret)
	}
}

// keeper is a source of randomness that keeps the memory that it has filled.
type keeper struct{ filled [][]byte }

func (k *keeper) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xa5
	}
	k.filled = append(k.filled, b)
	return len(b), nil
}

func TestRandomBytesOfSecretsAreWipedOnceUsed(t *testing.T) {
	var k keeper
	origin{&k, nodeid.X25519}.secret()
	if len(k.filled) == 0 {
		t.Error("no random bytes were drawn")
	}
	for _, b := range k.filled {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("%x is left in memory", b)
		}
	}
}

// PROTOCOL.md H4.
func TestSamePairOfIdsWithAnotherContentIsDropped(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return d.from == a.addr }
	a.join(b.addr, 10*time.Millisecond)
	w.run(20 * time.Millisecond)
	before, refused := state(b.ep), uint64(0)
	for name, change := range map[string]func(h *wire.Handshake){
		"key":       func(h *wire.Handshake) { h.PublicKey[0]++ },
		"zone":      func(h *wire.Handshake) { h.Zone = wire.Zone{Name: "another", Valid: true} },
		"timestamp": func(h *wire.Handshake) { h.Timestamp = h.Timestamp.Add(1) },
		"sum":       func(h *wire.Handshake) { h.Hmacs[0].Sum[0]++ },
		"message":   func(h *wire.Handshake) { h.Hmacs[0].Message[0]++ },
		"Hmacs":     func(h *wire.Handshake) { h.Hmacs = append(h.Hmacs, h.Hmacs[0]) },
	} {
		h := parsed(t, w.log[0].bytes)
		change(h)
		refused++
		b.receive(datagram{w.now, a.addr, b.addr, wire.AppendHandshake(nil, 9, a.id(), h)})
		if uint64(b.rejected[OtherContent]) != refused || state(b.ep) != before {
			t.Errorf("another %s: %v", name, b.rejected)
		}
	}
}

func TestReplayedConversationMakesNoSessionAtAnyLaterTime(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	a.join(b.addr, 10*time.Second)
	w.run(time.Second)
	log := w.log
	for _, d := range []time.Duration{0, 5 * time.Second, 5 * time.Second, 49 * time.Second, 10 * time.Second, 70 * time.Second, time.Hour} {
		w.run(d)
		for _, from := range []datagram{{from: a.addr}, {from: address(66)}} {
			for _, x := range log {
				x.from = from.from
				w.deliver(x)
			}
		}
	}
	w.run(time.Minute)
	if len(a.sessions) != 1 || len(b.sessions) != 1 {
		t.Errorf("%d and %d sessions", len(a.sessions), len(b.sessions))
	}
	switch {
	case b.rejected[Replayed] == 0:
		t.Errorf("b refused %v packets as replayed, want some", b.rejected[Replayed])
	case b.rejected[TimeOff] == 0:
		t.Errorf("b refused %v packets for their time, want some", b.rejected[TimeOff])
	case a.rejected[UnknownHandshake] == 0:
		t.Errorf("a refused %v packets of unknown handshakes, want some", a.rejected[UnknownHandshake])
	}
}

func TestConversationReplayedToAThirdNodeMakesNoSession(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	c := newNode(w, 2, nil)
	w.keep = true
	a.join(b.addr, 10*time.Second)
	w.run(time.Second)
	for _, d := range w.log {
		d.to = c.addr
		w.deliver(d)
	}
	w.run(time.Minute)
	switch {
	case len(c.sessions) != 0:
		t.Errorf("c has %v sessions, want 0", len(c.sessions))
	case len(a.sessions) != 1:
		t.Errorf("a has %v sessions, want 1", len(a.sessions))
	case len(b.sessions) != 1:
		t.Errorf("b has %v sessions, want 1", len(b.sessions))
	}
}

// PROTOCOL.md L8.
func TestReflectedPacketsChangeNothing(t *testing.T) {
	w, a, b := pair(t, 3, nil)
	w.filter = func(d *datagram) bool {
		// Every datagram also comes back to its sender, under the sender's id and under the other node's id.
		from := map[bool]*node{true: a, false: b}[d.from == a.addr]
		var p wire.Packet
		if wire.ParsePacket(&p, append([]byte(nil), d.bytes...)) != nil || p.Kind != wire.PacketHandshake {
			return true
		}
		h := parsed(t, d.bytes)
		if h.Step == wire.StepHello {
			return true // a node that reaches itself receives a Hello under its own id
		}
		for _, sender := range []wire.NodeID{a.id(), b.id(), legacyID(1)} {
			sessions := len(from.sessions)
			from.receive(datagram{w.now, d.to, d.from, wire.AppendHandshake(nil, 1, sender, h)})
			if len(from.sessions) != sessions {
				t.Fatal("a reflected packet made a session")
			}
		}
		return true
	}
	a.join(b.addr, 10*time.Second)
	w.run(11 * time.Second)
	w.filter = nil
	talk(t, w, a, b)
}

func TestReflectedHelloUnderAnotherIdIsRefused(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	w.keep = true
	a.join(address(90), time.Second)
	h := parsed(t, w.log[0].bytes)
	for _, sender := range []wire.NodeID{goID(5), legacyID(5)} {
		a.receive(datagram{w.now, address(90), a.addr, wire.AppendHandshake(nil, 1, sender, h)})
	}
	switch {
	case a.rejected[BadBinding] != 1:
		t.Errorf("a refused %v bindings, want 1", a.rejected[BadBinding])
	case a.rejected[NotGo] != 1:
		t.Errorf("a refused %v packets of nodes that are no Go nodes, want 1", a.rejected[NotGo])
	case len(a.self) != 0:
		t.Errorf("a reached itself %v times, want 0", len(a.self))
	}
}

func TestGoTeamAndDeadMeanNothingBetweenGoNodes(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.to == b.addr || parsesAs(d.bytes, wire.StepOhai) }
	a.join(b.addr, 10*time.Second)
	w.run(200 * time.Millisecond)
	id := a.sessions[0].Handshake
	for _, n := range []*node{a, b} {
		peer := map[*node]*node{a: b, b: a}[n]
		for _, s := range []wire.Step{wire.StepGoTeam, wire.StepDead} {
			before := state(n.ep)
			n.receive(datagram{w.now, peer.addr, n.addr, wire.AppendHandshake(nil, 1, peer.id(), &wire.Handshake{ID: id, Step: s})})
			if state(n.ep) != before {
				t.Error(s, "changed something")
			}
		}
	}
	switch {
	case a.sessions[0].sealable:
		t.Error("boxes may be sealed under the session of a")
	case a.rejected[Unexpected] != 2:
		t.Errorf("a refused %v unexpected packets, want 2", a.rejected[Unexpected])
	case b.rejected[UnknownHandshake] != 1:
		t.Errorf("b refused %v packets of unknown handshakes, want 1", b.rejected[UnknownHandshake])
	case b.rejected[Unexpected] != 1:
		t.Errorf("b refused %v unexpected packets, want 1", b.rejected[Unexpected])
	}
}

func TestGarbageIsCountedAndNothingElseHappens(t *testing.T) {
	_, a, _ := pair(t, 1, nil)
	before := state(a.ep)
	for _, b := range [][]byte{nil, {}, {0x92}, bytes.Repeat([]byte{0x93}, 65507), bytes.Repeat([]byte{0xC1}, 10)} {
		a.handle(wire.Path{}, &wire.Packet{Sender: goID(4), Kind: wire.PacketHandshake, Handshake: b})
	}
	a.handle(wire.Path{}, &wire.Packet{Sender: goID(4), Kind: wire.PacketBox})
	if a.rejected[Malformed] != 6 || state(a.ep) != before {
		t.Error(a.rejected)
	}
}

// PROTOCOL.md H5.
func TestRepeatsOfAnyStepAreAnsweredSixteenTimesAtMost(t *testing.T) {
	w, a, b := pair(t, 1, func(_ int, c *Config) { c.ReplyToAdvertised = true })
	w.keep = true
	w.filter = func(d *datagram) bool { // the identities of a and b never arrive
		return parsesAs(d.bytes, wire.StepHello) || parsesAs(d.bytes, wire.StepOhai) || parsesAs(d.bytes, wire.StepOkBoss)
	}
	a.join(b.addr, 10*time.Second)
	w.run(20 * time.Millisecond)
	ohai, okBoss := w.log[1], w.log[2]
	for range repeatsMax + 4 {
		w.deliver(ohai)
		w.deliver(okBoss)
	}
	if a.rejected[TooManyRepeats] != 4 || b.rejected[TooManyRepeats] != 4 {
		t.Error(a.rejected, b.rejected)
	}
	for _, x := range []struct {
		n      *node
		d      datagram
		change func(h *wire.Handshake)
	}{
		{a, ohai, func(h *wire.Handshake) { h.Challenge[0]++ }},
		{b, okBoss, func(h *wire.Handshake) { h.Responses[0][0]++ }},
	} {
		h := parsed(t, x.d.bytes)
		x.change(h)
		before := state(x.n.ep)
		sender := map[*node]wire.NodeID{a: b.id(), b: a.id()}[x.n]
		x.n.receive(datagram{w.now, x.d.from, x.d.to, wire.AppendHandshake(nil, 1, sender, h)})
		if x.n.rejected[OtherContent] != 1 || state(x.n.ep) != before {
			t.Error(h.Step, x.n.rejected)
		}
	}
}

// PROTOCOL.md E10.
func TestRepeatsAreWorthAVerification(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return !parsesAs(d.bytes, wire.StepOkBoss) }
	a.join(b.addr, 50*time.Millisecond)
	w.run(20 * time.Millisecond)
	for _, n := range []*node{a, b} {
		n.ep.budget.spent[answers], n.ep.budget.spent[exchanges] = limits[answers].all, limits[exchanges].all
	}
	w.deliver(w.log[0])
	w.deliver(w.log[1])
	if a.rejected[OverBudget] != 1 || b.rejected[OverBudget] != 1 {
		t.Error(a.rejected, b.rejected)
	}
}

// An unbound Hmac is not accepted because another Hmac of the packet claims to be bound.
func TestUnboundHmacBesideAFalseBlockIsRefusedLikeAnyUnboundOne(t *testing.T) {
	key := NewKey([]byte("secret"), "")
	ring := newRing([]Key{key})
	message := make([]byte, 100)
	for name, x := range map[string]struct {
		sender wire.NodeID
		legacy bool
		late   time.Duration
		why    Reason
	}{
		"legacy":         {legacyID(1), true, 0, accepted},
		"legacy refused": {legacyID(1), false, 0, LegacyRefused},
		"legacy late":    {legacyID(1), true, 2 * time.Second, TimeOff},
		"a go id":        {goID(1), true, 0, Unbound},
	} {
		h := wire.Handshake{Step: wire.StepHello, PublicKey: [32]byte{9}, Timestamp: epoch, Hmacs: []wire.Hmac{
			{Message: append([]byte(blockMagic), message...)},
			{Message: message, Sum: key.hmac(message, appendStamp(nil, epoch))},
		}}
		if _, why := newResponder(selfOf(2, nodeid.X25519), &ring, nil, x.legacy, epoch.Add(x.late), x.sender, &h, origin{newSeeded(1), nodeid.X25519}); why != x.why {
			t.Errorf("%s: %v, want %v", name, why, x.why)
		}
	}
}

// PROTOCOL.md I2, X4.
func TestHelloWithABadBlockUnderTheRightKeyIsRefused(t *testing.T) {
	x := newExchange(t)
	h := *x.initiator.Hello()
	message := bytes.Clone(h.Hmacs[0].Message)
	message[8] = 0 // the version
	x.resign(&h, message)
	if _, why := newResponder(&x.two, &x.ring, nil, true, x.now, x.one.Node, &h, origin{newSeeded(1), nodeid.X25519}); why != BadBlock {
		t.Error(why)
	}
}
