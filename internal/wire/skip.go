package wire

// A form describes the length of the values that begin with a certain byte.
type form struct {
	size   uint8 // bytes of fixed size, including the first byte and the length; 0 if no value begins with the byte
	wide   uint8 // bytes of the length, which follows the first byte
	per    uint8 // nested values for each unit of the length: 1 in an array, 2 in a map; 0 if the length counts bytes
	values uint8 // nested values independent of a length
}

var forms = makeForms()

func makeForms() (f [256]form) {
	for t := range f {
		switch {
		case t <= 0x7f, t >= 0xe0, t == tagNil, t == 0xc2, t == 0xc3: // small integers, nil, false and true
			f[t] = form{size: 1}
		case t <= 0x8f:
			f[t] = form{size: 1, values: 2 * uint8(t-tagFixMap)}
		case t <= 0x9f:
			f[t] = form{size: 1, values: uint8(t - tagFixArray)}
		case t <= 0xbf:
			f[t] = form{size: 1 + uint8(t-tagFixStr)}
		}
	}
	for k := range 3 {
		wide := uint8(1) << k
		f[tagBin8+k] = form{size: 1 + wide, wide: wide}
		f[tagStr8+k] = form{size: 1 + wide, wide: wide}
		f[0xc7+k] = form{size: 2 + wide, wide: wide} // ext: length, type, bytes
	}
	for k := range 2 {
		wide := uint8(2) << k
		f[tagArray16+k] = form{size: 1 + wide, wide: wide, per: 1}
		f[tagMap16+k] = form{size: 1 + wide, wide: wide, per: 2}
		f[0xca+k] = form{size: 1 + 4<<k} // float
	}
	for k := range 4 {
		f[tagUint8+k] = form{size: 1 + 1<<k}
		f[tagInt8+k] = form{size: 1 + 1<<k}
	}
	for k := range 5 {
		f[0xd4+k] = form{size: 2 + 1<<k} // fixext: type, bytes
	}
	return f
}

// skip skips one value of any type. It counts the remaining values instead of recursing, so nesting costs nothing,
// and it fails as soon as the input is too short for all of them.
func (c *cursor) skip() { c.skipN(1) }

// skipN skips n values.
func (c *cursor) skipN(n uint) {
	for todo := c.skipSmall(uint64(n)); todo > 0; todo = c.skipSmall(todo - 1) {
		f := forms[c.peek()]
		if f.size == 0 {
			c.failSkip()
			return
		}
		todo += uint64(f.values)
		size := uint64(f.size)
		if f.wide > 0 {
			c.i++
			n := c.bigEndian(uint64(f.wide))
			todo += n * uint64(f.per)
			size -= 1 + uint64(f.wide)
			if f.per == 0 {
				size += n
			}
		}
		if size+todo-1 > c.left() {
			c.fail(ErrShort)
			return
		}
		c.i += int(size)
	}
}

// skipSmall skips the next integers of one and two bytes, which are the largest part of most handshake packets, and
// returns how many of todo values remain.
func (c *cursor) skipSmall(todo uint64) uint64 {
	b, i := c.b, c.i
	for ; todo > 0 && i < len(b); todo-- {
		switch {
		case b[i] <= 0x7f:
			i++
		case b[i] == tagUint8 && i+1 < len(b):
			i += 2
		default:
			c.i = i
			return todo
		}
	}
	c.i = i
	return todo
}

func (c *cursor) failSkip() {
	if c.left() == 0 {
		c.fail(ErrShort)
		return
	}
	c.fail(ErrMalformed)
}

// raw skips one value of any type and returns its bytes.
func (c *cursor) raw() []byte {
	start := c.i
	c.skip()
	if c.err != nil {
		return nil
	}
	return c.b[start:c.i:c.i]
}
