package wire

// fields are the names of a struct's fields in order. gwyh 0.1 encodes a struct as an array and also accepts a map
// with the field names as keys (PROTOCOL.md W6), in which optional fields may be missing. Not all names are the
// original's: body, hmacs, responses and addr are ours.
type fields struct {
	names    []string
	optional uint8 // bit i: field i may be missing from a map
}

// A record iterates over the fields of one struct in either encoding.
type record struct {
	def    *fields
	byName bool
	seen   uint8 // bit i: field i of a map was read
	at     int   // next field of an array
	left   uint  // elements or entries not yet read; 0 after a failure
}

// record opens a struct. It rejects a wrong number of elements.
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

// next returns the index of the field whose value is read next, or -1 if there is none.
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

// variant reads the name of an enum's variant: a single string, or the key of a one-entry map whose value is read next.
func (c *cursor) variant() (name []byte, hasValue bool) {
	if isMap(c.peek()) {
		hasValue = true
		if n := c.mapLen(); c.err == nil && n != 1 {
			c.fail(ErrMalformed)
		}
	}
	return c.str(), hasValue
}
