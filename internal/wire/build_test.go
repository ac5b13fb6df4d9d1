package wire

import (
	"encoding/binary"
	"slices"
)

// The following helpers build MessagePack in forms that neither implementation sends.

func seq(items ...[]byte) []byte {
	return append(appendArrayHead(nil, len(items)), slices.Concat(items...)...)
}

// dict returns a map of alternating keys and values, with a head wider than needed.
func dict(items ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{tagMap32}, uint32(len(items)/2))
	return append(b, slices.Concat(items...)...)
}

func str(s string) []byte { return appendStr(nil, s) }

func num(v uint64) []byte { return appendUint(nil, v) }

// wide returns v as a signed integer of 8 bytes.
func wide(v uint64) []byte { return binary.BigEndian.AppendUint64([]byte{tagInt64}, v) }

func bin(s []byte) []byte { return appendBin(nil, s) }

// wideBin returns s with a head of 32 bits.
func wideBin(s []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{tagBin32}, uint32(len(s))), s...)
}

func ints(s []byte) []byte { return appendBytes(nil, Arrays, s) }

// wideInts returns s as an array of integers of all widths in turn, with a head of 32 bits.
func wideInts(s []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{tagArray32}, uint32(len(s)))
	for i, v := range s {
		switch i % 5 {
		case 0:
			b = append(b, tagUint8, v)
		case 1:
			b = append(b, tagUint16, 0, v)
		case 2:
			b = append(b, tagUint32, 0, 0, 0, v)
		case 3:
			b = append(b, tagInt8+1, 0, v)
		case 4:
			b = append(b, wide(uint64(v))...)
		}
	}
	return b
}

var null = []byte{tagNil}

// oddValues is an array with one value of each type.
var oddValues = seq(null, []byte{0xc2}, []byte{0xc3}, []byte{0xff}, []byte{0xca, 1, 2, 3, 4},
	[]byte{0xcb, 1, 2, 3, 4, 5, 6, 7, 8}, wide(1), []byte{0xd0, 0x80}, str("a"), str(string(counting(300))),
	bin(counting(3)), []byte{0xd4, 1, 2}, []byte{0xd8, 1, 17: 2}, []byte{0xc7, 2, 1, 8, 9}, []byte{0xc8, 0, 1, 1, 8},
	dict(num(1), seq(dict(), seq(seq()))), num(1<<16), num(1<<32), wideInts(counting(20)))

// ParseHandshake parses the Handshake b.
func ParseHandshake(h *Handshake, b []byte) error {
	p := Packet{Handshake: b}
	return p.ParseHandshake(h)
}
