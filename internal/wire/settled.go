package wire

// Settled answers a Nak: {"Settled": [start u32, end u32]}, the low halves of two packet numbers. The packet
// numbers [Start, End) of its sender's direction need not be requested any longer, because their content was sent
// again under other numbers or cannot be sent again.
type Settled struct{ Start, End uint32 }

// AppendSettled appends a message with s.
func AppendSettled(b []byte, id MessageID, s Settled) []byte {
	b = append(appendMessageHead(b, &id, "Settled"), tagFixArray|2)
	return appendUint(appendUint(b, uint64(s.Start)), uint64(s.End))
}

// ParseSettled parses the Data of a KindSettled.
func ParseSettled(data []byte) (Settled, error) {
	c := cursor{b: data}
	more := c.atLeast(2)
	s := Settled{Start: uint32(c.uint(1<<32 - 1)), End: uint32(c.uint(1<<32 - 1))}
	c.skipN(more)
	return s, c.err
}
