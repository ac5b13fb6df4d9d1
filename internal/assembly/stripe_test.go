package assembly

import (
	"testing"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md Q14.
func TestStripesAreTheEvenAndTheOddChunks(t *testing.T) {
	for counter, first := range map[uint64]Stripes{6: Even, 7: Odd} {
		id := wire.BroadcastID(0x8009, counter)
		const total = 3*chunkSize + 10
		for at, want := range map[uint32]Stripes{0: first, chunkSize - 1: first, chunkSize: Both &^ first, total - 1: Both &^ first} {
			if got := StripeOf(&id, at); got != want {
				t.Errorf("message %d: byte %d is in stripe %d, want %d", counter, at, got, want)
			}
		}
		for stripes, want := range map[Stripes]uint32{0: 0, first: 2 * chunkSize, Both &^ first: chunkSize + 10, Both: total} {
			var set rangeset.Set
			stripes.Chunks(&id, total, func(from, to uint32) {
				set.Add(from, to)
				if to != min(total, ChunkEnd(from)) {
					t.Errorf("a chunk from %d to %d", from, to)
				}
			})
			if got := set.Size(); got != want {
				t.Errorf("message %d: stripes %d have %d bytes, want %d", counter, stripes, got, want)
			}
		}
	}
}
