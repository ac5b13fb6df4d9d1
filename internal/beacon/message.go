package beacon

import (
	"encoding/binary"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Message is the content of a broadcast that measures propagation: {"Beacon": [delay u16, data bin]}, where data is
// origin bin(16) || made u64 || interval u32. Each node that passes it on rewrites Made.
type Message struct {
	Origin   wire.NodeID // the node that made it
	Made     uint64      // when it was made, in microseconds on the clock of the node that sends this copy; 0: unknown
	Interval uint32      // milliseconds until the next beacon of the origin
}

// MessageSize is the size of the data of a Message in bytes. A later version may append to it.
const MessageSize = 16 + 8 + 4

// Data encodes the data of a Beacon (PROTOCOL.md P13).
func (m *Message) Data() []byte {
	b := append(make([]byte, 0, MessageSize), m.Origin[:]...)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, m.Made), m.Interval)
}

// Parse parses the Data of a KindBeacon.
func Parse(data []byte) (Message, error) {
	if len(data) < MessageSize {
		return Message{}, wire.ErrMalformed
	}
	return Message{Origin: wire.NodeID(data), Made: binary.BigEndian.Uint64(data[16:]), Interval: binary.BigEndian.Uint32(data[24:])}, nil
}
