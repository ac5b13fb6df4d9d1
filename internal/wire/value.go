package wire

// uuid reads 16 bytes, in the bin form only, because gwyh 0.1 accepts no other form for a UUID.
func (c *cursor) uuid(id *[16]byte) {
	s := c.bin()
	if c.err == nil && len(s) != len(id) {
		c.fail(ErrMalformed)
	}
	copy(id[:], s)
}

// exact reads len(dst) bytes, as bin or as an ARRAY, and does not modify the input.
func (c *cursor) exact(dst []byte) {
	if isArray(c.peek()) {
		if n := c.arrayLen(); n == uint(len(dst)) {
			c.integers(dst)
		} else {
			c.fail(ErrMalformed)
		}
		return
	}
	s := c.bin()
	if len(s) != len(dst) {
		c.fail(ErrMalformed)
	}
	copy(dst, s)
}

// atMost reads a byte string of up to len(buf) bytes, as bin or as an ARRAY, into buf. It does not modify the input.
func (c *cursor) atMost(buf []byte) []byte {
	if !isArray(c.peek()) {
		return buf[:copy(buf, c.bounded(c.bin(), len(buf)))]
	}
	n := c.arrayLen()
	if n > uint(len(buf)) {
		c.fail(ErrMalformed)
		return nil
	}
	c.integers(buf[:n])
	return buf[:n]
}

// data reads a byte string of any length, as bin or as an ARRAY, and returns its encoding. The result aliases the
// input: an ARRAY is decoded in place, and the write position never passes the read position.
func (c *cursor) data() ([]byte, Encoding) {
	if !isArray(c.peek()) {
		return c.bin(), Bin
	}
	n := int(c.arrayLen())
	dst := c.rest()[:n:n]
	c.integers(dst)
	return dst, Arrays
}

// integers reads len(dst) integers below 256. dst may be the start of the memory that it reads from: an integer
// takes at least one byte, so the write position never passes the read position.
func (c *cursor) integers(dst []byte) {
	b, i := c.b, c.i
	for w := range dst {
		switch {
		case i < len(b) && b[i] <= 0x7f:
			dst[w] = b[i]
			i++
		case i+1 < len(b) && b[i] == tagUint8:
			dst[w] = b[i+1]
			i += 2
		default: // a wider form than needed, or an error
			c.i = i
			v := c.uint(0xff)
			if c.err != nil {
				return
			}
			dst[w], i = byte(v), c.i
		}
	}
	c.i = i
}

// atLeast reads the head of an array that an extension may have made longer: it needs n elements, and returns the
// number of further elements, which the caller skips.
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

// bounded fails if s is longer than limit bytes.
func (c *cursor) bounded(s []byte, limit int) []byte {
	if len(s) > limit {
		c.fail(ErrMalformed)
		return nil
	}
	return s
}
