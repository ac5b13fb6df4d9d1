package wire

// A Report tells a sender of many datagrams how they arrive. It describes the direction from its receiver to its
// sender: {"Report": [highest u64, lowest u64, bytes u64, delay u32]}.
type Report struct {
	Highest uint64 // highest packet number that was opened
	Lowest  uint64 // lowest packet number that is missing and may still be requested; Highest + 1 for none
	Bytes   uint64 // total size of the datagrams opened in this session
	Delay   uint32 // microseconds since the datagram of Highest was opened
}

// AppendReport appends a message with r.
func AppendReport(b []byte, id MessageID, r Report) []byte {
	b = append(appendMessageHead(b, &id, "Report"), tagFixArray|4)
	return appendUint(appendUint(appendUint(appendUint(b, r.Highest), r.Lowest), r.Bytes), uint64(r.Delay))
}

// ParseReport parses the Data of a KindReport.
func ParseReport(data []byte) (Report, error) {
	c := cursor{b: data}
	more := c.atLeast(4)
	r := Report{Highest: c.uint(1<<64 - 1), Lowest: c.uint(1<<64 - 1), Bytes: c.uint(1<<64 - 1), Delay: uint32(c.uint(1<<32 - 1))}
	c.skipN(more)
	return r, c.err
}

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
