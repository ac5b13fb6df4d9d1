package wire

// A roll is a member list: all members that a node knows, including dead and departed ones, each encoded as
//
//	state u8 || alive entry
//
// without separators. The receiver judges it as a whole before it accepts any of its members.

// AppendMemberList appends m to a member list: its state, followed by an entry with all fields.
func AppendMemberList(b []byte, m *Member) []byte {
	alive := *m
	alive.State = StateAlive
	return AppendMember(append(b, byte(m.State)), &alive)
}

// ParseMemberList calls yield with each member of a member list until it returns false. The slices of the members alias data.
func ParseMemberList(data []byte, yield func(m *Member) bool) error {
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

// ReasonMax is the maximum length of the content of a UseVeto in bytes.
const ReasonMax = 256

// AppendStateRefused appends the rejection of the push with the given id: {"StateRefused": [id bin(16)]}.
func AppendStateRefused(b []byte, id MessageID, push MessageID) []byte {
	return appendUUID(append(appendMessageHead(b, &id, "StateRefused"), tagFixArray|1), (*[16]byte)(&push))
}

// ParseStateRefused parses the Data of a KindStateRefused.
func ParseStateRefused(data []byte) (push MessageID, err error) {
	c := cursor{b: data}
	more := c.atLeast(1)
	c.uuid((*[16]byte)(&push))
	c.skipN(more)
	return push, c.err
}
