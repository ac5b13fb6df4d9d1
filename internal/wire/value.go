package wire

// uuid reads 16 bytes, in the bin form only: gwyh 0.1 takes no other for a UUID.
func (c *cursor) uuid(id *[16]byte) {
	s := c.bin()
	if c.err == nil && len(s) != len(id) {
		c.fail(ErrMalformed)
	}
	copy(id[:], s)
}

// exact reads len(dst) bytes, as bin or as an ARRAY, and leaves the input as it is.
func (c *cursor) exact(dst []byte) {
	if !isArray(c.peek()) {
		s := c.bin()
		if c.err == nil && len(s) != len(dst) {
			c.fail(ErrMalformed)
		}
		copy(dst, s)
		return
	}
	if n := c.arrayLen(); c.err == nil && n != uint(len(dst)) {
		c.fail(ErrMalformed)
	}
	for i := 0; i < len(dst) && c.err == nil; i++ {
		dst[i] = byte(c.uint(0xff))
	}
}

// atMost reads a byte string of up to len(buf) bytes, as bin or as an ARRAY, into buf and leaves
// the input as it is.
func (c *cursor) atMost(buf []byte) []byte {
	d := *c // a look ahead, to learn the length
	n := uint(0)
	if isArray(d.peek()) {
		n = d.arrayLen()
	} else {
		n = uint(len(d.bin()))
	}
	if d.err != nil {
		c.fail(d.err)
		return nil
	}
	if n > uint(len(buf)) {
		c.fail(ErrMalformed)
		return nil
	}
	c.exact(buf[:n])
	return buf[:n]
}

// data reads a byte string of any length, as bin or as an ARRAY, and tells which it was. The result
// aliases the input: an ARRAY is decoded in place, over its own bytes, which it never outruns.
func (c *cursor) data() ([]byte, Encoding) {
	if !isArray(c.peek()) {
		return c.bin(), Bin
	}
	n := int(c.arrayLen())
	buf, r := c.b, 0
	for w := 0; w < n; w++ {
		switch {
		case r < len(buf) && buf[r] <= 0x7f:
			buf[w] = buf[r]
			r++
		case r+1 < len(buf) && buf[r] == tagUint8:
			buf[w] = buf[r+1]
			r += 2
		default: // a wider form than needed, or an error
			c.b = buf[r:]
			v := c.uint(0xff)
			if c.err != nil {
				return nil, Arrays
			}
			buf[w], r = byte(v), len(buf)-len(c.b)
		}
	}
	c.b = buf[r:]
	return buf[:n:n], Arrays
}

// raw steps over one value of any type and is its bytes.
func (c *cursor) raw() []byte {
	start := c.b
	c.skip()
	if c.err != nil {
		return nil
	}
	n := len(start) - len(c.b)
	return start[:n:n]
}

// skip steps over one value of any type. It counts the values still to come instead of nesting
// calls, so depth costs nothing, and it gives up as soon as they cannot all be there.
func (c *cursor) skip() {
	for todo := uint64(1); todo > 0 && c.err == nil; todo-- {
		t := c.peek()
		switch {
		case isArray(t):
			todo += uint64(c.arrayLen())
		case isMap(t):
			todo += 2 * uint64(c.mapLen())
		case t&^0x1f == tagFixStr || t >= tagStr8 && t <= tagStr32:
			c.str()
		case t >= tagBin8 && t <= tagBin32:
			c.bin()
		default:
			c.skipScalar()
		}
		if todo-1 > uint64(len(c.b)) {
			c.fail(ErrShort)
		}
	}
}

// skipScalar steps over nil, a boolean, a number or an extension.
func (c *cursor) skipScalar() {
	switch t := c.byte(); {
	case t <= 0x7f || t >= 0xe0 || t == tagNil || t == 0xc2 || t == 0xc3:
	case t >= 0xc7 && t <= 0xc9: // ext: length, type, bytes
		c.take(1 + c.bigEndian(1<<(t-0xc7)))
	case t == 0xca || t == 0xcb: // float
		c.take(4 << (t - 0xca))
	case t >= tagUint8 && t <= tagUint64:
		c.take(1 << (t - tagUint8))
	case t >= tagInt8 && t <= tagInt64:
		c.take(1 << (t - tagInt8))
	case t >= 0xd4 && t <= 0xd8: // fixext: type, bytes
		c.take(1 + 1<<(t-0xd4))
	default:
		c.fail(ErrMalformed)
	}
}

// atLeast reads the head of an array that an extension may have lengthened: of n elements, and as
// many more as it returns, which the caller steps over.
func (c *cursor) atLeast(n uint) (more uint) {
	have := c.arrayLen()
	if c.err == nil && have < n {
		c.fail(ErrMalformed)
	}
	if c.err != nil {
		return 0
	}
	return have - n
}

// skipN steps over n values.
func (c *cursor) skipN(n uint) {
	for ; n > 0 && c.err == nil; n-- {
		c.skip()
	}
}
