package handshake

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Hello of more than 1,200 bytes is dropped before anything of it is verified (PROTOCOL.md X1).
// PROTOCOL.md X1.
func TestLongHelloIsDropped(t *testing.T) {
	for _, seq := range []uint32{1, math.MaxUint32} {
		for _, size := range []int{helloMax - 1, helloMax, helloMax + 1, helloMax + 26, helloMax + 100} {
			t.Run(fmt.Sprint("seq ", seq, ", ", size, " bytes"), func(t *testing.T) {
				w, a, b := pair(t, 1, nil)
				b.receive(datagram{w.now, a.addr, b.addr, a.helloOf(t, seq, size)})
				long := size > helloMax
				if dropped := b.rejected[Malformed] != 0; dropped != long {
					t.Errorf("dropped: %v, want %v", dropped, long)
				}
				if verified := b.ep.budget.spent != [classes]int{}; verified == long {
					t.Errorf("verified: %v, want %v", verified, !long)
				}
			})
		}
	}
}

// helloOf returns a Hello of n with a seq and a size. Its random bytes take one or two bytes each, so the size is
// reached after some attempts.
func (n *node) helloOf(t *testing.T, seq uint32, size int) []byte {
	self := Self{Node: n.id(), Zone: wire.Zone{Name: strings.Repeat("z", 100), Valid: true}}
	padding := 500
	for range 1000 {
		m := newInitiator(&self, &n.ep.ring, wire.NodeID{}, false, n.w.now, n.ep.origin)
		m.signHello(self.Block, n.ep.ring.keys, func(block []byte) []byte { return append(bytes.Clone(block), make([]byte, padding)...) })
		d := wire.AppendHandshake(nil, seq, n.id(), m.Hello())
		if len(d) == size {
			return d
		}
		padding += size - len(d)
	}
	t.Fatalf("no Hello of %d bytes was made", size)
	return nil
}
