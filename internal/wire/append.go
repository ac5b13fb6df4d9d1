package wire

import "encoding/binary"

// appendUint appends v in its shortest form (PROTOCOL.md W3).
func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= 0x7f:
		return append(b, byte(v))
	case v <= 0xff:
		return append(b, tagUint8, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, tagUint16), uint16(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, tagUint32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, tagUint64), v)
}

func uintSize(v uint64) int {
	switch {
	case v <= 0x7f:
		return 1
	case v <= 0xff:
		return 2
	case v <= 0xffff:
		return 3
	case v <= 0xffffffff:
		return 5
	}
	return 9
}

func appendBinHead(b []byte, n int) []byte {
	switch {
	case n <= 0xff:
		return append(b, tagBin8, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, tagBin16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, tagBin32), uint32(n))
}

func binHeadSize(n int) int {
	switch {
	case n <= 0xff:
		return 2
	case n <= 0xffff:
		return 3
	}
	return 5
}

func appendBin(b, s []byte) []byte { return append(appendBinHead(b, len(s)), s...) }

func appendArrayHead(b []byte, n int) []byte {
	switch {
	case n <= 0x0f:
		return append(b, tagFixArray|byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, tagArray16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, tagArray32), uint32(n))
}

// appendBytes appends s as an ARRAY or as bin.
func appendBytes(b []byte, enc Encoding, s []byte) []byte {
	if enc == Bin {
		return appendBin(b, s)
	}
	b = appendArrayHead(b, len(s))
	for _, v := range s {
		if v > 0x7f {
			b = append(b, tagUint8)
		}
		b = append(b, v)
	}
	return b
}

func appendUUID(b []byte, id *[16]byte) []byte { return append(append(b, tagBin8, 16), id[:]...) }

func appendStr[S string | []byte](b []byte, s S) []byte {
	switch n := len(s); {
	case n <= 0x1f:
		b = append(b, tagFixStr|byte(n))
	case n <= 0xff:
		b = append(b, tagStr8, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, tagStr8+1), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, tagStr32), uint32(n))
	}
	return append(b, s...)
}

func strHeadSize(n int) int {
	if n <= 0x1f {
		return 1
	}
	return binHeadSize(n)
}

// appendVariant appends the head of a one-entry map {name: ...}. The caller appends the value.
func appendVariant(b []byte, name string) []byte { return appendStr(append(b, tagFixMap|1), name) }
