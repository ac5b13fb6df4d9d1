package wire

// Fields are the names of a struct's fields in order. gwyh 0.1 writes a struct as an array and also reads it as a map
// by field name (PROTOCOL.md 1); a field that it takes for optional may then be missing. PROTOCOL.md does not give
// every name of the original's: body, hmacs, responses and addr are ours.
type fields struct {
	names    []string
	optional uint8 // bit i: field i may be missing from a map
}

// A record walks over the fields of one struct, whichever way it is written.
type record struct {
	def    *fields
	byName bool
	seen   uint8 // bit i: field i of a map was read
	at     int   // next field of an array
	left   uint  // elements or entries not yet read; 0 after a failure
}

// record opens a struct. One of another number of elements is refused.
func (c *cursor) record(def *fields) record {
	if isMap(c.peek()) {
		return record{def: def, byName: true, left: c.mapLen()}
	}
	n := c.arrayLen()
	if n != uint(len(def.names)) {
		c.fail(ErrMalformed)
		n = 0
	}
	return record{def: def, left: n}
}

// next is the index of the field whose value comes next, or -1 when there is none.
func (r *record) next(c *cursor) int {
	if r.byName || r.left == 0 {
		return r.nextEntry(c)
	}
	r.left--
	r.at++
	return r.at - 1
}

func (r *record) nextEntry(c *cursor) int {
	if !r.byName {
		return -1
	}
	for ; r.left > 0 && c.err == nil; c.skip() {
		r.left--
		key := c.str()
		for i, name := range r.def.names {
			if string(key) != name {
				continue
			}
			if r.seen&(1<<i) != 0 {
				c.fail(ErrMalformed)
				return -1
			}
			r.seen |= 1 << i
			return i
		}
	}
	if r.seen|r.def.optional != 1<<len(r.def.names)-1 {
		c.fail(ErrMalformed)
	}
	return -1
}

// variant reads the name of an enum's variant: a string alone, or the key of a one-entry map whose value follows.
func (c *cursor) variant() (name []byte, hasValue bool) {
	if isMap(c.peek()) {
		hasValue = true
		if n := c.mapLen(); c.err == nil && n != 1 {
			c.fail(ErrMalformed)
		}
	}
	return c.str(), hasValue
}
