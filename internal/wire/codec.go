package wire

import "github.com/hashicorp/go-msgpack/v2/codec"

// handle configures go-msgpack to encode as gwyh 0.1 does: structs as arrays, bin distinct from str, integers in
// their shortest unsigned form. It is never modified after its creation.
//
// go-msgpack encodes the values that are rare: handshakes, peers, state sync. Only cursor decodes. go-msgpack's
// decoder accepts nil, a string or a map for nearly any type, and a struct without some of its elements, which
// PROTOCOL.md part 1 forbids. It also takes several times as long for a Hello of four Hmacs, which any sender may
// send at any rate.
var handle = newHandle()

func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true, PositiveIntUnsigned: true}
	h.StructToArray = true
	return h
}

// appendValue appends v as go-msgpack encodes it. Its callers pass only types of this package, which it can always
// encode.
func appendValue(b []byte, v any) []byte {
	var out []byte
	codec.NewEncoderBytes(&out, handle).MustEncode(v)
	return append(b, out...)
}

// integers widens bytes to uint16, so that go-msgpack encodes them as an ARRAY and not as bin.
func integers(s []byte) []uint16 {
	v := make([]uint16, len(s))
	for i, x := range s {
		v[i] = uint16(x)
	}
	return v
}

// zoneValue returns nil or the name, as the zone is encoded.
func zoneValue(z Zone) *string {
	if !z.Valid {
		return nil
	}
	return &z.Name
}
