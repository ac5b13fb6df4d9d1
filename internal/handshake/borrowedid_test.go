package handshake

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Hello does not prove its id, so an insider can send one under the id of any node.

// helloUnder returns a Hello that an insider makes under the id of another node.
func helloUnder(t *testing.T, w *world, victim, of *node, ahead time.Duration) []byte {
	t.Helper()
	m := newInitiator(&Self{Node: victim.id()}, &of.ep.ring, wire.NodeID{}, false, w.now.Add(ahead), of.ep.origin)
	m.signHello(Block{}, of.ep.ring.keys, func(block []byte) []byte { return append([]byte(nil), block...) })
	return wire.AppendHandshake(nil, 1, victim.id(), m.Hello())
}

// PROTOCOL.md E2.
func TestHellosUnderTheIDOfANodeDoNotMakeItsOwnLookReplayed(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	insider := newNode(w, 77, nil)
	for i := range 2 * ledgerStamps {
		b.receive(datagram{w.now, insider.addr, b.addr, helloUnder(t, w, a, insider, 30*time.Second+time.Duration(i))})
	}
	if b.rejected[Replayed]+b.rejected[BadKey]+b.rejected[Malformed] != 0 {
		t.Fatalf("the Hellos of the insider were refused: %v", b.rejected)
	}
	a.join(b.addr, time.Second)
	w.run(100 * time.Millisecond)
	if !a.confirmed(b.id()) {
		t.Errorf("the node whose id it is was refused: %v", b.rejected)
	}
}

// PROTOCOL.md E4.
func TestHellosUnderTheIDOfANodeDoNotTakeItsPlaces(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	insider := newNode(w, 77, nil)
	for i := range 200 {
		w.after(time.Duration(i)*time.Millisecond/4, func() { // four within a millisecond, a fifth of the latency
			b.receive(datagram{w.now, insider.addr, b.addr, helloUnder(t, w, a, insider, 0)})
		})
	}
	w.run(10 * time.Millisecond)
	a.join(b.addr, time.Second)
	w.run(30 * time.Millisecond)
	if !a.confirmed(b.id()) {
		t.Errorf("the node whose id it is was not accepted: %v", b.rejected)
	}
	if bound, _ := b.ep.HalfOpen(); bound > 2*perPlace {
		t.Errorf("%d handshakes are kept", bound)
	}
}

// PROTOCOL.md E6.
func TestHellosThatVerifyAreAcceptedAtABoundedRate(t *testing.T) {
	for name, spend := range map[string]func(b *budget, from netip.Addr){
		"in all":         func(b *budget, _ netip.Addr) { b.spent[accepts] = limits[accepts].all },
		"for one source": func(b *budget, from netip.Addr) { b.sources[payer{accepts, prefix(from, 32)}] = limits[accepts].source },
	} {
		w, a, b := pair(t, 1, nil)
		b.ep.budget.open(b.clock(), accepts, a.addr.Addr())
		spend(&b.ep.budget, a.addr.Addr())
		b.receive(datagram{w.now, a.addr, b.addr, helloUnder(t, w, a, a, 0)})
		if bound, _ := b.ep.HalfOpen(); bound != 0 || b.rejected[OverBudget] != 1 {
			t.Errorf("%s: %d half-open, %v", name, bound, b.rejected)
		}
		w.run(time.Second)
		b.receive(datagram{w.now, a.addr, b.addr, helloUnder(t, w, a, a, 0)})
		if bound, _ := b.ep.HalfOpen(); bound != 1 {
			t.Errorf("%s: %d half-open a second later, %v", name, bound, b.rejected)
		}
	}
}
