package assembly

import "github.com/gwyh-go/gwyh/internal/wire"

// Stripes is a set of the two stripes of a large message: its even and its odd chunks. A node may take them from different
// neighbors (PROTOCOL.md Q14).
type Stripes uint8

// The stripes, and the set of both.
const (
	Even Stripes = 1 << iota
	Odd
	Both = Even | Odd
)

// StripeOf returns the stripe of the byte at an offset of a message. Whether the first chunk is even depends on the
// message, so that messages of one chunk also share the two neighbors.
func StripeOf(id *wire.MessageID, at uint32) Stripes {
	return Even << ((id.Counter() + uint64(at/chunkSize)) & 1)
}

// Chunks calls yield for each chunk [from, to) of a message of total bytes that belongs to one of the stripes.
func (s Stripes) Chunks(id *wire.MessageID, total uint32, yield func(from, to uint32)) {
	for from := uint32(0); from < total; from += chunkSize {
		if s&StripeOf(id, from) != 0 {
			yield(from, min(total, from+chunkSize))
		}
	}
}

// ChunkEnd returns the end of the chunk with the byte at an offset.
func ChunkEnd(at uint32) uint32 { return at - at%chunkSize + chunkSize }
