package wire

import "errors"

var (
	// ErrShort means that the input ends inside a value, or declares a length beyond its end.
	ErrShort = errors.New("wire: truncated")

	// ErrMalformed means that the input is not a value of the expected type.
	ErrMalformed = errors.New("wire: malformed")
)

// The first bytes of MessagePack values that gwyh uses.
const (
	tagFixMap   = 0x80 // low 4 bits: entries
	tagFixArray = 0x90 // low 4 bits: elements
	tagFixStr   = 0xa0 // low 5 bits: bytes
	tagNil      = 0xc0
	tagNever    = 0xc1 // not the first byte of any value
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

// A cursor reads MessagePack from b, starting at i. The first failure is final: afterwards nothing is left and
// every read returns zero values, so a parser may ignore errors until its end and check err once. Only a loop over
// a declared count must stop early (PROTOCOL.md W2).
type cursor struct {
	b   []byte // the input; nil after a failure
	i   int    // bytes of b that were read
	err error  // nil, ErrShort or ErrMalformed
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b, c.i = nil, 0
}

// rest returns the unread bytes.
func (c *cursor) rest() []byte { return c.b[c.i:] }

// left returns the number of unread bytes.
func (c *cursor) left() uint64 { return uint64(len(c.b) - c.i) }

// peek returns the first byte of the next value or, at the end of the input, a byte that starts no value.
func (c *cursor) peek() byte {
	if c.i >= len(c.b) {
		return tagNever
	}
	return c.b[c.i]
}

func (c *cursor) byte() byte {
	if c.i >= len(c.b) {
		c.fail(ErrShort)
		return 0
	}
	c.i++
	return c.b[c.i-1]
}

// take returns the next n bytes. They alias the input, and their capacity is n.
func (c *cursor) take(n uint64) []byte {
	if n > c.left() {
		c.fail(ErrShort)
		return nil
	}
	v := c.b[c.i : c.i+int(n) : c.i+int(n)]
	c.i += int(n)
	return v
}

// bigEndian reads an integer of 1, 2, 4 or 8 bytes.
func (c *cursor) bigEndian(size uint64) uint64 {
	var v uint64
	for _, x := range c.take(size) {
		v = v<<8 | uint64(x)
	}
	return v
}

// uint reads an integer from 0 to limit, encoded with any width.
func (c *cursor) uint(limit uint64) uint64 {
	t := c.byte()
	v := uint64(t)
	if t > 0x7f {
		v = c.wideUint(t)
	}
	if v > limit {
		c.fail(ErrMalformed)
		return 0
	}
	return v
}

// wideUint reads the rest of an integer whose first byte is t.
func (c *cursor) wideUint(t byte) uint64 {
	switch {
	case t >= tagUint8 && t <= tagUint64:
		return c.bigEndian(1 << (t - tagUint8))
	case t >= tagInt8 && t <= tagInt64:
		size := uint64(1) << (t - tagInt8)
		if v := c.bigEndian(size); v>>(8*size-1) == 0 {
			return v
		}
	}
	c.fail(ErrMalformed) // negative, or not an integer
	return 0
}

// isNil reads a nil if it is the next value, and reports whether it is.
func (c *cursor) isNil() bool {
	if c.peek() != tagNil {
		return false
	}
	c.i++
	return true
}

// bin reads a byte string in the bin form.
func (c *cursor) bin() []byte {
	t := c.byte()
	if t == tagBin8 {
		return c.take(uint64(c.byte()))
	}
	if t != tagBin16 && t != tagBin32 {
		c.fail(ErrMalformed)
		return nil
	}
	return c.take(c.bigEndian(1 << (t - tagBin8)))
}

// str reads a string and returns its bytes.
func (c *cursor) str() []byte {
	t := c.byte()
	if t&^0x1f == tagFixStr {
		return c.take(uint64(t & 0x1f))
	}
	if t < tagStr8 || t > tagStr32 {
		c.fail(ErrMalformed)
		return nil
	}
	return c.take(c.bigEndian(1 << (t - tagStr8)))
}

// arrayLen reads the head of an array. An element needs at least one byte, so a count above the number of unread
// bytes fails here, and callers may rely on the count.
func (c *cursor) arrayLen() uint {
	t := c.byte()
	n := uint64(t & 0x0f)
	if t&^0x0f != tagFixArray {
		n = c.wideCount(t, tagArray16)
	}
	if n > c.left() {
		c.fail(ErrShort)
		return 0
	}
	return uint(n)
}

// mapLen reads the head of a map, with the same bound as arrayLen.
func (c *cursor) mapLen() uint {
	t := c.byte()
	n := uint64(t & 0x0f)
	if t&^0x0f != tagFixMap {
		n = c.wideCount(t, tagMap16)
	}
	if 2*n > c.left() {
		c.fail(ErrShort)
		return 0
	}
	return uint(n)
}

// wideCount reads a count of 16 bits if t is tag16, or of 32 bits if t is the next tag.
func (c *cursor) wideCount(t, tag16 byte) uint64 {
	if t != tag16 && t != tag16+1 {
		c.fail(ErrMalformed)
		return 0
	}
	return c.bigEndian(2 << (t - tag16))
}

func isArray(t byte) bool { return t&^0x0f == tagFixArray || t == tagArray16 || t == tagArray32 }

func isMap(t byte) bool { return t&^0x0f == tagFixMap || t == tagMap16 || t == tagMap32 }
