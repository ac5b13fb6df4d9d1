package wire

import "github.com/hashicorp/go-msgpack/v2/codec"

// handle configures go-msgpack to write what gwyh 0.1 does: structs as arrays, bin and str told
// apart, integers in their shortest unsigned form. It is never changed after this.
//
// go-msgpack writes the values that are rare: handshakes, peers, state sync. Reading is the
// cursor's throughout. go-msgpack's decoder takes nil, a string or a map for nearly anything and a
// struct with elements missing, where PROTOCOL.md 1 refuses, and on a Hello of four Hmacs, which a
// stranger may send at any rate, it takes several times as long.
var handle = newHandle()

func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true, PositiveIntUnsigned: true}
	h.StructToArray = true
	return h
}

// appendValue appends v as go-msgpack writes it. The types given to it are this package's own and
// hold nothing that it cannot write.
func appendValue(b []byte, v any) []byte {
	var out []byte
	codec.NewEncoderBytes(&out, handle).MustEncode(v)
	return append(b, out...)
}

// integers widens bytes, so that go-msgpack writes them as an ARRAY: it writes bytes as bin.
func integers(s []byte) []uint16 {
	v := make([]uint16, len(s))
	for i, x := range s {
		v[i] = uint16(x)
	}
	return v
}

// zoneValue is nil or the name, as the wire has it.
func zoneValue(z Zone) *string {
	if !z.Valid {
		return nil
	}
	return &z.Name
}
