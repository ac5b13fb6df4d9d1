package wire

import (
	"encoding/binary"
	"errors"
)

var (
	// ErrShort says that the input ends inside a value, or declares a length that it does not have.
	ErrShort = errors.New("wire: truncated")

	// ErrMalformed says that the input is no value of the expected type.
	ErrMalformed = errors.New("wire: malformed")
)

// MessagePack's first bytes, as far as gwyh uses them.
const (
	tagFixMap   = 0x80 // low 4 bits: entries
	tagFixArray = 0x90 // low 4 bits: elements
	tagFixStr   = 0xa0 // low 5 bits: bytes
	tagNil      = 0xc0
	tagBin8     = 0xc4
	tagBin16    = 0xc5
	tagBin32    = 0xc6
	tagUint8    = 0xcc
	tagUint16   = 0xcd
	tagUint32   = 0xce
	tagUint64   = 0xcf
	tagInt8     = 0xd0
	tagInt64    = 0xd3
	tagStr8     = 0xd9
	tagStr32    = 0xdb
	tagArray16  = 0xdc
	tagArray32  = 0xdd
	tagMap16    = 0xde
	tagMap32    = 0xdf
)

// A cursor reads MessagePack from the front of b. The first failure sticks: after it every read
// gives zero values and b is empty, so a parser reads on without looking and checks err once, at
// its end. Only a loop over declared counts has to stop early.
type cursor struct {
	b   []byte // what is left
	err error  // nil, ErrShort or ErrMalformed
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// peek is the first byte of the next value; at the end of the input it is one that begins none.
func (c *cursor) peek() byte {
	if len(c.b) == 0 {
		return 0xc1
	}
	return c.b[0]
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail(ErrShort)
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

// take is the next n bytes, which alias the input and end at their capacity.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail(ErrShort)
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// bigEndian reads an integer of 1, 2, 4 or 8 bytes.
func (c *cursor) bigEndian(size uint64) uint64 {
	s := c.take(size)
	switch len(s) {
	case 1:
		return uint64(s[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(s))
	case 4:
		return uint64(binary.BigEndian.Uint32(s))
	case 8:
		return binary.BigEndian.Uint64(s)
	}
	return 0
}

// uint reads an integer from 0 to limit, in whatever width it was written.
func (c *cursor) uint(limit uint64) uint64 {
	var v uint64
	switch t := c.byte(); {
	case t <= 0x7f:
		v = uint64(t)
	case t >= tagUint8 && t <= tagUint64:
		v = c.bigEndian(1 << (t - tagUint8))
	case t >= tagInt8 && t <= tagInt64:
		size := uint64(1) << (t - tagInt8)
		v = c.bigEndian(size)
		if v>>(8*size-1) != 0 {
			c.fail(ErrMalformed) // negative
			return 0
		}
	default:
		c.fail(ErrMalformed)
		return 0
	}
	if v > limit {
		c.fail(ErrMalformed)
		return 0
	}
	return v
}

// isNil reads a nil if one is next.
func (c *cursor) isNil() bool {
	if c.peek() != tagNil {
		return false
	}
	c.b = c.b[1:]
	return true
}

// bin reads a byte string in the bin form.
func (c *cursor) bin() []byte {
	t := c.byte()
	if t < tagBin8 || t > tagBin32 {
		c.fail(ErrMalformed)
		return nil
	}
	return c.take(c.bigEndian(1 << (t - tagBin8)))
}

// str reads a string's bytes.
func (c *cursor) str() []byte {
	t := c.byte()
	switch {
	case t&^0x1f == tagFixStr:
		return c.take(uint64(t & 0x1f))
	case t >= tagStr8 && t <= tagStr32:
		return c.take(c.bigEndian(1 << (t - tagStr8)))
	}
	c.fail(ErrMalformed)
	return nil
}

// arrayLen reads the head of an array. An element takes a byte at least, so a count beyond what is
// left fails here and no caller has to fear it.
func (c *cursor) arrayLen() uint {
	return c.count(tagFixArray, tagArray16, 1)
}

// mapLen reads the head of a map, bounded as arrayLen is.
func (c *cursor) mapLen() uint {
	return c.count(tagFixMap, tagMap16, 2)
}

func (c *cursor) count(fix, wide byte, least uint64) uint {
	var n uint64
	switch t := c.byte(); {
	case t&^0x0f == fix:
		n = uint64(t & 0x0f)
	case t == wide || t == wide+1:
		n = c.bigEndian(2 << (t - wide))
	default:
		c.fail(ErrMalformed)
		return 0
	}
	if n*least > uint64(len(c.b)) {
		c.fail(ErrShort)
		return 0
	}
	return uint(n)
}

func isArray(t byte) bool { return t&^0x0f == tagFixArray || t == tagArray16 || t == tagArray32 }

func isMap(t byte) bool { return t&^0x0f == tagFixMap || t == tagMap16 || t == tagMap32 }
