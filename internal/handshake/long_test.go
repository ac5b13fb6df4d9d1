package handshake

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Hello of more than 1,200 bytes is dropped before anything of it is verified (PROTOCOL.md X1).
func TestLongHelloIsDropped(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	for size, why := range map[int]Reason{500: accepted, messageSize: Malformed} {
		self := Self{Node: a.id(), Zone: wire.Zone{Name: strings.Repeat("z", 100), Valid: true}}
		m := newInitiator(&self, &a.ep.ring, wire.NodeID{}, false, w.now, a.ep.origin)
		m.signHello(self.Block, a.ep.ring.keys, func(block []byte) []byte { return append(bytes.Clone(block), make([]byte, size-len(block))...) })
		d := wire.AppendHandshake(nil, math.MaxUint32, a.id(), m.Hello())
		if (len(d) > helloMax) != (why != accepted) {
			t.Fatalf("a message of %d bytes makes a Hello of %d", size, len(d))
		}
		before, refused := b.ep.budget.spent, b.rejected[Malformed]
		b.receive(datagram{w.now, a.addr, b.addr, d})
		if bound, _ := b.ep.HalfOpen(); (b.ep.budget.spent != before) != (why == accepted) || (b.rejected[Malformed] != refused) != (why != accepted) {
			t.Errorf("a Hello of %d bytes: %d half open, %d refused", len(d), bound, b.rejected[Malformed]-refused)
		}
	}
}

// messageSize is the maximum size of an Hmac's message in bytes (PROTOCOL.md W6).
const messageSize = 1024
