package handshake

import (
	"encoding/binary"
	"hash"
	"strconv"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A binding ties a block to the parts of its packet that the Hmac of part 1 does not cover (PROTOCOL.md X3). The
// binding of an Ohai also identifies the whole exchange: the session's keys, response and nonces derive from it.
type binding = [32]byte

// helloBinding returns the binding of a Hello from node with the block. For a legacy Hello, block is blankBlock.
func helloBinding(node wire.NodeID, h *wire.Handshake, block []byte) binding {
	b := bind("gwyh/1 hello")
	b.Write(h.ID[:])
	b.Write(node[:])
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(h.Timestamp.UnixNano())))
	b.Write(h.PublicKey[:])
	b.Write(appendZone(nil, h.Zone))
	return b.finish(block)
}

// ohaiBinding returns the binding of an Ohai with the block, which node sends in answer to the Hello. Only node and the
// sender of the Hello know shared, the secret of the Hello's key and the key of the id of node. It is zero after a legacy Hello.
func ohaiBinding(hello *binding, node wire.NodeID, h *wire.Handshake, shared *[32]byte, block []byte) binding {
	b := bind("gwyh/1 ohai")
	b.Write(hello[:])
	b.Write(node[:])
	b.Write(h.PublicKey[:])
	b.Write(appendZone(nil, h.Zone))
	b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(h.Challenge))))
	b.Write(h.Challenge[:])
	b.Write(shared[:])
	return b.finish(block)
}

// blankBlock replaces the block of a Hello without one: 24 zero bytes for [8:32] and no tail.
var blankBlock [blockHeader]byte

type binder struct{ hash.Hash }

func bind(domain string) binder {
	b := binder{unkeyed(blake2b.New256)}
	b.Write([]byte(domain))
	return b
}

// finish hashes the block without its magic and binding, and returns the sum.
func (b binder) finish(block []byte) (sum binding) {
	b.Write(block[8:32])
	b.Write(block[blockHeader:])
	b.Sum(sum[:0])
	return sum
}

// appendZone appends the zone as a u16 length (0xFFFF for none) and the bytes of its name.
func appendZone(b []byte, z wire.Zone) []byte {
	if !z.Valid {
		return append(b, 0xFF, 0xFF)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(z.Name)))
	return append(b, z.Name...)
}

// appendStamp appends a timestamp in the form that part 1's Hmac covers: Unix nanoseconds in decimal.
func appendStamp(b []byte, t time.Time) []byte { return strconv.AppendInt(b, t.UnixNano(), 10) }

// content returns a digest of all fields of a Hello or an Ohai, by which a repetition is recognized.
func content(h *wire.Handshake) (sum [32]byte) {
	d := unkeyed(blake2b.New256)
	d.Write([]byte{byte(h.Step)})
	d.Write(h.PublicKey[:])
	d.Write(appendZone(nil, h.Zone))
	if h.Step == wire.StepHello {
		d.Write(appendStamp(nil, h.Timestamp))
	} else {
		d.Write(h.Challenge[:])
	}
	for i := range h.Hmacs {
		d.Write(h.Hmacs[i].Sum[:])
		d.Write(binary.BigEndian.AppendUint32(nil, uint32(len(h.Hmacs[i].Message))))
		d.Write(h.Hmacs[i].Message)
	}
	d.Sum(sum[:0])
	return sum
}
