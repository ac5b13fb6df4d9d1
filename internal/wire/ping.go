package wire

// A Ping requests an Ack with the same Seq: {"Ping": [seq u64, payload bin]}, {"Ack": [seq u64, payload bin]}. Both
// are encoded without go-msgpack, because every link is probed all the time.
type Ping struct {
	Seq     uint64
	Payload []byte // may be empty; in a Ping it is padding; aliases the input if parsed
}

// AppendPing appends a message that requests an Ack.
func AppendPing(b []byte, id MessageID, p Ping) []byte {
	return appendPing(appendMessageHead(b, &id, "Ping"), p)
}

// AppendAck appends the answer to the Ping with the same Seq.
func AppendAck(b []byte, id MessageID, p Ping) []byte {
	return appendPing(appendMessageHead(b, &id, "Ack"), p)
}

func appendPing(b []byte, p Ping) []byte {
	return appendBin(appendUint(append(b, tagFixArray|2), p.Seq), p.Payload)
}

// ParsePing parses the Data of a KindPing or a KindAck.
func ParsePing(data []byte) (Ping, error) {
	c := cursor{b: data}
	more := c.atLeast(2)
	p := Ping{Seq: c.uint(1<<64 - 1), Payload: c.bin()}
	c.skipN(more)
	return p, c.err
}
