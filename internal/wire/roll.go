package wire

// A roll is all members that a node knows, the gone ones among them, each as
//
//	state u8 || alive entry
//
// one after the other: what is to be judged as a whole before any of it is taken in.

// AppendRoll appends m, its state before an entry that tells all there is to know of it.
func AppendRoll(b []byte, m *Member) []byte {
	alive := *m
	alive.State = StateAlive
	return appendMember(append(b, byte(m.State)), &alive)
}

// ParseRoll calls yield with each member of a roll, whose slices alias data, as long as it returns true.
func ParseRoll(data []byte, yield func(m *Member) bool) error {
	c := cursor{b: data}
	var m Member
	for c.left() > 0 {
		state := State(c.byte())
		if isEntry := c.member(&m) && m.State == StateAlive; c.err == nil && (!isEntry || state > StateLeft) {
			c.fail(ErrMalformed)
		}
		if m.State = state; c.err == nil && !yield(&m) {
			return nil
		}
	}
	return c.err
}

// ReasonMax bounds the bytes of the content of a UseVeto.
const ReasonMax = 256

// AppendStateRefused appends the refusal of a push, of that id: {"StateRefused": [id bin(16)]}.
func AppendStateRefused(b []byte, id MessageID, push MessageID) []byte {
	b = append(appendMessageHead(b, &id, "StateRefused"), tagFixArray|1)
	return appendUUID(b, (*[16]byte)(&push))
}

// ParseStateRefused parses the Data of a KindStateRefused.
func ParseStateRefused(data []byte) (push MessageID, err error) {
	c := cursor{b: data}
	more := c.atLeast(1)
	c.uuid((*[16]byte)(&push))
	c.skipN(more)
	return push, c.err
}
